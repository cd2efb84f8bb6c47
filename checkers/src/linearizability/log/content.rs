//! What is where: every offset has one value and one append, and every value read was appended.
//!
//! Appends with an offset are placed by it. One without (nobody knows what became of it) is placed by a read
//! that shows a value nobody else can have put there. What then has no owner are slots ([`super::slots`]).

use std::collections::HashMap;

use history::Outcome;
use history::exchange::operations::{Action, Operations, TextId};

use super::{Append, NO_END, Window};
use crate::linearizability::{Flaw, NEVER};

/// An append whose place nobody told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Loose {
    /// Its number among all operations.
    pub(super) op: u32,
    /// When it was called.
    pub(super) call: i64,
    /// When it returned: it is in the log. [`NEVER`]: it may be.
    pub(super) returned: i64,
}

/// Nobody, where an operation is named.
const NOBODY: u32 = u32::MAX;

/// One log, its appends placed as far as what was told and read allows.
pub(super) struct Placed<'a> {
    pub(super) operations: &'a Operations,
    /// In order of offset, disjoint.
    pub(super) appends: Vec<Append>,
    pub(super) windows: Vec<Window>,
    /// Appends without a place.
    pub(super) loose: Vec<Loose>,
    /// Offsets without an owner, in order, with the value that was read there.
    pub(super) slots: Vec<(u64, Option<TextId>)>,
    /// Who read something, by offset of a slot; for witnesses.
    readers: HashMap<u64, u32>,
}

/// The values of an append.
pub(super) fn values(operations: &Operations, op: u32) -> &[TextId] {
    match operations.all[op as usize].action {
        Action::Append { values, .. } => operations.run(values),
        _ => &[],
    }
}

impl<'a> Placed<'a> {
    /// Places what can be placed; the first contradiction is the error. O(n log n + values).
    pub(super) fn new(operations: &'a Operations, members: &[u32]) -> Result<Self, Flaw> {
        let mut placed = Self {
            operations,
            appends: Vec::new(),
            windows: Vec::new(),
            loose: Vec::new(),
            slots: Vec::new(),
            readers: HashMap::new(),
        };
        for op in members {
            placed.sort_in(*op);
        }
        placed.appends.sort_unstable_by_key(|append| append.base);
        if let Some(pair) = placed.appends.windows(2).find(|pair| pair[0].end() > pair[1].base) {
            let offset = pair[1].base;
            return Err(Flaw::one(
                "inconsistent-offsets",
                format!("two appends were told offset {offset}"),
                vec![pair[0].id, pair[1].id],
            ));
        }
        let told = placed.appends.iter().map(|append| u64::from(append.count)).sum::<u64>();
        let untold = placed.loose.iter().map(|loose| values(operations, loose.op).len() as u64).sum::<u64>();
        // Of more offsets than there are records, one among the first has no record: no need to look further,
        // however far the largest offset is.
        let known = placed.end().min(told + untold + 1) as usize;
        let mut contents = Contents { values: vec![None; known], claims: vec![NOBODY; known] };
        let mut covered = vec![false; known];
        for append in &placed.appends {
            contents.claim(append.base, values(operations, append.id), append.id)?;
            cover(&mut covered, append.base, append.count as usize);
        }
        for op in members {
            let read = &operations.all[*op as usize];
            if let Action::ReadLog { offset, values, .. } = read.action
                && read.outcome == Outcome::Ok
            {
                contents.claim(offset, operations.run(values), *op)?;
            }
        }
        let open = |offset: &usize, covered: &[bool]| !covered[*offset];
        let seen: Vec<usize> =
            (0..known).filter(|at| open(at, &covered) && contents.values[*at].is_some()).collect();
        if !seen.is_empty() {
            placed.place_seen(&seen, &mut contents, &mut covered, members)?;
        }
        placed.slots =
            (0..known).filter(|at| open(at, &covered)).map(|at| (at as u64, contents.values[at])).collect();
        for (offset, value) in &placed.slots {
            if value.is_some() {
                placed.readers.insert(*offset, contents.claims[*offset as usize]);
            }
        }
        Ok(placed)
    }

    /// The end that somebody was told or saw, or later.
    pub(super) fn end(&self) -> u64 {
        let appended = self.appends.last().map_or(0, Append::end);
        self.windows.iter().map(|window| window.lo).max().unwrap_or(0).max(appended)
    }

    /// The read that showed a value in a slot, or else the first operation that shows the log to be longer.
    pub(super) fn witness_of(&self, offset: u64) -> Vec<u32> {
        let reader = self.readers.get(&offset).copied();
        let later = || self.appends.iter().find(|append| append.base > offset).map(|append| append.id);
        let longer = || self.windows.iter().find(|window| window.lo > offset).map(|window| window.id);
        reader.or_else(later).or_else(longer).into_iter().collect()
    }

    fn sort_in(&mut self, op: u32) {
        let operation = &self.operations.all[op as usize];
        let (call, returned) = (operation.call, operation.returned);
        let mut window = |lo, hi| self.windows.push(Window { lo, hi, id: op, call, returned });
        match (operation.action, operation.outcome) {
            (Action::Append { values, base }, outcome @ (Outcome::Ok | Outcome::Unknown)) => {
                match (base, values.count) {
                    (Some(end), 0) => window(end, end),
                    (None, 0) => {}
                    (Some(base), count) if outcome == Outcome::Ok => {
                        self.appends.push(Append { base, count, id: op, call, returned });
                    }
                    _ => self.loose.push(Loose { op, call, returned }),
                }
            }
            (Action::ReadLog { offset, values, strict_end }, Outcome::Ok) => {
                let end = offset + u64::from(values.count);
                let lo = if values.count == 0 { 0 } else { end };
                if lo > 0 || strict_end {
                    window(lo, if strict_end { end } else { NO_END });
                }
            }
            (Action::EndOffset { end, weak }, Outcome::Ok) => window(end, if weak { NO_END } else { end }),
            _ => {}
        }
    }

    /// Values read where nobody was told to have appended: whose are they?
    fn place_seen(
        &mut self,
        seen: &[usize],
        contents: &mut Contents,
        covered: &mut [bool],
        members: &[u32],
    ) -> Result<(), Flaw> {
        let operations = self.operations;
        // Who may have put a value there: the first one and where in it, and how many there are.
        let mut owners: HashMap<TextId, (usize, usize, usize)> =
            seen.iter().filter_map(|at| contents.values[*at]).map(|value| (value, (0, 0, 0))).collect();
        for (place, loose) in self.loose.iter().enumerate() {
            for (within, value) in values(operations, loose.op).iter().enumerate() {
                if let Some(owner) = owners.get_mut(value) {
                    let count = owner.2 + 1;
                    *owner = if count == 1 { (place, within, 1) } else { (owner.0, owner.1, count) };
                }
            }
        }
        let mut bases: HashMap<usize, u64> = HashMap::new();
        for at in seen {
            let Some(value) = contents.values[*at] else { continue };
            let (place, within, count) = owners[&value];
            let reader = contents.claims[*at];
            match count {
                0 => return Err(self.stranger(value, *at as u64, reader, members)),
                1 => {
                    let append = self.loose[place].op;
                    let Some(base) = (*at as u64).checked_sub(within as u64) else {
                        return Err(Flaw::one(
                            "non-linearizable",
                            format!("a value stands at offset {at}, where its append does not fit"),
                            vec![append, reader],
                        ));
                    };
                    if *bases.entry(place).or_insert(base) != base {
                        return Err(Flaw::one(
                            "duplicate",
                            format!("one append is seen at offsets {} and {base}", bases[&place]),
                            vec![append, reader],
                        ));
                    }
                }
                // Several may have: a matter of matching.
                _ => {}
            }
        }
        let mut places: Vec<(usize, u64)> = bases.into_iter().collect();
        places.sort_unstable();
        for (place, base) in &places {
            let Loose { op, call, returned } = self.loose[*place];
            let values = values(operations, op);
            contents.claim(*base, values, op)?;
            if let Some(offset) = taken(covered, *base, values.len()) {
                let message = format!("an append seen at offset {base} overlaps what stands at {offset}");
                let mut witnesses = vec![op];
                let owner = self.appends.iter().find(|other| other.base <= offset && offset < other.end());
                witnesses.extend(owner.map(|owner| owner.id));
                return Err(Flaw::one("inconsistent-offsets", message, witnesses));
            }
            cover(covered, *base, values.len());
            self.appends.push(Append { base: *base, count: values.len() as u32, id: op, call, returned });
        }
        self.appends.sort_unstable_by_key(|append| append.base);
        let mut place = 0;
        self.loose.retain(|_| {
            place += 1;
            places.binary_search_by_key(&(place - 1), |(place, _)| *place).is_err()
        });
        if let Some(pair) = self.appends.windows(2).find(|pair| pair[0].end() > pair[1].base) {
            let message = format!("two appends are seen to hold offset {}", pair[1].base);
            return Err(Flaw::one("inconsistent-offsets", message, vec![pair[0].id, pair[1].id]));
        }
        Ok(())
    }

    /// A value that none of the loose appends holds.
    fn stranger(&self, value: TextId, offset: u64, reader: u32, members: &[u32]) -> Flaw {
        let holds = |op: &&u32| values(self.operations, **op).contains(&value);
        let text = self.operations.values.get(value);
        match members.iter().find(holds) {
            Some(op) if self.operations.all[*op as usize].outcome == Outcome::Fail => Flaw::one(
                "phantom",
                format!("{text} was read at offset {offset}, though its append certainly failed"),
                vec![*op, reader],
            ),
            Some(op) => Flaw::one(
                "duplicate",
                format!("{text} was read at offset {offset} and appended elsewhere"),
                vec![*op, reader],
            ),
            None => Flaw::one(
                "phantom",
                format!("{text} was read at offset {offset}, and nobody appended it"),
                vec![reader],
            ),
        }
    }
}

/// The value of each offset, and who first said so.
struct Contents {
    values: Vec<Option<TextId>>,
    claims: Vec<u32>,
}

impl Contents {
    /// Somebody says that values stand from an offset on. Offsets too far to matter are passed over.
    fn claim(&mut self, base: u64, values: &[TextId], who: u32) -> Result<(), Flaw> {
        let Some(start) = usize::try_from(base).ok().filter(|start| *start < self.values.len()) else {
            return Ok(());
        };
        let known = self.values[start..].iter_mut().zip(&mut self.claims[start..]);
        for (at, ((held, claim), value)) in known.zip(values).enumerate() {
            match *held {
                Some(held) if held == *value => {}
                Some(_) => {
                    return Err(Flaw::one(
                        "inconsistent-offsets",
                        format!("offset {} is said to hold two values", start + at),
                        vec![*claim, who],
                    ));
                }
                None => {
                    *held = Some(*value);
                    *claim = who;
                }
            }
        }
        Ok(())
    }
}

fn span(covered: &[bool], base: u64, count: usize) -> std::ops::Range<usize> {
    let start = usize::try_from(base).unwrap_or(usize::MAX).min(covered.len());
    start..start.saturating_add(count).min(covered.len())
}

fn cover(covered: &mut [bool], base: u64, count: usize) {
    let span = span(covered, base, count);
    covered[span].fill(true);
}

/// The first offset of a span that has an owner.
fn taken(covered: &[bool], base: u64, count: usize) -> Option<u64> {
    let span = span(covered, base, count);
    span.into_iter().find(|at| covered[*at]).map(|at| at as u64)
}

impl Loose {
    /// It is in the log, wherever.
    pub(super) fn happened(&self) -> bool {
        self.returned != NEVER
    }
}
