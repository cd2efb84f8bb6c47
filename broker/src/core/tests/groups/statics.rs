//! Static members (KIP-345): a restarted instance takes its place again, and nobody else notices.

use super::{Client, world};
use crate::simulation::World;

const RANGE: &[(&str, &str)] = &[("range", "m")];

/// Two stable static members, `i1` and `i2`.
fn pair(world: &mut World) -> (Client, Client) {
    let (mut one, mut two) = (Client::instance("i1"), Client::instance("i2"));
    let (first, second) = (world.join(&one, RANGE), world.join(&two, RANGE));
    world.run(40);
    world.entered(&mut one, first);
    world.entered(&mut two, second);
    world.share_out(&one, &two);
    (one, two)
}

#[test]
fn a_restarted_instance_gets_its_share_without_a_rebalance_and_its_past_is_fenced() {
    let mut world = world(3, None, &[]);
    let (one, two) = pair(&mut world);
    let mut again = Client::instance("i2");
    let id = world.join(&again, RANGE);
    let response = world.entered(&mut again, id);
    assert_eq!(response.generation_id, 1);
    assert_ne!(again.member, two.member);
    assert_eq!(world.heartbeat(&one), 0, "nobody has to join again");
    let sync = world.sync_group(&again, &[]);
    assert_eq!(world.share(sync), "b");
    // FENCED_INSTANCE_ID
    assert_eq!(world.heartbeat(&two), 82);
    let sync = world.sync_group(&two, &[]);
    assert_eq!(world.synced(sync).expect("at once").error_code, 82);
    let commit = world.commit(&two, 0, 5);
    assert_eq!(world.committed(commit), Some(82));
    let join = world.join(&two, RANGE);
    assert_eq!(world.joined(join).expect("at once").error_code, 82);
}

#[test]
fn a_restarted_leader_leads_on_without_dividing_again() {
    for (version, skips) in [(9, true), (8, false)] {
        let mut world = world(1, None, &[]);
        let (one, two) = pair(&mut world);
        let mut again = Client { version, ..Client::instance("i1") };
        let id = world.join(&again, RANGE);
        let response = world.entered(&mut again, id);
        assert_eq!(response.skip_assignment, skips);
        if skips {
            assert_eq!((response.leader.as_str(), response.members.len()), (again.member.as_str(), 2));
        } else {
            assert_eq!((response.leader.as_str(), response.members.len()), (one.member.as_str(), 0));
        }
        let sync = world.sync_group(&again, &[]);
        assert_eq!(world.share(sync), "a");
        assert_eq!(world.heartbeat(&two), 0);
    }
}

#[test]
fn other_protocols_of_a_restarted_instance_are_a_change() {
    let mut world = world(1, None, &[]);
    let (one, _) = pair(&mut world);
    let mut other = Client::instance("i3");
    let joins = world.join(&other, &[("sticky", "s")]);
    assert_eq!(world.joined(joins).expect("at once").error_code, 23, "one has never heard of that");
    other.instance = Some("i2".to_owned());
    let joins = world.join(&other, &[("sticky", "s"), ("range", "m")]);
    assert_eq!(world.entered(&mut other, joins).generation_id, 1, "they agree on the same");
    assert_eq!(world.heartbeat(&one), 0);
}

#[test]
fn a_static_member_is_missed_only_when_its_session_ends() {
    let mut world = world(1, None, &[]);
    let (mut one, two) = pair(&mut world);
    let first = world.join(&one, &[("range", "changed")]);
    assert_eq!(world.joined(first), None, "the leader has the group divided anew");
    world.run(500);
    // The other one is down; within its session its place is kept.
    let mut again = Client::instance("i2");
    let second = world.join(&again, RANGE);
    assert_eq!(world.entered(&mut one, first).members.len(), 2);
    world.entered(&mut again, second);
    world.share_out(&one, &again);
    assert_eq!(world.heartbeat(&two), 82);
    for _ in 0..3 {
        world.run(450);
        world.heartbeat(&one);
    }
    assert_eq!((world.heartbeat(&one), world.heartbeat(&again)), (27, 25));
}

#[test]
fn an_administrator_removes_a_member_by_its_instance() {
    let mut world = world(1, None, &[]);
    let (one, two) = pair(&mut world);
    assert_eq!(world.leave("", Some("nobody")).members[0].error_code, 25);
    assert_eq!(world.leave(&one.member, Some("i2")).members[0].error_code, 82, "that is somebody else's");
    assert_eq!(world.leave("", Some("i2")).members[0].error_code, 0);
    assert_eq!((world.heartbeat(&one), world.heartbeat(&two)), (27, 25));
}

#[test]
fn a_member_that_waits_is_fenced_by_its_successor() {
    let mut world = world(1, None, &[]);
    let (one, _) = pair(&mut world);
    let waits = world.join(&one, &[("range", "changed")]);
    let again = Client::instance("i1");
    let joins = world.join(&again, RANGE);
    assert_eq!(world.joined(waits).expect("at once").error_code, 82);
    assert_eq!(world.joined(joins), None, "the rebalance goes on");
}
