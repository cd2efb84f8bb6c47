//! Did a fault of links bite that lets its node be, or hits every one? One rule per class.

use history::{Nanos, Note, Partition, Role, Send};

use super::bite::{Bite, deposed, isolate_followers, nodes, seconds};
use super::is_confirmed;
use crate::context::{Context, FaultRun, Place};

/// A new epoch elsewhere, or an in-sync replica set that shrank: which of the two depends on the direction.
pub(super) fn one_way(context: &Context<'_>, fault: &FaultRun<'_>, invoked: Nanos) -> Bite {
    let moved = |partition: &Partition| Some((*partition, deposed(context, fault, *partition, invoked)?));
    if let Some((partition, at)) = fault.partitions.iter().find_map(moved) {
        return Bite::yes(format!(
            "{} was cut off one way; partition {partition} was given a new epoch {} later",
            nodes(fault),
            seconds(invoked, at)
        ));
    }
    isolate_followers(context, fault)
}

/// Records for what the node leads had to wait.
pub(super) fn isolate_clients(context: &Context<'_>, fault: &FaultRun<'_>) -> Bite {
    let (mut waited, mut confirmed) = (0_usize, 0_usize);
    for (send, _) in sends_to(context, fault).filter(|(send, _)| fault.in_force(send.invoked)) {
        let in_time = is_confirmed(&send) && send.completed.is_some_and(|at| fault.in_force(at));
        *(if in_time { &mut confirmed } else { &mut waited }) += 1;
    }
    let who = nodes(fault);
    // What was under way when the cut came may have been confirmed still.
    if waited > confirmed {
        Bite::yes(format!(
            "clients lost {who}; {waited} records for its partitions had to wait or were given up"
        ))
    } else {
        Bite::no(format!(
            "clients lost {who}, but only {waited} records had to wait for it (raise `--duration` or `--rate`)"
        ))
    }
}

/// Answers were thrown away, and somebody sent again. librdkafka counts some of that (`txretries`) and not what
/// it puts back into a partition's queue; then the log shows it, or that records which could be answered only
/// once the connections were reset were answered.
pub(super) fn drop_responses(context: &Context<'_>, fault: &FaultRun<'_>) -> Bite {
    let (who, bytes) = (nodes(fault), fault.bytes);
    if bytes == 0 {
        return Bite::no(format!("{who} answered nothing that could be thrown away (raise `--rate`)"));
    }
    let seen = format!("{bytes} bytes of {who}'s answers to clients were thrown away");
    let (mut late, mut copied) = (0_usize, 0_usize);
    for (send, place) in sends_to(context, fault).filter(|(send, _)| fault.in_force(send.invoked)) {
        let after = |at: Nanos| fault.healed.is_some_and(|healed| at > healed);
        late += usize::from(is_confirmed(&send) && send.completed.is_some_and(after));
        copied += usize::from(place.copies > 1);
    }
    let retries = retried(context, fault);
    if (retries, late, copied) == (0, 0, 0) {
        return Bite::no(format!("{seen}, but no client sent again (raise `--duration`, or `retries`)"));
    }
    let mut shown = Vec::new();
    if retries > 0 {
        shown.push(format!("clients sent {retries} requests again"));
    }
    if late > 0 {
        shown.push(format!("{late} records were confirmed only when they were sent again after healing"));
    }
    if copied > 0 {
        shown.push(format!("{copied} are there twice"));
    }
    Bite::yes(format!("{seen}; {}", shown.join(", ")))
}

/// Bytes came late, or had to wait for their turn.
pub(super) fn impaired(fault: &FaultRun<'_>, whose: &str, how: &str) -> Bite {
    let (connections, bytes) = (fault.connections, fault.bytes);
    if bytes > 0 {
        // A host counts packets, and says by what.
        let what = if fault.by.is_empty() { "on" } else { "in" };
        let parts = if fault.by.is_empty() { "connections" } else { "packets" };
        Bite::yes(format!("{bytes} bytes {what} {connections} {parts} {whose} {how}"))
    } else {
        Bite::no(format!("no byte {whose} {how} (raise `--rate` or `--payload-bytes`)"))
    }
}

/// Packets were touched. (What a host counts are packets, where a proxy counts connections.)
pub(super) fn packets(fault: &FaultRun<'_>, how: &str) -> Bite {
    let (packets, bytes) = (fault.connections, fault.bytes);
    if packets > 0 {
        Bite::yes(format!("{packets} packets of {bytes} bytes between brokers {how}"))
    } else {
        Bite::no(format!(
            "no packet between brokers was there that could have been: none {how} (raise `--rate`)"
        ))
    }
}

/// The controller took brokers for dead, and they went on.
pub(super) fn isolate_controller(context: &Context<'_>, fault: &FaultRun<'_>, invoked: Nanos) -> Bite {
    let fenced = context
        .timeline
        .fenced
        .iter()
        .filter(|(at, node)| fault.nodes.contains(node) && fault.in_force(*at) && *at >= invoked);
    let Some(first) = fenced.clone().map(|(at, _)| *at).min() else {
        return Bite::no(
            "nobody was fenced: the cut was shorter than a session (raise `--duration` or lower \
             `broker.session.timeout.ms`)",
        );
    };
    let sends = context.producers.iter().flat_map(|producer| producer.sends());
    let meanwhile = sends.filter(|(send, _)| {
        is_confirmed(send) && send.completed.is_some_and(|at| at >= first && fault.in_force(at))
    });
    Bite::yes(format!(
        "the controller was cut off, and fenced {} brokers from {} on; {} records were confirmed all the same",
        fenced.count(),
        seconds(invoked, first),
        meanwhile.count()
    ))
}

/// Every send to a partition that the fault hit.
fn sends_to<'a>(
    context: &'a Context<'_>,
    fault: &'a FaultRun<'_>,
) -> impl Iterator<Item = (Send, Place)> + 'a {
    let sends = context.producers.iter().flat_map(|producer| producer.sends());
    sends.filter(|(send, _)| send.partition.is_some_and(|partition| fault.partitions.contains(&partition)))
}

/// Requests that clients counted as sent again while the fault may have been the reason (each session tells a
/// running total).
fn retried(context: &Context<'_>, fault: &FaultRun<'_>) -> u64 {
    let of_session = |session: &history::Session| {
        let (mut before, mut until) = (0, 0);
        for (at, note) in &session.notes {
            let Note::Retries { total } = note else { continue };
            if fault.may_cause(*at) {
                until = until.max(*total);
            } else if fault.invoked.is_some_and(|invoked| *at < invoked) {
                before = before.max(*total);
            }
        }
        u64::saturating_sub(until, before)
    };
    context.history.of(Role::Producer).map(of_session).sum()
}
