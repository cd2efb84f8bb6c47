//! Each partition's log against real time: what was acknowledged, or read, before another record was sent
//! lies before it; nothing is read before it is sent; the end offset after healing covers what was there.

mod columns;
mod ends;
mod sweep;

#[cfg(test)]
mod brute;
#[cfg(test)]
mod planted;
#[cfg(test)]
mod tests;

use history::{Nanos, Partition, Tag};

use crate::context::{Context, MAX_EXAMPLES, partition};
use crate::guarantees::{END_OFFSETS, PHANTOMS, REAL_TIME};
use crate::judgement::Involved;
use crate::spec::{Basis, Kind, Spec};
use crate::{Finding, Witness};

pub(crate) static SPEC: Spec = Spec {
    name: "log-linearizability",
    summary: "each partition's log against real time: sends, polls and end offsets",
    docs: "\
Whether the operations on a partition, each taking effect at one moment between its invocation and its \
completion, can have made its log: exact once the log is known, in time linear in its records. A record sent \
after another was acknowledged, or read, must lie behind it (`realtime-reorder`); the fewest records that can \
be blamed are counted, and what is out of order within its own session is left to `order` where that is \
promised. A poll must not return a record before it was sent (`future-read`). Polls during the \
run are weak: what they did not return may have been there. The end offsets asked for at the beginning of the \
drain are strict: every record of the log that was acknowledged before lies below them (`stale-end`). An \
unknown outcome never ends, so that it obliges nobody; first copies count. Times of several hosts are widened \
by what their clocks may be off, and partitions are independent of one another (Herlihy and Wing 1990).",
    kinds: &[REALTIME_REORDER, FUTURE_READ, STALE_END],
    check,
};

const REALTIME_REORDER: Kind = Kind {
    name: "realtime-reorder",
    summary: "a record lies before one that was acknowledged or read before it was sent",
    noun: "records out of real-time order",
    of: Basis::Nothing,
    guarantee: Some(&REAL_TIME),
};

const FUTURE_READ: Kind = Kind {
    name: "future-read",
    summary: "a poll returned a record before it was sent",
    noun: "records read before they were sent",
    of: Basis::Nothing,
    guarantee: Some(&PHANTOMS),
};

const STALE_END: Kind = Kind {
    name: "stale-end",
    summary: "an end offset asked for after healing leaves out records acknowledged before",
    noun: "acknowledged records above a later end offset",
    of: Basis::Acked,
    guarantee: Some(&END_OFFSETS),
};

fn check(context: &Context<'_>) -> Vec<Finding> {
    let troubled = columns::troubled(context);
    let mut reordered = Examples::default();
    let mut future = Examples::default();
    for index in troubled {
        let Some(log) = columns::read(context, index) else { continue };
        future.count += log.future.len() as u64;
        for read in log.future.iter().take(MAX_EXAMPLES) {
            future.add(|| read_early(context, partition(index), read));
        }
        if let Some(found) = log.times.reorder(MAX_EXAMPLES) {
            reordered.count += found.count as u64;
            for (late, early) in found.pairs {
                reordered.add(|| out_of_order(context, partition(index), &log, late, early));
            }
        }
    }
    let stale = ends::check(context);
    [(&REALTIME_REORDER, reordered), (&FUTURE_READ, future), (&STALE_END, stale)]
        .into_iter()
        .filter_map(|(kind, found)| found.finding(context, kind))
        .collect()
}

/// How many, and the first few of them.
#[derive(Debug, Default)]
struct Examples {
    count: u64,
    witnesses: Vec<Witness>,
}

impl Examples {
    fn add(&mut self, witness: impl FnOnce() -> Witness) {
        if self.witnesses.len() < MAX_EXAMPLES {
            self.witnesses.push(witness());
        }
    }

    fn finding(mut self, context: &Context<'_>, kind: &Kind) -> Option<Finding> {
        self.witnesses.sort_by_key(|witness| witness.at_ms);
        let summary = kind.phrase(self.count, context.counts());
        (self.count > 0).then(|| kind.finding(&SPEC, self.count, summary, self.witnesses))
    }
}

fn out_of_order(
    context: &Context<'_>,
    partition: Partition,
    log: &columns::Column<'_>,
    late: usize,
    early: usize,
) -> Witness {
    let (late_at, early_at) = (log.entry(late), log.entry(early));
    let name =
        |tag: Option<Tag>| tag.map_or_else(|| "a record".to_owned(), |tag| context.history.name_of(tag));
    let (called, known) = (Nanos(log.times.called[late]), Nanos(log.times.known[early]));
    let how = match log.reader_of(context, early) {
        Some(reader) => format!("{reader} had been given {}", name(early_at.tag)),
        None => format!("{} was acknowledged", name(early_at.tag)),
    };
    let text = format!(
        "{} was sent {} after {how}, and lies before it: offset {} and offset {} of partition {}",
        name(late_at.tag),
        span(called.since(known)),
        late_at.offset,
        early_at.offset,
        context.history.partition_name(partition),
    );
    let witness = context.witness(text, late_at.tag, Some(partition), Some(late_at.offset), Some(called));
    witness.with(senders(context, [late_at.tag, early_at.tag]))
}

fn read_early(context: &Context<'_>, partition: Partition, read: &columns::FutureRead) -> Witness {
    let text = format!(
        "{} was given {} at offset {} of partition {} {} before it was sent",
        context.history.sessions[read.session].name(),
        context.history.name_of(read.tag),
        read.offset,
        context.history.partition_name(partition),
        span(read.called.since(read.returned)),
    );
    let witness =
        context.witness(text, Some(read.tag), Some(partition), Some(read.offset), Some(read.returned));
    let at = (partition, read.offset);
    let polls = context.derived.as_ref().and_then(|_| context.polls_of(&[at]).remove(&at));
    witness.with(senders(context, [Some(read.tag)])).with(polls.into_iter().flatten())
}

/// The operations that sent these, where the history is from elsewhere and people look for them there.
fn senders<const N: usize>(context: &Context<'_>, tags: [Option<Tag>; N]) -> Vec<Involved> {
    let tags = tags.into_iter().flatten().filter(|_| context.derived.is_some());
    tags.filter_map(|tag| context.sender(tag)).collect()
}

/// A span of time, in the unit that shows it.
fn span(nanos: u64) -> String {
    match nanos {
        0..10_000 => format!("{nanos} ns"),
        10_000..1_000_000 => format!("{} µs", nanos / 1_000),
        _ => format!("{} ms", nanos / 1_000_000),
    }
}
