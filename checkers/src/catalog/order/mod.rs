//! Records out of order: in the log against the order of sending, and at readers against the log.

mod polls;
mod sends;

use std::collections::HashMap;

use history::{Delivery, FaultClass, Nanos, Offset, Partition, Role, Send, Session, Tag, Told};

use crate::context::{Context, MAX_EXAMPLES, Place, Producer, Reads, parallel};
use crate::guarantees::{BATCHES, ORDER, READING};
use crate::spec::{Basis, Kind, Spec};
use crate::{Finding, Witness};

pub(crate) static SPEC: Spec = Spec {
    name: "order",
    summary: "records out of the order of sending; readers going backwards or skipping",
    docs: "\
In the log, only first copies of acknowledged records of one producer session are compared, each with the one \
sent before it to the same partition: a record in doubt may land at any time. If both have the same key, or \
if records of one key of a session went to different partitions, it is a `key-reorder`; once the run has had \
partitions added keys move, and only their order within a partition is promised. A reader session that \
is given an offset at or before the one it was given last is `nonmonotonic-poll`; one that jumps over records \
of the final log and never gets them is `poll-skip` (if it read every fence, these records are `unseen` \
instead). A member of a group is held to this between two rebalances, and skips only what others in its group \
processed. What a reader does after it was given a record that was truncated away counts for neither: the root \
is a `lost-read` or an `inconsistent-offsets`. \
Operations of a history from elsewhere are held against the log that is derived from all of them, between \
operations and inside of one (`int-`): a process goes on behind the last record of its last poll that came \
back, keeps its place through `assign` and `subscribe` only in partitions named again, and loses it where a \
rebalance moved the partition; polls that failed are held against it and move it not. Skipped is only what \
took effect and is not lost. Where processes subscribe and nothing tells of rebalances, what a process was \
given before proves nothing. Records of others between two sends of one operation (`int-send-skip`) are how \
Kafka works.",
    kinds: &[SEND, KEY, POLL, SKIP, INT_SEND, INT_POLL, INT_SKIP, INT_SEND_SKIP],
    check,
};

const SEND: Kind = Kind {
    name: "nonmonotonic-send",
    summary: "an acknowledged record lies before one that its producer sent earlier",
    noun: "acknowledged records before their predecessor",
    of: Basis::Acked,
    guarantee: Some(&ORDER),
};
const KEY: Kind = Kind {
    name: "key-reorder",
    summary: "records of one key and producer lie out of order or in different partitions",
    noun: "acknowledged records before their predecessor of the same key",
    of: Basis::Acked,
    guarantee: Some(&ORDER),
};
const POLL: Kind = Kind {
    name: "nonmonotonic-poll",
    summary: "a reader was given an offset again, or went backwards",
    noun: "deliveries at or before the previous offset",
    of: Basis::Delivered,
    guarantee: Some(&READING),
};
const SKIP: Kind = Kind {
    name: "poll-skip",
    summary: "a reader jumped over records of the log and never got them",
    noun: "records jumped over by a reader",
    of: Basis::Nothing,
    guarantee: Some(&READING),
};

const INT_SEND: Kind = Kind {
    name: "int-nonmonotonic-send",
    summary: "an operation's later send lies before its earlier one",
    noun: "records before the one sent before them by the same operation",
    of: Basis::Acked,
    guarantee: Some(&ORDER),
};
const INT_POLL: Kind = Kind {
    name: "int-nonmonotonic-poll",
    summary: "an operation was given an offset again, or went backwards",
    noun: "deliveries at or before the previous offset inside an operation",
    of: Basis::Delivered,
    guarantee: Some(&READING),
};
const INT_SKIP: Kind = Kind {
    name: "int-poll-skip",
    summary: "an operation jumped over records of the log",
    noun: "records jumped over inside an operation",
    of: Basis::Nothing,
    guarantee: Some(&READING),
};
const INT_SEND_SKIP: Kind = Kind {
    name: "int-send-skip",
    summary: "records of others lie between two sends of one operation",
    noun: "gaps between sends of one operation",
    of: Basis::Nothing,
    guarantee: Some(&BATCHES),
};

/// What was found of one kind.
#[derive(Default)]
struct Tally {
    count: u64,
    examples: Vec<Witness>,
}

impl Tally {
    fn add(&mut self, witness: impl FnOnce() -> Witness) {
        self.count += 1;
        if self.examples.len() < MAX_EXAMPLES {
            self.examples.push(witness());
        }
    }

    /// Adds what was found after it.
    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.examples.extend(other.examples);
        self.examples.truncate(MAX_EXAMPLES);
    }

    /// Several of a kind that one witness shows.
    fn add_many(&mut self, count: u64, witness: impl FnOnce() -> Witness) {
        self.add(witness);
        self.count += count.saturating_sub(1);
    }

    fn finding(self, context: &Context<'_>, kind: &Kind) -> Option<Finding> {
        let summary = kind.phrase(self.count, context.counts());
        (self.count > 0).then(|| kind.finding(&SPEC, self.count, summary, self.examples))
    }
}

fn check(context: &Context<'_>) -> Vec<Finding> {
    let (mut send, mut key, mut poll, mut skip) =
        (Tally::default(), Tally::default(), Tally::default(), Tally::default());
    for (sends, keys) in parallel::map(&context.producers, |producer| in_the_log(context, producer)) {
        send.merge(sends);
        key.merge(keys);
    }
    for reader in &context.readers {
        follow(context, reader, &mut poll, &mut skip);
    }
    let mut findings = Vec::new();
    if let Some(derived) = &context.derived {
        findings.extend(polls::check(context, derived));
        findings.extend(sends::check(context, derived));
    }
    findings.extend(
        [(send, &SEND), (key, &KEY), (poll, &POLL), (skip, &SKIP)]
            .into_iter()
            .filter_map(|(tally, kind)| tally.finding(context, kind)),
    );
    findings
}

/// The last record of a partition or key.
#[derive(Clone, Copy)]
struct Last {
    rank: usize,
    key: Option<u64>,
    place: Place,
}

/// One producer session's records against the order it sent them in: by partition, and by key.
fn in_the_log(context: &Context<'_>, producer: &Producer<'_>) -> (Tally, Tally) {
    let (mut sends, mut keys) = (Tally::default(), Tally::default());
    let mut by_partition: Vec<Option<Last>> = vec![None; context.logs.len()];
    let mut by_key: HashMap<u64, Last> = HashMap::new();
    let moving = keys_move_from(context);
    for (rank, (now, place)) in producer.sends().enumerate() {
        if !takes_part(context, &now, place) {
            continue;
        }
        let last = Last { rank, key: now.key, place };
        let against =
            |before: Last| behind(context, (producer.send(before.rank), before.place), (now, place));
        let neighbour = by_partition[place.partition.0 as usize].replace(last);
        let of_key = now.key.and_then(|number| by_key.insert(number, last));
        let elsewhere = of_key.filter(|before| before.place.partition != place.partition);
        let may_move = moving.is_some_and(|from| now.completed.is_some_and(|completed| completed >= from));
        let follows = |before: &Last| place.offset > before.place.offset;
        match of_key {
            Some(before) if elsewhere.is_some() && !may_move => keys.add(|| against(before)),
            Some(before) if elsewhere.is_none() && !follows(&before) => keys.add(|| against(before)),
            _ => {}
        }
        // The last record of its key there is judged as that, unless the one before it went elsewhere.
        let judged = now.key.is_some() && (elsewhere.is_none() || !may_move);
        if let Some(before) = neighbour.filter(|before| !follows(before))
            && !(judged && now.key == before.key)
        {
            sends.add(|| against(before));
        }
    }
    (sends, keys)
}

/// Since when a client may know of partitions that the run has had added, and send a key elsewhere.
fn keys_move_from(context: &Context<'_>) -> Option<Nanos> {
    let faults = context.timeline.faults.iter();
    let adding = faults.filter(|fault| fault.planned.class == FaultClass::AddPartitions);
    adding.filter_map(|fault| fault.invoked).min()
}

/// Only acknowledged records that are in a known log have an order.
fn takes_part(context: &Context<'_>, send: &Send, place: Place) -> bool {
    send.told == Told::Acked
        && place.copies > 0
        && context.log(place.partition).is_some_and(|log| log.complete)
}

fn behind(context: &Context<'_>, before: (Send, Place), now: (Send, Place)) -> Witness {
    let text = format!(
        "{} was sent after {}, and lies at offset {} of partition {} against offset {} of partition {}",
        now.0.tag, before.0.tag, now.1.offset, now.1.partition, before.1.offset, before.1.partition
    );
    context.witness(text, Some(now.0.tag), Some(now.1.partition), Some(now.1.offset), now.0.completed)
}

/// Where a reader did not go on to the next record: back is wrong, and forward only over records it never got.
/// What it does after it was given a record that has been truncated since proves nothing.
fn follow(context: &Context<'_>, reads: &Reads<'_>, poll: &mut Tally, skip: &mut Tally) {
    let reader = reads.session;
    let mut jumps: Vec<(Partition, Offset, Delivery)> = Vec::new();
    for turn in &reads.turns {
        let (last, delivery) = (reader.delivery(turn.last as usize), reader.delivery(turn.delivery as usize));
        if context.is_stale(&last) {
            continue;
        }
        if delivery.offset <= last.offset {
            poll.add(|| backwards(context, reader, &last, &delivery));
        } else if delivery.offset.0 > turn.highest.0 + 1 {
            jumps.push((delivery.partition, turn.highest, delivery));
        }
    }
    if !jumps.is_empty() && !crate::context::caught_up(reader) {
        jumped_over(context, reader, &jumps, skip);
    }
}

fn backwards(context: &Context<'_>, reader: &Session, last: &Delivery, delivery: &Delivery) -> Witness {
    let text = format!(
        "{} was given offset {} of partition {} after offset {}",
        reader.name(),
        delivery.offset,
        delivery.partition,
        last.offset
    );
    let (tag, at) = (delivery.tag, delivery.returned);
    context.witness(text, tag, Some(delivery.partition), Some(delivery.offset), Some(at))
}

/// Only what the final log holds was jumped over (offsets may be missing for good reasons), and only if
/// the reader was not given it before or after.
fn jumped_over(
    context: &Context<'_>,
    reader: &Session,
    jumps: &[(Partition, Offset, Delivery)],
    skip: &mut Tally,
) {
    let mut skipped: Vec<(Tag, Offset, Delivery)> = Vec::new();
    for (partition, from, delivery) in jumps {
        let Some(log) = context.log(*partition) else { continue };
        let start = log.entries.position_from(Offset(from.0.saturating_add(1)));
        let between = log.entries.from(start).take_while(|entry| entry.offset < delivery.offset);
        let ours = between.filter_map(|entry| Some((entry.intact()?, entry.offset)));
        skipped.extend(ours.map(|(tag, offset)| (tag, offset, *delivery)));
    }
    let never = Context::never_given(reader, skipped.iter().map(|(tag, ..)| *tag).collect());
    // What a group went past and nobody in it was given is `unseen` instead.
    let elsewhere = |partition: Partition, offset: Offset| {
        let at = context.log(partition).and_then(|log| log.position(offset));
        let group = context.group.as_ref().filter(|_| reader.role == Role::Member);
        group.is_none_or(|group| at.is_some_and(|at| group.is_given(partition, at)))
    };
    let skipped = skipped.into_iter().filter(|(tag, ..)| never.binary_search(tag).is_ok());
    for (tag, offset, delivery) in skipped.filter(|(_, offset, at)| elsewhere(at.partition, *offset)) {
        skip.add(|| {
            let text = format!(
                "{} went on to offset {} of partition {}, past {tag} at offset {offset}",
                reader.name(),
                delivery.offset,
                delivery.partition
            );
            context.witness(text, Some(tag), Some(delivery.partition), Some(offset), Some(delivery.returned))
        });
    }
}

#[cfg(test)]
mod tests;
