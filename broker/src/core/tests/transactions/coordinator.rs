//! The coordinator's side: fencing, time-outs, expiry, and what may happen while a transaction is being ended.

use super::*;
use crate::simulation::Cut;

#[test]
fn a_new_producer_fences_the_old_one_and_aborts_what_it_had_open() {
    let mut world = world(None, &[]);
    let mut old = Producer::begin(&mut world, TXN, 70);
    old.put(&mut world, 0, "~old");
    assert_eq!(init(&mut world, TXN, None, 71), Err(Refusal::ConcurrentTransactions), "aborting first");
    world.run(50);
    let mut new = Producer::begin(&mut world, TXN, 72);
    assert_eq!(new.producer, (70, 2), "one epoch for the abort, one for the producer");
    assert_eq!(old.write(&mut world, 0, "~zombie"), Err(Refusal::InvalidProducerEpoch));
    assert_eq!(old.add(&mut world, 1), Some(Refusal::ProducerFenced));
    assert_eq!(old.end(&mut world, true), Err(Refusal::ProducerFenced));
    new.put(&mut world, 0, "~new");
    new.end(&mut world, true).expect("commits");
    assert_eq!(committed(&mut world, 0).0, ["~new"]);
}

#[test]
fn a_transaction_that_is_open_for_too_long_is_aborted_and_its_producer_fenced() {
    let mut world = world(None, &[]);
    let ask = TxnAsk::Init { timeout_ms: 500, expected: None, fresh: Some(70) };
    let producer = answered(world.ask_transaction(TXN, ask)).expect("begins");
    let mut producer =
        Producer { id: TXN.to_owned(), producer, sequences: BTreeMap::new(), manner: TxnManner::Plain };
    producer.put(&mut world, 0, "~slow");
    world.run(400);
    assert_eq!(producer.state(&mut world), TxnState::Ongoing);
    world.run(400);
    assert_eq!(producer.state(&mut world), TxnState::CompleteAbort);
    assert_eq!(committed(&mut world, 0), (vec![], 2));
    assert_eq!(producer.end(&mut world, true), Err(Refusal::ProducerFenced));
    // A producer that goes on after an error does so under the epoch it knows, which is not the last any more.
    assert_eq!(init(&mut world, TXN, Some(producer.producer), 71), Err(Refusal::ProducerFenced));
}

#[test]
fn time_outs_have_bounds() {
    let mut world = world(None, &[("transaction.max.timeout.ms", "1000")]);
    for (timeout_ms, legal) in [(0, false), (-1, false), (1, true), (1_000, true), (1_001, false)] {
        let ask = TxnAsk::Init { timeout_ms, expected: None, fresh: Some(70) };
        let answer = answered(world.ask_transaction("bounds", ask));
        assert_eq!(answer.is_ok(), legal, "{timeout_ms}: {answer:?}");
    }
}

#[test]
fn an_id_without_a_producer_id_at_hand_asks_for_one_and_an_existing_one_does_not() {
    let mut world = world(None, &[]);
    let ask = || TxnAsk::Init { timeout_ms: 1_000, expected: None, fresh: None };
    assert_eq!(world.ask_transaction(TXN, ask()), Some(TxnAnswer::NeedsProducerId));
    Producer::begin(&mut world, TXN, 70);
    assert_eq!(world.ask_transaction(TXN, ask()), Some(TxnAnswer::Producer(Ok((70, 1)))));
}

#[test]
fn an_id_that_nobody_uses_is_forgotten() {
    let mut world = world(None, &[("transactional.id.expiration.ms", "2000")]);
    let mut producer = Producer::begin(&mut world, TXN, 70);
    producer.put(&mut world, 0, "~a");
    world.run(3_000);
    producer.end(&mut world, true).expect("an open transaction does not expire");
    world.run(1_000);
    assert_eq!(producer.add(&mut world, 0), None);
    producer.end(&mut world, true).expect("commits");
    world.run(3_000);
    assert_eq!(describe(&mut world, TXN), Err(Refusal::TransactionalIdNotFound));
    assert_eq!(producer.add(&mut world, 0), Some(Refusal::InvalidProducerIdMapping));
    assert_eq!(Producer::begin(&mut world, TXN, 90).producer, (90, 0));
    // A tombstone is there for the next coordinator too.
    let coordinator = world.txn_coordinator(TXN);
    world.kill(coordinator);
    assert!(world.run_until(6_000, |world| world.txn_coordinator(TXN) != coordinator));
    world.run(500);
    assert_eq!(describe(&mut world, TXN).expect("known").producer, (90, 0));
}

/// Between the decision and its last marker nothing new begins, and the decision cannot be changed.
#[test]
fn while_markers_are_on_their_way_everything_else_waits() {
    let mut world = world(None, &[]);
    let mut producer = Producer::begin(&mut world, TXN, 70);
    producer.put(&mut world, 0, "~a");
    let coordinator = world.txn_coordinator(TXN);
    let ask = |world: &mut World, ask| {
        let id = world.send_transaction(coordinator, TXN, ask);
        world.settle_without_markers();
        world.txn_answers.get(&id).cloned()
    };
    let end = |committed| TxnAsk::End { producer: (70, 0), committed, bump: false, fresh: None };
    assert_eq!(answered(ask(&mut world, end(true))), Ok((70, 0)), "decided");
    let Some(TxnAnswer::Described(Ok(described))) = ask(&mut world, TxnAsk::Describe) else { panic!() };
    assert_eq!(described.state, TxnState::PrepareCommit);
    assert_eq!(committed(&mut world, 0), (vec![], 0));
    let add = TxnAsk::Add { producer: (70, 0), places: vec![place(1)], verify_only: false };
    let concurrent = Refusal::ConcurrentTransactions;
    assert_eq!(ask(&mut world, add), Some(TxnAnswer::Places(vec![Some(concurrent)])));
    assert_eq!(answered(ask(&mut world, end(true))), Err(concurrent));
    assert_eq!(answered(ask(&mut world, end(false))), Err(Refusal::InvalidTxnState));
    let init = TxnAsk::Init { timeout_ms: 1_000, expected: None, fresh: Some(71) };
    assert_eq!(answered(ask(&mut world, init)), Err(concurrent));
    world.run(50);
    assert_eq!(producer.state(&mut world), TxnState::CompleteCommit);
    assert_eq!(committed(&mut world, 0).0, ["~a"]);
    assert_eq!(producer.end(&mut world, true), Ok((70, 0)), "said again");
    assert_eq!(producer.end(&mut world, false), Err(Refusal::InvalidTxnState));
}

#[test]
fn a_decision_is_answered_when_it_is_durable_and_not_before() {
    let mut world = world(None, &[]);
    let mut producer = Producer::begin(&mut world, TXN, 70);
    producer.put(&mut world, 0, "~a");
    let coordinator = world.txn_coordinator(TXN);
    for node in world.nodes() {
        if node != coordinator {
            world.cut(coordinator, node, Cut::Held);
        }
    }
    let ask = TxnAsk::End { producer: producer.producer, committed: true, bump: false, fresh: None };
    let id = world.send_transaction(coordinator, TXN, ask);
    world.settle();
    assert_eq!(world.txn_answers.get(&id), None);
    world.heal();
    world.run(50);
    assert_eq!(world.txn_answers.get(&id), Some(&TxnAnswer::Producer(Ok((70, 0)))));
}

#[test]
fn partitions_of_a_deleted_topic_do_not_keep_a_transaction_open() {
    let mut world = world(None, &[]);
    let mut producer = Producer::begin(&mut world, TXN, 70);
    producer.put(&mut world, 0, "~a");
    let (id, partition) = (crate::simulation::TOPIC, 0);
    let message = ToController::Admin { request: 2, op: AdminOp::DeleteTopic { id } };
    world.control(ControllerInput::Message { connection: 0, message });
    world.run(100);
    assert_eq!(
        world.broker(1).offsets(PartitionKey { topic: id, partition }, -1).map(|_| ()),
        Err(Refusal::UnknownTopicId)
    );
    producer.end(&mut world, true).expect("commits");
    world.run(50);
    assert_eq!(producer.state(&mut world), TxnState::CompleteCommit);
}

/// Transaction version 2: partitions join with their first record, the epoch goes up with every end, and a
/// repeated end is known by it.
#[test]
fn version_2_adds_with_the_first_record_and_raises_the_epoch_with_every_end() {
    let mut world = world(None, &[("transaction.version", "2")]);
    let mut producer = Producer::begin(&mut world, TXN, 70);
    producer.manner = TxnManner::Implicit;
    producer.write(&mut world, 0, "~a").expect("opens");
    producer.write(&mut world, 0, "~b").expect("goes on");
    assert_eq!(describe(&mut world, TXN).expect("known").places, [place(0)]);
    assert_eq!(producer.end(&mut world, true), Ok((70, 1)));
    world.run(50);
    assert_eq!(producer.end(&mut world, true), Ok((70, 1)), "said again");
    assert_eq!(producer.write(&mut world, 0, "~late"), Err(Refusal::InvalidProducerEpoch));
    producer.producer = (70, 1);
    producer.sequences.clear();
    producer.write(&mut world, 0, "~c").expect("opens");
    assert_eq!(producer.end(&mut world, false), Ok((70, 2)));
    world.run(50);
    assert_eq!(committed(&mut world, 0).0, ["~a", "~b"]);
    producer.producer = (70, 2);
    assert_eq!(producer.end(&mut world, false), Ok((70, 3)), "nothing was sent");
    assert_eq!(producer.end(&mut world, true), Err(Refusal::InvalidTxnState));
}

#[test]
fn what_cannot_be_written_changes_nothing_and_may_be_asked_again() {
    let mut world = world(None, &[]);
    let mut producer = Producer::begin(&mut world, TXN, 70);
    producer.put(&mut world, 0, "~a");
    let coordinator = world.txn_coordinator(TXN);
    let others: Vec<i32> = world.nodes().into_iter().filter(|node| *node != coordinator).collect();
    others.iter().for_each(|node| world.kill(*node));
    world.run(4_000);
    assert_eq!(producer.end(&mut world, true), Err(Refusal::CoordinatorNotAvailable), "the ISR is too small");
    others.iter().for_each(|node| world.start(*node));
    world.run(4_000);
    assert_eq!(producer.state(&mut world), TxnState::Ongoing);
    producer.end(&mut world, true).expect("commits");
    world.run(500);
    assert_eq!(committed(&mut world, 0).0, ["~a"]);
}
