//! Polls of a history from elsewhere against its derived log: does a process go forward, without gaps?

use history::{Function, Offset, Operation, Outcome, Partition, Session, Tag};

use super::{INT_POLL, INT_SKIP, POLL, SKIP, Tally};
use crate::Finding;
use crate::context::{Context, Derived, involved, parallel};
use crate::judgement::Witness;
use crate::spec::Kind;

/// Why a process that subscribes may find itself elsewhere.
const REGROUPED: &str = "the processes subscribe and the history tells of no rebalance, so that a partition may have been \
                         elsewhere in between";

/// Where a process is in one partition: what it was given last.
#[derive(Debug, Clone, Copy)]
struct Stand {
    /// Position in the derived log.
    position: usize,
    /// The highest so far: who went back and comes here again skips nothing.
    highest: usize,
    offset: Offset,
    tag: Tag,
    /// Number of the operation in its session.
    operation: usize,
}

/// Two deliveries of one partition that follow one another.
#[derive(Clone, Copy)]
struct Step {
    partition: Partition,
    before: Stand,
    now: Stand,
}

/// What is found, by kind. Steps between operations of a group are apart: they may be legal.
#[derive(Default)]
struct Found {
    inside: (Tally, Tally),
    between: (Tally, Tally),
    regrouped: (Tally, Tally),
}

impl Found {
    fn merge(&mut self, other: Self) {
        let pairs = [
            (&mut self.inside, other.inside),
            (&mut self.between, other.between),
            (&mut self.regrouped, other.regrouped),
        ];
        for (mine, theirs) in pairs {
            mine.0.merge(theirs.0);
            mine.1.merge(theirs.1);
        }
    }
}

pub(super) fn check(context: &Context<'_>, derived: &Derived) -> Vec<Finding> {
    let sessions: Vec<&Session> =
        context.history.log_sessions().filter(|session| session.delivery_count() > 0).collect();
    let found = parallel::map(&sessions, |session| {
        let mut walk = Walk {
            context,
            derived,
            due: context.logs.iter().map(|_| None).collect(),
            last: vec![None; context.logs.len()],
            here: vec![None; context.logs.len()],
            found: Found::default(),
        };
        walk.session(session);
        walk.found
    });
    let mut all = Found::default();
    for found in found {
        all.merge(found);
    }
    let Found { inside, between, regrouped } = all;
    let kinds = [
        (between.0, &POLL, None),
        (regrouped.0, &POLL, Some(REGROUPED)),
        (between.1, &SKIP, None),
        (regrouped.1, &SKIP, Some(REGROUPED)),
        (inside.0, &INT_POLL, None),
        (inside.1, &INT_SKIP, None),
    ];
    let findings = kinds.into_iter().filter_map(|(tally, kind, allowed): (Tally, &Kind, _)| {
        let mut finding = tally.finding(context, kind)?;
        finding.allowed = allowed.map(str::to_owned);
        Some(finding)
    });
    findings.collect()
}

struct Walk<'c, 'h> {
    context: &'c Context<'h>,
    derived: &'c Derived,
    /// By partition, once a gap makes it worth it: how many due records lie before each position.
    due: Vec<Option<Vec<u32>>>,
    /// After the last operation that came back.
    last: Vec<Option<Stand>>,
    /// Inside this operation.
    here: Vec<Option<Stand>>,
    found: Found,
}

impl Walk<'_, '_> {
    fn session(&mut self, session: &Session) {
        let mut grouped = false;
        let mut deliveries = session.deliveries();
        let mut touched: Vec<usize> = Vec::new();
        for (index, operation) in session.operations().enumerate() {
            if matches!(operation.function, Function::Assign | Function::Subscribe)
                && operation.outcome != Outcome::Fail
            {
                grouped = operation.function == Function::Subscribe;
                self.reassign(&operation);
            }
            let rebalanced = operation.detail.map_or(&[][..], |detail| &detail.rebalanced);
            for delivery in deliveries.by_ref().take(operation.deliveries.len()) {
                let partition = delivery.partition.0 as usize;
                let before = self.here[partition].or(self.last[partition]);
                let Some(mut now) = self.stand(&delivery, index) else { continue };
                // A silent group may have moved the process back: what it was given before is no excuse then.
                let known = before
                    .filter(|before| before.operation == index || !grouped || self.derived.tells_rebalances);
                now.highest = known.map_or(now.position, |before| before.highest.max(now.position));
                let step = before.map(|before| Step { partition: delivery.partition, before, now });
                if let Some(step) = step.filter(|_| !rebalanced.contains(&delivery.partition)) {
                    self.step(session, step, grouped);
                }
                if self.here[partition].is_none() {
                    touched.push(partition);
                }
                self.here[partition] = Some(now);
            }
            for partition in touched.drain(..) {
                let here = self.here[partition].take();
                if operation.outcome == Outcome::Ok {
                    self.last[partition] = here;
                }
            }
            for partition in rebalanced {
                if let Some(last) = self.last.get_mut(partition.0 as usize) {
                    *last = None;
                }
            }
        }
    }

    /// A process keeps its place only in partitions named again.
    fn reassign(&mut self, operation: &Operation<'_>) {
        let Some(detail) = operation.detail.filter(|detail| !detail.seek_to_beginning) else {
            return self.last.fill(None);
        };
        for (partition, last) in self.last.iter_mut().enumerate() {
            if last.is_some() && !detail.partitions.iter().any(|named| named.0 as usize == partition) {
                *last = None;
            }
        }
    }

    /// Where a delivery is in the log; `None` if its place is in doubt, which is a finding of its own.
    fn stand(&self, delivery: &history::Delivery, operation: usize) -> Option<Stand> {
        let log = self.context.log(delivery.partition)?;
        let offset = delivery.offset;
        let position = log.position(offset)?;
        let tag = log.entries.get(position).intact()?;
        let certain = delivery.tag == Some(tag) && self.derived.is_certain(tag);
        certain.then_some(Stand { position, highest: position, offset, tag, operation })
    }

    fn step(&mut self, session: &Session, step: Step, grouped: bool) {
        let Step { partition, before, now } = step;
        let inside = before.operation == now.operation;
        let backwards = now.position <= before.position;
        let from = before.highest;
        if !backwards && now.position <= from + 1 {
            return;
        }
        let skipped = if backwards { 0 } else { self.between(partition, from, now.position) };
        if !backwards && skipped == 0 {
            return;
        }
        let context = self.context;
        let first = (skipped > 0).then(|| self.first_due(partition, from)).flatten();
        let found = &mut self.found;
        let pair = match (inside, grouped && !self.derived.tells_rebalances) {
            (true, _) => &mut found.inside,
            (false, false) => &mut found.between,
            (false, true) => &mut found.regrouped,
        };
        if backwards {
            pair.0.add(|| witness(context, session, step, None));
        } else {
            pair.1.add_many(u64::from(skipped), || {
                witness(context, session, step, first.map(|first| (first, skipped)))
            });
        }
    }

    /// How many due records lie strictly between two positions.
    fn between(&mut self, partition: Partition, from: usize, to: usize) -> u32 {
        let (context, derived) = (self.context, self.derived);
        let due = self.due[partition.0 as usize].get_or_insert_with(|| {
            let stays = context.log(partition).is_some_and(|log| !log.deletes);
            let mut before = 0;
            let entries = context.log(partition).into_iter().flat_map(|log| log.entries.iter());
            let count = entries.map(|entry| {
                let so_far = before;
                before += u32::from(stays && entry.intact().is_some_and(|tag| derived.is_due(tag)));
                so_far
            });
            count.collect()
        });
        due[to] - due[from + 1]
    }

    fn first_due(&self, partition: Partition, from: usize) -> Option<(Tag, Offset)> {
        let due = self.due[partition.0 as usize].as_ref()?;
        let after = due.partition_point(|count| *count <= due[from + 1]);
        let entry = self.context.log(partition)?.entries.get(after.checked_sub(1)?);
        Some((entry.intact()?, entry.offset))
    }
}

fn witness(
    context: &Context<'_>,
    session: &Session,
    step: Step,
    skipped: Option<((Tag, Offset), u32)>,
) -> Witness {
    let Step { partition, before, now } = step;
    let polls: Vec<_> = session
        .operations()
        .enumerate()
        .filter(|(index, _)| *index == before.operation || *index == now.operation)
        .map(|(index, operation)| involved(session, index, &operation))
        .collect();
    let name = context.history.partition_name(partition);
    let mut text = format!(
        "{} was given {} at offset {} of partition {name} after {} at offset {}",
        session.name(),
        context.name(now.tag),
        now.offset,
        context.name(before.tag),
        before.offset
    );
    let (tag, offset) = match skipped {
        Some(((tag, offset), count)) => {
            text.push_str(&format!(", past {} at offset {offset}", context.name(tag)));
            if count > 1 {
                text.push_str(&format!(" and {} more", count - 1));
            }
            (tag, offset)
        }
        None => (now.tag, now.offset),
    };
    let at = polls.last().map(|poll| poll.completed.unwrap_or(poll.invoked));
    let witness = context.witness(text, Some(tag), Some(partition), Some(offset), at);
    let sender = skipped.and_then(|((tag, _), _)| context.sender(tag));
    witness.with(polls).with(sender)
}
