//! What acks and min.insync.replicas mean, and what an isolated leader may still say.

use super::super::Refusal;
use crate::simulation::{Cut, World, batch, key};

#[test]
fn acks_zero_and_one_answer_at_once_and_all_waits_for_the_isr() {
    let mut world = World::new(3, 1, &[], None);
    world.cut(1, 2, Cut::Held);
    let one = world.produce(1, 1, "m1");
    let all = world.produce(1, -1, "m2");
    let none = world.produce(1, 0, "m3");
    assert_eq!(world.reply(one), Some(Ok(0)));
    assert_eq!(world.reply(none), Some(Ok(2)));
    assert_eq!(world.reply(all), None, "a member of the ISR has not fetched");
    assert_eq!(world.high_watermark(1), 0);
    world.heal();
    world.settle();
    assert_eq!(world.reply(all), Some(Ok(1)));
    let bad = world.produce(1, 2, "m4");
    assert_eq!(world.reply(bad), Some(Err(Refusal::InvalidRequiredAcks)));
    let elsewhere = world.produce(2, 1, "m5");
    assert_eq!(world.reply(elsewhere), Some(Err(Refusal::NotLeaderOrFollower)));
}

#[test]
fn too_small_an_isr_refuses_before_the_append() {
    let mut world = World::new(3, 1, &[("min.insync.replicas", "2")], None);
    world.kill(2);
    world.kill(3);
    assert!(world.run_until(5_000, |world| world.isr().len() == 1));
    world.run(20);
    let all = world.produce(1, -1, "m1");
    assert_eq!(world.reply(all), Some(Err(Refusal::NotEnoughReplicas)));
    assert_eq!(world.values(1), Vec::<String>::new(), "nothing was written");
    let one = world.produce(1, 1, "m2");
    assert_eq!(world.reply(one), Some(Ok(0)), "acks=1 does not ask");
}

#[test]
fn an_isr_that_shrinks_while_waiting_fails_after_the_append() {
    let mut world = World::new(2, 1, &[("min.insync.replicas", "2")], None);
    world.kill(2);
    let all = world.produce(1, -1, "m1");
    assert_eq!(world.reply(all), None);
    assert!(world.run_until(5_000, |world| world.reply(all).is_some()));
    assert_eq!(world.reply(all), Some(Err(Refusal::NotEnoughReplicasAfterAppend)));
    assert_eq!(world.values(1), ["m1"], "it is written");
    assert_eq!(world.high_watermark(1), 1, "and visible");
}

#[test]
fn a_wait_ends_with_its_time() {
    let mut world = World::new(3, 1, &[], None);
    world.isolate(1, Cut::Held);
    let all = world.produce(1, -1, "m1");
    world.run(4_990);
    assert_eq!(world.reply(all), None);
    world.run(10);
    assert_eq!(world.reply(all), Some(Err(Refusal::RequestTimedOut)));
}

/// The leader hears of its successor only after healing: until then acks=1 is answered for records that
/// nobody else has, and acks=all never is.
#[test]
fn an_isolated_leader_acknowledges_one_and_loses_it_and_never_acknowledges_all() {
    for manner in [Cut::Held, Cut::Reset] {
        let mut world = World::new(3, 1, &[("min.insync.replicas", "2")], None);
        world.produce(1, -1, "before");
        world.isolate(1, manner);
        let all = world.produce(1, -1, "all");
        assert!(world.run_until(3_000, |world| world.leader() == 2));
        world.run(500);
        let one = world.produce(1, 1, "one");
        assert_eq!(world.reply(one), Some(Ok(2)), "acknowledged by the old leader");
        assert!(world.broker(1).offsets(key(0), -1).is_ok(), "which leads on");
        let other = world.produce(2, -1, "other");
        assert_eq!(world.reply(other), Some(Ok(1)), "while the new one writes");
        world.heal();
        assert!(world.run_until(5_000, |world| world.isr().len() == 3));
        assert_eq!(world.reply(all), Some(Err(Refusal::NotLeaderOrFollower)));
        assert!(world.agree(key(0)));
        assert_eq!(world.values(1), ["before", "other"], "what one acknowledged is gone");
    }
}

#[test]
fn idempotence_survives_a_change_of_the_leader_and_a_restart() {
    let mut world = World::new(3, 1, &[("min.insync.replicas", "2")], None);
    let send = |world: &mut World, node, sequence, value: &str| {
        let id = world.send_produce(node, key(0), -1, batch(value, 1, Some((5, 0, sequence))));
        world.settle();
        world.reply(id)
    };
    assert_eq!(send(&mut world, 1, 0, "a"), Some(Ok(0)));
    assert_eq!(send(&mut world, 1, 1, "b"), Some(Ok(1)));
    world.kill(1);
    assert!(world.run_until(5_000, |world| world.leader() == 2));
    world.run(200);
    assert_eq!(send(&mut world, 2, 1, "b"), Some(Ok(1)), "a retry at the new leader");
    world.start(1);
    assert!(world.run_until(5_000, |world| world.isr().len() == 3));
    world.kill(2);
    assert!(world.run_until(5_000, |world| world.leader() == 1));
    world.run(200);
    assert_eq!(send(&mut world, 1, 0, "a"), Some(Ok(0)), "a retry at a restarted one");
    assert_eq!(send(&mut world, 1, 3, "d"), Some(Err(Refusal::OutOfOrderSequenceNumber)));
    assert_eq!(send(&mut world, 1, 2, "c"), Some(Ok(2)));
    assert_eq!(world.values(1), ["a", "b", "c"]);
}
