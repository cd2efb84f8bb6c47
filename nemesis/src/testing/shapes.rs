//! Who loses whom: the links of each fault, in clusters of several sizes and under many draws.

use std::collections::BTreeSet;

use history::{NodeId, PlannedFault};

use super::{Fake, fault, links_of};
use crate::cluster::{Cluster, End, Link};
use crate::impairment::{Direction, Impairment};
use crate::spec::{Injected, Spec};

fn spec(name: &str) -> &'static Spec {
    crate::find(name).expect("a catalog entry")
}

/// What a fault aims at in a cluster of so many brokers under a draw.
fn aim(name: &str, brokers: i32, draw: u32) -> Injected {
    let cluster = Fake { brokers: Some(brokers), ..Fake::default() };
    spec(name).nemesis.aim(&drawn(name, draw), &cluster).expect("there is a leader")
}

fn drawn(name: &str, draw: u32) -> PlannedFault {
    PlannedFault { draw, ..fault(spec(name)) }
}

/// Whom a broker reaches and is reached by, itself included.
fn seen(aim: &Injected, node: i32, brokers: i32) -> BTreeSet<i32> {
    let lost = |other: &i32| {
        let (from, to) = (End::Node(NodeId(node)), End::Node(NodeId(*other)));
        aim.links.contains(&Link { from, to }) || aim.links.contains(&Link { from: to, to: from })
    };
    (1..=brokers).filter(|other| *other == node || !lost(other)).collect()
}

fn touches_controller(aim: &Injected) -> bool {
    aim.links.iter().any(|link| link.to == End::Controller)
}

#[test]
fn a_minority_loses_the_majority_and_the_controller() {
    for brokers in 2..=7 {
        let sizes: BTreeSet<_> = (0..20)
            .map(|draw| {
                let aim = aim("isolate-minority", brokers, draw);
                for node in &aim.nodes {
                    let ours: BTreeSet<_> = aim.nodes.iter().map(|node| node.0).collect();
                    assert_eq!(seen(&aim, node.0, brokers), ours, "each other, and nobody else");
                }
                assert!(touches_controller(&aim) && aim.nodes.contains(&NodeId(1)));
                aim.nodes.len()
            })
            .collect();
        let size = ((usize::try_from(brokers).expect("small") - 1) / 2).max(1);
        assert_eq!(sizes, [size].into(), "of {brokers}");
    }
    let sides: BTreeSet<_> = (0..20).map(|draw| aim("isolate-minority", 5, draw).nodes).collect();
    assert!(sides.len() > 1, "who is with the leader is drawn");
    let one = aim("isolate-minority", 3, 0).links;
    assert_eq!(one.len(), links_of("isolate-leader").len(), "of three, one");
}

#[test]
fn a_bridge_sees_both_halves() {
    for brokers in 3..=7 {
        for draw in 0..20 {
            let aim = aim("bridge", brokers, draw);
            let everybody: BTreeSet<_> = (1..=brokers).collect();
            let bridges: Vec<_> =
                (1..=brokers).filter(|node| seen(&aim, *node, brokers) == everybody).collect();
            let [bridge] = bridges[..] else { panic!("one bridge: {bridges:?}") };
            assert!(!aim.nodes.contains(&NodeId(bridge)) && bridge != 1, "the leader is in a half");
            let ours = seen(&aim, 1, brokers);
            let theirs: BTreeSet<_> =
                everybody.difference(&ours).copied().chain(std::iter::once(bridge)).collect();
            assert!(ours.len().abs_diff(theirs.len()) <= 1, "halves: {ours:?}, {theirs:?}");
            assert!(theirs.iter().all(|node| *node == bridge || seen(&aim, *node, brokers) == theirs));
            assert!(!touches_controller(&aim), "everyone keeps the controller");
        }
    }
}

#[test]
fn everybody_in_a_ring_sees_a_majority_of_its_own() {
    for brokers in [4, 5, 6, 7, 9] {
        for draw in 0..20 {
            let aim = aim("majorities-ring", brokers, draw);
            let views: Vec<_> = (1..=brokers).map(|node| seen(&aim, node, brokers)).collect();
            let majority = usize::try_from(brokers / 2 + 1).expect("small");
            assert!(views.iter().all(|view| view.len() >= majority && view.len() < views.len()));
            let different: BTreeSet<_> = views.iter().collect();
            assert_eq!(different.len(), views.len(), "no two the same: {views:?}");
            assert!(!touches_controller(&aim));
        }
    }
}

#[test]
fn a_ring_of_three_loses_one_link_of_each_pair() {
    let rings: BTreeSet<_> = (0..20)
        .map(|draw| {
            let mut links = aim("majorities-ring", 3, draw).links;
            links.sort();
            links
        })
        .collect();
    assert_eq!(rings.len(), 2, "both ways round");
    for links in rings {
        for node in (1..=3).map(|node| End::Node(NodeId(node))) {
            assert_eq!(links.iter().filter(|link| link.from == node).count(), 1);
            assert_eq!(links.iter().filter(|link| link.to == node).count(), 1);
        }
    }
}

#[test]
fn shapes_that_need_several_brokers_say_so() {
    for (name, needs) in [("bridge", 3), ("majorities-ring", 3), ("slow-links", 2), ("narrow-links", 2)] {
        let cluster = Fake { brokers: Some(needs - 1), ..Fake::default() };
        let error = spec(name).nemesis.aim(&drawn(name, 0), &cluster).expect_err("too few").to_string();
        assert!(error.contains(&format!("needs {needs}")), "{error}");
    }
}

#[test]
fn one_way_the_leader_is_mute_the_other_way_it_is_deaf() {
    let said = |draw| {
        let mut cluster = Fake::default();
        let (name, fault) = ("isolate-one-way", drawn("isolate-one-way", draw));
        let aim = spec(name).nemesis.aim(&fault, &cluster).expect("there is a leader");
        spec(name).nemesis.inject(&fault, &aim, &mut cluster).expect("in force");
        assert_eq!(cluster.impaired.len(), links_of("isolate-leader").len());
        let from_leader = |link: &Link| link.from == End::Node(NodeId(1));
        let held = |of_leader: bool| -> Vec<Impairment> {
            let links = cluster.impaired.iter().filter(|(link, _)| from_leader(link) == of_leader);
            links.map(|(_, impairment)| *impairment).collect()
        };
        (held(true), held(false))
    };
    let (requests, answers) = (Impairment::Hold(Direction::Requests), Impairment::Hold(Direction::Answers));
    assert_eq!(said(0), (vec![requests; 3], vec![answers; 2]), "whatever it says is held");
    assert_eq!(said(1), (vec![answers; 3], vec![requests; 2]), "whatever it is told is held");
}

#[test]
fn clients_lose_a_leader_or_its_answers_and_nobody_else_anything() {
    for name in ["isolate-clients", "drop-responses", "slow-clients"] {
        assert_eq!(links_of(name), ["clients -> node 1"], "{name}");
    }
}

#[test]
fn without_a_controller_brokers_keep_each_other() {
    assert_eq!(
        links_of("isolate-controller"),
        ["node 1 -> controller", "node 2 -> controller", "node 3 -> controller"]
    );
}

#[test]
fn slow_and_narrow_links_are_those_between_brokers() {
    for name in ["slow-links", "narrow-links"] {
        let links = links_of(name);
        assert!(links.len() == 6 && links.iter().all(|link| !link.contains('c')), "{links:?}");
    }
}

#[test]
fn everybody_is_restarted_once_the_leader_first() {
    let (name, mut cluster) = ("rolling-restart", Fake::default());
    let fault = drawn(name, 3);
    let aim = spec(name).nemesis.aim(&fault, &cluster).expect("there is a leader");
    spec(name).nemesis.inject(&fault, &aim, &mut cluster).expect("all the way round");
    assert_eq!(cluster.started[0], NodeId(1));
    let mut started = cluster.started.clone();
    started.sort();
    assert_eq!(started, cluster.nodes());
    let orders: BTreeSet<_> = (0..20)
        .map(|draw| spec(name).nemesis.aim(&drawn(name, draw), &cluster).expect("an aim").nodes)
        .collect();
    assert_eq!(orders.len(), 2, "the order of the others is drawn");
}
