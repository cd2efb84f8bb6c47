//! Sends of a history from elsewhere against its derived log: what one session sent later lies later.

use std::collections::BTreeMap;

use history::{Offset, Operation, Outcome, Partition, Send, Session, Tag};

use super::{INT_SEND, INT_SEND_SKIP, KEY, SEND, Tally};
use crate::Finding;
use crate::context::{Context, Derived, Fact, Place, Producer, parallel};
use crate::judgement::Witness;

/// A send that took part: where its record is, and which operation made it.
#[derive(Clone, Copy)]
struct Placed {
    tag: Tag,
    key: Option<u64>,
    partition: Partition,
    offset: Offset,
    operation: usize,
}

#[derive(Default)]
struct Found {
    between: Tally,
    inside: Tally,
    keys: Tally,
    gaps: Tally,
}

pub(super) fn check(context: &Context<'_>, derived: &Derived) -> Vec<Finding> {
    let senders: Vec<&Producer<'_>> =
        context.producers.iter().filter(|producer| producer.len() > 0).collect();
    let mut found = Found::default();
    for more in parallel::map(&senders, |producer| session(context, derived, producer)) {
        found.between.merge(more.between);
        found.inside.merge(more.inside);
        found.keys.merge(more.keys);
        found.gaps.merge(more.gaps);
    }
    [(found.between, &SEND), (found.keys, &KEY), (found.inside, &INT_SEND), (found.gaps, &INT_SEND_SKIP)]
        .into_iter()
        .filter_map(|(tally, kind)| tally.finding(context, kind))
        .collect()
}

fn session(context: &Context<'_>, derived: &Derived, producer: &Producer<'_>) -> Found {
    let mut found = Found::default();
    let session = producer.session;
    let mut last: BTreeMap<Partition, Placed> = BTreeMap::new();
    let mut keys: BTreeMap<u64, Placed> = BTreeMap::new();
    let mut sends = producer.sends();
    for (index, operation) in session.operations().enumerate() {
        for (send, place) in sends.by_ref().take(operation.sends.len()) {
            if !takes_part(derived, &operation, &send, place) {
                continue;
            }
            let (tag, key, partition, offset) = (send.tag, send.key, place.partition, place.offset);
            let now = Placed { tag, key, partition, offset, operation: index };
            let before = last.insert(partition, now);
            let same_key = key.and_then(|key| keys.insert(key, now));
            if let Some(before) =
                same_key.filter(|before| before.partition != partition || offset < before.offset)
            {
                found.keys.add(|| behind(context, session, before, now));
            } else if let Some(before) =
                before.filter(|before| offset < before.offset && (key.is_none() || before.key != key))
            {
                let tally = if before.operation == index { &mut found.inside } else { &mut found.between };
                tally.add(|| behind(context, session, before, now));
            } else if let Some(before) = before.filter(|before| before.operation == index)
                && let Some((tag, at)) = first_between(context, derived, before, now)
            {
                found.gaps.add(|| gap(context, before, now, tag, at));
            }
        }
    }
    found
}

/// Order is judged on what was acknowledged: a record whose fate is unknown may land at any time. One of an
/// operation of unknown outcome that took effect counts if its own acknowledgement came.
fn takes_part(derived: &Derived, operation: &Operation<'_>, send: &Send, place: Place) -> bool {
    let acknowledged = match operation.outcome {
        Outcome::Ok => true,
        Outcome::Unknown => send.offset.is_some() && derived.knows(send.tag, Fact::Committed),
        Outcome::Fail => false,
    };
    acknowledged && place.copies > 0 && derived.is_certain(send.tag)
}

/// The first record of others between two sends that follow one another.
fn first_between(
    context: &Context<'_>,
    derived: &Derived,
    before: Placed,
    now: Placed,
) -> Option<(Tag, Offset)> {
    let log = context.log(now.partition)?;
    let from = log.position(before.offset)? + 1;
    let between = log.entries.from(from).take_while(|entry| entry.offset < now.offset);
    between.filter_map(|entry| Some((entry.intact()?, entry.offset))).find(|(tag, _)| derived.is_due(*tag))
}

fn behind(context: &Context<'_>, session: &Session, before: Placed, now: Placed) -> Witness {
    let text = format!(
        "{} sent {} after {}, and it lies at offset {} of partition {} against offset {} of partition {}",
        session.name(),
        context.name(now.tag),
        context.name(before.tag),
        now.offset,
        context.history.partition_name(now.partition),
        before.offset,
        context.history.partition_name(before.partition)
    );
    witness(context, text, before, now)
}

fn gap(context: &Context<'_>, before: Placed, now: Placed, tag: Tag, at: Offset) -> Witness {
    let text = format!(
        "{} lies at offset {at} of partition {}, between {} and {} of one operation",
        context.name(tag),
        context.history.partition_name(now.partition),
        context.name(before.tag),
        context.name(now.tag)
    );
    witness(context, text, before, now).with(context.sender(tag))
}

fn witness(context: &Context<'_>, text: String, before: Placed, now: Placed) -> Witness {
    let sender = context.sender(now.tag);
    let at = sender.as_ref().map(|sender| sender.completed.unwrap_or(sender.invoked));
    let witness = context.witness(text, Some(now.tag), Some(now.partition), Some(now.offset), at);
    witness.with(context.sender(before.tag)).with(sender)
}
