//! Did a request to the cluster about the topic bite? One rule per class: what the cluster said of it afterwards.

use std::collections::BTreeMap;

use history::{Nanos, NodeId, Note, Partition};

use super::bite::{Bite, seconds};
use super::is_confirmed;
use crate::context::{Context, FaultRun, LeaderState};

/// Replicas, or their order, are not what they were.
pub(super) fn reassigned(context: &Context<'_>, fault: &FaultRun<'_>, invoked: Nanos) -> Bite {
    for partition in &fault.partitions {
        let told = context.timeline.replicas.iter().filter(|(_, of, _)| of == partition);
        let Some((_, _, before)) = told.clone().rfind(|(at, ..)| *at < invoked) else { continue };
        let mut during = told.filter(|(at, ..)| *at >= invoked && fault.in_force(*at));
        if let Some((at, _, after)) = during.find(|(.., replicas)| replicas != before) {
            return Bite::yes(format!(
                "the replicas of partition {partition} went from {} to {} within {}{}",
                list(before),
                list(after),
                seconds(invoked, *at),
                meanwhile(context, fault, *at)
            ));
        }
    }
    Bite::no(format!("no replicas of {} changed (raise `--duration`)", named(fault)))
}

/// Another broker leads.
pub(super) fn elected(context: &Context<'_>, fault: &FaultRun<'_>, invoked: Nanos) -> Bite {
    for partition in &fault.partitions {
        let (before, during) = states(context, fault, *partition, invoked);
        let Some(old) = before.and_then(|state| state.leader) else { continue };
        if let Some((at, new)) = during.iter().find_map(|state| Some((state.at, moved(old, state)?))) {
            return Bite::yes(format!(
                "an election moved the leadership of partition {partition} from node {old} to node {new} within {}",
                seconds(invoked, at)
            ));
        }
    }
    Bite::no(format!("no leadership of {} moved (raise `--duration`)", named(fault)))
}

/// A partition without a leader has one.
pub(super) fn elected_uncleanly(context: &Context<'_>, fault: &FaultRun<'_>, invoked: Nanos) -> Bite {
    for partition in &fault.partitions {
        let (before, during) = states(context, fault, *partition, invoked);
        // News of the loss of the leader may come as late as that of the next.
        let mut known = before.iter().chain(&during);
        let had_none = known.any(|state| state.leader.is_none());
        let led = during.iter().find_map(|state| Some((state.at, state.leader?)));
        if let (true, Some((at, leader))) = (had_none, led) {
            return Bite::yes(format!(
                "nobody led partition {partition}; an unclean election made node {leader} its leader within {}",
                seconds(invoked, at)
            ));
        }
    }
    Bite::no(format!("nobody was elected for {} (raise `--duration`)", named(fault)))
}

/// There are more partitions, and the load went on; with keys it went there.
pub(super) fn added(context: &Context<'_>, fault: &FaultRun<'_>, invoked: Nanos) -> Bite {
    let appeared = |partition: &Partition| {
        let states = context.timeline.leaders.get(partition.0 as usize)?;
        states.iter().find(|state| state.leader.is_some()).map(|state| state.at)
    };
    let Some(last) = fault.partitions.iter().map(appeared).collect::<Option<Vec<_>>>() else {
        return Bite::no("the topic did not get the partitions in time (raise `--duration`)");
    };
    let Some(last) = last.into_iter().max() else { return Bite::no("no partition was asked for") };
    let names = named(fault);
    let sends = context.producers.iter().flat_map(|producer| producer.sends());
    let after = sends.filter(|(send, _)| is_confirmed(send) && send.invoked >= last);
    let (mut anywhere, mut there) = (0_usize, 0_usize);
    for (send, _) in after {
        anywhere += 1;
        there += usize::from(send.partition.is_some_and(|partition| fault.partitions.contains(&partition)));
    }
    let seen = format!("the topic got {names} within {}", seconds(invoked, last));
    match (context.history.plan.load.keys > 0, anywhere, there) {
        (_, 0, _) => Bite::no(format!("{seen}, and no record was confirmed after that (raise `--duration`)")),
        (true, _, 0) => Bite::no(format!(
            "{seen}, and none of {anywhere} records confirmed after that went there (raise `--duration` or `--keys`, or lower `metadata.max.age.ms`)"
        )),
        (true, ..) => {
            Bite::yes(format!("{seen}; {there} of {anywhere} records confirmed after that went there"))
        }
        (false, ..) => Bite::yes(format!(
            "{seen}, and {anywhere} records were confirmed after that, all elsewhere (`--keys` lets clients choose)"
        )),
    }
}

/// The cluster told of another value, and records were confirmed under it.
pub(super) fn altered(context: &Context<'_>, fault: &FaultRun<'_>, invoked: Nanos) -> Bite {
    let told: Vec<(Nanos, &BTreeMap<String, String>)> = context
        .history
        .notes()
        .filter_map(|(_, at, note)| match note {
            Note::EffectiveTopic { settings } => Some((at, settings)),
            _ => None,
        })
        .collect();
    let before = told.iter().rev().find(|(at, _)| *at < invoked);
    let differs = |before: &BTreeMap<String, String>, after: &BTreeMap<String, String>| {
        // Not a setting: other faults change it.
        let setting = |name: &&String| name.as_str() != "replication.factor";
        after.keys().filter(setting).find(|name| before.get(*name) != after.get(*name)).cloned()
    };
    let during = told.iter().filter(|(at, _)| *at >= invoked && fault.in_force(*at));
    let found = before.and_then(|(_, before)| {
        during.into_iter().find_map(|(at, after)| {
            let name = differs(before, after)?;
            let text = format!("`{name}` went from {} to {}", before.get(&name)?, after.get(&name)?);
            Some((*at, text))
        })
    });
    let Some((since, text)) = found else {
        return Bite::no("the cluster told of no other setting of the topic (try another seed)");
    };
    let confirmed = confirmed_within(context, fault, since);
    if confirmed == 0 {
        return Bite::no(format!(
            "{text}, and no record was confirmed meanwhile (raise `--duration` or `--rate`)"
        ));
    }
    Bite::yes(format!("{text}, and {confirmed} records were confirmed meanwhile"))
}

/// Records that were sent and confirmed while the fault was in force, from a time on.
fn confirmed_within(context: &Context<'_>, fault: &FaultRun<'_>, since: Nanos) -> usize {
    let sends = context.producers.iter().flat_map(|producer| producer.sends());
    let within = sends.filter(|(send, _)| {
        is_confirmed(send)
            && send.invoked >= since
            && send.completed.is_some_and(|completed| fault.in_force(completed))
    });
    within.count()
}

fn meanwhile(context: &Context<'_>, fault: &FaultRun<'_>, since: Nanos) -> String {
    format!("; {} records were confirmed before they went back", confirmed_within(context, fault, since))
}

/// The last state of a partition before a fault, and those while it was in force.
fn states<'a>(
    context: &'a Context<'_>,
    fault: &FaultRun<'_>,
    partition: Partition,
    invoked: Nanos,
) -> (Option<&'a LeaderState>, Vec<&'a LeaderState>) {
    let states = context.timeline.leaders.get(partition.0 as usize).map(Vec::as_slice).unwrap_or_default();
    let after = states.partition_point(|state| state.at < invoked);
    (states[..after].last(), states[after..].iter().filter(|state| fault.in_force(state.at)).collect())
}

fn moved(from: NodeId, state: &LeaderState) -> Option<NodeId> {
    state.leader.filter(|leader| *leader != from)
}

/// `partition 2`, `partitions 4 and 5`.
fn named(fault: &FaultRun<'_>) -> String {
    let names: Vec<String> = fault.partitions.iter().map(Partition::to_string).collect();
    match names.as_slice() {
        [one] => format!("partition {one}"),
        _ => format!("partitions {}", names.join(" and ")),
    }
}

fn list(nodes: &[NodeId]) -> String {
    nodes.iter().map(NodeId::to_string).collect::<Vec<_>>().join(",")
}
