//! Each class of fault, bitten and not.

mod administration;
mod afflictions;
mod applications;
mod links;

use history::event::Role;
use history::{FaultClass, NodeId, Note, Partition};

use super::{faults, shortfalls};
use crate::context::Context;
use crate::testing::{Scene, tag};

/// Partition 0 led by node 1 in epoch 4, and twenty records acknowledged.
fn quiet() -> Scene {
    let mut scene = Scene::new(1);
    scene.leader(0, Some(1), 4, &[1, 2, 3]);
    (0..20).for_each(|seq| scene.acked(tag(0, seq), 0, i64::try_from(seq).expect("small")));
    scene
}

fn view(scene: &mut Scene, leader: i32) {
    let at = scene.now();
    let view = Note::ClientView { partition: Partition(0), leader: Some(NodeId(leader)) };
    scene.session(Role::Producer, 0, 0).notes.push((at, view));
}

fn evidence(scene: &Scene) -> (bool, String) {
    let context = Context::new(&scene.history);
    let evidence = faults(&context);
    assert_eq!(shortfalls(&context).is_empty(), evidence[0].bitten, "{:?}", shortfalls(&context));
    (evidence[0].bitten, evidence[0].detail.clone())
}

#[test]
fn a_kill_bites_when_another_leads() {
    let mut scene = quiet();
    let fault = scene.inject(FaultClass::Kill, 1, &[0]);
    scene.wait(1498);
    let mut late = scene.clone();
    scene.leader(0, Some(2), 5, &[2, 3]);
    scene.acked(tag(0, 20), 0, 20);
    scene.heal(fault);
    insta::assert_snapshot!(evidence(&scene).1, @"node 1 was killed; partition 0 got node 2 as its leader 1.5 s later (epoch 5)");
    let context = Context::new(&scene.history);
    assert_eq!(faults(&context)[0].recovery_ms, Some(1501));
    assert_eq!((context.counts().leader_changes, context.counts().unplanned_leader_changes), (1, 0));
    late.heal(fault);
    assert!(!evidence(&late).0);
}

#[test]
fn a_lone_replica_comes_back_in_a_new_epoch() {
    let mut scene = quiet();
    let fault = scene.inject(FaultClass::Kill, 1, &[0]);
    scene.leader(0, None, 5, &[1]);
    scene.heal(fault);
    scene.wait(500);
    scene.leader(0, Some(1), 6, &[1]);
    assert!(evidence(&scene).0);
}

#[test]
fn a_kill_of_a_node_that_led_nothing_does_not_bite() {
    let mut scene = quiet();
    scene.inject(FaultClass::Kill, 3, &[]);
    let (bitten, detail) = evidence(&scene);
    assert!(!bitten && detail.contains("led no partition"), "{detail}");
}

#[test]
fn leader_changes_nobody_planned_are_credited_to_none() {
    let mut scene = quiet();
    scene.leader(0, Some(2), 5, &[2, 3]);
    let fault = scene.inject(FaultClass::Kill, 3, &[]);
    scene.heal(fault);
    scene.wait(60_000);
    scene.leader(0, Some(3), 6, &[2, 3]);
    let context = Context::new(&scene.history);
    assert_eq!((context.counts().leader_changes, context.counts().unplanned_leader_changes), (0, 2));
    assert!(!faults(&context)[0].bitten);
}

#[test]
fn a_pause_bites_when_the_node_is_fenced() {
    let mut scene = quiet();
    let fault = scene.inject(FaultClass::Pause, 1, &[0]);
    let mut short = scene.clone();
    scene.note(Role::Runner, Note::Fenced { node: NodeId(1), fenced: true });
    scene.heal(fault);
    assert!(evidence(&scene).0);
    short.note(Role::Runner, Note::Fenced { node: NodeId(2), fenced: true });
    short.heal(fault);
    assert!(!evidence(&short).0);
}

#[test]
fn isolating_a_leader_needs_acknowledgements_by_the_old_one() {
    let mut scene = quiet();
    scene.set("acks", "1");
    view(&mut scene, 1);
    let fault = scene.inject(FaultClass::IsolateLeader, 1, &[0]);
    scene.acked(tag(0, 20), 0, 20);
    scene.leader(0, Some(2), 5, &[2, 3]);
    // The client has moved on: the new leader confirms.
    let mut moved = scene.clone();
    view(&mut moved, 2);
    moved.acked(tag(0, 21), 0, 20);
    moved.heal(fault);
    assert!(!evidence(&moved).0);
    // It still asks the old one.
    scene.acked(tag(0, 21), 0, 21);
    scene.acked(tag(0, 22), 0, 22);
    scene.heal(fault);
    insta::assert_snapshot!(evidence(&scene).1, @"node 1 was cut off; partition 0 was given a new epoch 0.0 s later, and the old leader confirmed 2 records after that");
}

#[test]
fn a_lost_acknowledgement_shows_the_old_leader_without_any_view() {
    let mut scene = quiet();
    scene.set("acks", "1");
    let fault = scene.inject(FaultClass::IsolateLeader, 1, &[0]);
    scene.leader(0, Some(2), 5, &[2, 3]);
    scene.acked(tag(0, 20), 0, 20);
    scene.heal(fault);
    assert!(!evidence(&scene).0);
    scene.log(0, &[], true);
    assert!(evidence(&scene).0);
    // Nor is such an acknowledgement a recovery.
    assert_eq!(faults(&Context::new(&scene.history))[0].recovery_ms, None);
}

#[test]
fn what_was_confirmed_alone_and_is_gone_shows_the_cut_though_the_client_moved_on_at_once() {
    let mut scene = quiet();
    scene.set("acks", "1");
    view(&mut scene, 1);
    let fault = scene.inject(FaultClass::IsolateLeader, 1, &[0]);
    scene.acked(tag(0, 20), 0, 20);
    scene.leader(0, Some(2), 5, &[2, 3]);
    view(&mut scene, 2);
    scene.heal(fault);
    assert!(!evidence(&scene).0);
    scene.log(0, &[], true);
    insta::assert_snapshot!(evidence(&scene).1, @"node 1 was cut off; partition 0 was given a new epoch 0.0 s later, and 1 records the old leader confirmed alone are gone");
}

#[test]
fn isolating_a_leader_under_acks_all_needs_attempts() {
    let mut scene = quiet();
    scene.set("acks", "all");
    let fault = scene.inject(FaultClass::IsolateLeader, 1, &[0]);
    scene.leader(0, Some(2), 5, &[2, 3]);
    let mut idle = scene.clone();
    scene.send(tag(0, 20), None, Some((0, None)), (history::Outcome::Unknown, history::Told::Failed));
    scene.heal(fault);
    assert!(evidence(&scene).0);
    idle.heal(fault);
    assert!(!evidence(&idle).0);
}

#[test]
fn a_new_epoch_after_the_heal_is_too_late() {
    let mut scene = quiet();
    let fault = scene.inject(FaultClass::IsolateLeader, 1, &[0]);
    scene.acked(tag(0, 20), 0, 20);
    scene.heal(fault);
    scene.leader(0, Some(2), 5, &[2, 3]);
    assert!(!evidence(&scene).0);
}

#[test]
fn isolating_followers_shrinks_the_isr() {
    let mut scene = quiet();
    let fault = scene.inject(FaultClass::IsolateFollowers, 1, &[0]);
    let mut short = scene.clone();
    scene.leader(0, Some(1), 4, &[1]);
    scene.heal(fault);
    insta::assert_snapshot!(evidence(&scene).1, @"the in-sync replicas of partition 0 went from 3 to 1");
    short.heal(fault);
    assert!(!evidence(&short).0);
}

#[test]
fn a_fault_that_never_came_did_not_bite() {
    let mut scene = quiet();
    scene.plan_fault(FaultClass::Kill);
    assert!(!evidence(&scene).0);
    scene.note(Role::Runner, Note::FaultFailed { fault: 1, reason: "no such node".to_owned() });
    assert!(evidence(&scene).1.contains("no such node"));
}

#[test]
fn too_little_says_nothing() {
    let mut scene = Scene::new(2);
    (0..9).for_each(|seq| scene.acked(tag(0, seq), 0, i64::try_from(seq).expect("small")));
    assert_eq!(shortfalls(&Context::new(&scene.history)).len(), 1);
    scene.acked(tag(0, 9), 0, 9);
    assert!(shortfalls(&Context::new(&scene.history)).is_empty());
    for seq in 10..20 {
        scene.send(tag(0, seq), None, Some((1, None)), (history::Outcome::Unknown, history::Told::Failed));
    }
    insta::assert_snapshot!(
        shortfalls(&Context::new(&scene.history))[0],
        @"none of 10 records for partition 1 was confirmed (raise `--duration`)"
    );
}

/// Bytes were cut; with flush.messages=1 there are none, and the new epoch is what shows.
#[test]
fn a_power_failure_bites_when_bytes_are_gone_or_none_could_be() {
    let dark = |bytes: u64, settings: &[(&str, &str)]| {
        let mut scene = quiet();
        for (name, value) in settings {
            scene.history.plan.cell.topic.insert((*name).to_owned(), (*value).to_owned());
        }
        let fault = scene.inject(FaultClass::PowerFailure, 1, &[0]);
        scene.leader(0, Some(2), 5, &[2, 3]);
        scene.heal_having_touched(fault, bytes);
        evidence(&scene)
    };
    insta::assert_snapshot!(dark(700, &[]).1, @"node 1 lost power, and with it 700 bytes that were not synced");
    insta::assert_snapshot!(dark(0, &[("flush.messages", "1")]).1, @"node 1 lost power with every record synced (flush.messages=1); partition 0 went on in epoch 5");
    let (bitten, detail) = dark(0, &[]);
    assert!(!bitten && detail.contains("nothing that was not synced"), "{detail}");
}
