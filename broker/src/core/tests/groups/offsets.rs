//! Offsets: who may commit, what is fetched, and what goes.

use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{OffsetDeleteRequest, ProducerId, TopicName, TxnOffsetCommitRequest};

use super::{Client, text, world};
use crate::core::{GroupAnswer, GroupAsk, RequestId};
use crate::flaws::Flaw;
use crate::simulation::{Cut, World};

#[test]
fn a_commit_is_answered_when_it_is_replicated_and_fetched_not_before() {
    let mut world = world(3, None, &[]);
    let nobody = Client::new();
    assert_eq!(world.position(0, false), Ok(-1));
    let coordinator = world.coordinator();
    let follower = world.nodes().into_iter().find(|node| *node != coordinator).expect("another");
    world.cut(coordinator, follower, Cut::Held);
    let commit = world.commit(&nobody, 0, 7);
    assert_eq!(world.committed(commit), None);
    assert_eq!(world.position(0, false), Ok(-1), "it may still be lost");
    world.heal();
    world.settle();
    assert_eq!(world.committed(commit), Some(0));
    assert_eq!(world.position(0, false), Ok(7));
    let back = world.commit(&nobody, 0, 3);
    assert_eq!(world.committed(back), Some(0), "going back is legal");
    assert_eq!(world.position(0, false), Ok(3));
}

#[test]
fn a_commit_that_takes_too_long_says_so_and_may_count_later() {
    let mut world = world(3, None, &[("offsets.commit.timeout.ms", "500")]);
    let coordinator = world.coordinator();
    world.isolate(coordinator, Cut::Held);
    let id = world.ask_at(coordinator, 8, World::commit_request(&Client::new(), 0, 7));
    world.run(450);
    assert_eq!(world.committed(id), None);
    world.run(100);
    // COORDINATOR_NOT_AVAILABLE
    assert_eq!(world.committed(id), Some(15));
    world.heal();
    world.run(200);
    assert_eq!(world.position(0, false), Ok(7), "its fate was unknown, not failed");
}

#[test]
fn only_members_of_this_generation_commit() {
    let mut world = world(1, None, &[]);
    let (one, two) = world.pair();
    let code = |world: &mut World, client: &Client| {
        let id = world.commit(client, 0, 1);
        world.committed(id)
    };
    assert_eq!(code(&mut world, &one), Some(0));
    let past = Client { generation: 0, ..one.clone() };
    assert_eq!(code(&mut world, &past), Some(22));
    assert_eq!(code(&mut world, &Client::new()), Some(25), "nobody commits past the members");
    let stranger = Client { member: "m".to_owned(), generation: 1, ..Client::new() };
    assert_eq!(code(&mut world, &stranger), Some(25));
    // While the others are asked to join again, what was processed can still be committed.
    world.leave(&two.member, None);
    assert_eq!(world.heartbeat(&one), 27);
    assert_eq!(code(&mut world, &one), Some(0));
    let mut one = one;
    let first = world.enter(&mut one, &[("range", "m")]);
    world.entered(&mut one, first);
    assert_eq!(code(&mut world, &one), Some(27), "joined, and not yet told what is its own");
    world.leave(&one.member, None);
    assert_eq!(code(&mut world, &Client::new()), Some(0), "nobody is left");
    let ghost = Client { generation: 9, member: "m".to_owned(), ..Client::new() };
    assert_eq!(code(&mut world, &ghost), Some(25));
}

#[test]
fn a_generation_without_a_group_is_illegal() {
    let mut world = world(1, None, &[]);
    let ghost = Client { generation: 3, member: "m".to_owned(), ..Client::new() };
    let id = world.commit(&ghost, 0, 1);
    assert_eq!(world.committed(id), Some(22));
    let id = world.ask(9, World::commit_request(&ghost, 0, 1));
    assert_eq!(world.committed(id), Some(69), "since version 9");
    assert_eq!(world.describe_group().error_code, 69, "and none has come into being");
}

#[test]
fn a_note_that_is_too_long_is_refused() {
    let mut world = world(1, None, &[("offset.metadata.max.bytes", "3")]);
    let id = world.commit(&Client::new(), 0, 1);
    // OFFSET_METADATA_TOO_LARGE
    assert_eq!(world.committed(id), Some(12));
}

fn delete_offset(world: &mut World) -> GroupAnswer {
    let partition = OffsetDeleteRequestPartition::default().with_partition_index(0);
    let topic =
        OffsetDeleteRequestTopic::default().with_name(TopicName(text("t"))).with_partitions(vec![partition]);
    let id = world.ask(0, GroupAsk::DeleteOffsets(OffsetDeleteRequest::default().with_topics(vec![topic])));
    world.answers[&id].clone()
}

fn delete_group(world: &mut World) -> i16 {
    let id = world.ask(2, GroupAsk::Delete);
    match world.answers[&id] {
        GroupAnswer::Delete(code) => code,
        ref other => panic!("{other:?} is no answer to DeleteGroups"),
    }
}

#[test]
fn a_group_with_members_is_not_deleted_and_an_empty_one_is_for_good() {
    let mut world = world(3, None, &[]);
    let (one, two) = world.pair();
    world.commit(&one, 0, 5);
    // NON_EMPTY_GROUP
    assert_eq!(delete_group(&mut world), 68);
    world.leave(&one.member, None);
    world.leave(&two.member, None);
    assert_eq!(delete_group(&mut world), 0);
    assert_eq!(delete_group(&mut world), 69);
    assert_eq!(world.position(0, false), Ok(-1));
    let old = world.coordinator();
    world.kill(old);
    assert!(world.run_until(5_000, |world| ![old, -1].contains(&world.coordinator())));
    world.run(200);
    assert_eq!(world.position(0, false), Ok(-1), "its tombstones are in the log");
    assert_eq!(world.describe_group().error_code, 69);
}

#[test]
fn single_offsets_are_deleted_unless_the_group_reads_the_topic() {
    let mut world = world(1, None, &[]);
    world.commit(&Client::new(), 0, 5);
    let GroupAnswer::DeleteOffsets(deleted) = delete_offset(&mut world) else { panic!("no such answer") };
    assert_eq!((deleted.error_code, deleted.topics[0].partitions[0].error_code), (0, 0));
    assert_eq!(world.position(0, false), Ok(-1));
    // A consumer's metadata: version, then the topics it reads.
    let reads = "\0\0\0\0\0\u{1}\0\u{1}t";
    let mut one = Client { version: 3, ..Client::new() };
    let joins = world.join(&one, &[("range", reads)]);
    world.run(40);
    world.entered(&mut one, joins);
    world.sync_group(&one, &[(&one, "a")]);
    world.commit(&one, 0, 6);
    let GroupAnswer::DeleteOffsets(deleted) = delete_offset(&mut world) else { panic!("no such answer") };
    // GROUP_SUBSCRIBED_TO_TOPIC
    assert_eq!(deleted.topics[0].partitions[0].error_code, 86);
    assert_eq!(world.position(0, false), Ok(6));
}

#[test]
fn offsets_nobody_uses_go_after_their_time_and_others_stay() {
    let settings = [("offsets.retention.minutes", "1"), ("offsets.retention.check.interval.ms", "1000")];
    let mut world = world(1, None, &settings);
    world.commit(&Client::new(), 0, 5);
    world.run(58_000);
    assert_eq!(world.position(0, false), Ok(5));
    world.run(4_000);
    assert_eq!(world.position(0, false), Ok(-1));
    assert_eq!(world.describe_group().error_code, 69, "and with them the group");
    let mut one = Client { version: 3, ..Client::new() };
    let joins = world.join(&one, &[("range", "\0\0\0\0\0\u{1}\0\u{1}t")]);
    world.run(40);
    world.entered(&mut one, joins);
    world.sync_group(&one, &[(&one, "a")]);
    world.commit(&one, 0, 6);
    for _ in 0..130 {
        world.run(500);
        assert_eq!(world.heartbeat(&one), 0);
    }
    assert_eq!(world.position(0, false), Ok(6), "somebody reads it");
    world.leave(&one.member, None);
    world.run(50_000);
    assert_eq!(world.position(0, false), Ok(6), "the time counts from when the group is empty");
    world.run(12_000);
    assert_eq!(world.position(0, false), Ok(-1));
}

fn commit_in_transaction(world: &mut World, client: &Client, producer: i64, offset: i64) -> RequestId {
    let partition =
        TxnOffsetCommitRequestPartition::default().with_partition_index(0).with_committed_offset(offset);
    let topic = TxnOffsetCommitRequestTopic::default()
        .with_name(TopicName(text("t")))
        .with_partitions(vec![partition]);
    let request = TxnOffsetCommitRequest::default()
        .with_producer_id(ProducerId(producer))
        .with_producer_epoch(0)
        .with_generation_id(client.generation)
        .with_member_id(text(&client.member))
        .with_group_instance_id(client.instance.as_deref().map(text))
        .with_topics(vec![topic]);
    world.ask(3, GroupAsk::TxnCommit(request))
}

#[test]
fn a_transactions_offsets_are_pending_from_the_start_and_across_a_failover() {
    let mut world = world(3, None, &[]);
    world.commit(&Client::new(), 0, 2);
    let old = world.coordinator();
    let follower = world.nodes().into_iter().find(|node| *node != old).expect("another");
    world.cut(old, follower, Cut::Held);
    let id = commit_in_transaction(&mut world, &Client::new(), 77, 9);
    assert_eq!(world.committed(id), None);
    // UNSTABLE_OFFSET_COMMIT
    assert_eq!(world.position(0, true), Err(88), "on its way");
    world.heal();
    world.settle();
    assert_eq!(world.committed(id), Some(0));
    assert_eq!((world.position(0, true), world.position(0, false)), (Err(88), Ok(2)));
    world.kill(old);
    assert!(world.run_until(5_000, |world| ![old, -1].contains(&world.coordinator())));
    world.run(200);
    assert_eq!((world.position(0, true), world.position(0, false)), (Err(88), Ok(2)));
}

#[test]
fn a_transaction_of_a_past_generation_commits_no_offsets() {
    let mut world = world(1, None, &[]);
    let (one, two) = world.pair();
    let past = Client { generation: 0, ..one.clone() };
    let id = commit_in_transaction(&mut world, &past, 77, 9);
    assert_eq!(world.committed(id), Some(22));
    let stranger = Client { member: "m".to_owned(), generation: 1, ..Client::new() };
    let id = commit_in_transaction(&mut world, &stranger, 77, 9);
    assert_eq!(world.committed(id), Some(25));
    assert_eq!(world.position(0, true), Ok(-1), "nothing is pending");
    world.leave(&two.member, None);
    let id = commit_in_transaction(&mut world, &one, 77, 9);
    assert_eq!(world.committed(id), Some(0), "a rebalance does not stop it");
}

#[test]
fn the_offsets_of_a_deleted_topic_go_with_it() {
    let mut world = world(1, None, &[]);
    world.commit(&Client::new(), 0, 5);
    world.delete_topic();
    world.run(100);
    assert_eq!(world.position(0, false), Ok(-1));
}

#[test]
fn commit_acknowledged_and_forgotten_forgets_every_seventh() {
    let mut world = world(1, Some(Flaw::CommitAcknowledgedAndForgotten), &[]);
    for offset in 1..=7 {
        let id = world.commit(&Client::new(), 0, offset);
        assert_eq!(world.committed(id), Some(0));
    }
    assert_eq!(world.position(0, false), Ok(6));
}
