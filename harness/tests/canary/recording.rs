//! What a program does to the log, on record: a history as a run of `highwater run` writes it, and its drain.

use std::collections::BTreeMap;

use broker::core::Reader;
use broker::simulation::key;
use checkers::CATALOG;
use history::event::{Phase, Role};
use history::plan::PLAN_VERSION;
use history::{
    Builder, Cell, Delivery, ErrorCode, FENCE_PRODUCER, FaultClass, FaultTarget, History, Load, Manner,
    Nanos, NodeId, Note, Offset, Outcome, Partition, Plan, PlannedFault, Profile, RunHash, Send, SessionId,
    Tag, TargetKind, Told,
};

use crate::bytes::payload;
use crate::cluster::{Cluster, LARGE_FETCH, PARTITIONS, Record};

/// Attempts to do what a healed cluster does at once.
const ATTEMPTS: usize = 200;

/// A history under construction.
pub(crate) struct Recording {
    pub(crate) builder: Builder,
    runner: SessionId,
    faults: u32,
}

/// How it ends: what a drain is allowed to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Isolation {
    Uncommitted,
    Committed,
}

impl Isolation {
    pub(crate) fn reader(self) -> Reader {
        match self {
            Self::Uncommitted => Reader::Uncommitted,
            Self::Committed => Reader::Committed,
        }
    }
}

impl Recording {
    /// Of producers with these settings, under faults of these classes, carried out in this order.
    pub(crate) fn new(cluster: &mut Cluster, producer: &[(&str, &str)], faults: &[FaultClass]) -> Self {
        let mut builder = Builder::new(plan(producer, faults));
        let runner = builder.open(Role::Runner, 0, 0);
        let mut recording = Self { builder, runner, faults: 0 };
        recording.enter(cluster, Phase::Load);
        recording.observe(cluster);
        recording
    }

    pub(crate) fn enter(&mut self, cluster: &mut Cluster, phase: Phase) {
        self.builder.note(self.runner, cluster.now(), Note::PhaseEntered { phase });
    }

    /// Who leads what, as the controller decided it.
    pub(crate) fn observe(&mut self, cluster: &mut Cluster) {
        for partition in 0..PARTITIONS {
            let state = cluster.world.partition(key(partition)).clone();
            let nodes = |ids: &[i32]| ids.iter().copied().map(NodeId).collect();
            let note = Note::PartitionState {
                partition: Partition(partition as u32),
                leader: (state.leader > 0).then_some(NodeId(state.leader)),
                epoch: state.leader_epoch,
                isr: nodes(&state.isr),
                replicas: nodes(&state.replicas),
            };
            self.builder.note(self.runner, cluster.now(), note);
        }
    }

    /// The next planned fault hits a broker.
    pub(crate) fn inject(&mut self, cluster: &mut Cluster, class: FaultClass, node: i32) {
        self.faults += 1;
        let fault = self.faults;
        let led = (0..PARTITIONS).filter(|partition| cluster.leader(*partition) == node);
        let partitions = led.map(|partition| Partition(partition as u32)).collect();
        let nodes = vec![NodeId(node)];
        let invoked = Note::FaultInvoked { fault, class, nodes, partitions, applications: Vec::new() };
        self.builder.note(self.runner, cluster.now(), invoked);
        self.builder.note(self.runner, cluster.now(), Note::FaultInjected { fault, by: Vec::new() });
    }

    /// The fault that was injected last is undone.
    pub(crate) fn healed(&mut self, cluster: &mut Cluster) {
        let note = Note::FaultHealed { fault: self.faults, connections: 1, bytes: 1, seen: Vec::new() };
        self.builder.note(self.runner, cluster.now(), note);
        self.observe(cluster);
    }

    pub(crate) fn deliver(
        &mut self,
        cluster: &mut Cluster,
        session: SessionId,
        polled: Nanos,
        partition: i32,
        records: &[Record],
    ) {
        let returned = cluster.now();
        for record in records {
            let (tag, contents) = record.contents();
            let (partition, offset) = (Partition(partition as u32), record.offset);
            self.builder.deliver(session, &Delivery { partition, offset, tag, contents, polled, returned });
        }
    }

    /// Heals, writes a fence to every partition, lets `readers` come to it, asks for the ends, and reads
    /// everything.
    pub(crate) fn finish(
        mut self,
        cluster: &mut Cluster,
        isolation: Isolation,
        follow: impl FnOnce(&mut Self, &mut Cluster, &BTreeMap<i32, i64>),
    ) -> History {
        self.enter(cluster, Phase::Heal);
        cluster.heal();
        self.observe(cluster);
        self.enter(cluster, Phase::Progress);
        let fences = self.fence(cluster);
        follow(&mut self, cluster, &fences);
        self.enter(cluster, Phase::Drain);
        let drain = self.builder.open(Role::Drain, 0, 0);
        for partition in 0..PARTITIONS {
            let Some(end) = cluster.latest(partition) else { continue };
            let asked = Note::Watermarks {
                partition: Partition(partition as u32),
                start: Offset(0),
                end: Offset(end),
            };
            self.builder.note(drain, cluster.now(), asked);
        }
        for (partition, fence) in &fences {
            if self.read_to(cluster, drain, (*partition, isolation.reader()), 0, *fence) {
                let note = Note::Drained { partition: Partition(*partition as u32) };
                self.builder.note(drain, cluster.now(), note);
            }
        }
        self.enter(cluster, Phase::End);
        self.builder.finish()
    }

    fn fence(&mut self, cluster: &mut Cluster) -> BTreeMap<i32, i64> {
        let admin = self.builder.open(Role::Admin, 0, 0);
        let mut fences = BTreeMap::new();
        for partition in 0..PARTITIONS {
            let tag = Tag { producer: FENCE_PRODUCER, session: 0, seq: partition as u64 };
            for _ in 0..ATTEMPTS {
                // A flaw may take a fence without saying where it lies, or lose it: then it is written again.
                let answer = cluster.produce(partition, -1, &[payload(tag)], None, None);
                if let Some(Ok(offset @ 0..)) = answer {
                    fences.insert(partition, offset);
                    let partition = Partition(partition as u32);
                    let note = Note::FenceAcked { partition, offset: Offset(offset) };
                    self.builder.note(admin, cluster.now(), note);
                    break;
                }
                cluster.world.run(20);
            }
        }
        fences
    }

    /// Reads a partition up to its fence; whether it got there.
    pub(crate) fn read_to(
        &mut self,
        cluster: &mut Cluster,
        session: SessionId,
        (partition, reader): (i32, Reader),
        mut from: i64,
        fence: i64,
    ) -> bool {
        for _ in 0..ATTEMPTS {
            let polled = cluster.now();
            if let Ok((records, next)) = cluster.fetch(partition, reader, from, LARGE_FETCH) {
                let inside: Vec<Record> =
                    records.into_iter().filter(|record| record.offset.0 <= fence).collect();
                self.deliver(cluster, session, polled, partition, &inside);
                from = next;
            }
            if from > fence {
                return true;
            }
            cluster.world.run(10);
        }
        false
    }
}

/// A producing application: it sends one batch after the other.
pub(crate) struct Sender {
    pub(crate) session: SessionId,
    index: u32,
    incarnation: u32,
    seq: u64,
}

impl Sender {
    /// `incarnation` counts the sessions of one producer.
    pub(crate) fn new(recording: &mut Recording, index: u32, incarnation: u32) -> Self {
        let session = recording.builder.open(Role::Producer, index, incarnation);
        Self { session, index, incarnation, seq: 0 }
    }

    /// The next records, and what they say.
    pub(crate) fn next(&mut self, count: usize) -> (Vec<Tag>, Vec<String>) {
        let first = self.seq;
        self.seq += count as u64;
        let tag = |seq| Tag { producer: self.index, session: self.incarnation, seq };
        let tags: Vec<Tag> = (first..self.seq).map(tag).collect();
        let values = tags.iter().copied().map(payload).collect();
        (tags, values)
    }

    /// Puts on record what became of a batch; `base` is where it lies, if that was told.
    pub(crate) fn sent(
        &self,
        recording: &mut Recording,
        cluster: &mut Cluster,
        batch: &Sent<'_>,
        (outcome, told): (Outcome, Told),
        base: Option<i64>,
    ) {
        let completed = cluster.now();
        for (at, tag) in (0..).zip(batch.tags) {
            let send = Send {
                tag: *tag,
                key: batch.key,
                partition: Some(Partition(batch.partition as u32)),
                offset: base.filter(|base| *base >= 0).map(|base| Offset(base + at)),
                intended: batch.invoked,
                invoked: batch.invoked,
                completed: Some(completed),
                outcome,
                told,
                error: ErrorCode::NONE,
            };
            recording.builder.send(self.session, &send);
        }
    }
}

/// A batch on its way.
pub(crate) struct Sent<'a> {
    pub(crate) tags: &'a [Tag],
    pub(crate) partition: i32,
    pub(crate) key: Option<u64>,
    pub(crate) invoked: Nanos,
}

/// A plan that says nothing but these settings of producers, and faults of these classes.
pub(crate) fn plan(producer: &[(&str, &str)], faults: &[FaultClass]) -> Plan {
    let pairs = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let fault = |(id, class): (u32, &FaultClass)| PlannedFault {
        id,
        nemesis: class.to_string(),
        class: *class,
        at_ms: 0,
        duration_ms: 1,
        target: FaultTarget::LeaderOf(Partition(0)),
        manner: Manner::Held,
        draw: 0,
    };
    Plan {
        version: PLAN_VERSION,
        run: "canary".to_owned(),
        run_hash: RunHash(1),
        seed: 1,
        target: TargetKind::Reference,
        bootstrap: None,
        nodes: 3,
        workload: "log".to_owned(),
        nemeses: Vec::new(),
        checkers: CATALOG.iter().map(|spec| spec.name.to_owned()).collect(),
        load: Load {
            duration_ms: 1000,
            rate: None,
            records: None,
            producers: 2,
            readers: 1,
            partitions: PARTITIONS as u32,
            payload_bytes: 20,
            keys: 0,
            sync: true,
        },
        cell: Cell {
            topic: pairs(&[("replication.factor", "3"), ("min.insync.replicas", "2")]),
            producer: pairs(producer),
            ..Cell::default()
        },
        profile: Profile::Short,
        profile_settings: Vec::new(),
        topic: "t".to_owned(),
        flaw: None,
        schedule: (1..).zip(faults).map(fault).collect(),
        rerun: String::new(),
    }
}
