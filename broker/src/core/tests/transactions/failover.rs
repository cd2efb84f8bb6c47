//! A coordinator may fall in every state: its successor goes on from what was written.

use super::*;
use crate::simulation::Cut;

/// Kills the coordinator, and waits until another one answers.
fn fail_over(world: &mut World) -> i32 {
    let old = world.txn_coordinator(TXN);
    world.kill(old);
    assert!(world.run_until(6_000, |world| {
        let new = world.txn_coordinator(TXN);
        new != old && new > 0
    }));
    world.run(500);
    old
}

#[test]
fn empty_ids_keep_their_epoch() {
    let mut world = world(None, &[]);
    Producer::begin(&mut world, TXN, 70);
    Producer::begin(&mut world, TXN, 70);
    fail_over(&mut world);
    assert_eq!(Producer::begin(&mut world, TXN, 99).producer, (70, 2));
}

#[test]
fn an_open_transaction_goes_on_and_can_time_out() {
    let mut world = world(None, &[]);
    let mut producer = Producer::begin(&mut world, TXN, 70);
    producer.put(&mut world, 0, "~a");
    let old = fail_over(&mut world);
    world.run(3_000);
    producer.put(&mut world, 1, "~b");
    producer.end(&mut world, true).expect("commits");
    world.run(500);
    assert_eq!(
        (committed(&mut world, 0).0, committed(&mut world, 1).0),
        (vec!["~a".into()], vec!["~b".into()])
    );
    producer.put(&mut world, 0, "~c");
    world.start(old);
    world.run(4_000);
    fail_over(&mut world);
    // The time-out counts from the beginning of the transaction, whoever coordinates it.
    world.run(57_000);
    assert_eq!(producer.state(&mut world), TxnState::CompleteAbort);
    assert_eq!(committed(&mut world, 0).0, ["~a"]);
}

/// The decision is written, no marker is: the next coordinator writes them all.
#[test]
fn a_prepared_transaction_is_ended_by_the_next_coordinator() {
    for decision in [true, false] {
        let mut world = world(None, &[]);
        let mut producer = Producer::begin(&mut world, TXN, 70);
        for partition in [0, 1] {
            producer.put(&mut world, partition, "~a");
        }
        let coordinator = world.txn_coordinator(TXN);
        let ask = TxnAsk::End { producer: producer.producer, committed: decision, bump: false, fresh: None };
        let id = world.send_transaction(coordinator, TXN, ask);
        world.settle_without_markers();
        assert_eq!(answered(world.txn_answers.get(&id).cloned()), Ok((70, 0)));
        fail_over(&mut world);
        world.run(3_000);
        let expected = if decision { TxnState::CompleteCommit } else { TxnState::CompleteAbort };
        assert_eq!(producer.state(&mut world), expected);
        for partition in [0, 1] {
            let values = if decision { vec!["~a".to_owned()] } else { Vec::new() };
            assert_eq!(committed(&mut world, partition).0, values);
            assert!(is_stable(&world, partition));
        }
        producer.put(&mut world, 0, "~next");
    }
}

/// A decision that never left its coordinator is none: the successor still has the transaction open.
#[test]
fn a_decision_that_was_not_replicated_is_not_made() {
    let mut world = world(None, &[]);
    let mut producer = Producer::begin(&mut world, TXN, 70);
    producer.put(&mut world, 0, "~a");
    let coordinator = world.txn_coordinator(TXN);
    world.isolate(coordinator, Cut::Held);
    let ask = TxnAsk::End { producer: producer.producer, committed: true, bump: false, fresh: None };
    let id = world.send_transaction(coordinator, TXN, ask);
    world.settle();
    assert_eq!(world.txn_answers.get(&id), None);
    assert!(world.run_until(6_000, |world| world.txn_coordinator(TXN) != coordinator));
    world.run(500);
    assert_eq!(producer.state(&mut world), TxnState::Ongoing);
    producer.end(&mut world, false).expect("aborts");
    world.heal();
    world.run(6_000);
    assert_eq!(world.txn_answers.get(&id), Some(&TxnAnswer::Producer(Err(Refusal::NotCoordinator))));
    assert_eq!(committed(&mut world, 0).0, [""; 0]);
    assert!(is_stable(&world, 0));
    assert_eq!(producer.state(&mut world), TxnState::CompleteAbort);
}

#[test]
fn complete_transactions_stay_complete() {
    let mut world = world(None, &[]);
    let mut producer = Producer::begin(&mut world, TXN, 70);
    producer.put(&mut world, 0, "~a");
    producer.end(&mut world, true).expect("commits");
    world.run(100);
    fail_over(&mut world);
    world.run(2_000);
    assert_eq!(producer.state(&mut world), TxnState::CompleteCommit);
    assert_eq!(producer.end(&mut world, true), Ok((70, 0)));
    assert_eq!(producer.end(&mut world, false), Err(Refusal::InvalidTxnState));
    producer.put(&mut world, 0, "~b");
    producer.end(&mut world, true).expect("commits");
    world.run(500);
    assert_eq!(committed(&mut world, 0).0, ["~a", "~b"]);
}

/// A new producer was about to take over: the abort goes on, the epoch it took is not lost.
#[test]
fn a_fence_survives_its_coordinator() {
    let mut world = world(None, &[]);
    let mut old = Producer::begin(&mut world, TXN, 70);
    old.put(&mut world, 0, "~a");
    assert_eq!(init(&mut world, TXN, None, 71), Err(Refusal::ConcurrentTransactions));
    fail_over(&mut world);
    world.run(2_000);
    assert_eq!(old.end(&mut world, true), Err(Refusal::ProducerFenced));
    assert_eq!(init(&mut world, TXN, None, 71), Ok((70, 2)));
    assert_eq!(committed(&mut world, 0).0, [""; 0]);
}

#[test]
fn whoever_does_not_coordinate_says_so() {
    let mut world = world(None, &[]);
    Producer::begin(&mut world, TXN, 70);
    let coordinator = world.txn_coordinator(TXN);
    let other = world.nodes().into_iter().find(|node| *node != coordinator).expect("another");
    let id = world.send_transaction(other, TXN, TxnAsk::Describe);
    world.settle();
    assert_eq!(world.txn_answers.get(&id), Some(&TxnAnswer::Described(Err(Refusal::NotCoordinator))));
}
