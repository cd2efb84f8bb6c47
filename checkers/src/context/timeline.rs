//! What happened when: phases, faults, leaders as the controller decided them and as clients saw them.

use std::collections::BTreeMap;

use history::event::Phase;
use history::{Application, History, Nanos, NodeId, Note, Partition, PlannedFault};

use super::sends::Producer;

/// How long after a heal a leader change may still be that fault's doing: the node comes back, is
/// unfenced and takes up what nobody else could lead.
const SETTLE: u64 = 5_000_000_000;

/// One planned fault, as it was carried out.
#[derive(Debug)]
pub(crate) struct FaultRun<'a> {
    pub(crate) planned: &'a PlannedFault,
    pub(crate) invoked: Option<Nanos>,
    pub(crate) injected: Option<Nanos>,
    pub(crate) healed: Option<Nanos>,
    pub(crate) failed: Option<&'a str>,
    /// Bytes it took: held back, thrown away, late, or cut from files.
    pub(crate) bytes: u64,
    /// By which means it was carried out, where that is told.
    pub(crate) by: &'a [String],
    /// What was seen of it where it was undone.
    pub(crate) seen: &'a [String],
    /// Connections whose links it hit.
    pub(crate) connections: u64,
    pub(crate) nodes: Vec<NodeId>,
    /// What these nodes led when it was invoked.
    pub(crate) partitions: Vec<Partition>,
    /// The applications it hit.
    pub(crate) applications: Vec<Application>,
}

impl FaultRun<'_> {
    /// Whether it was in force at a time (from its invocation to its heal).
    pub(crate) fn in_force(&self, at: Nanos) -> bool {
        self.invoked.is_some_and(|from| from <= at) && self.healed.is_none_or(|until| at <= until)
    }

    /// Whether something at that time may be its doing.
    pub(crate) fn may_cause(&self, at: Nanos) -> bool {
        self.invoked.is_some_and(|from| from <= at)
            && self.healed.is_none_or(|until| at.0 <= until.0.saturating_add(SETTLE))
    }
}

/// A partition's state from a moment on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LeaderState {
    pub(crate) at: Nanos,
    pub(crate) leader: Option<NodeId>,
    pub(crate) epoch: i32,
    pub(crate) isr: usize,
}

/// A partition got a new leader, or its leader a new epoch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LeaderChange {
    pub(crate) at: Nanos,
    pub(crate) partition: Partition,
    pub(crate) to: NodeId,
    pub(crate) epoch: i32,
    /// The planned fault that explains it.
    pub(crate) fault: Option<u32>,
}

/// Whom a client took for the leader from a moment on, by partition.
type Views = BTreeMap<Partition, Vec<(Nanos, Option<NodeId>)>>;

/// Everything with a time.
#[derive(Debug)]
pub(crate) struct Timeline<'a> {
    phases: Vec<(Nanos, Phase)>,
    pub(crate) faults: Vec<FaultRun<'a>>,
    /// States by partition, in order of time.
    pub(crate) leaders: Vec<Vec<LeaderState>>,
    pub(crate) changes: Vec<LeaderChange>,
    /// Replicas as anybody told of them, the preferred leader first, in order of time.
    pub(crate) replicas: Vec<(Nanos, Partition, &'a [NodeId])>,
    /// Brokers fenced by the controller, and when.
    pub(crate) fenced: Vec<(Nanos, NodeId)>,
    /// One for each producer session.
    views: Vec<Views>,
}

impl<'a> Timeline<'a> {
    pub(super) fn new(history: &'a History, partitions: usize, producers: &[Producer<'a>]) -> Self {
        let mut faults: Vec<FaultRun<'a>> = history.plan.schedule.iter().map(not_yet).collect();
        let (mut fenced, mut placed) = (Vec::new(), Vec::new());
        let mut leaders: Vec<Vec<LeaderState>> = vec![Vec::new(); partitions];
        for (_, at, note) in history.notes() {
            match note {
                Note::Fenced { node, fenced: true } => fenced.push((at, *node)),
                Note::PartitionState { partition, leader, epoch, isr, replicas } => {
                    placed.push((at, *partition, replicas.as_slice()));
                    if let Some(states) = leaders.get_mut(partition.0 as usize) {
                        states.push(LeaderState { at, leader: *leader, epoch: *epoch, isr: isr.len() });
                    }
                }
                _ => carry_out(&mut faults, at, note),
            }
        }
        let phases = phases(history);
        fenced.sort_by_key(|(at, _)| *at);
        placed.sort_by_key(|(at, ..)| *at);
        for states in &mut leaders {
            // Where the controller tells, metadata (which lags and knows no epochs) has nothing to add.
            if states.iter().any(|state| state.epoch >= 0) {
                states.retain(|state| state.epoch >= 0);
            }
            states.sort_by_key(|state| state.at);
        }
        let views = producers.iter().map(views_of).collect();
        let (changes, replicas) = (Vec::new(), placed);
        let mut timeline = Self { phases, faults, leaders, changes, replicas, fenced, views };
        timeline.changes = timeline.find_changes();
        timeline
    }

    /// When a phase was entered.
    pub(crate) fn entered(&self, phase: Phase) -> Option<Nanos> {
        self.phases.iter().find(|(_, entered)| *entered == phase).map(|(at, _)| *at)
    }

    /// When the load began and ended.
    pub(crate) fn load(&self) -> (Option<Nanos>, Option<Nanos>) {
        load(&self.phases)
    }

    /// Milliseconds after the load began.
    pub(crate) fn at_ms(&self, at: Nanos) -> Option<u64> {
        self.entered(Phase::Load).map(|start| at.since(start) / 1_000_000)
    }

    /// The planned fault in force at a time.
    pub(crate) fn fault_at(&self, at: Nanos) -> Option<u32> {
        self.faults.iter().rev().find(|fault| fault.in_force(at)).map(|fault| fault.planned.id)
    }

    /// Whom a producer session took for a partition's leader at a time.
    pub(crate) fn view(&self, producer: usize, partition: Partition, at: Nanos) -> Option<NodeId> {
        let views = self.views[producer].get(&partition)?;
        let after = views.partition_point(|(since, _)| *since <= at);
        views[..after].last().and_then(|(_, leader)| *leader)
    }

    fn find_changes(&self) -> Vec<LeaderChange> {
        let start = self.entered(Phase::Load);
        let mut changes = Vec::new();
        for (index, states) in self.leaders.iter().enumerate() {
            let mut known: Option<(NodeId, i32)> = None;
            for state in states {
                let Some(leader) = state.leader else { continue };
                if let Some((from, epoch)) = known
                    && (from != leader || state.epoch > epoch)
                    && start.is_none_or(|start| state.at > start)
                {
                    let partition = super::partition(index);
                    let fault = self.explain(state.at, partition, from);
                    let change =
                        LeaderChange { at: state.at, partition, to: leader, epoch: state.epoch, fault };
                    changes.push(change);
                }
                known = Some((leader, state.epoch));
            }
        }
        changes.sort_by_key(|change| change.at);
        changes
    }

    /// The latest fault that may move leadership, hit the old leader, or was a request about the partition, and may
    /// still be at work. (A lone replica that returns takes over from itself.)
    fn explain(&self, at: Nanos, partition: Partition, from: NodeId) -> Option<u32> {
        let hit = |fault: &FaultRun<'_>| match fault.planned.class.is_administrative() {
            true => fault.partitions.contains(&partition),
            false => fault.nodes.contains(&from),
        };
        let explains = |fault: &&FaultRun<'_>| {
            fault.planned.class.moves_leadership() && fault.may_cause(at) && hit(fault)
        };
        self.faults.iter().rev().find(explains).map(|fault| fault.planned.id)
    }
}

/// The phases of a run, in order of time.
pub(super) fn phases(history: &History) -> Vec<(Nanos, Phase)> {
    let entered = history.notes().filter_map(|(_, at, note)| match note {
        Note::PhaseEntered { phase } => Some((at, *phase)),
        _ => None,
    });
    let mut phases: Vec<(Nanos, Phase)> = entered.collect();
    phases.sort_by_key(|(at, _)| *at);
    phases
}

/// When the load began and ended.
pub(super) fn load(phases: &[(Nanos, Phase)]) -> (Option<Nanos>, Option<Nanos>) {
    let start = phases.iter().find(|(_, phase)| *phase == Phase::Load).map(|(at, _)| *at);
    let end = phases.iter().find(|(_, phase)| *phase > Phase::Load).map(|(at, _)| *at);
    (start, end)
}

fn not_yet(planned: &PlannedFault) -> FaultRun<'_> {
    FaultRun {
        planned,
        invoked: None,
        injected: None,
        healed: None,
        failed: None,
        bytes: 0,
        by: &[],
        seen: &[],
        connections: 0,
        nodes: Vec::new(),
        partitions: Vec::new(),
        applications: Vec::new(),
    }
}

fn carry_out<'a>(faults: &mut [FaultRun<'a>], at: Nanos, note: &'a Note) {
    let mut change = |id: u32, change: &mut dyn FnMut(&mut FaultRun<'a>)| {
        if let Some(fault) = faults.iter_mut().find(|fault| fault.planned.id == id) {
            change(fault);
        }
    };
    match note {
        Note::FaultInvoked { fault, nodes, partitions, applications, .. } => change(*fault, &mut |run| {
            run.invoked = Some(at);
            run.nodes.clone_from(nodes);
            run.partitions.clone_from(partitions);
            run.applications.clone_from(applications);
        }),
        Note::FaultInjected { fault, by } => change(*fault, &mut |run| {
            run.injected = Some(at);
            run.by = by;
        }),
        Note::FaultHealed { fault, connections, bytes, seen } => change(*fault, &mut |run| {
            run.healed = Some(at);
            run.seen = seen;
            run.bytes = *bytes;
            run.connections = *connections;
        }),
        Note::FaultFailed { fault, reason } => change(*fault, &mut |run| run.failed = Some(reason)),
        _ => {}
    }
}

fn views_of(producer: &Producer<'_>) -> Views {
    let mut views = Views::new();
    for (at, note) in &producer.session.notes {
        if let Note::ClientView { partition, leader } = note {
            views.entry(*partition).or_default().push((*at, *leader));
        }
    }
    views
}
