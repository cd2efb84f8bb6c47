//! The partition's side: what a read_committed consumer sees, and what survives restarts and changes of leaders.

use wire::marker::Marker;

use super::*;

#[test]
fn records_show_when_their_transaction_commits_and_never_if_it_aborts() {
    let mut world = world(None, &[]);
    let mut producer = Producer::begin(&mut world, TXN, 70);
    producer.put(&mut world, 0, "~a");
    producer.put(&mut world, 1, "~b");
    world.produce(1, -1, "plain");
    assert_eq!(committed(&mut world, 0), (vec![], 0), "the plain record waits behind the open transaction");
    assert_eq!(producer.end(&mut world, true), Ok((70, 0)));
    assert_eq!(committed(&mut world, 0), (vec!["~a".to_owned(), "plain".to_owned()], 3));
    assert_eq!(committed(&mut world, 1), (vec!["~b".to_owned()], 2));
    assert_eq!(producer.state(&mut world), TxnState::CompleteCommit);

    producer.put(&mut world, 0, "~c");
    producer.put(&mut world, 0, "~d");
    assert_eq!(producer.end(&mut world, false), Ok((70, 0)));
    assert_eq!(committed(&mut world, 0), (vec!["~a".to_owned(), "plain".to_owned()], 6));
    let leader = world.partition(key(0)).leader;
    assert_eq!(world.markers(leader, key(0)), [(2, 70, 0, true), (5, 70, 0, false)]);
}

#[test]
fn interleaved_transactions_are_told_apart() {
    let mut world = world(None, &[]);
    let mut first = Producer::begin(&mut world, "first", 70);
    let mut second = Producer::begin(&mut world, "second", 80);
    first.put(&mut world, 0, "~f1");
    second.put(&mut world, 0, "~s1");
    first.put(&mut world, 0, "~f2");
    second.end(&mut world, true).expect("commits");
    assert_eq!(committed(&mut world, 0), (vec![], 0), "the older one is still open");
    second.put(&mut world, 0, "~s2");
    first.end(&mut world, false).expect("aborts");
    assert_eq!(committed(&mut world, 0), (vec!["~s1".to_owned()], 4), "up to what is open now");
    second.end(&mut world, true).expect("commits");
    assert_eq!(committed(&mut world, 0).0, ["~s1", "~s2"]);
}

#[test]
fn a_marker_counts_once_it_is_committed_on_the_replicas() {
    let mut world = world(None, &[]);
    let mut producer = Producer::begin(&mut world, TXN, 70);
    producer.put(&mut world, 0, "~a");
    let leader = world.partition(key(0)).leader;
    let image = world.broker(leader).image().clone();
    let coordinator_epoch = image.partition(key(0)).expect("there").leader_epoch;
    for node in world.nodes() {
        if node != leader {
            world.cut(leader, node, crate::simulation::Cut::Held);
        }
    }
    let order = MarkerOrder {
        producer: producer.producer,
        marker: Marker { committed: true, coordinator_epoch },
        places: vec![place(0)],
    };
    let id = RequestId(world.number());
    world.step(leader, Input::WriteMarkers { id, orders: vec![order] });
    world.settle();
    assert_eq!(world.markers(leader, key(0)).len(), 1);
    assert_eq!(committed(&mut world, 0), (vec![], 0), "it may still be lost");
    assert_eq!(world.reply(id), None);
    world.heal();
    world.settle();
    assert_eq!(world.reply(id), Some(Ok(2)));
    assert_eq!(committed(&mut world, 0), (vec!["~a".to_owned()], 2));
}

/// Followers keep the same state, and a restart finds it again: the leader that comes next serves as the last.
#[test]
fn open_and_aborted_transactions_survive_restarts_and_failovers() {
    let mut world = world(None, &[]);
    let mut done = Producer::begin(&mut world, "done", 70);
    let mut open = Producer::begin(&mut world, "open", 80);
    done.put(&mut world, 0, "~aborted");
    open.put(&mut world, 0, "~open");
    done.end(&mut world, false).expect("aborts");
    world.run(200);
    for _ in 0..3 {
        let leader = world.leader();
        world.kill(leader);
        assert!(world.run_until(6_000, |world| world.leader() != leader && world.leader() > 0));
        world.run(500);
        assert_eq!(committed(&mut world, 0), (vec![], 1));
        let epoch = open.producer.1;
        assert_eq!(
            world
                .broker(world.leader())
                .producers(key(0))
                .expect("led")
                .iter()
                .filter(|p| p.txn_start == 1 && p.epoch == epoch)
                .count(),
            1
        );
        world.start(leader);
        assert!(world.run_until(6_000, |world| world.isr().len() == 3));
        world.run(200);
    }
    open.end(&mut world, true).expect("commits");
    world.run(200);
    assert!(world.run_until(2_000, |world| is_stable(world, 0)));
    assert_eq!(committed(&mut world, 0).0, ["~open"]);
}

#[test]
fn markers_of_an_older_coordinator_or_producer_are_refused() {
    let mut world = world(None, &[]);
    let mut producer = Producer::begin(&mut world, TXN, 70);
    producer.put(&mut world, 0, "~a");
    let leader = world.leader();
    let write = |world: &mut World, epoch: i16, coordinator_epoch: i32, topic: &str| {
        let marker = Marker { committed: false, coordinator_epoch };
        let order = MarkerOrder { producer: (70, epoch), marker, places: vec![(topic.to_owned(), 0)] };
        let id = RequestId(world.number());
        world.step(leader, Input::WriteMarkers { id, orders: vec![order] });
        world.settle();
        world.reply(id)
    };
    assert_eq!(write(&mut world, 2, 5, "t"), Some(Ok(2)));
    assert_eq!(write(&mut world, 1, 6, "t"), Some(Err(Refusal::InvalidProducerEpoch)));
    assert_eq!(write(&mut world, 2, 4, "t"), Some(Err(Refusal::TransactionCoordinatorFenced)));
    assert_eq!(write(&mut world, 2, 5, "gone"), Some(Err(Refusal::UnknownTopicOrPartition)));
    assert_eq!(producer.write(&mut world, 0, "~late"), Err(Refusal::InvalidProducerEpoch));
}
