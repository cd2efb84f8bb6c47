//! What the catalog does to applications, on a fake that only keeps a log of it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use history::{Application, Manner, NodeId, Partition, PlannedFault, Role};

use super::{Fake, fault};
use crate::cluster::{Cluster, FaultError, Link, Touched};
use crate::spec::Spec;
use crate::{Applications, CATALOG};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Runs,
    Dead,
    Stopped,
}

/// Three producers, two readers and three members, on a cluster whose brokers nobody touches.
struct Troupe {
    states: RefCell<BTreeMap<Application, State>>,
    cluster: Fake,
    /// How often somebody may still rest.
    rests: Cell<u32>,
    ended: Cell<(u32, u32)>,
}

impl Troupe {
    fn new() -> Self {
        let of = |role, count| (0..count).map(move |index| (Application { role, index }, State::Runs));
        let states = of(Role::Producer, 3).chain(of(Role::Reader, 2)).chain(of(Role::Member, 3)).collect();
        Self {
            states: RefCell::new(states),
            cluster: Fake::default(),
            rests: Cell::new(u32::MAX),
            ended: Cell::default(),
        }
    }

    fn all(&self, state: State) -> Vec<Application> {
        let states = self.states.borrow();
        states.iter().filter(|(_, now)| **now == state).map(|(application, _)| *application).collect()
    }

    fn put(&self, application: Application, from: State, to: State) -> Result<(), FaultError> {
        let mut states = self.states.borrow_mut();
        let now = states.get_mut(&application).expect("it is one of ours");
        if *now != from && *now != to {
            let reason = format!("it is {now:?}");
            return Err(FaultError::Application { action: "hit", application, reason });
        }
        *now = to;
        Ok(())
    }
}

impl Applications for Troupe {
    fn running(&self, role: Role) -> Vec<Application> {
        self.all(State::Runs).into_iter().filter(|application| application.role == role).collect()
    }
    fn kill(&self, application: Application) -> Result<(), FaultError> {
        self.ended.set((self.ended.get().0 + 1, self.ended.get().1));
        self.put(application, State::Runs, State::Dead)
    }
    fn restart(&self, application: Application) -> Result<(), FaultError> {
        self.put(application, State::Dead, State::Runs)
    }
    fn pause(&self, application: Application) -> Result<(), FaultError> {
        self.put(application, State::Runs, State::Stopped)
    }
    fn resume(&self, application: Application) -> Result<(), FaultError> {
        self.put(application, State::Stopped, State::Runs)
    }
    fn leave(&self, application: Application) -> Result<(), FaultError> {
        self.ended.set((self.ended.get().0, self.ended.get().1 + 1));
        self.put(application, State::Runs, State::Dead)
    }
    fn rest(&self, _: Duration) -> bool {
        let left = self.rests.get();
        self.rests.set(left.saturating_sub(1));
        left > 0
    }
}

impl Cluster for Troupe {
    fn nodes(&self) -> Vec<NodeId> {
        self.cluster.nodes()
    }
    fn leader(&self, partition: Partition) -> Option<NodeId> {
        self.cluster.leader(partition)
    }
    fn partitions(&self) -> Vec<Partition> {
        self.cluster.partitions()
    }
    fn kill(&mut self, _: &[NodeId]) -> Result<(), FaultError> {
        unreachable!("brokers are whole")
    }
    fn power_off(&mut self, _: &[NodeId], _: bool) -> Result<(), FaultError> {
        unreachable!("brokers are whole")
    }
    fn start(&mut self, _: &[NodeId]) -> Result<Touched, FaultError> {
        unreachable!("brokers are whole")
    }
    fn pause(&mut self, _: &[NodeId]) -> Result<(), FaultError> {
        unreachable!("brokers are whole")
    }
    fn resume(&mut self, _: &[NodeId]) -> Result<(), FaultError> {
        unreachable!("brokers are whole")
    }
    fn is_running(&self, node: NodeId) -> bool {
        self.cluster.is_running(node)
    }
    fn cut(&mut self, _: &[Link], _: Manner) -> Result<(), FaultError> {
        unreachable!("links are whole")
    }
    fn heal(&mut self, _: &[Link]) -> Result<Touched, FaultError> {
        unreachable!("links are whole")
    }
    fn is_cut(&self, link: Link) -> bool {
        self.cluster.is_cut(link)
    }
    fn applications(&self) -> Option<&dyn Applications> {
        Some(self)
    }
}

fn of_applications() -> impl Iterator<Item = &'static Spec> {
    CATALOG.iter().copied().filter(|spec| spec.class.applications().is_some())
}

fn drawn(spec: &Spec, draw: u32) -> PlannedFault {
    PlannedFault { draw, ..fault(spec) }
}

#[test]
fn one_application_of_the_kind_is_hit_and_healed() {
    let mut hit = BTreeSet::new();
    let one = || of_applications().filter(|spec| !spec.nemesis.runs_through());
    for (spec, draw) in one().flat_map(|spec| (0..7).map(move |draw| (spec, draw))) {
        let (mut troupe, fault) = (Troupe::new(), drawn(spec, draw));
        let aim = spec.nemesis.aim(&fault, &troupe).expect("somebody runs");
        assert_eq!(aim.applications.len(), 1);
        assert!(aim.nodes.is_empty() && aim.partitions.is_empty() && aim.links.is_empty(), "{}", spec.name);
        assert!(!spec.nemesis.verify(&aim, &troupe), "{}: aiming touches nothing", spec.name);
        spec.nemesis.inject(&fault, &aim, &mut troupe).expect("it runs");
        assert!(spec.nemesis.verify(&aim, &troupe), "{}", spec.name);
        let down = if spec.class.ends_applications() { State::Dead } else { State::Stopped };
        assert_eq!(troupe.all(down), aim.applications, "{}", spec.name);
        for _ in 0..2 {
            spec.nemesis.heal(&aim, &mut troupe).expect("mending what is whole does nothing");
            assert_eq!(troupe.all(State::Runs).len(), 8, "{}", spec.name);
        }
        hit.insert((spec.name, aim.applications[0].to_string()));
    }
    assert_eq!(hit.len(), 3 + 3 + 2 + 3 + 3, "every one can be drawn: {hit:?}");
}

#[test]
fn who_is_hit_already_or_done_is_not_hit() {
    for spec in of_applications().filter(|spec| !spec.nemesis.runs_through()) {
        let (mut troupe, fault) = (Troupe::new(), drawn(spec, 1));
        let role = spec.class.applications().expect("they are");
        for left in (0..troupe.running(role).len()).rev() {
            let aim = spec.nemesis.aim(&fault, &troupe).expect("somebody runs");
            spec.nemesis.inject(&fault, &aim, &mut troupe).expect("it runs");
            assert_eq!(troupe.running(role).len(), left);
        }
        let error = spec.nemesis.aim(&fault, &troupe).unwrap_err().to_string();
        assert!(error.contains("is running any more"), "{error}");
    }
}

#[test]
fn a_cluster_without_a_run_has_no_applications() {
    for spec in of_applications() {
        let error = spec.nemesis.aim(&fault(spec), &Fake::default()).unwrap_err().to_string();
        assert!(error.contains("cannot hit applications"), "{error}");
    }
}

/// Whatever it comes to, everybody is at work again, and the seed decides who dies and who leaves.
#[test]
fn a_storm_ends_members_in_both_ways_and_starts_all_of_them_again() {
    let spec = crate::find("rebalance-storm").expect("a catalog entry");
    let (mut kills, mut leaves) = (0, 0);
    for draw in 0..50 {
        let mut troupe = Troupe::new();
        troupe.rests.set(draw % 7);
        let fault = PlannedFault { duration_ms: 1000, ..drawn(spec, draw) };
        let aim = spec.nemesis.aim(&fault, &troupe).expect("somebody runs");
        assert_eq!(aim.applications.len(), 3);
        spec.nemesis.inject(&fault, &aim, &mut troupe).expect("they run");
        assert!(spec.nemesis.verify(&aim, &troupe));
        assert_eq!(troupe.all(State::Runs).len(), 8);
        spec.nemesis.heal(&aim, &mut troupe).expect("mending what is whole does nothing");
        let (killed, left) = troupe.ended.get();
        assert!(killed + left > 0);
        (kills, leaves) = (kills + killed, leaves + left);
    }
    assert!(kills > 10 && leaves > 10, "{kills} killed, {leaves} left");
}

#[test]
fn a_coordinator_is_whoever_coordinates_when_the_fault_begins() {
    for name in ["kill-coordinator", "isolate-coordinator"] {
        let spec = crate::find(name).expect("a catalog entry");
        let error = spec.nemesis.aim(&fault(spec), &Troupe::new()).unwrap_err().to_string();
        assert!(error.contains("nobody coordinates"), "{error}");
        let cluster = Fake { coordinator: Some(NodeId(3)), ..Fake::default() };
        assert_eq!(spec.nemesis.aim(&fault(spec), &cluster).expect("there is one").nodes[0], NodeId(3));
    }
}
