//! ISR shrink and expand, what consumers may see, fencing by leader epoch, topics that go, and flaws.

use super::super::{AdminOp, ControllerInput, Refusal, ToController, Uuid};
use crate::flaws::Flaw;
use crate::simulation::{Cut, Records, TOPIC, World, batch, key};

#[test]
fn a_follower_that_lags_leaves_the_isr_and_joins_when_it_has_caught_up() {
    let mut world = World::new(3, 1, &[], None);
    world.cut(1, 3, Cut::Held);
    let all = world.produce(1, -1, "m1");
    world.run(1_000);
    assert_eq!(world.isr().len(), 3, "not for long enough yet");
    assert!(world.run_until(2_000, |world| world.isr().into_iter().eq([1, 2])));
    world.run(20);
    assert_eq!(world.reply(all), Some(Ok(0)), "the others suffice now");
    world.heal();
    assert!(world.run_until(500, |world| world.isr().len() == 3));
    assert!(world.agree(key(0)));
}

/// Until the controller answers, the old ISR and the proposed one both count (KIP-497).
#[test]
fn a_shrink_that_is_not_confirmed_commits_nothing() {
    let mut world = World::new(3, 1, &[], None);
    world.cut(1, 2, Cut::Held);
    world.cut(1, 3, Cut::Held);
    let all = world.produce(1, -1, "m1");
    world.run(1_100);
    world.cut(1, crate::simulation::CONTROLLER, Cut::Held);
    world.run(3_000);
    assert_eq!(world.high_watermark(1), 0);
    assert_eq!(world.reply(all), None);
}

#[test]
fn consumers_read_up_to_the_high_watermark_and_wait_for_more() {
    let mut world = World::new(3, 1, &[], None);
    world.produce(1, -1, "m1");
    world.cut(1, 2, Cut::Held);
    world.produce(1, 1, "m2");
    let now = world.consume(1, key(0), 0, 0);
    assert_eq!(world.fetched[&now], (None, 1, vec![(0, "m1".to_owned())]));
    let waits = world.consume(1, key(0), 1, 5_000);
    world.settle();
    assert!(!world.fetched.contains_key(&waits));
    world.heal();
    world.settle();
    assert_eq!(world.fetched[&waits], (None, 2, vec![(1, "m2".to_owned())]));
    let idle = world.consume(1, key(0), 2, 200);
    world.run(190);
    assert!(!world.fetched.contains_key(&idle));
    world.run(20);
    assert_eq!(world.fetched[&idle], (None, 2, vec![]));
    let beyond = world.consume(1, key(0), 3, 0);
    assert_eq!(world.fetched[&beyond].0, Some(Refusal::OffsetOutOfRange));
    let follower = world.consume(2, key(0), 0, 0);
    assert_eq!(world.fetched[&follower].0, Some(Refusal::NotLeaderOrFollower));
}

#[test]
fn other_leader_epochs_are_refused() {
    let mut world = World::new(3, 1, &[], None);
    world.kill(1);
    assert!(world.run_until(5_000, |world| world.leader() == 2));
    world.run(20);
    let epoch = world.partition(key(0)).leader_epoch;
    let ask = |world: &World, epoch| world.broker(2).end_offset_for_epoch(key(0), epoch, 0).err();
    assert_eq!(ask(&world, epoch), None);
    assert_eq!(ask(&world, epoch - 1), Some(Refusal::FencedLeaderEpoch));
    assert_eq!(ask(&world, epoch + 1), Some(Refusal::UnknownLeaderEpoch));
    assert_eq!(world.broker(3).offsets(key(0), -1).err(), Some(Refusal::NotLeaderOrFollower));
}

#[test]
fn a_deleted_topic_is_gone_from_everywhere() {
    let mut world = World::new(3, 1, &[], None);
    world.cut(1, 2, Cut::Held);
    let waits = world.produce(1, -1, "m1");
    world.heal();
    let delete = |id| ControllerInput::Message {
        connection: 0,
        message: ToController::Admin { request: 2, op: AdminOp::DeleteTopic { id } },
    };
    let mut out = Vec::new();
    world.controller.step(world.now, delete(Uuid([1; 16])), &mut out);
    assert!(world.controller.snapshot().image.topics.contains_key("t"), "another id is another topic");
    world.controller.step(world.now, delete(TOPIC), &mut out);
    world.run(400);
    assert!(world.reply(waits).is_some(), "nobody waits for ever");
    let late = world.produce(1, 1, "m2");
    assert_eq!(world.reply(late), Some(Err(Refusal::UnknownTopicId)));
    assert!(world.values(1).is_empty() && world.values(2).is_empty());
}

/// Loads a flawed leader without any fault; returns acknowledged offsets and the log.
fn flawed(flaw: Flaw) -> (Records, Records) {
    let mut world = World::new(3, 1, &[("min.insync.replicas", "2")], Some(flaw));
    let mut acked = Vec::new();
    for sequence in 0..210 {
        let value = format!("m{sequence}");
        let id = world.send_produce(1, key(0), -1, batch(&value, 1, Some((5, 0, sequence))));
        world.settle();
        acked.push((world.reply(id).expect("answered").expect("acknowledged"), value));
    }
    world.run(200);
    assert!(world.agree(key(0)), "the flaw is on every replica");
    let log = world.log(2, key(0));
    (acked, log)
}

#[test]
fn ack_before_append_loses_every_97th_batch() {
    let (acked, log) = flawed(Flaw::AckBeforeAppend);
    let lost: Vec<_> = acked
        .iter()
        .filter(|(_, value)| log.iter().all(|(_, kept)| kept != value))
        .map(|(_, v)| v.as_str())
        .collect();
    assert_eq!(lost, ["m96", "m193"]);
}

#[test]
fn duplicate_on_retry_writes_every_101st_batch_twice() {
    let (_, log) = flawed(Flaw::DuplicateOnRetry);
    let twice: Vec<_> =
        log.windows(2).filter(|pair| pair[0].1 == pair[1].1).map(|pair| pair[0].1.as_str()).collect();
    assert_eq!(twice, ["m100", "m201"]);
}

#[test]
fn serve_beyond_high_watermark_shows_what_is_lost_later() {
    let mut world = World::new(3, 1, &[("min.insync.replicas", "2")], Some(Flaw::ServeBeyondHighWatermark));
    world.isolate(1, Cut::Held);
    let waits = world.consume(1, key(0), 0, 1_000);
    world.produce(1, -1, "seen");
    assert_eq!(world.fetched[&waits].2, [(0, "seen".to_owned())]);
    assert!(world.run_until(5_000, |world| world.leader() == 2));
    world.heal();
    assert!(world.run_until(5_000, |world| world.isr().len() == 3));
    assert!(world.values(1).is_empty(), "and it is gone");
}

/// What was acknowledged since a replica last noted the high watermark is gone with the leader.
#[test]
fn lose_on_truncation_shows_with_a_single_kill() {
    let mut world = World::new(3, 1, &[("min.insync.replicas", "2")], Some(Flaw::LoseOnTruncation));
    for at in 0..20 {
        let reply = world.produce(1, -1, &format!("m{at}"));
        assert_eq!(world.reply(reply), Some(Ok(at)));
    }
    world.kill(1);
    assert!(world.run_until(5_000, |world| world.leader() == 2));
    world.start(1);
    assert!(world.run_until(10_000, |world| world.isr().len() == 3));
    assert_eq!(world.values(2).len(), 16, "an acknowledged record is gone");
}
