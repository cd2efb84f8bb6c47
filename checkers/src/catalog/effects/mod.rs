//! What records did outside of the log: the rows of sinks, held against the records that were to be processed.

mod counts;
#[cfg(test)]
mod tests;
mod witness;

use counts::Counts;

use crate::Finding;
use crate::context::{Context, MAX_EXAMPLES, SendAt};
use crate::guarantees::{EFFECT_DUPLICATES, EFFECT_LOSS};
use crate::judgement::Witness;
use crate::spec::{Basis, Kind, Spec};

pub(crate) static SPEC: Spec = Spec {
    name: "effects",
    summary: "records without effect in the sink, and records that took effect twice",
    docs: "\
A sink is read back once nothing writes to it any more, and each of its rows names the record it was made of. \
A record that is in the log (the drain read it, or it was acknowledged and nothing shows that it was lost) and \
has no row is a `lost-effect`; one with two rows or more is a `duplicate-effect`, allowed if the log holds the \
record as often, because each copy then took effect once (the copies are a `duplicate`). Each record counts \
once, however many sinks show it. What is not in the log, what certainly failed and what is damaged need no row: \
that is another finding, or none. A row of a record that was lost later is no finding here; one of a record that \
nobody sent, or whose send certainly failed, is a `phantom`. No setting of a broker promises an effect: \
`effects=exactly-once` says that both are promised, `effects=at-least-once` that no effect is lost, \
`effects=at-most-once` that none is repeated; unsaid, both are noted. A sink that was not read to its end shows \
second rows and nothing else, so that what it does not show is indeterminate; without any sink nothing is said.",
    kinds: &[LOST, DUPLICATE],
    check,
};

const LOST: Kind = Kind {
    name: "lost-effect",
    summary: "a record is in the log and has no row in a sink",
    noun: "records in the log without effect",
    of: Basis::Nothing,
    guarantee: Some(&EFFECT_LOSS),
};
const DUPLICATE: Kind = Kind {
    name: "duplicate-effect",
    summary: "a record has two rows or more in a sink",
    noun: "records that took effect more than once",
    of: Basis::Nothing,
    guarantee: Some(&EFFECT_DUPLICATES),
};

/// Why a second row may be what the application had to write.
const COPIES: &str =
    "the log holds these records as often as the sink does, so that each copy took effect once";

/// A record that is wrong in a sink: the sink's place, and how many rows it has there.
#[derive(Debug, Clone, Copy)]
struct Wrong {
    at: SendAt,
    sink: usize,
    rows: u8,
}

fn check(context: &Context<'_>) -> Vec<Finding> {
    let mut lost: Vec<Wrong> = Vec::new();
    let mut again: Vec<Wrong> = Vec::new();
    let mut copies: Vec<Wrong> = Vec::new();
    for (number, sink) in context.sinks.iter().enumerate() {
        let counts = Counts::of(context, sink);
        for (at, rows) in counts.repeated(context) {
            let wrong = Wrong { at, sink: number, rows };
            let stored = context.producers[at.producer].copies(at.send);
            if stored >= u32::from(rows).min(counts::MOST_COPIES) {
                copies.push(wrong);
            } else {
                again.push(wrong);
            }
        }
        if sink.closed {
            let missing = counts.missing(context).map(|at| Wrong { at, sink: number, rows: 0 });
            lost.extend(missing);
        }
    }
    let key = |wrong: &Wrong| (wrong.at.producer, wrong.at.send);
    for all in [&mut lost, &mut again, &mut copies] {
        // Stable: the first sink that shows it is its witness.
        all.sort_by_key(key);
        all.dedup_by_key(|wrong| key(wrong));
    }
    copies.retain(|wrong| again.binary_search_by_key(&key(wrong), key).is_err());
    let kinds = [(lost, &LOST, None), (again, &DUPLICATE, None), (copies, &DUPLICATE, Some(COPIES))];
    kinds.into_iter().filter_map(|(all, kind, allowed)| finding(context, all, kind, allowed)).collect()
}

fn finding(
    context: &Context<'_>,
    mut all: Vec<Wrong>,
    kind: &Kind,
    allowed: Option<&str>,
) -> Option<Finding> {
    if all.is_empty() {
        return None;
    }
    let count = all.len() as u64;
    all.sort_by_cached_key(|wrong| context.send(wrong.at).invoked);
    all.truncate(MAX_EXAMPLES);
    let rows = witness::rows(context, &all);
    let examples: Vec<Witness> =
        all.iter().zip(rows).map(|(wrong, rows)| witness::tell(context, wrong, &rows)).collect();
    let summary = kind.phrase(count, context.counts());
    let mut finding = kind.finding(&SPEC, count, summary, examples);
    finding.allowed = allowed.map(str::to_owned);
    Some(finding)
}
