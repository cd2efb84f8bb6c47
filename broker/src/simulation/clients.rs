//! What clients of a world ask its brokers.

use std::collections::BTreeSet;

use super::{CLIENTS, Message, World, batch, key, value};
use crate::core::*;

/// Of the batches a fetch returned, those that hold records a consumer hands on: no markers, and nothing of the
/// transactions that the answer calls aborted (Apache Kafka, `CompletedFetch`).
pub fn visible<'a>(result: &FetchResult, batches: &'a [Batch]) -> impl Iterator<Item = &'a Batch> {
    let mut aborting: BTreeSet<i64> = BTreeSet::new();
    let mut told = result.aborted.clone().into_iter().peekable();
    batches.iter().filter(move |batch| {
        while let Some(aborted) = told.next_if(|aborted| aborted.first_offset <= batch.info.base_offset) {
            aborting.insert(aborted.producer_id);
        }
        if let Some(marker) = batch.info.marker {
            if !marker.committed {
                aborting.remove(&batch.info.producer_id);
            }
            return false;
        }
        !batch.info.transactional || !aborting.contains(&batch.info.producer_id)
    })
}

impl World {
    /// Sends a batch to a broker; it arrives with the next delivery of the returned channel.
    pub fn send_produce(&mut self, node: i32, key: PartitionKey, acks: i16, batch: Batch) -> RequestId {
        let id = RequestId(self.number());
        let partitions = vec![ProducePartition { key, batch, refusal: None, stamped_ms: -1 }];
        let request = ProduceRequest { id, acks, timeout_ms: 5_000, transaction: None, partitions };
        self.send((CLIENTS, node, id.0), Message::Produce(request));
        id
    }

    /// The same in a transaction.
    pub fn send_in_txn(
        &mut self,
        node: i32,
        key: PartitionKey,
        transaction: (&str, TxnManner),
        batch: Batch,
    ) -> RequestId {
        let id = RequestId(self.number());
        let transaction = Some((transaction.0.to_owned(), transaction.1));
        let partitions = vec![ProducePartition { key, batch, refusal: None, stamped_ms: -1 }];
        let request = ProduceRequest { id, acks: -1, timeout_ms: 5_000, transaction, partitions };
        self.send((CLIENTS, node, id.0), Message::Produce(request));
        id
    }

    /// Sends one record and lets everything settle that needs no time.
    pub fn produce(&mut self, node: i32, acks: i16, value: &str) -> RequestId {
        let id = self.send_produce(node, key(0), acks, batch(value, 1, None));
        self.settle();
        id
    }

    /// The answer to a produce request, if it has come.
    pub fn reply(&self, id: RequestId) -> Option<Result<i64, Refusal>> {
        self.replies.get(&id).copied()
    }

    /// Fetches as a consumer does.
    pub fn consume(&mut self, node: i32, key: PartitionKey, offset: i64, wait_ms: u64) -> RequestId {
        self.send_fetch(node, Reader::Uncommitted, (key, offset, 1 << 20), wait_ms)
    }

    /// What a consumer under read_committed gets to see of a partition from an offset on: a fetch, and its own
    /// filter over it ([`visible`]). The second value is where it stops.
    pub fn read_committed(
        &mut self,
        node: i32,
        key: PartitionKey,
        offset: i64,
    ) -> Option<(Vec<(i64, String)>, i64)> {
        let (result, batches) = self.fetch(node, Reader::Committed, key, offset, 1 << 20)?;
        if result.error.is_some() {
            return None;
        }
        let seen = visible(&result, &batches).map(|batch| (batch.info.base_offset, value(batch))).collect();
        Some((seen, result.last_stable))
    }

    /// A fetch that does not wait; `None` if it is not answered, or nobody is there.
    pub fn fetch(
        &mut self,
        node: i32,
        reader: Reader,
        key: PartitionKey,
        offset: i64,
        max_bytes: u32,
    ) -> Option<(FetchResult, Vec<Batch>)> {
        if !self.is_up(node) {
            return None;
        }
        let id = self.send_fetch(node, reader, (key, offset, max_bytes), 0);
        self.raw.remove(&id)
    }

    fn send_fetch(
        &mut self,
        node: i32,
        reader: Reader,
        (key, offset, max_bytes): (PartitionKey, i64, u32),
        wait_ms: u64,
    ) -> RequestId {
        let id = RequestId(self.number());
        let fetch = FetchPartition {
            key,
            fetch_offset: offset,
            current_leader_epoch: -1,
            last_fetched_epoch: -1,
            max_bytes,
            log_start: -1,
        };
        let request =
            FetchRequest { reader, max_wait_ms: wait_ms, min_bytes: 1, max_bytes, partitions: vec![fetch] };
        self.step(node, Input::Fetch { id, request });
        id
    }

    /// Asks a broker about a group, in some version of the request.
    pub fn send_group(&mut self, node: i32, group: &str, version: i16, ask: GroupAsk) -> RequestId {
        let number = self.number();
        let mut fresh = [0; 16];
        fresh[..8].copy_from_slice(&number.to_be_bytes());
        let caller = Caller {
            client_id: "c".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            version,
            fresh: Uuid(fresh),
        };
        let id = RequestId(number);
        let request = Box::new(GroupRequest { group: group.to_owned(), caller, ask });
        self.step(node, Input::Group { id, request });
        id
    }
}
