//! Registers whose writes are all different: no search (Gibbons & Korach, 1997, with closed intervals).
//!
//! A value's *cluster* is its write and the reads that saw it. Let `f` be the earliest return in it and `s`
//! the latest call. One cluster must stand before another if something in it returned before something in
//! the other was called: `f < s'`. An order exists iff no read returned before its write was called and no two
//! clusters must each stand before the other: `f < s'` and `f' < s`. So the forward zones (`f < s`) must not
//! overlap, and no backward zone may lie inside a forward one. O(n log n).

use std::collections::HashMap;

use history::Outcome;
use history::exchange::operations::{Action, Operation, Operations, TextId};

use super::{Answer, Flaw};

/// A write and what read it.
#[derive(Clone, Copy)]
struct Cluster {
    /// The write, or nobody for the first value.
    write: Option<u32>,
    happened: bool,
    /// The earliest return, and whose it is.
    first: (i64, u32),
    /// The latest call, and whose it is.
    last: (i64, u32),
}

/// No operation: what the first value's write is.
const NOBODY: u32 = u32::MAX;

/// Judges one register; `None` if a value is written twice, or there is more than reads and writes.
pub(super) fn judge(operations: &Operations, members: &[u32], initial: TextId) -> Option<Answer> {
    let mut clusters: HashMap<TextId, Cluster> = HashMap::with_capacity(members.len());
    let start = (i64::MIN, NOBODY);
    clusters.insert(initial, Cluster { write: None, happened: false, first: start, last: start });
    let all = || members.iter().map(|op| (*op, &operations.all[*op as usize]));
    for (op, Operation { call, returned, outcome, action, .. }) in all() {
        match action {
            Action::Write(value) if *outcome != Outcome::Fail => {
                let cluster = Cluster {
                    write: Some(op),
                    happened: *outcome == Outcome::Ok,
                    first: (*returned, op),
                    last: (*call, op),
                };
                if clusters.insert(*value, cluster).is_some() {
                    return None;
                }
            }
            Action::Read(_) | Action::Write(_) => {}
            _ => return None,
        }
    }
    for (op, Operation { call, returned, outcome, action, .. }) in all() {
        let Action::Read(value) = action else { continue };
        if *outcome != Outcome::Ok {
            continue;
        }
        let text = || operations.values.get(*value);
        let Some(cluster) = clusters.get_mut(value) else {
            return Some(not(format!("read {}, which nobody wrote", text()), [op]));
        };
        if let Some(write) = cluster.write
            && *returned < operations.all[write as usize].call
        {
            return Some(not(format!("read {} before its write was called", text()), [op, write]));
        }
        cluster.happened = true;
        cluster.first = cluster.first.min((*returned, op));
        cluster.last = cluster.last.max((*call, op));
    }
    let (mut forward, backward): (Vec<Cluster>, Vec<Cluster>) =
        clusters.into_values().filter(|one| one.happened).partition(|one| one.first.0 < one.last.0);
    forward.sort_unstable_by_key(|one| one.first);
    let clash = (forward.windows(2).map(|pair| (pair[0], pair[1])))
        .find(|(one, next)| next.first.0 < one.last.0)
        .or_else(|| {
            backward.iter().find_map(|inner| {
                let outer = forward.partition_point(|one| one.first.0 < inner.last.0).checked_sub(1)?;
                (inner.first.0 < forward[outer].last.0).then(|| (forward[outer], *inner))
            })
        });
    Some(match clash {
        None => Answer::Linearizable,
        Some((one, other)) => not(
            "two values must each have come before the other".to_owned(),
            [one.first.1, other.last.1, other.first.1, one.last.1],
        ),
    })
}

fn not<const N: usize>(text: String, operations: [u32; N]) -> Answer {
    let mut witnesses: Vec<u32> = Vec::with_capacity(N);
    for operation in operations {
        if operation != NOBODY && !witnesses.contains(&operation) {
            witnesses.push(operation);
        }
    }
    Answer::Not(vec![Flaw::one("non-linearizable", text, witnesses)])
}
