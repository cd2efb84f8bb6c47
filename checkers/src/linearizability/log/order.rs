//! Real time against the order of the offsets.
//!
//! Let A_1..A_M be the appends in offset order. A window R lies after A_p(R), the append that holds the last
//! offset it saw, and before A_q(R), the one that holds the first offset it claims not to be there. An order
//! exists iff no operation x that must come before y was called after y returned. With
//! `E_i = max(E_{i-1}, call(A_i), max{call(R): q(R) = i})`, that is `E_i ≤ return(A_i)` for every append and
//! `E_p(R) ≤ return(R)` for every window. Should an order exist for every pair, it exists for all: in a
//! shortest cycle both relations alternate (both are transitive), and the times around it would grow forever.

use std::borrow::Cow;

use super::{Append, Kind, NO_END, Operation, Window};

/// One violation: `before` stands before `after` in every legal order, yet was called after `after` had
/// returned. For a torn append both are the read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Violation {
    /// What it is.
    pub kind: Kind,
    /// The operation the log puts first.
    pub before: Operation,
    /// If `before` is a read: the append it did not see.
    pub unseen: Option<u32>,
    /// If `after` is a read: the append it saw. For a torn append: that append.
    pub seen: Option<u32>,
    /// The operation that had returned.
    pub after: Operation,
}

impl Violation {
    /// The operations that prove it, at most four, each once.
    #[must_use]
    pub fn witnesses(&self) -> Vec<Operation> {
        let appends = [self.unseen, self.seen].map(|append| append.map(Operation::Append));
        let mut all = Vec::with_capacity(4);
        for operation in [Some(self.before), appends[0], appends[1], Some(self.after)].into_iter().flatten() {
            if !all.contains(&operation) {
                all.push(operation);
            }
        }
        all
    }
}

/// Every violation counted, the first of each kind kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// How many operations are in violation, by kind in the order of [`Kind::ALL`].
    pub counts: [u64; 4],
    /// The first few of each kind, in order of offset, appends before reads.
    pub examples: Vec<Violation>,
}

impl Found {
    /// Nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts == [0; 4]
    }

    /// How many operations are in violation of a kind.
    #[must_use]
    pub fn count(&self, kind: Kind) -> u64 {
        self.counts[kind as usize]
    }

    fn add(&mut self, violation: Violation, limit: usize) {
        let count = &mut self.counts[violation.kind as usize];
        *count += 1;
        if *count <= limit as u64 {
            self.examples.push(violation);
        }
    }
}

/// The operation with the latest call so far; windows have the high bit.
const WINDOW: u32 = 1 << 31;

/// The latest call among what must come before, and whose it is.
#[derive(Clone, Copy)]
struct Latest {
    call: i64,
    whose: u32,
}

const NOBODY: Latest = Latest { call: i64::MIN, whose: 0 };

/// Judges one log. `appends` own disjoint ranges of offsets (gaps are fine: markers, compaction, holes) and
/// are put in order of offset here; at most `limit` examples of each kind are kept.
///
/// O(n log n) time, 16 bytes an append beside the columns (32 if a window has an upper bound).
#[must_use]
pub fn real_time(appends: &mut [Append], windows: &[Window], limit: usize) -> Found {
    if !appends.is_sorted_by_key(|append| append.base) {
        appends.sort_unstable_by_key(|append| append.base);
    }
    debug_assert!(appends.len().max(windows.len()) < WINDOW as usize, "fewer than 2^31 operations a log");
    debug_assert!(appends.is_sorted_by(|one, next| one.end() <= next.base), "offsets have one owner");
    let appends = &*with_gaps(appends, windows);
    let mut found = Found::default();
    let ceilings = ceilings(appends, windows);
    let mut earliest = Vec::with_capacity(appends.len());
    let mut latest = NOBODY;
    for (i, append) in appends.iter().enumerate() {
        if let Some(ceiling) = ceilings.get(i)
            && ceiling.call > latest.call
        {
            latest = *ceiling;
        }
        if latest.call > append.returned {
            found.add(violation(appends, windows, latest, Operation::Append(append.id), None), limit);
        }
        if append.call > latest.call {
            latest = Latest { call: append.call, whose: i as u32 };
        }
        earliest.push(latest);
    }
    for window in windows {
        let Some(p) = last_below(appends, window.lo) else { continue };
        let seen = &appends[p];
        if window.hi != NO_END && seen.end() > window.hi {
            let read = Operation::Window(window.id);
            let torn = Violation {
                kind: Kind::TornAppend,
                before: read,
                unseen: None,
                seen: Some(seen.id),
                after: read,
            };
            found.add(torn, limit);
        } else if earliest[p].call > window.returned {
            let read = Operation::Window(window.id);
            found.add(violation(appends, windows, earliest[p], read, Some(seen.id)), limit);
        }
    }
    found
}

/// An offset that no append holds, in the place of one.
const GAP: u32 = u32::MAX;

/// The appends, and one that takes no time at all for every offset in a gap that a window claims not to have
/// seen: another window may have seen past it.
fn with_gaps<'a>(appends: &'a [Append], windows: &[Window]) -> Cow<'a, [Append]> {
    let saw = windows.iter().map(|window| window.lo).max().unwrap_or(0);
    let end = appends.last().map_or(0, Append::end).max(saw);
    let holder = |offset: u64| last_below(appends, offset + 1).map(|holder| appends[holder].end());
    let mut gaps: Vec<u64> = (windows.iter().map(|window| window.hi))
        .filter(|hi| *hi < end && holder(*hi).is_none_or(|end| end <= *hi))
        .collect();
    if gaps.is_empty() {
        return Cow::Borrowed(appends);
    }
    gaps.sort_unstable();
    gaps.dedup();
    let gap = |base| Append { base, count: 1, id: GAP, call: i64::MIN, returned: i64::MAX };
    let mut all: Vec<Append> = appends.iter().copied().chain(gaps.into_iter().map(gap)).collect();
    all.sort_unstable_by_key(|append| append.base);
    Cow::Owned(all)
}

/// For every append, the latest call of the windows that claim not to have seen it as the first.
fn ceilings(appends: &[Append], windows: &[Window]) -> Vec<Latest> {
    let mut ceilings = Vec::new();
    for (place, window) in windows.iter().enumerate() {
        if window.hi == NO_END {
            continue;
        }
        let q = appends.partition_point(|append| append.end() <= window.hi);
        if q == appends.len() {
            continue;
        }
        if ceilings.is_empty() {
            ceilings = vec![NOBODY; appends.len()];
        }
        if window.call > ceilings[q].call {
            ceilings[q] = Latest { call: window.call, whose: place as u32 | WINDOW };
        }
    }
    ceilings
}

/// The last append that begins below an offset.
fn last_below(appends: &[Append], offset: u64) -> Option<usize> {
    appends.partition_point(|append| append.base < offset).checked_sub(1)
}

fn violation(
    appends: &[Append],
    windows: &[Window],
    latest: Latest,
    after: Operation,
    seen: Option<u32>,
) -> Violation {
    let (before, unseen, strict) = if latest.whose & WINDOW == 0 {
        (Operation::Append(appends[latest.whose as usize].id), None, false)
    } else {
        let window = &windows[(latest.whose & !WINDOW) as usize];
        let q = appends.partition_point(|append| append.end() <= window.hi);
        (Operation::Window(window.id), Some(appends[q].id).filter(|id| *id != GAP), true)
    };
    let kind = match (strict, after) {
        (false, Operation::Append(_)) => Kind::RealtimeReorder,
        (false, Operation::Window(_)) => Kind::FutureRead,
        (true, _) => Kind::StaleEnd,
    };
    Violation { kind, before, unseen, seen: seen.filter(|id| *id != GAP), after }
}
