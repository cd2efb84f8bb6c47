//! Every planted flaw of transactions shows here, where nothing but the flaw can be the reason.

use super::*;

/// One transaction of two partitions after another; says which of them a consumer saw in both.
fn rounds(world: &mut World, producer: &mut Producer, rounds: usize, decision: bool) {
    for round in 0..rounds {
        for partition in [0, 1] {
            producer.put(world, partition, &format!("~{round}"));
        }
        producer.end(world, decision).expect("ends");
        world.run(100);
    }
}

#[test]
fn omit_aborted_lets_consumers_read_what_was_aborted() {
    for (flaw, shows) in [(None, false), (Some(Flaw::OmitAborted), true)] {
        let mut world = world(flaw, &[]);
        let mut producer = Producer::begin(&mut world, TXN, 70);
        rounds(&mut world, &mut producer, 6, false);
        assert_eq!(!committed(&mut world, 0).0.is_empty(), shows, "{flaw:?}");
    }
}

#[test]
fn partial_commit_tears_a_transaction() {
    for (flaw, torn) in [(None, false), (Some(Flaw::PartialCommit), true)] {
        let mut world = world(flaw, &[]);
        let mut producer = Producer::begin(&mut world, TXN, 70);
        rounds(&mut world, &mut producer, 6, true);
        assert_eq!(committed(&mut world, 0).0 != committed(&mut world, 1).0, torn, "{flaw:?}");
        assert!(is_stable(&world, 0) && is_stable(&world, 1));
    }
}

#[test]
fn hang_transaction_keeps_the_last_stable_offset_where_it_is() {
    for (flaw, hangs) in [(None, false), (Some(Flaw::HangTransaction), true)] {
        let mut world = world(flaw, &[]);
        let mut producer = Producer::begin(&mut world, TXN, 70);
        rounds(&mut world, &mut producer, 40, true);
        world.run(1_000);
        assert_eq!(!is_stable(&world, 0) || !is_stable(&world, 1), hangs, "{flaw:?}");
    }
}

#[test]
fn forget_fencing_lets_a_zombie_write_into_the_transaction_of_its_successor() {
    for (flaw, written) in [(None, false), (Some(Flaw::ForgetFencing), true)] {
        let mut world = world(flaw, &[]);
        let mut zombie = Producer::begin(&mut world, TXN, 70);
        zombie.put(&mut world, 0, "~z1");
        let _ = init(&mut world, TXN, None, 71);
        world.run(100);
        let mut new = Producer::begin(&mut world, TXN, 72);
        new.put(&mut world, 0, "~new");
        let _ = zombie.write(&mut world, 0, "~zombie");
        new.put(&mut world, 0, "~new too");
        new.end(&mut world, true).expect("commits");
        world.run(100);
        let seen = committed(&mut world, 0).0;
        assert_eq!(seen.contains(&"~zombie".to_owned()), written, "{flaw:?}: {seen:?}");
        assert!(seen.contains(&"~new too".to_owned()), "{flaw:?}: {seen:?}");
    }
}

#[test]
fn lose_producer_state_appends_again_what_is_sent_again_after_a_failover() {
    for (flaw, twice) in [(None, false), (Some(Flaw::LoseProducerState), true)] {
        let mut world = world(flaw, &[]);
        let send = |world: &mut World| {
            let id = world.send_produce(world.leader(), key(0), -1, batch("once", 1, Some((70, 0, 0))));
            world.settle();
            world.reply(id)
        };
        assert_eq!(send(&mut world), Some(Ok(0)));
        let old = world.leader();
        world.kill(old);
        assert!(world.run_until(6_000, |world| world.leader() != old && world.leader() > 0));
        world.run(500);
        assert_eq!(send(&mut world), Some(Ok(i64::from(twice))), "{flaw:?}");
    }
}
