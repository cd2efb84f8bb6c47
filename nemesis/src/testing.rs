//! A cluster that only keeps a log of what was done to it.

use std::collections::BTreeSet;

use history::{FaultClass, FaultTarget, Manner, NodeId, Partition, PlannedFault};

use crate::cluster::{Cluster, FaultError, Link, Touched};
use crate::spec::Spec;

/// Three brokers; broker 1 leads both partitions, unless there is no leader.
#[derive(Default)]
struct Fake {
    /// Refuses to cut more links than this.
    cuts_at_most: Option<usize>,
    leaderless: bool,
    dead: BTreeSet<NodeId>,
    dark: BTreeSet<NodeId>,
    stopped: BTreeSet<NodeId>,
    cut: BTreeSet<Link>,
}

impl Cluster for Fake {
    fn nodes(&self) -> Vec<NodeId> {
        vec![NodeId(1), NodeId(2), NodeId(3)]
    }
    fn leader(&self, _: Partition) -> Option<NodeId> {
        (!self.leaderless).then_some(NodeId(1))
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
        self.dead.retain(|node| !nodes.contains(node));
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
    fn heal(&mut self, links: &[Link]) -> Result<Touched, FaultError> {
        self.cut.retain(|link| !links.contains(link));
        Ok(Touched::default())
    }
    fn is_cut(&self, link: Link) -> bool {
        self.cut.contains(&link)
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
    }
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
    for spec in crate::CATALOG {
        let (mut cluster, fault) = (Fake::default(), fault(spec));
        let aim = spec.nemesis.aim(&fault, &cluster).unwrap();
        let all = spec.class == FaultClass::PowerFailureAll;
        let hit = if all { cluster.nodes() } else { vec![NodeId(1)] };
        assert_eq!((&aim.nodes, aim.partitions.len()), (&hit, 2), "{}", spec.name);
        assert!(!spec.nemesis.verify(&aim, &cluster), "{}: aiming touches nothing", spec.name);
        spec.nemesis.heal(&aim, &mut cluster).expect("healing what is whole does nothing");
        spec.nemesis.inject(&fault, &aim, &mut cluster).unwrap();
        assert!(spec.nemesis.verify(&aim, &cluster), "{}", spec.name);
        for turn in 0..2 {
            let touched = spec.nemesis.heal(&aim, &mut cluster).unwrap();
            assert_eq!(touched.bytes > 0, spec.class.loses_power() && turn == 0, "{}", spec.name);
            assert!(cluster.dead.is_empty() && cluster.stopped.is_empty() && cluster.cut.is_empty());
        }
    }
}

#[test]
fn healing_restores_what_a_failed_injection_left() {
    for name in ["isolate-leader", "isolate-followers"] {
        let spec = crate::find(name).expect("a catalog entry");
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
    for spec in crate::CATALOG {
        let cluster = Fake { leaderless: true, ..Fake::default() };
        let error = spec.nemesis.aim(&fault(spec), &cluster).unwrap_err();
        assert_eq!(error.to_string(), "partition `0` has no leader");
    }
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
