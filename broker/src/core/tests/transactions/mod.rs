//! Transactions in the world of cores: a producer as clients have it, and the rules one by one.

mod coordinator;
mod failover;
mod flaws;
mod markers;
mod schedules;
mod verification;

use std::collections::BTreeMap;

use super::super::*;
use crate::flaws::Flaw;
use crate::simulation::{World, batch, key};

const TXN: &str = "app";

/// Three brokers, two partitions, internal topics; coordinators look at the clock often.
fn world(flaw: Option<Flaw>, more: &[(&str, &str)]) -> World {
    let often = [
        ("transaction.abort.timed.out.transaction.cleanup.interval.ms", "100"),
        ("transaction.remove.expired.transaction.cleanup.interval.ms", "100"),
    ];
    let settings: Vec<_> = often.iter().chain(more).copied().collect();
    let mut world = World::with_settings(3, 2, &[("min.insync.replicas", "2")], flaw, &settings);
    world.create_internal(InternalTopic::TransactionState);
    world.create_internal(InternalTopic::ConsumerOffsets);
    world
}

fn place(partition: i32) -> Place {
    ("t".to_owned(), partition)
}

/// A producer as a client library has it.
#[derive(Clone)]
struct Producer {
    id: String,
    producer: ProducerEpoch,
    sequences: BTreeMap<i32, i32>,
    manner: TxnManner,
}

impl Producer {
    fn begin(world: &mut World, id: &str, fresh: i64) -> Self {
        let producer = init(world, id, None, fresh).expect("begins");
        Self { id: id.to_owned(), producer, sequences: BTreeMap::new(), manner: TxnManner::Plain }
    }

    fn add(&self, world: &mut World, partition: i32) -> Option<Refusal> {
        let ask = TxnAsk::Add { producer: self.producer, places: vec![place(partition)], verify_only: false };
        match world.ask_transaction(&self.id, ask) {
            Some(TxnAnswer::Places(results)) => results[0],
            other => panic!("{other:?}"),
        }
    }

    /// Sends a record without asking whether the partition is part of the transaction.
    fn write(&mut self, world: &mut World, partition: i32, value: &str) -> Result<i64, Refusal> {
        let leader = world.partition(key(partition)).leader;
        let id = self.send(world, leader, partition, value);
        world.settle();
        let reply = world.reply(id).expect("answered");
        if reply.is_ok() {
            *self.sequences.entry(partition).or_default() += 1;
        }
        reply
    }

    fn send(&self, world: &mut World, leader: i32, partition: i32, value: &str) -> RequestId {
        let sequence = self.sequences.get(&partition).copied().unwrap_or_default();
        let batch = batch(value, 1, Some((self.producer.0, self.producer.1, sequence)));
        world.send_in_txn(leader, key(partition), (&self.id, self.manner), batch)
    }

    /// A record in the open transaction.
    fn put(&mut self, world: &mut World, partition: i32, value: &str) {
        assert_eq!(self.add(world, partition), None);
        self.write(world, partition, value).expect("written");
    }

    fn end(&self, world: &mut World, committed: bool) -> Result<ProducerEpoch, Refusal> {
        let bump = self.manner == TxnManner::Implicit;
        let ask = TxnAsk::End { producer: self.producer, committed, bump, fresh: None };
        answered(world.ask_transaction(&self.id, ask))
    }

    fn state(&self, world: &mut World) -> TxnState {
        describe(world, &self.id).expect("known").state
    }
}

fn answered(answer: Option<TxnAnswer>) -> Result<ProducerEpoch, Refusal> {
    match answer {
        Some(TxnAnswer::Producer(result)) => result,
        other => panic!("{other:?}"),
    }
}

fn init(
    world: &mut World,
    id: &str,
    expected: Option<ProducerEpoch>,
    fresh: i64,
) -> Result<ProducerEpoch, Refusal> {
    let ask = TxnAsk::Init { timeout_ms: 60_000, expected, fresh: Some(fresh) };
    answered(world.ask_transaction(id, ask))
}

fn describe(world: &mut World, id: &str) -> Result<TxnDescription, Refusal> {
    match world.ask_transaction(id, TxnAsk::Describe) {
        Some(TxnAnswer::Described(described)) => described,
        other => panic!("{other:?}"),
    }
}

/// What a consumer under read_committed sees of a partition from its start, and how far it gets.
fn committed(world: &mut World, partition: i32) -> (Vec<String>, i64) {
    let leader = world.partition(key(partition)).leader;
    let (records, stable) = world.read_committed(leader, key(partition), 0).expect("served");
    (records.into_iter().map(|(_, value)| value).collect(), stable)
}

/// Until nothing is open in a partition any more.
fn is_stable(world: &World, partition: i32) -> bool {
    let leader = world.partition(key(partition)).leader;
    world.is_up(leader)
        && world
            .broker(leader)
            .offsets(key(partition), -1)
            .is_ok_and(|offsets| offsets.last_stable == offsets.log_end)
}
