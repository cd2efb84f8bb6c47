//! KIP-890: records that belong to no open transaction are refused by the leader, with the coordinator's help.

use super::*;
use crate::simulation::Cut;

#[test]
fn a_record_without_its_partition_in_the_transaction_is_refused() {
    let mut world = world(None, &[]);
    let mut producer = Producer::begin(&mut world, TXN, 70);
    assert_eq!(producer.write(&mut world, 0, "~early"), Err(Refusal::InvalidTxnState));
    producer.manner = TxnManner::Abortable;
    assert_eq!(producer.write(&mut world, 0, "~early"), Err(Refusal::TransactionAbortable));
    producer.put(&mut world, 0, "~in");
    assert_eq!(producer.write(&mut world, 1, "~elsewhere"), Err(Refusal::TransactionAbortable));
    producer.end(&mut world, true).expect("commits");
    // The late batch of KIP-890: without verification it would open a transaction that nobody ends.
    assert_eq!(producer.write(&mut world, 0, "~late"), Err(Refusal::TransactionAbortable));
    assert!(is_stable(&world, 0));
    assert_eq!(committed(&mut world, 0).0, ["~in"]);
}

#[test]
fn without_verification_a_late_batch_hangs_the_partition() {
    let mut world = world(None, &[("transaction.partition.verification.enable", "false")]);
    let mut producer = Producer::begin(&mut world, TXN, 70);
    producer.put(&mut world, 0, "~in");
    producer.end(&mut world, true).expect("commits");
    producer.write(&mut world, 0, "~late").expect("taken");
    world.run(70_000);
    assert!(!is_stable(&world, 0), "beyond every time-out");
    let hanging = world.broker(world.leader()).producers(key(0)).expect("led");
    assert_eq!(hanging[0].txn_start, 2, "which DescribeProducers shows");
}

#[test]
fn a_record_without_a_transactional_id_is_in_no_transaction() {
    let mut world = world(None, &[]);
    let producer = Producer::begin(&mut world, TXN, 70);
    assert_eq!(producer.add(&mut world, 0), None);
    let id = world.send_produce(world.leader(), key(0), -1, batch("~x", 1, Some((70, 0, 0))));
    world.settle();
    assert_eq!(world.reply(id), Some(Err(Refusal::InvalidTxnState)));
}

/// A leader that cannot ask says what makes a client try again.
#[test]
fn a_coordinator_that_does_not_answer_is_not_the_producers_fault() {
    let mut world = world(None, &[]);
    let mut names = (0..).map(|n| format!("app-{n}"));
    let leader = world.leader();
    let id = names.find(|id| world.txn_coordinator(id) != leader).expect("some");
    let mut producer = Producer::begin(&mut world, &id, 70);
    assert_eq!(producer.add(&mut world, 0), None);
    let coordinator = world.txn_coordinator(&id);
    world.cut(leader, coordinator, Cut::Reset);
    assert_eq!(producer.write(&mut world, 0, "~a"), Err(Refusal::NotEnoughReplicas));
    world.heal();
    world.cut(leader, coordinator, Cut::Held);
    let held = producer.send(&mut world, leader, 0, "~a");
    world.settle();
    assert_eq!(world.reply(held), None);
    world.run(5_100);
    assert!(world.reply(held).is_some_and(|reply| reply.is_err()), "no longer than the client waits");
    world.heal();
    world.run(3_000);
    producer.write(&mut world, 0, "~a").expect("written");
    producer.end(&mut world, true).expect("commits");
    world.run(50);
    assert_eq!(committed(&mut world, 0).0, ["~a"]);
}

/// The answer is about the moment it was given: a marker that came in between makes it void.
#[test]
fn an_answer_older_than_the_end_of_the_transaction_counts_for_nothing() {
    let mut world = world(None, &[]);
    let leader = world.leader();
    let id = (0..).map(|n| format!("app-{n}")).find(|id| world.txn_coordinator(id) != leader).expect("some");
    let producer = Producer::begin(&mut world, &id, 70);
    assert_eq!(producer.add(&mut world, 0), None);
    let late = producer.send(&mut world, leader, 0, "~late");
    let coordinator = world.txn_coordinator(&id);
    // The question arrives and is answered; the answer stays on its way.
    let to_coordinator =
        |channel: &&crate::simulation::Channel| channel.1 == coordinator && channel.0 == leader;
    let channel = *world
        .open_channels()
        .iter()
        .find(|channel| channel.1 == leader && channel.0 < 0)
        .expect("the produce");
    world.deliver(channel);
    let channel = *world.open_channels().iter().rfind(to_coordinator).expect("the question");
    world.deliver(channel);
    assert_eq!(world.reply(late), None);
    let marker = wire::marker::Marker { committed: false, coordinator_epoch: 0 };
    let order = MarkerOrder { producer: producer.producer, marker, places: vec![place(0)] };
    let request = RequestId(world.number());
    world.step(leader, Input::WriteMarkers { id: request, orders: vec![order] });
    world.settle();
    assert_eq!(world.reply(late), Some(Err(Refusal::InvalidTxnState)));
    assert!(is_stable(&world, 0));
}

/// Batches of one producer that are verified together are appended in their order.
#[test]
fn a_pipeline_keeps_its_order_through_verification() {
    let mut world = world(None, &[]);
    let mut producer = Producer::begin(&mut world, TXN, 70);
    assert_eq!(producer.add(&mut world, 0), None);
    let leader = world.leader();
    let mut sent = Vec::new();
    for at in 0..3 {
        let batch = batch(&format!("~{at}"), 1, Some((70, 0, at)));
        let request = ProduceRequest {
            id: RequestId(world.number()),
            acks: -1,
            timeout_ms: 5_000,
            transaction: Some((TXN.to_owned(), TxnManner::Plain)),
            partitions: vec![ProducePartition { key: key(0), batch, refusal: None, stamped_ms: -1 }],
        };
        sent.push(request.id);
        world.step(leader, Input::Produce(request));
    }
    world.settle();
    let offsets: Vec<_> = sent.iter().map(|id| world.reply(*id)).collect();
    assert_eq!(offsets, [Some(Ok(0)), Some(Ok(1)), Some(Ok(2))]);
    producer.sequences.insert(0, 3);
    producer.put(&mut world, 0, "~3");
}

/// Offsets committed in a transaction are verified too: their partition of `__consumer_offsets` must be in it.
#[test]
fn offsets_of_a_transaction_need_their_partition_in_it() {
    let mut world = world(None, &[]);
    let producer = Producer::begin(&mut world, TXN, 70);
    let commit = |world: &mut World| offsets(world, &producer);
    assert_eq!(commit(&mut world), Refusal::InvalidTxnState.code());
    let image = world.controller.snapshot().image.clone();
    let partition = InternalTopic::ConsumerOffsets.partition_of(&image, "group").expect("there").partition;
    let places = vec![(InternalTopic::ConsumerOffsets.name().to_owned(), partition)];
    let ask = TxnAsk::Add { producer: producer.producer, places, verify_only: false };
    assert_eq!(world.ask_transaction(TXN, ask), Some(TxnAnswer::Places(vec![None])));
    assert_eq!(commit(&mut world), 0);
    assert_eq!(committed_offset(&mut world), Err(88), "UNSTABLE_OFFSET_COMMIT while it is open");
    producer.end(&mut world, true).expect("commits");
    world.run(50);
    assert_eq!(committed_offset(&mut world), Ok(41));
}

fn ask_group(world: &mut World, ask: GroupAsk) -> GroupAnswer {
    let image = world.controller.snapshot().image.clone();
    let key = InternalTopic::ConsumerOffsets.partition_of(&image, "group").expect("there");
    let leader = image.partition(key).expect("there").leader;
    let id = RequestId(world.number());
    let caller =
        Caller { client_id: "c".to_owned(), client_host: "/h".to_owned(), version: 3, fresh: Uuid([4; 16]) };
    world.step(
        leader,
        Input::Group { id, request: Box::new(GroupRequest { group: "group".to_owned(), caller, ask }) },
    );
    world.settle();
    world.answers.remove(&id).expect("answered")
}

fn offsets(world: &mut World, producer: &Producer) -> i16 {
    use kafka_protocol::messages::txn_offset_commit_request::{
        TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
    };
    use kafka_protocol::messages::{GroupId, ProducerId, TopicName, TransactionalId, TxnOffsetCommitRequest};
    let partition = TxnOffsetCommitRequestPartition::default().with_committed_offset(41);
    let topic = TxnOffsetCommitRequestTopic::default()
        .with_name(TopicName("t".into()))
        .with_partitions(vec![partition]);
    let request = TxnOffsetCommitRequest::default()
        .with_transactional_id(TransactionalId(TXN.into()))
        .with_group_id(GroupId("group".into()))
        .with_producer_id(ProducerId(producer.producer.0))
        .with_producer_epoch(producer.producer.1)
        .with_generation_id(-1)
        .with_topics(vec![topic]);
    match ask_group(world, GroupAsk::TxnCommit(request)) {
        GroupAnswer::TxnCommit(response) => response.topics[0].partitions[0].error_code,
        other => panic!("{other:?}"),
    }
}

fn committed_offset(world: &mut World) -> Result<i64, i16> {
    use kafka_protocol::messages::TopicName;
    use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
    let topic =
        OffsetFetchRequestTopics::default().with_name(TopicName("t".into())).with_partition_indexes(vec![0]);
    let wanted = OffsetFetchRequestGroup::default()
        .with_group_id(kafka_protocol::messages::GroupId("group".into()))
        .with_member_epoch(-1)
        .with_topics(Some(vec![topic]));
    match ask_group(world, GroupAsk::Fetch { wanted, require_stable: true }) {
        GroupAnswer::Fetch(group) => {
            let one = &group.topics[0].partitions[0];
            if one.error_code == 0 { Ok(one.committed_offset) } else { Err(one.error_code) }
        }
        other => panic!("{other:?}"),
    }
}
