//! A simulated cluster with a flaw, and the clock of whoever watches it: every event of a history has a moment of
//! its own.

use broker::core::{
    Batch, FetchResult, GroupAnswer, GroupAsk, InternalTopic, Reader, Refusal, RequestId, TxnAnswer, TxnAsk,
    TxnManner,
};
use broker::flaws::Flaw;
use broker::simulation::{World, key, sent, visible};
use history::{Contents, Nanos, Offset, Tag};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::bytes::{Numbers, decode, encode, read};

/// Partitions of the topic.
pub(crate) const PARTITIONS: i32 = 2;

/// Bytes that hold two batches of one record, or three.
pub(crate) const SMALL_FETCH: u32 = 260;
/// More than any log here.
pub(crate) const LARGE_FETCH: u32 = 1 << 20;

/// A record that was read.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) offset: Offset,
    pub(crate) value: String,
}

impl Record {
    pub(crate) fn contents(&self) -> (Option<Tag>, Contents) {
        read(&self.value)
    }
}

/// What a fetch brought: records, and the offset to go on from.
pub(crate) type Fetched = Result<(Vec<Record>, i64), Refusal>;

/// Three brokers and whatever the seed decides.
pub(crate) struct Cluster {
    pub(crate) world: World,
    pub(crate) draw: ChaCha8Rng,
    clock: u64,
}

impl Cluster {
    pub(crate) fn new(flaw: Option<Flaw>, seed: u64) -> Self {
        let settings = [("group.initial.rebalance.delay.ms", "0"), ("group.min.session.timeout.ms", "100")];
        let topic = [("min.insync.replicas", "2")];
        let mut world = World::with_settings(3, PARTITIONS, &topic, flaw, &settings);
        world.create_internal(InternalTopic::TransactionState);
        world.create_internal(InternalTopic::ConsumerOffsets);
        Self { world, draw: ChaCha8Rng::seed_from_u64(seed), clock: 0 }
    }

    /// A moment after all before it.
    pub(crate) fn now(&mut self) -> Nanos {
        self.clock = (self.clock + 1).max(self.world.now * 1_000_000);
        Nanos(self.clock)
    }

    pub(crate) fn leader(&self, partition: i32) -> i32 {
        self.world.partition(key(partition)).leader
    }

    /// Sends a batch to whoever leads and waits for what needs no time; `None` without an answer.
    pub(crate) fn produce(
        &mut self,
        partition: i32,
        acks: i16,
        values: &[String],
        numbers: Option<Numbers>,
        transaction: Option<&str>,
    ) -> Option<Result<i64, Refusal>> {
        let node = self.leader(partition);
        self.produce_at(node, partition, acks, values, numbers, transaction)
    }

    /// The same at a broker.
    pub(crate) fn produce_at(
        &mut self,
        node: i32,
        partition: i32,
        acks: i16,
        values: &[String],
        numbers: Option<Numbers>,
        transaction: Option<&str>,
    ) -> Option<Result<i64, Refusal>> {
        if !self.world.is_up(node) {
            return None;
        }
        let batch = sent(encode(values, numbers, transaction.is_some()));
        let id = match transaction {
            Some(id) => self.world.send_in_txn(node, key(partition), (id, TxnManner::Plain), batch),
            None => self.world.send_produce(node, key(partition), acks, batch),
        };
        self.world.settle();
        self.world.reply(id)
    }

    /// Fetches from whoever leads.
    pub(crate) fn fetch(&mut self, partition: i32, reader: Reader, offset: i64, bytes: u32) -> Fetched {
        let node = self.leader(partition);
        self.fetch_at(node, partition, reader, offset, bytes)
    }

    /// Fetches as a consumer does that believes what it is told.
    pub(crate) fn fetch_at(
        &mut self,
        node: i32,
        partition: i32,
        reader: Reader,
        offset: i64,
        bytes: u32,
    ) -> Fetched {
        let answer = self.world.fetch(node, reader, key(partition), offset, bytes);
        let Some((result, batches)) = answer else { return Err(Refusal::NotLeaderOrFollower) };
        match result.error {
            Some(error) => Err(error),
            None => Ok(records(&result, &batches, offset)),
        }
    }

    /// The end of a log as ListOffsets tells it.
    pub(crate) fn latest(&self, partition: i32) -> Option<i64> {
        let node = self.leader(partition);
        let up = self.world.is_up(node);
        up.then(|| self.world.broker(node).offsets(key(partition), -1).ok()?.latest.ok()).flatten()
    }

    /// Every replica is up, in sync and idle.
    pub(crate) fn heal(&mut self) {
        self.world.heal();
        for node in self.world.nodes() {
            if !self.world.is_up(node) {
                self.world.start(node);
            }
        }
        self.world.run(6_000);
    }

    /// Asks the coordinator of a transactional id.
    pub(crate) fn transact(&mut self, id: &str, ask: TxnAsk) -> Option<TxnAnswer> {
        self.world.ask_transaction(id, ask)
    }

    /// Asks the coordinator of a group.
    pub(crate) fn group(&mut self, group: &str, version: i16, ask: GroupAsk) -> Option<GroupAnswer> {
        let id = self.send_group(group, version, ask);
        self.world.settle();
        self.world.answers.get(&id).cloned()
    }

    /// The same without waiting.
    pub(crate) fn send_group(&mut self, group: &str, version: i16, ask: GroupAsk) -> RequestId {
        let node = self.coordinator(group);
        self.world.send_group(node, group, version, ask)
    }

    /// Who coordinates a group.
    pub(crate) fn coordinator(&self, group: &str) -> i32 {
        let image = &self.world.controller.snapshot().image;
        let at = InternalTopic::ConsumerOffsets.partition_of(image, group).expect("the topic is there");
        self.world.partition(at).leader
    }
}

fn records(result: &FetchResult, batches: &[Batch], from: i64) -> (Vec<Record>, i64) {
    let next = batches.last().map_or(from, |batch| batch.info.end_offset());
    let mut all = Vec::new();
    for batch in visible(result, batches) {
        for (offset, value) in (batch.info.base_offset..).zip(decode(&batch.bytes)) {
            // The batch that holds the offset begins before it, perhaps.
            if offset >= from {
                all.push(Record { offset: Offset(offset), value });
            }
        }
    }
    (all, next)
}
