//! The message sequences of KIP-101 and KIP-279, and the last replica standing. Truncation by high
//! watermark (the planted flaw) passes none of the first three.

use super::super::Refusal;
use crate::flaws::Flaw;
use crate::simulation::{Cut, World, key};

fn expect(holds: bool, what: &str, world: &World) -> Result<(), String> {
    let logs: Vec<_> = world.nodes().iter().map(|node| (*node, world.values(*node))).collect();
    if holds { Ok(()) } else { Err(format!("{what}: logs {logs:?}, {:?}", world.partition(key(0)))) }
}

/// KIP-101, scenario 1: a follower has an acknowledged record but has not heard that it is committed; the
/// leader fails, and the follower is elected before it could fetch again from the one elected in between.
fn high_watermark_lags_behind(flaw: Option<Flaw>) -> Result<(), String> {
    let mut world = World::new(3, 1, &[("min.insync.replicas", "2")], flaw);
    world.produce(1, -1, "m1");
    let second = world.produce(1, -1, "m2");
    assert_eq!(world.reply(second), Some(Ok(1)), "acknowledged by all");
    assert_eq!(world.high_watermark(1), 2);
    assert!(world.high_watermark(3) < 2, "the follower lags by a round trip or more");
    world.cut(2, 3, Cut::Held);
    world.kill(1);
    assert!(world.run_until(5_000, |world| world.leader() == 2));
    world.run(20);
    world.kill(2);
    assert!(world.run_until(5_000, |world| world.leader() == 3));
    world.heal();
    world.start(1);
    world.start(2);
    let recovered = world.run_until(10_000, |world| world.isr().len() == 3);
    expect(recovered, "every replica is in sync again", &world)?;
    expect(world.values(3) == ["m1", "m2"], "the acknowledged record is kept", &world)?;
    expect(world.agree(key(0)), "the replicas agree", &world)
}

/// KIP-101, scenario 2: both replicas lose power, the one that lost its tail returns first and writes
/// something else at the same offset.
fn logs_diverge_after_power_failure(flaw: Option<Flaw>) -> Result<(), String> {
    let mut world = World::new(2, 1, &[], flaw);
    world.produce(1, -1, "m1");
    world.sync(2);
    world.produce(1, -1, "m2");
    world.sync(1);
    // A round trip later the leader's high watermark has been heard, and written down.
    world.run(300);
    world.checkpoint(1);
    world.checkpoint(2);
    // The controller hears of neither any more; the leader first.
    world.cut(1, crate::simulation::CONTROLLER, Cut::Reset);
    world.run(310);
    world.power_cut(1);
    world.power_cut(2);
    assert_eq!((world.values(1).len(), world.values(2).len()), (2, 1));
    world.run(2_000);
    assert_eq!(world.isr().into_iter().collect::<Vec<_>>(), [2], "the last one heard is the last member");
    world.heal();
    world.start(2);
    assert!(world.run_until(5_000, |world| world.leader() == 2));
    world.run(20);
    let third = world.produce(2, -1, "m3");
    expect(world.reply(third).is_some_and(|reply| reply.is_ok()), "the new leader writes", &world)?;
    world.start(1);
    world.run_until(5_000, |world| world.isr().len() == 2);
    world.run(300);
    expect(world.agree(key(0)), "the replicas agree", &world)?;
    expect(world.values(1) == ["m1", "m3"], "and on the leader's log", &world)
}

/// KIP-279: leadership goes back and forth between two replicas that never hear of each other, so that
/// each has epochs the other lacks, and the meeting point is found by iterating over them.
fn fast_failovers(flaw: Option<Flaw>) -> Result<(), String> {
    let mut world = World::new(2, 1, &[("unclean.leader.election.enable", "true")], flaw);
    world.produce(1, -1, "common");
    world.run(300);
    world.cut(1, 2, Cut::Reset);
    // Of very different length, so that offsets alone say nothing.
    for (round, records) in [(0, 7), (1, 2), (2, 1), (3, 9), (4, 3), (5, 2)] {
        let (leads, falls) = if round % 2 == 0 { (1, 2) } else { (2, 1) };
        if round > 0 {
            world.kill(falls);
            if !world.is_up(leads) {
                world.start(leads);
            }
        }
        assert!(world.run_until(8_000, |world| world.leader() == leads), "round {round}");
        world.run(20);
        for record in 0..records {
            world.produce(leads, 1, &format!("r{round}.{record}"));
        }
        world.checkpoint(leads);
    }
    world.heal();
    let truth = world.values(2);
    world.start(1);
    world.run_until(8_000, |world| world.isr().len() == 2);
    world.run(300);
    expect(world.values(2) == truth, "the leader keeps its log", &world)?;
    expect(world.agree(key(0)), "the other takes it over", &world)
}

type Script = fn(Option<Flaw>) -> Result<(), String>;

const SCRIPTS: &[(&str, Script)] = &[
    ("KIP-101, scenario 1", high_watermark_lags_behind),
    ("KIP-101, scenario 2", logs_diverge_after_power_failure),
    ("KIP-279", fast_failovers),
];

#[test]
fn truncation_by_epoch_passes_every_script() {
    for (name, script) in SCRIPTS {
        assert_eq!(script(None), Ok(()), "{name}");
    }
}

#[test]
fn truncation_by_high_watermark_passes_none() {
    for (name, script) in SCRIPTS {
        assert!(script(Some(Flaw::LoseOnTruncation)).is_err(), "{name}");
    }
}

/// The ISR shrinks to one member, which then fails and returns; the others were never elected.
fn last_replica_standing(power: bool) -> (Vec<String>, bool) {
    let mut world = World::new(3, 1, &[], None);
    world.produce(1, -1, "m1");
    [1, 2, 3].into_iter().for_each(|node| world.sync(node));
    world.kill(2);
    world.kill(3);
    assert!(world.run_until(5_000, |world| world.isr().len() == 1));
    world.run(20);
    let second = world.produce(1, -1, "m2");
    assert_eq!(world.reply(second), Some(Ok(1)), "all of one replica");
    if power {
        world.power_cut(1)
    } else {
        world.kill(1)
    }
    world.start(2);
    world.start(3);
    world.run(3_000);
    assert_eq!(world.leader(), super::super::NO_LEADER, "nobody else is clean");
    assert_eq!(world.isr().into_iter().collect::<Vec<_>>(), [1], "the last member stays in the ISR");
    world.start(1);
    assert!(world.run_until(10_000, |world| world.leader() == 1 && world.isr().len() == 3));
    world.run(300);
    (world.values(3), world.agree(key(0)))
}

#[test]
fn the_last_replica_standing_keeps_its_records_through_a_kill() {
    assert_eq!(last_replica_standing(false), (vec!["m1".to_owned(), "m2".to_owned()], true));
}

/// KIP-966's motivation. With ELR this could not happen; it is off here, as in Kafka before it.
#[test]
fn the_last_replica_standing_loses_acknowledged_records_everywhere_in_a_power_failure() {
    assert_eq!(last_replica_standing(true), (vec!["m1".to_owned()], true));
}

/// Before it knows its high watermark a new leader names no latest offset, rather than an older one
/// than clients have seen (KIP-207).
#[test]
fn a_new_leader_names_no_latest_offset_before_it_knows_its_high_watermark() {
    let mut world = World::new(3, 1, &[("min.insync.replicas", "2")], None);
    world.produce(1, -1, "m1");
    world.produce(1, -1, "m2");
    world.cut(2, 3, Cut::Held);
    world.kill(1);
    assert!(world.run_until(5_000, |world| world.leader() == 2));
    world.run(20);
    let offsets = world.broker(2).offsets(key(0), -1).expect("the leader");
    assert_eq!((offsets.latest, offsets.log_end), (Err(Refusal::OffsetNotAvailable), 2));
    world.heal();
    world.run(200);
    let offsets = world.broker(2).offsets(key(0), -1).expect("the leader");
    assert_eq!(offsets.latest, Ok(2));
}
