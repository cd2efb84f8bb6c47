//! The coordinator changes: groups and offsets do not.

use super::{Client, World, world};
use crate::core::{GroupAnswer, GroupAsk};
use crate::simulation::Cut;

fn another_coordinator(world: &mut World, old: i32) {
    assert!(world.run_until(5_000, |world| ![old, -1].contains(&world.coordinator())));
    world.run(200);
}

#[test]
fn members_go_on_at_the_next_coordinator_as_if_nothing_had_happened() {
    let mut world = world(3, None, &[]);
    let (one, two) = world.pair();
    let commit = world.commit(&one, 0, 5);
    assert_eq!(world.committed(commit), Some(0));
    let old = world.coordinator();
    world.kill(old);
    another_coordinator(&mut world, old);
    assert_eq!((world.heartbeat(&one), world.heartbeat(&two)), (0, 0));
    assert_eq!(world.position(0, false), Ok(5));
    let sync = world.sync_group(&two, &[]);
    assert_eq!(world.share(sync), "b");
    let commit = world.commit(&two, 1, 6);
    assert_eq!(world.committed(commit), Some(0));
    let described = world.describe_group();
    assert_eq!((described.group_state.as_str(), described.members.len()), ("Stable", 2));
    assert_eq!(described.members[0].client_host.as_str(), "/127.0.0.1");
    // Their sessions run here too.
    world.run(1_100);
    assert_eq!(world.heartbeat(&one), 25);
}

#[test]
fn a_restarted_coordinator_reads_its_own_log() {
    let mut world = world(1, None, &[]);
    let (one, _) = world.pair_for(10_000);
    for offset in 0..100 {
        world.commit(&one, 0, offset);
    }
    world.kill(1);
    world.start(1);
    // The session of the process before it has to end first.
    world.run(2_000);
    assert_eq!(world.position(0, false), Ok(99));
    assert_eq!(world.heartbeat(&one), 0);
}

#[test]
fn who_waits_at_a_coordinator_that_is_none_any_more_is_told() {
    let mut world = world(3, None, &[]);
    let (one, two) = world.pair_for(10_000);
    let old = world.coordinator();
    let joins = world.join(&one, &[("range", "changed")]);
    assert_eq!(world.joined(joins), None);
    world.isolate(old, Cut::Held);
    let late = world.ask_at(old, 8, World::commit_request(&two, 0, 9));
    another_coordinator(&mut world, old);
    assert_eq!(world.joined(joins), None, "it does not know yet");
    world.heal();
    world.run(2_000);
    // NOT_COORDINATOR
    assert_eq!(world.joined(joins).expect("told").error_code, 16);
    assert_eq!(world.committed(late), Some(16));
    assert_eq!(world.position(0, false), Ok(-1), "and the commit is nowhere");
    let id = world.ask_at(old, 2, GroupAsk::Delete);
    assert!(matches!(world.answers[&id], GroupAnswer::Delete(16)));
}

#[test]
fn a_coordinator_that_does_not_know_yet_what_is_committed_says_so() {
    let mut world = world(3, None, &[]);
    let (one, _) = world.pair();
    let old = world.coordinator();
    let others: Vec<i32> = world.nodes().into_iter().filter(|node| *node != old).collect();
    world.commit(&one, 0, 5);
    world.cut(others[0], others[1], Cut::Held);
    world.commit(&one, 0, 6);
    world.kill(old);
    assert!(world.run_until(5_000, |world| ![old, -1].contains(&world.coordinator())));
    world.run(50);
    // COORDINATOR_LOAD_IN_PROGRESS
    assert_eq!(world.position(0, false), Err(14));
    assert_eq!(world.heartbeat(&one), 0, "that is not the members' fault");
    let commit = world.commit(&Client::new(), 0, 7);
    assert_eq!(world.committed(commit), Some(14));
    let (listed, loading) = world.broker(world.coordinator()).groups();
    assert!(loading && listed.is_empty());
    world.heal();
    world.run(500);
    assert_eq!(world.position(0, false), Ok(6));
}

#[test]
fn without_enough_in_sync_replicas_nothing_is_committed_and_nothing_given_out() {
    let mut world = world(3, None, &[]);
    // As the topic has it: min.insync.replicas 1 by default, so raise it for all.
    let mut strict = super::world(3, None, &[("min.insync.replicas", "3")]);
    let (one, two) = strict.pair_for(10_000);
    let follower = strict.nodes().into_iter().find(|node| *node != strict.coordinator()).expect("one");
    strict.kill(follower);
    assert!(strict.run_until(5_000, |world| world.isr().len() == 2));
    strict.run(100);
    strict.heartbeat(&one);
    let commit = strict.commit(&one, 0, 5);
    // COORDINATOR_NOT_AVAILABLE
    assert_eq!(strict.committed(commit), Some(15));
    assert_eq!(strict.position(0, false), Ok(-1));
    drop(two);
    let (one, _) = world.pair();
    let commit = world.commit(&one, 0, 5);
    assert_eq!(world.committed(commit), Some(0));
}
