//! Did a fault bite? One rule per class, and the sentence that shows it.

use history::{FaultClass, Nanos, NodeId, Partition};

use super::{administration, afflictions, applications, groups, is_confirmed, links};
use crate::context::{Context, FaultRun};
use crate::guarantees::Acks;

/// What was seen of a fault.
pub(super) struct Bite {
    pub(super) bitten: bool,
    pub(super) detail: String,
}

impl Bite {
    pub(super) fn yes(detail: String) -> Self {
        Self { bitten: true, detail }
    }

    pub(super) fn no(detail: impl Into<String>) -> Self {
        Self { bitten: false, detail: detail.into() }
    }
}

pub(super) fn look(context: &Context<'_>, fault: &FaultRun<'_>) -> Bite {
    if let Some(reason) = fault.failed.filter(|_| fault.injected.is_none()) {
        return Bite::no(format!("it could not be carried out: {reason}"));
    }
    let Some(invoked) = fault.invoked else {
        return Bite::no("it was never injected: the load ended before its time (raise `--duration`)");
    };
    match fault.planned.class {
        FaultClass::Kill => moved(context, fault, invoked, "killed"),
        FaultClass::Stop => moved(context, fault, invoked, "stopped"),
        FaultClass::RollingRestart => moved(context, fault, invoked, "restarted in turn"),
        FaultClass::Pause => pause(context, fault, invoked),
        FaultClass::IsolateLeader | FaultClass::IsolateMinority => isolate_leader(context, fault, invoked),
        FaultClass::IsolateFollowers | FaultClass::PartialPartition => isolate_followers(context, fault),
        FaultClass::IsolateOneWay => links::one_way(context, fault, invoked),
        FaultClass::IsolateClients => links::isolate_clients(context, fault),
        FaultClass::DropResponses => links::drop_responses(context, fault),
        FaultClass::SlowLinks => links::impaired(fault, "between brokers", "came late"),
        FaultClass::NarrowLinks => links::impaired(fault, "between brokers", "had to wait for their turn"),
        FaultClass::SlowClients => links::impaired(fault, "of clients", "came late"),
        FaultClass::IsolateController => links::isolate_controller(context, fault, invoked),
        FaultClass::PowerFailure | FaultClass::PowerFailureAll => power_failure(context, fault),
        FaultClass::KillProducer => applications::kill_producer(context, fault, invoked),
        FaultClass::PauseProducer => applications::pause_producer(context, fault, invoked),
        FaultClass::KillReader => applications::kill_reader(context, fault, invoked),
        FaultClass::ReassignReplicas => administration::reassigned(context, fault, invoked),
        FaultClass::PreferredElection => administration::elected(context, fault, invoked),
        FaultClass::UncleanElection => administration::elected_uncleanly(context, fault, invoked),
        FaultClass::AddPartitions => administration::added(context, fault, invoked),
        FaultClass::AlterTopicConfigs => administration::altered(context, fault, invoked),
        FaultClass::KillCoordinator => groups::coordinator(context, fault, invoked, "killed"),
        FaultClass::IsolateCoordinator => groups::coordinator(context, fault, invoked, "cut off"),
        FaultClass::KillMember => groups::member(context, fault, invoked, "killed"),
        FaultClass::PauseMember => groups::member(context, fault, invoked, "paused"),
        FaultClass::RebalanceStorm => groups::storm(context, fault, invoked),
        FaultClass::DiskFull => afflictions::disk_full(context, fault, invoked),
        FaultClass::ReadOnlyDisk => afflictions::read_only_disk(context, fault, invoked),
        FaultClass::SlowDisk => afflictions::counted(fault, "had to wait for the disk of", "--rate"),
        FaultClass::TruncateLog => afflictions::counted(fault, "were cut off a log of", "--rate"),
        FaultClass::FlipBit => afflictions::flip_bit(fault),
        FaultClass::StaleDisk => afflictions::counted(fault, "were missing from the logs of", "--rate"),
        FaultClass::DropCache => afflictions::counted(fault, "left the page cache of", "--rate"),
        FaultClass::ClockBump | FaultClass::ClockSkew | FaultClass::ClockStrobe => afflictions::clock(fault),
        FaultClass::LossyLinks => links::packets(fault, "were lost"),
        FaultClass::ReorderPackets => links::packets(fault, "passed a link that reorders them"),
        FaultClass::DuplicatePackets => links::packets(fault, "passed a link that duplicates them"),
        FaultClass::CorruptPackets => links::packets(fault, "passed a link that corrupts them"),
    }
}

/// `node 2`, `nodes 1 and 3`.
pub(super) fn nodes(fault: &FaultRun<'_>) -> String {
    let names: Vec<String> = fault.nodes.iter().map(NodeId::to_string).collect();
    match names.as_slice() {
        [one] => format!("node {one}"),
        _ => format!("nodes {}", names.join(" and ")),
    }
}

pub(super) fn seconds(from: Nanos, to: Nanos) -> String {
    let tenths = (to.since(from) + 50_000_000) / 100_000_000;
    format!("{}.{} s", tenths / 10, tenths % 10)
}

/// A new leader epoch for a partition that a node led whose process ended.
fn moved(context: &Context<'_>, fault: &FaultRun<'_>, invoked: Nanos, how: &str) -> Bite {
    if fault.partitions.is_empty() {
        return Bite::no(format!("{} led no partition when it was {how} (try another seed)", nodes(fault)));
    }
    let were = if fault.nodes.len() == 1 { "was" } else { "were" };
    let mut moved = context.timeline.changes.iter().filter(|change| {
        change.fault == Some(fault.planned.id) && fault.partitions.contains(&change.partition)
    });
    let Some(first) = moved.next() else {
        // Who is elected by request afterwards is that request's doing; that somebody had to be is this fault's.
        if let Some((partition, at)) = leaderless(context, fault, invoked) {
            return Bite::yes(format!(
                "{} {were} {how}; nobody led partition {partition} from {} later on",
                nodes(fault),
                seconds(invoked, at)
            ));
        }
        return Bite::no(format!(
            "no partition of {} got a new leader epoch (raise the fault's duration with `--duration`, or lower \
             `broker.session.timeout.ms`)",
            nodes(fault)
        ));
    };
    let others = match moved.count() {
        0 => String::new(),
        more => format!(", and {more} more leader changes"),
    };
    Bite::yes(format!(
        "{} {were} {how}; partition {} got node {} as its leader {} later (epoch {}){others}",
        nodes(fault),
        first.partition,
        first.to,
        seconds(invoked, first.at),
        first.epoch
    ))
}

/// The first partition that the fault left without a leader, and when.
fn leaderless(context: &Context<'_>, fault: &FaultRun<'_>, invoked: Nanos) -> Option<(Partition, Nanos)> {
    fault.partitions.iter().find_map(|partition| {
        let states = context.timeline.leaders.get(partition.0 as usize)?;
        let of_it = |state: &&crate::context::LeaderState| {
            state.leader.is_none() && state.at >= invoked && fault.in_force(state.at)
        };
        states.iter().find(of_it).map(|state| (*partition, state.at))
    })
}

/// Bytes were cut; or, where every record is synced before it is acknowledged and nothing can be left to cut,
/// another epoch began.
fn power_failure(context: &Context<'_>, fault: &FaultRun<'_>) -> Bite {
    let who = nodes(fault);
    if fault.bytes > 0 {
        return Bite::yes(format!(
            "{who} lost power, and with it {} bytes that were not synced",
            fault.bytes
        ));
    }
    let epoch = context.timeline.changes.iter().find(|change| {
        change.fault == Some(fault.planned.id) && fault.partitions.contains(&change.partition)
    });
    match epoch {
        Some(change) if context.terms.flush_each => Bite::yes(format!(
            "{who} lost power with every record synced (flush.messages=1); partition {} went on in epoch {}",
            change.partition, change.epoch
        )),
        _ => Bite::no(format!("{who} lost power, and had nothing that was not synced (raise `--rate`)")),
    }
}

/// The node was fenced: the pause outlived its session.
fn pause(context: &Context<'_>, fault: &FaultRun<'_>, invoked: Nanos) -> Bite {
    let mut fenced = context
        .timeline
        .fenced
        .iter()
        .filter(|(at, node)| fault.nodes.contains(node) && fault.may_cause(*at) && *at >= invoked);
    match fenced.next() {
        Some((at, node)) => {
            Bite::yes(format!("node {node} was paused, and fenced after {}", seconds(invoked, *at)))
        }
        None => Bite::no(format!(
            "{} was not fenced: the pause was shorter than its session (raise `--duration` or lower \
             `broker.session.timeout.ms`)",
            nodes(fault)
        )),
    }
}

/// A new epoch elsewhere during the cut, and the old leader still in use.
fn isolate_leader(context: &Context<'_>, fault: &FaultRun<'_>, invoked: Nanos) -> Bite {
    let deposed: Vec<(Partition, Nanos)> = fault
        .partitions
        .iter()
        .filter_map(|partition| Some((*partition, deposed(context, fault, *partition, invoked)?)))
        .collect();
    let Some((partition, at)) = deposed.first() else {
        return Bite::no(format!(
            "no partition of {} got a new leader epoch elsewhere during the cut (raise `--duration` or lower \
             `broker.session.timeout.ms`)",
            nodes(fault)
        ));
    };
    let were = if fault.nodes.len() == 1 { "was" } else { "were" };
    let seen = format!(
        "{} {were} cut off; partition {partition} was given a new epoch {} later",
        nodes(fault),
        seconds(invoked, *at)
    );
    // acks=all cannot be confirmed by a leader that its followers do not hear, unless it is alone.
    let waits = context.terms.acks == Acks::All && context.terms.replicas > 1;
    if waits {
        let tried = sent_during(context, fault, &deposed);
        return if tried > 0 {
            Bite::yes(format!("{seen}, and {tried} records were sent to its partitions during the cut"))
        } else {
            Bite::no(format!("{seen}, but nothing was sent to its partitions meanwhile (raise `--rate`)"))
        };
    }
    match (confirmed_by_the_old(context, fault, &deposed), lost_in_the_cut(context, fault, &deposed)) {
        // Clients that learn of the new leader at once confirm nothing with the old one any more; what it
        // confirmed before, alone, and is gone shows the same.
        (0, 0) => Bite::no(format!(
            "{seen}, but the old leader confirmed nothing after that (raise `--duration` or `--rate`)"
        )),
        (0, lost) => Bite::yes(format!("{seen}, and {lost} records the old leader confirmed alone are gone")),
        (count, _) => Bite::yes(format!("{seen}, and the old leader confirmed {count} records after that")),
    }
}

/// Records of the deposed partitions that were confirmed while the leader was cut off and are gone: only it
/// can have had them.
fn lost_in_the_cut(context: &Context<'_>, fault: &FaultRun<'_>, deposed: &[(Partition, Nanos)]) -> usize {
    let sends = context.producers.iter().flat_map(|producer| producer.sends());
    sends
        .filter(|(send, place)| {
            let there = |partition| deposed.iter().any(|(of, _)| *of == partition);
            is_confirmed(send)
                && send.partition.is_some_and(there)
                && send.completed.is_some_and(|completed| fault.in_force(completed))
                && place.copies == 0
                && context.absence_counts(send)
        })
        .count()
}

/// When a partition first had a newer epoch or another leader (or none) than the cut-off node.
pub(super) fn deposed(
    context: &Context<'_>,
    fault: &FaultRun<'_>,
    partition: Partition,
    invoked: Nanos,
) -> Option<Nanos> {
    let states = context.timeline.leaders.get(partition.0 as usize)?;
    let after = states.partition_point(|state| state.at < invoked);
    let before = states[..after].last();
    let newer = |state: &&crate::context::LeaderState| {
        let elsewhere = state.leader.is_none_or(|leader| !fault.nodes.contains(&leader));
        let changed = before.is_none_or(|before| state.epoch > before.epoch || state.leader != before.leader);
        elsewhere && changed && fault.in_force(state.at)
    };
    states[after..].iter().find(newer).map(|state| state.at)
}

fn sent_during(context: &Context<'_>, fault: &FaultRun<'_>, deposed: &[(Partition, Nanos)]) -> usize {
    let to_them = |partition: Option<Partition>| deposed.iter().any(|(of, _)| Some(*of) == partition);
    context.history.sends().filter(|send| to_them(send.partition) && fault.in_force(send.invoked)).count()
}

/// Records confirmed after the new epoch existed, while their producer still took the cut-off node for
/// the leader, or that are gone from the log although confirmed then: only the old leader can have
/// confirmed those.
fn confirmed_by_the_old(
    context: &Context<'_>,
    fault: &FaultRun<'_>,
    deposed: &[(Partition, Nanos)],
) -> usize {
    let mut count = 0;
    for (index, producer) in context.producers.iter().enumerate() {
        for (send, place) in producer.sends().filter(|(send, _)| is_confirmed(send)) {
            let (Some(partition), Some(completed)) = (send.partition, send.completed) else { continue };
            let Some((_, since)) = deposed.iter().find(|(of, _)| *of == partition) else { continue };
            if completed < *since || !fault.in_force(completed) {
                continue;
            }
            let by_view = context
                .timeline
                .view(index, partition, completed)
                .is_some_and(|leader| fault.nodes.contains(&leader));
            let by_loss = place.copies == 0 && context.absence_counts(&send);
            count += usize::from(by_view || by_loss);
        }
    }
    count
}

/// An in-sync replica set shrank.
pub(super) fn isolate_followers(context: &Context<'_>, fault: &FaultRun<'_>) -> Bite {
    for partition in &fault.partitions {
        let Some(states) = context.timeline.leaders.get(partition.0 as usize) else { continue };
        let shrink = states.windows(2).find(|pair| pair[1].isr < pair[0].isr && fault.may_cause(pair[1].at));
        if let Some(pair) = shrink {
            return Bite::yes(format!(
                "the in-sync replicas of partition {partition} went from {} to {}",
                pair[0].isr, pair[1].isr
            ));
        }
    }
    Bite::no(format!(
        "no in-sync replica set of {} shrank (raise `--duration` or lower `replica.lag.time.max.ms`)",
        nodes(fault)
    ))
}
