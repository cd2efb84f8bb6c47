//! Writes of a producer session that a newer session of the same transactional id had fenced.

use history::Nanos;

use super::{Tally, ZOMBIE_WRITE};
use crate::Finding;
use crate::context::{Context, Producer};

pub(super) fn check(context: &Context<'_>) -> Option<Finding> {
    let mut tally = Tally::default();
    for (index, producer) in context.producers.iter().enumerate() {
        let Some(id) = transactional_id(producer) else { continue };
        // Producers are in order of their sessions, so that newer ones come later.
        let newer = context.producers[index + 1..].iter().filter(|newer| transactional_id(newer) == Some(id));
        let fence = newer.filter_map(|newer| Some((at_work(newer)?, newer))).min_by_key(|(at, _)| *at);
        let Some((fenced, by)) = fence else { continue };
        for (send, place) in producer.sends() {
            let called = send.invoked.0.saturating_sub(error(producer));
            if place.copies == 0 || called <= fenced.0 {
                continue;
            }
            tally.add(|| {
                let text = format!(
                    "{} sent {} {} ms after {} had begun to write as `{id}`, and it lies at offset {} of partition {}",
                    producer.session.name(),
                    context.history.name_of(send.tag),
                    send.invoked.since(fenced) / 1_000_000,
                    by.session.name(),
                    place.offset,
                    context.history.partition_name(place.partition),
                );
                context.witness(
                    text,
                    Some(send.tag),
                    Some(place.partition),
                    Some(place.offset),
                    Some(send.invoked),
                )
            });
        }
    }
    tally.finding(context, &ZOMBIE_WRITE)
}

fn transactional_id<'a>(producer: &'a Producer<'_>) -> Option<&'a str> {
    let id = producer.session.effective.get("transactional.id")?;
    (!id.is_empty()).then_some(id.as_str())
}

/// When it certainly had its epoch, and older sessions had lost theirs: a client sends nothing before
/// that, and what was acknowledged first was invoked later still (KIP-98).
fn at_work(producer: &Producer<'_>) -> Option<Nanos> {
    let acked = producer.sends().filter(|(send, _)| send.told == history::Told::Acked);
    let first = acked.map(|(send, _)| send.invoked).min()?;
    Some(Nanos(first.0.saturating_add(error(producer))))
}

fn error(producer: &Producer<'_>) -> u64 {
    producer.session.clock.error_ns.unwrap_or(0)
}
