//! Did a fault of a broker's disk, files or clock bite? One rule per class. What was done is counted where it was done
//! (bytes cut, bytes that waited); what came of it shows in the state of the cluster.

use history::{Nanos, NodeId};

use super::bite::{Bite, nodes, seconds};
use crate::context::{Context, FaultRun};

/// It gave its log directory up: it was taken for dead, or another leads.
pub(super) fn disk_full(context: &Context<'_>, fault: &FaultRun<'_>, invoked: Nanos) -> Bite {
    let who = nodes(fault);
    match gave_up(context, fault, invoked) {
        Some(shown) => Bite::yes(format!("the disk of {who} was full; {shown}")),
        None => Bite::no(format!(
            "the disk of {who} was full, and nobody saw it give up (raise the fault's duration with `--duration`, or \
             `--rate`)"
        )),
    }
}

/// Bytes are gone; or, where every record is synced before it is acknowledged, it gave up.
pub(super) fn read_only_disk(context: &Context<'_>, fault: &FaultRun<'_>, invoked: Nanos) -> Bite {
    let (who, bytes) = (nodes(fault), fault.bytes);
    match (gave_up(context, fault, invoked), bytes) {
        (None, 0) => Bite::no(format!(
            "the file system of {who} was read-only, and neither did it give up nor was anything gone (raise `--rate`)"
        )),
        (None, _) => Bite::yes(format!(
            "the file system of {who} was read-only, and {bytes} bytes that were not synced are gone"
        )),
        (Some(shown), 0) if context.terms.flush_each => Bite::yes(format!(
            "the file system of {who} was read-only with every record synced (flush.messages=1); {shown}"
        )),
        (Some(_), 0) => Bite::no(format!(
            "the file system of {who} was read-only, and nothing was there that was not synced (raise `--rate`)"
        )),
        (Some(shown), _) => Bite::yes(format!(
            "the file system of {who} was read-only; {shown}, and {bytes} bytes that were not synced are gone"
        )),
    }
}

/// How a broker that ended shows: fenced, or followed by another leader.
fn gave_up(context: &Context<'_>, fault: &FaultRun<'_>, invoked: Nanos) -> Option<String> {
    let of_it =
        |(at, node): &&(Nanos, NodeId)| fault.nodes.contains(node) && fault.may_cause(*at) && *at >= invoked;
    if let Some((at, node)) = context.timeline.fenced.iter().find(of_it) {
        return Some(format!("node {node} was fenced after {}", seconds(invoked, *at)));
    }
    let ours = |change: &&crate::context::LeaderChange| {
        change.fault == Some(fault.planned.id) && fault.partitions.contains(&change.partition)
    };
    let change = context.timeline.changes.iter().find(ours)?;
    Some(format!(
        "partition {} got node {} as its leader {} later (epoch {})",
        change.partition,
        change.to,
        seconds(invoked, change.at),
        change.epoch
    ))
}

/// Bytes were touched.
pub(super) fn counted(fault: &FaultRun<'_>, how: &str, raise: &str) -> Bite {
    let (who, bytes) = (nodes(fault), fault.bytes);
    if bytes > 0 {
        Bite::yes(format!("{bytes} bytes {how} {who}"))
    } else {
        Bite::no(format!("no bytes {how} {who} (raise `{raise}` or `--duration`)"))
    }
}

/// It was turned, which is read back before the fault counts as injected.
pub(super) fn flip_bit(fault: &FaultRun<'_>) -> Bite {
    let who = nodes(fault);
    if fault.injected.is_some() && fault.bytes > 0 {
        Bite::yes(format!("a bit was turned in a log of {who}"))
    } else {
        Bite::no(format!("no bit was turned in a log of {who} (raise `--rate`)"))
    }
}

/// The clock was read while the fault was in force, and found wrong.
pub(super) fn clock(fault: &FaultRun<'_>) -> Bite {
    let who = nodes(fault);
    match fault.seen {
        [] => Bite::no(format!("nobody saw the clock of {who} wrong (raise `--duration`)")),
        seen => Bite::yes(seen.join("; ")),
    }
}
