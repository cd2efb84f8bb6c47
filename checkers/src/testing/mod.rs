//! Histories for tests: a builder, a notation for tiny ones, and a generator of clean ones.

mod clean;
pub(crate) mod grouped;
mod notation;
#[cfg(test)]
mod planted;
pub(crate) mod simulated;
mod specimens;
#[cfg(test)]
mod tables;
mod transactional;

use history::event::{Phase, Role};
use history::view::Send;
use history::{
    Application, Builder, Cell, Contents, Delivery, ErrorCode, FENCE_PRODUCER, FaultClass, FaultTarget,
    History, Load, Manner, Nanos, NodeId, Note, Offset, Outcome, Partition, Plan, PlannedFault, Profile,
    RunHash, Session, Tag, TargetKind, Told,
};

pub(crate) use clean::{Rng, clean};
pub(crate) use notation::{check, scene};
pub use specimens::specimens;
pub(crate) use transactional::{Consumed, Txn, World, world};

const MS: u64 = 1_000_000;

/// A history under construction. Its clock moves a millisecond with every event.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) history: History,
    clock: u64,
}

impl Scene {
    /// No record, every partition drained, nothing wrong; the load is under way.
    pub(crate) fn new(partitions: u32) -> Self {
        let history = Builder::new(plan(partitions)).finish();
        let mut scene = Self { history, clock: 1000 };
        scene.note(Role::Runner, Note::PhaseEntered { phase: Phase::Load });
        scene
    }

    /// Goes on with a history that was made otherwise.
    pub(crate) fn of(history: History) -> Self {
        Self { history, clock: 1_000_000 }
    }

    pub(crate) fn now(&self) -> Nanos {
        Nanos(self.clock * MS)
    }

    fn tick(&mut self) -> Nanos {
        self.clock += 1;
        self.now()
    }

    /// Lets milliseconds pass.
    pub(crate) fn wait(&mut self, ms: u64) {
        self.clock += ms;
    }

    /// The session of a worker, created (closed in an orderly way) when first named.
    pub(crate) fn session(&mut self, role: Role, index: u32, session: u32) -> &mut Session {
        let same = |each: &Session| (each.role, each.index, each.session) == (role, index, session);
        if !self.history.sessions.iter().any(same) {
            let mut opened = Session::new(role, index, session);
            opened.closed = true;
            self.history.sessions.push(opened);
            self.history.sessions.sort_by_key(|each| (each.role, each.index, each.session));
        }
        self.history.sessions.iter_mut().find(|each| same(each)).expect("it was just created")
    }

    pub(crate) fn note(&mut self, role: Role, note: Note) -> Nanos {
        let at = self.tick();
        self.session(role, 0, 0).notes.push((at, note));
        at
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        let cell = &mut self.history.plan.cell;
        let producer = matches!(name, "acks" | "enable.idempotence" | "retries");
        let scope = if producer { &mut cell.producer } else { &mut cell.topic };
        scope.insert(name.to_owned(), value.to_owned());
    }

    /// A send that took a millisecond.
    pub(crate) fn send(
        &mut self,
        tag: Tag,
        key: Option<u64>,
        at: Option<(u32, Option<i64>)>,
        fate: (Outcome, Told),
    ) {
        let (invoked, completed) = (self.tick(), self.tick());
        let send = Send {
            tag,
            key,
            partition: at.map(|(partition, _)| Partition(partition)),
            offset: at.and_then(|(_, offset)| offset).map(Offset),
            intended: invoked,
            invoked,
            completed: (fate.1 != Told::Nothing).then_some(completed),
            outcome: fate.0,
            told: fate.1,
            error: ErrorCode::NONE,
        };
        self.session(Role::Producer, tag.producer, tag.session).push_send(&send);
    }

    pub(crate) fn acked(&mut self, tag: Tag, partition: u32, offset: i64) {
        self.send(tag, None, Some((partition, Some(offset))), (Outcome::Ok, Told::Acked));
    }

    /// Puts records into the drained log of a partition, then its fence.
    pub(crate) fn log(&mut self, partition: u32, records: &[(i64, Option<Tag>, Contents)], drained: bool) {
        for (offset, tag, contents) in records {
            self.deliver(Role::Drain, 0, partition, *offset, *tag, *contents);
        }
        if drained {
            let fence = Tag { producer: FENCE_PRODUCER, session: 0, seq: u64::from(partition) };
            let end = records.iter().map(|(offset, ..)| offset + 1).max().unwrap_or(0);
            self.deliver(Role::Drain, 0, partition, end, Some(fence), Contents::Intact);
            self.note(Role::Drain, Note::Drained { partition: Partition(partition) });
        } else {
            self.session(Role::Drain, 0, 0);
        }
    }

    pub(crate) fn deliver(
        &mut self,
        role: Role,
        index: u32,
        partition: u32,
        offset: i64,
        tag: Option<Tag>,
        contents: Contents,
    ) {
        let (polled, returned) = (self.tick(), self.tick());
        let (partition, offset) = (Partition(partition), Offset(offset));
        let delivery = Delivery { partition, offset, tag, contents, polled, returned };
        self.session(role, index, 0).push_delivery(&delivery);
    }

    /// Plans a fault of a class and carries it out from now on.
    pub(crate) fn inject(&mut self, class: FaultClass, node: i32, led: &[u32]) -> u32 {
        let fault = self.plan_fault(class);
        let nodes = vec![NodeId(node)];
        let partitions = led.iter().copied().map(Partition).collect();
        let applications = Vec::new();
        self.note(Role::Runner, Note::FaultInvoked { fault, class, nodes, partitions, applications });
        self.note(Role::Runner, Note::FaultInjected { fault, by: Vec::new() });
        fault
    }

    /// The same for one that hits an application.
    pub(crate) fn inject_on(&mut self, class: FaultClass, index: u32) -> u32 {
        let fault = self.plan_fault(class);
        let (nodes, partitions) = (Vec::new(), Vec::new());
        let role = class.applications().expect("a fault of applications");
        let applications = vec![Application { role, index }];
        self.note(Role::Runner, Note::FaultInvoked { fault, class, nodes, partitions, applications });
        self.note(Role::Runner, Note::FaultInjected { fault, by: Vec::new() });
        fault
    }

    /// The same for a request to the cluster about these partitions.
    pub(crate) fn ask(&mut self, class: FaultClass, partitions: &[u32]) -> u32 {
        let fault = self.plan_fault(class);
        let partitions = partitions.iter().copied().map(Partition).collect();
        let (nodes, applications) = (Vec::new(), Vec::new());
        self.note(Role::Runner, Note::FaultInvoked { fault, class, nodes, partitions, applications });
        self.note(Role::Runner, Note::FaultInjected { fault, by: Vec::new() });
        fault
    }

    pub(crate) fn plan_fault(&mut self, class: FaultClass) -> u32 {
        let id = u32::try_from(self.history.plan.schedule.len()).expect("few faults") + 1;
        self.history.plan.schedule.push(PlannedFault {
            id,
            nemesis: class.to_string(),
            class,
            at_ms: 0,
            duration_ms: 1,
            target: FaultTarget::LeaderOf(Partition(0)),
            manner: Manner::Held,
            draw: 0,
        });
        id
    }

    pub(crate) fn heal(&mut self, fault: u32) {
        self.heal_having_touched(fault, 0);
    }

    pub(crate) fn heal_having_touched(&mut self, fault: u32, bytes: u64) {
        self.note(Role::Runner, Note::FaultHealed { fault, connections: 0, bytes, seen: Vec::new() });
    }

    pub(crate) fn leader(&mut self, partition: u32, leader: Option<i32>, epoch: i32, isr: &[i32]) {
        self.placed(partition, leader, epoch, (isr, &[1, 2, 3]));
    }

    /// A partition's state, its in-sync replicas and all of them.
    pub(crate) fn placed(
        &mut self,
        partition: u32,
        leader: Option<i32>,
        epoch: i32,
        (isr, replicas): (&[i32], &[i32]),
    ) {
        let nodes = |ids: &[i32]| ids.iter().copied().map(NodeId).collect();
        let state = Note::PartitionState {
            partition: Partition(partition),
            leader: leader.map(NodeId),
            epoch,
            isr: nodes(isr),
            replicas: nodes(replicas),
        };
        self.note(Role::Runner, state);
    }
}

/// A schedule of one fault.
pub(crate) fn planned(class: FaultClass) -> Vec<PlannedFault> {
    let mut scene = Scene::new(1);
    scene.plan_fault(class);
    scene.history.plan.schedule
}

/// Changes the sends of a session, which cannot be changed in place.
pub(crate) fn edit_sends<T>(session: &mut Session, change: impl FnOnce(&mut Vec<Send>) -> T) -> T {
    let mut sends: Vec<Send> = session.sends().collect();
    let result = change(&mut sends);
    let deliveries = session.deliveries().collect();
    rebuild(session, &sends, deliveries);
    result
}

/// Changes the deliveries of a session, which cannot be changed in place.
pub(crate) fn edit_deliveries<T>(session: &mut Session, change: impl FnOnce(&mut Vec<Delivery>) -> T) -> T {
    let mut deliveries: Vec<Delivery> = session.deliveries().collect();
    let result = change(&mut deliveries);
    let sends: Vec<Send> = session.sends().collect();
    rebuild(session, &sends, deliveries);
    result
}

fn rebuild(session: &mut Session, sends: &[Send], deliveries: Vec<Delivery>) {
    let mut rebuilt = Session::new(session.role, session.index, session.session);
    std::mem::swap(&mut rebuilt.notes, &mut session.notes);
    std::mem::swap(&mut rebuilt.effective, &mut session.effective);
    (rebuilt.clock, rebuilt.closed) = (session.clock.clone(), session.closed);
    for send in sends {
        rebuilt.push_send(send);
    }
    for delivery in &deliveries {
        rebuilt.push_delivery(delivery);
    }
    *session = rebuilt;
}

/// Tag of the first session of a producer.
pub(crate) fn tag(producer: u32, seq: u64) -> Tag {
    Tag { producer, session: 0, seq }
}

pub(crate) fn plan(partitions: u32) -> Plan {
    Plan {
        version: 1,
        run: "r-test".to_owned(),
        run_hash: RunHash(1),
        seed: 1,
        target: TargetKind::Reference,
        bootstrap: None,
        nodes: 3,
        workload: "log".to_owned(),
        nemeses: Vec::new(),
        checkers: Vec::new(),
        load: Load {
            duration_ms: 1000,
            rate: None,
            records: None,
            producers: 1,
            readers: 1,
            partitions,
            payload_bytes: 100,
            keys: 0,
            sync: false,
        },
        cell: Cell::default(),
        profile: Profile::Short,
        profile_settings: Vec::new(),
        topic: "t".to_owned(),
        flaw: None,
        schedule: Vec::new(),
        rerun: String::new(),
    }
}
