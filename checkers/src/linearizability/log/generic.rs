//! Generic operations on one log: place what can be placed, then time, then the holes.

use history::exchange::operations::Operations;

use super::content::{Loose, Placed, values};
use super::{Kind, Operation, Violation, batches, real_time, slots};
use crate::linearizability::{Answer, Flaw};

/// Violations of a kind that are told in full.
const EXAMPLES: usize = 5;

/// Judges one log, exactly. `None` if that takes a search: an append is known to have happened, but not
/// where, and no read shows it.
pub(in crate::linearizability) fn judge(operations: &Operations, members: &[u32]) -> Option<Answer> {
    let mut placed = match Placed::new(operations, members) {
        Ok(placed) => placed,
        Err(flaw) => return Some(Answer::Not(vec![flaw])),
    };
    let found = real_time(&mut placed.appends, &placed.windows, EXAMPLES);
    if !found.is_empty() {
        let flaws = Kind::ALL.into_iter().filter(|kind| found.count(*kind) > 0).map(|kind| {
            let of_kind = found.examples.iter().filter(|violation| violation.kind == kind);
            Flaw {
                kind: name(kind),
                count: found.count(kind),
                examples: of_kind.map(|violation| (tell(violation), operations_of(violation))).collect(),
            }
        });
        return Some(Answer::Not(flaws.collect()));
    }
    if placed.loose.iter().any(Loose::happened) {
        return None;
    }
    if placed.slots.is_empty() {
        return Some(Answer::Linearizable);
    }
    let units = slots::fillers(&placed, true);
    if let Some(offset) = slots::unfillable(&placed.slots, &placed.appends, &placed.windows, &units) {
        return Some(Answer::Not(vec![hole(&placed, offset)]));
    }
    let batches = placed.loose.iter().any(|loose| values(operations, loose.op).len() > 1);
    if !batches {
        return Some(Answer::Linearizable);
    }
    Some(match batches::fill(&placed, &slots::fillers(&placed, false)) {
        Some(true) => Answer::Linearizable,
        Some(false) => Answer::Not(vec![hole(&placed, placed.slots[0].0)]),
        None => Answer::Unknown(format!(
            "{} offsets without a known append may be filled by several unknown ones of several records (read the log to its end with `strict_end` after the run)",
            placed.slots.len()
        )),
    })
}

fn hole(placed: &Placed<'_>, offset: u64) -> Flaw {
    let text = format!("no append can have filled offset {offset}, and the log goes on behind it");
    Flaw::one("non-linearizable", text, placed.witness_of(offset))
}

const fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::RealtimeReorder => "realtime-reorder",
        Kind::FutureRead => "future-read",
        Kind::StaleEnd => "stale-end",
        Kind::TornAppend => "non-linearizable",
    }
}

fn tell(violation: &Violation) -> String {
    let text = match (violation.kind, violation.after) {
        (Kind::RealtimeReorder, _) => "an append called after another had returned lies before it",
        (Kind::FutureRead, _) => {
            "a read returned before an append was called that it saw, or that lies before what it saw"
        }
        (Kind::StaleEnd, Operation::Append(_)) => {
            "a read claims the log's end before a record that was acknowledged before the read was called"
        }
        (Kind::StaleEnd, Operation::Window(_)) => {
            "a read claims the log's end before a record that an earlier read had seen"
        }
        (Kind::TornAppend, _) => "a read claims the log's end in the middle of an append",
    };
    text.to_owned()
}

fn operations_of(violation: &Violation) -> Vec<u32> {
    let name = |operation| match operation {
        Operation::Append(id) | Operation::Window(id) => id,
    };
    violation.witnesses().into_iter().map(name).collect()
}
