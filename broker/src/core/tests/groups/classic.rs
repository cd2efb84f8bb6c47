//! Dynamic members of a classic group: joining, sharing, leaving, expiring.

use super::{Client, text, world};
use crate::core::{GroupAnswer, GroupAsk};
use crate::flaws::Flaw;

const RANGE: &[(&str, &str)] = &[("range", "m")];

#[test]
fn two_members_share_and_are_stable() {
    let mut world = world(3, None, &[]);
    let (one, two) = world.pair();
    assert_eq!((one.generation, two.generation), (1, 1));
    assert_eq!((world.heartbeat(&one), world.heartbeat(&two)), (0, 0));
    let described = world.describe_group();
    assert_eq!((described.group_state.as_str(), described.protocol_data.as_str()), ("Stable", "range"));
    assert_eq!(described.members.len(), 2);
    assert_eq!(described.members[0].member_assignment, "a");
}

#[test]
fn a_new_member_is_told_its_id_first_and_old_clients_are_not() {
    let mut world = world(1, None, &[]);
    let told = world.join(&Client::new(), RANGE);
    let response = world.joined(told).expect("at once");
    // MEMBER_ID_REQUIRED
    assert_eq!(response.error_code, 79);
    assert!(response.member_id.starts_with("c-"), "{}", response.member_id);
    let mut old = Client { version: 3, ..Client::new() };
    let joins = world.join(&old, RANGE);
    assert_eq!(world.joined(joins), None, "the member that was told its id is waited for");
    world.run(1_100);
    world.entered(&mut old, joins);
}

#[test]
fn the_first_rebalance_waits_for_more_members_and_is_extended_by_them() {
    let mut world = world(1, None, &[("group.initial.rebalance.delay.ms", "500")]);
    let (mut one, mut two) = (Client::new(), Client::new());
    let first = world.enter(&mut one, RANGE);
    world.run(400);
    assert_eq!(world.joined(first), None);
    let second = world.enter(&mut two, RANGE);
    world.run(200);
    assert_eq!(world.joined(first), None, "the newcomer has started the delay again");
    world.run(500);
    assert_eq!(world.entered(&mut one, first).members.len(), 2);
    world.entered(&mut two, second);
}

#[test]
fn a_third_member_makes_the_others_join_again() {
    let mut world = world(3, None, &[]);
    let (mut one, mut two) = world.pair();
    let mut three = Client::new();
    let third = world.enter(&mut three, RANGE);
    // REBALANCE_IN_PROGRESS
    assert_eq!((world.heartbeat(&one), world.heartbeat(&two)), (27, 27));
    let sync = world.sync_group(&one, &[]);
    assert_eq!(world.synced(sync).expect("at once").error_code, 27);
    let first = world.enter(&mut one, RANGE);
    assert_eq!(world.joined(third), None, "one is missing");
    let second = world.enter(&mut two, RANGE);
    for (client, id) in [(&mut one, first), (&mut two, second), (&mut three, third)] {
        world.entered(client, id);
        assert_eq!(client.generation, 2);
    }
    let mut past = one.clone();
    past.generation = 1;
    // ILLEGAL_GENERATION
    assert_eq!(world.heartbeat(&past), 22);
    let late = world.sync_group(&past, &[]);
    assert_eq!(world.synced(late).expect("at once").error_code, 22);
}

#[test]
fn who_does_not_join_again_in_time_is_out() {
    let mut world = world(1, None, &[]);
    let (mut one, two) = world.pair();
    let first = world.enter(&mut one, &[("range", "other")]);
    assert_eq!(world.joined(first), None);
    for _ in 0..4 {
        world.run(490);
        // It heartbeats on, so that its session is not over: only its time to join is.
        world.heartbeat(&two);
    }
    assert_eq!(world.joined(first), None);
    world.run(60);
    assert_eq!(world.entered(&mut one, first).members.len(), 1);
    // UNKNOWN_MEMBER_ID
    assert_eq!(world.heartbeat(&two), 25);
}

#[test]
fn a_session_that_ends_makes_the_others_join_again() {
    let mut world = world(1, None, &[]);
    let (one, two) = world.pair();
    for _ in 0..3 {
        world.run(450);
        world.heartbeat(&one);
    }
    assert_eq!((world.heartbeat(&one), world.heartbeat(&two)), (27, 25));
}

#[test]
fn a_member_that_joined_and_never_syncs_is_out() {
    let mut world = world(1, None, &[]);
    let (mut one, mut two) = (Client::new(), Client::new());
    let first = world.enter(&mut one, RANGE);
    let second = world.enter(&mut two, RANGE);
    world.run(40);
    world.entered(&mut one, first);
    world.entered(&mut two, second);
    let sync = world.sync_group(&one, &[(&one, "a"), (&two, "b")]);
    assert_eq!(world.share(sync), "a");
    for _ in 0..4 {
        world.run(510);
        world.heartbeat(&one);
        world.heartbeat(&two);
    }
    assert_eq!((world.heartbeat(&one), world.heartbeat(&two)), (27, 25));
}

#[test]
fn who_leaves_is_gone_at_once_and_the_last_one_leaves_an_empty_group() {
    let mut world = world(1, None, &[]);
    let (mut one, two) = world.pair();
    assert_eq!(world.leave("nobody", None).members[0].error_code, 25);
    assert_eq!(world.leave(&two.member, None).members[0].error_code, 0);
    assert_eq!(world.heartbeat(&one), 27);
    let first = world.enter(&mut one, RANGE);
    assert_eq!(world.entered(&mut one, first).members.len(), 1);
    assert_eq!(world.leave(&one.member, None).members[0].error_code, 0);
    let described = world.describe_group();
    assert_eq!((described.group_state.as_str(), described.members.len()), ("Empty", 0));
    assert_eq!(described.protocol_type.as_str(), "consumer");
}

#[test]
fn the_protocol_is_one_that_all_support_and_most_prefer() {
    let mut world = world(1, None, &[]);
    let (mut one, mut two, mut three) = (Client::new(), Client::new(), Client::new());
    let ids = [
        world.enter(&mut one, &[("range", "r"), ("sticky", "s")]),
        world.enter(&mut two, &[("sticky", "s"), ("range", "r")]),
        world.enter(&mut three, &[("exotic", "e"), ("sticky", "s"), ("range", "r")]),
    ];
    let mut stranger = Client { version: 3, ..Client::new() };
    let refused = world.enter(&mut stranger, &[("unheard-of", "u")]);
    // INCONSISTENT_GROUP_PROTOCOL
    assert_eq!(world.joined(refused).expect("at once").error_code, 23);
    world.run(40);
    for (client, id) in [&mut one, &mut two, &mut three].into_iter().zip(ids) {
        assert_eq!(world.entered(client, id).protocol_name.as_deref(), Some("sticky"));
    }
}

#[test]
fn a_leader_that_joins_again_has_the_group_divided_anew_and_another_member_does_not() {
    let mut world = world(1, None, &[]);
    let (mut one, mut two) = world.pair();
    let again = world.join(&two, &[("range", "m2")]);
    assert_eq!(world.entered(&mut two, again).generation_id, 1, "nothing has changed");
    assert_eq!(world.heartbeat(&one), 0);
    let again = world.join(&one, &[("range", "m1")]);
    assert_eq!(world.joined(again), None);
    assert_eq!(world.heartbeat(&two), 27);
    let second = world.join(&two, &[("range", "m2")]);
    assert_eq!(world.entered(&mut one, again).generation_id, 2);
    world.entered(&mut two, second);
}

#[test]
fn a_full_group_takes_nobody_more() {
    let mut world = world(1, None, &[("group.max.size", "2")]);
    world.pair();
    let mut three = Client { version: 3, ..Client::new() };
    let refused = world.enter(&mut three, RANGE);
    // GROUP_MAX_SIZE_REACHED
    assert_eq!(world.joined(refused).expect("at once").error_code, 81);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let mut world = world(1, None, &[("group.min.session.timeout.ms", "5000")]);
    let refused = world.join(&Client::new(), RANGE);
    // INVALID_SESSION_TIMEOUT
    assert_eq!(world.joined(refused).expect("at once").error_code, 26);
    let stranger = Client { member: "m".to_owned(), ..Client::new() };
    assert_eq!(world.heartbeat(&stranger), 25, "there is no such group");
    let described = world.describe_group();
    // GROUP_ID_NOT_FOUND
    assert_eq!((described.error_code, described.group_state.as_str()), (69, "Dead"));
    let id = world.ask(5, GroupAsk::Describe);
    let GroupAnswer::Describe(old) = &world.answers[&id] else { panic!("no description") };
    assert_eq!((old.error_code, &old.group_state), (0, &text("Dead")), "before version 6");
    let elsewhere = world.ask_at(1, 4, GroupAsk::Delete);
    assert!(matches!(world.answers[&elsewhere], GroupAnswer::Delete(69)));
}

#[test]
fn two_owners_gives_one_share_twice() {
    let mut world = world(1, Some(Flaw::TwoOwners), &[]);
    let (mut one, mut two) = (Client::new(), Client::new());
    let (first, second) = (world.enter(&mut one, RANGE), world.enter(&mut two, RANGE));
    world.run(40);
    world.entered(&mut one, first);
    world.entered(&mut two, second);
    let waits = world.sync_group(&two, &[]);
    let leads = world.sync_group(&one, &[(&one, "a"), (&two, "b")]);
    assert_eq!(world.share(waits), world.share(leads));
}
