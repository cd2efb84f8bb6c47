//! A cluster that only keeps a log of what was done to it, and what the catalog does to it.

mod administration;
mod applications;
mod shapes;

use std::collections::BTreeSet;
use std::time::Duration;

use history::{FaultClass, FaultTarget, Manner, NodeId, Partition, PlannedFault};

use crate::affliction::Affliction;
use crate::cluster::{Cluster, FaultError, Link, Touched};
use crate::impairment::Impairment;
use crate::spec::Spec;

/// Brokers, three if nothing else is said; broker 1 leads both partitions, unless there is no leader.
#[derive(Default)]
struct Fake {
    brokers: Option<i32>,
    /// Brokers that were started, in order.
    started: Vec<NodeId>,
    /// What is wrong with links that are impaired.
    impaired: Vec<(Link, Impairment)>,
    /// Refuses to cut more links than this.
    cuts_at_most: Option<usize>,
    leaderless: bool,
    /// Who coordinates the group; broker 1 if nothing else is said.
    coordinator: Option<NodeId>,
    dead: BTreeSet<NodeId>,
    dark: BTreeSet<NodeId>,
    stopped: BTreeSet<NodeId>,
    cut: BTreeSet<Link>,
    ill: Vec<(NodeId, Affliction)>,
}

impl Cluster for Fake {
    fn nodes(&self) -> Vec<NodeId> {
        (1..=self.brokers.unwrap_or(3)).map(NodeId).collect()
    }
    fn leader(&self, _: Partition) -> Option<NodeId> {
        (!self.leaderless).then_some(NodeId(1))
    }
    fn coordinator(&self) -> Option<NodeId> {
        (!self.leaderless).then_some(self.coordinator.unwrap_or(NodeId(1)))
    }
    fn partitions(&self) -> Vec<Partition> {
        vec![Partition(0), Partition(1)]
    }
    fn kill(&mut self, nodes: &[NodeId]) -> Result<(), FaultError> {
        self.dead.extend(nodes);
        Ok(())
    }
    fn power_off(&mut self, nodes: &[NodeId], _: bool) -> Result<(), FaultError> {
        self.dark.extend(nodes);
        self.kill(nodes)
    }
    fn start(&mut self, nodes: &[NodeId]) -> Result<Touched, FaultError> {
        let dark = nodes.iter().filter(|node| self.dark.remove(node)).count();
        self.started.extend(nodes.iter().filter(|node| self.dead.remove(node)));
        Ok(Touched { connections: 0, bytes: 100 * dark as u64 })
    }
    fn pause(&mut self, nodes: &[NodeId]) -> Result<(), FaultError> {
        self.stopped.extend(nodes);
        Ok(())
    }
    fn resume(&mut self, nodes: &[NodeId]) -> Result<(), FaultError> {
        self.stopped.retain(|node| !nodes.contains(node));
        Ok(())
    }
    fn is_running(&self, node: NodeId) -> bool {
        !self.dead.contains(&node) && !self.stopped.contains(&node)
    }
    fn cut(&mut self, links: &[Link], _: Manner) -> Result<(), FaultError> {
        for link in links {
            if self.cuts_at_most.is_some_and(|most| self.cut.len() >= most) {
                let source = std::io::Error::other("no more");
                return Err(FaultError::Target { action: "cut", what: format!("{:?}", link.from), source });
            }
            self.cut.insert(*link);
        }
        Ok(())
    }
    fn stop(&mut self, nodes: &[NodeId]) -> Result<(), FaultError> {
        assert!(nodes.iter().all(|node| self.is_running(*node)), "only who runs can be asked");
        self.kill(nodes)
    }
    fn await_in_sync(&mut self, node: NodeId, _: Duration) -> Result<bool, FaultError> {
        assert!(self.dead.is_empty(), "one at a time is out");
        Ok(self.is_running(node))
    }
    fn impair(&mut self, links: &[Link], impairment: Impairment) -> Result<(), FaultError> {
        self.impaired.extend(links.iter().map(|link| (*link, impairment)));
        self.cut(links, Manner::Held)
    }
    fn heal(&mut self, links: &[Link]) -> Result<Touched, FaultError> {
        self.impaired.retain(|(link, _)| !links.contains(link));
        self.cut.retain(|link| !links.contains(link));
        Ok(Touched::default())
    }
    fn is_cut(&self, link: Link) -> bool {
        self.cut.contains(&link)
    }
    fn afflict(&mut self, nodes: &[NodeId], affliction: &Affliction) -> Result<(), FaultError> {
        self.ill.extend(nodes.iter().map(|node| (*node, affliction.clone())));
        Ok(())
    }
    fn relieve(&mut self, nodes: &[NodeId], affliction: &Affliction) -> Result<Touched, FaultError> {
        let before = self.ill.len();
        self.ill.retain(|(node, what)| !nodes.contains(node) || what != affliction);
        let unsynced = if *affliction == Affliction::ReadOnlyDisk { 100 } else { 0 };
        Ok(Touched { connections: 0, bytes: unsynced * (before - self.ill.len()) as u64 })
    }
    fn is_afflicted(&self, node: NodeId, affliction: &Affliction) -> bool {
        self.ill.iter().any(|(other, what)| *other == node && what == affliction)
    }
}

fn fault(spec: &Spec) -> PlannedFault {
    PlannedFault {
        id: 1,
        nemesis: spec.name.to_owned(),
        class: spec.class,
        at_ms: 0,
        duration_ms: 1,
        target: FaultTarget::LeaderOf(Partition(0)),
        manner: Manner::Held,
        draw: 0,
    }
}

/// The nemeses that break brokers or links; the others break applications, or ask the cluster for something.
fn of_brokers() -> impl Iterator<Item = &'static Spec> {
    crate::CATALOG
        .iter()
        .copied()
        .filter(|spec| spec.class.applications().is_none() && !spec.class.is_administrative())
}

fn links_of(name: &str) -> Vec<String> {
    let spec = crate::find(name).expect("a catalog entry");
    let aim = spec.nemesis.aim(&fault(spec), &Fake::default()).expect("there is a leader");
    let mut links: Vec<_> = aim.links.iter().map(|link| format!("{} -> {}", link.from, link.to)).collect();
    links.sort();
    links
}

#[test]
fn every_fault_is_in_force_once_injected_and_gone_once_healed() {
    for spec in of_brokers() {
        let (mut cluster, fault) = (Fake::default(), fault(spec));
        let aim = spec.nemesis.aim(&fault, &cluster).unwrap();
        let everyone = spec.class.hits_everyone().then(|| cluster.nodes());
        let hit = match spec.class {
            FaultClass::PartialPartition => aim.nodes.clone(),
            _ => everyone.unwrap_or_else(|| vec![NodeId(1)]),
        };
        let sorted: BTreeSet<_> = aim.nodes.iter().copied().collect();
        assert_eq!((sorted, aim.partitions.len()), (hit.into_iter().collect(), 2), "{}", spec.name);
        assert!(aim.nodes.contains(&NodeId(1)), "{}: the leader is hit", spec.name);
        let untouched = spec.nemesis.runs_through() || !spec.nemesis.verify(&aim, &cluster);
        assert!(untouched, "{}: aiming touches nothing", spec.name);
        spec.nemesis.heal(&aim, &mut cluster).expect("healing what is whole does nothing");
        spec.nemesis.inject(&fault, &aim, &mut cluster).unwrap();
        assert!(spec.nemesis.verify(&aim, &cluster), "{}", spec.name);
        for turn in 0..2 {
            let touched = spec.nemesis.heal(&aim, &mut cluster).unwrap();
            assert_eq!(touched.bytes > 0, spec.class.loses_power() && turn == 0, "{}", spec.name);
            assert!(cluster.dead.is_empty() && cluster.stopped.is_empty() && cluster.cut.is_empty());
            assert!(cluster.impaired.is_empty() && cluster.ill.is_empty());
        }
    }
}

#[test]
fn healing_restores_what_a_failed_injection_left() {
    let cutting = of_brokers().filter(|spec| links_of(spec.name).len() > 2);
    for spec in cutting {
        let (mut cluster, fault) = (Fake { cuts_at_most: Some(2), ..Fake::default() }, fault(spec));
        let aim = spec.nemesis.aim(&fault, &cluster).unwrap();
        spec.nemesis.inject(&fault, &aim, &mut cluster).unwrap_err();
        assert!(!cluster.cut.is_empty() && !spec.nemesis.verify(&aim, &cluster));
        spec.nemesis.heal(&aim, &mut cluster).unwrap();
        assert!(cluster.cut.is_empty());
    }
}

#[test]
fn a_fault_without_a_leader_says_so() {
    for spec in of_brokers() {
        let cluster = Fake { leaderless: true, ..Fake::default() };
        let error = spec.nemesis.aim(&fault(spec), &cluster).unwrap_err();
        let of_group = "nobody coordinates the run's group (does it have one, as `--workload group`?)";
        let expected = if spec.class.is_of_groups() { of_group } else { "partition `0` has no leader" };
        assert_eq!(error.to_string(), expected, "{}", spec.name);
    }
}

#[test]
fn disks_files_and_clocks_differ_by_what_is_drawn_and_stay_in_bounds() {
    let drawn = |name: &str, draw| {
        let spec = crate::find(name).expect("a catalog entry");
        let fault = PlannedFault { draw, ..fault(spec) };
        spec.nemesis.aim(&fault, &Fake::default()).expect("there is a leader").affliction.expect("it has one")
    };
    let mut cuts = BTreeSet::new();
    for draw in 0..50 {
        let Affliction::TruncateLog { partition: Partition(0), bytes } = drawn("truncate-log", draw * 1009)
        else {
            panic!("the first partition that the leader leads loses its end")
        };
        assert!((4 << 10..32 << 10).contains(&bytes));
        cuts.insert(bytes);
    }
    assert!(cuts.len() > 20);
    assert_ne!(drawn("flip-bit", 1), drawn("flip-bit", 2));
}

#[test]
fn an_isolated_leader_loses_brokers_and_controller_but_not_clients() {
    assert_eq!(
        links_of("isolate-leader"),
        [
            "node 1 -> controller",
            "node 1 -> node 2",
            "node 1 -> node 3",
            "node 2 -> node 1",
            "node 3 -> node 1",
        ]
    );
}

#[test]
fn isolated_followers_keep_the_controller_and_each_other() {
    assert_eq!(
        links_of("isolate-followers"),
        ["node 1 -> node 2", "node 1 -> node 3", "node 2 -> node 1", "node 3 -> node 1"]
    );
}
