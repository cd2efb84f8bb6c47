//! What a log remembers of each producer: sequence numbers, so that a retried batch is recognised, and the
//! transaction it has open here (KIP-98).
//!
//! Leaders and followers record every batch they append, and truncation or a restart replays the headers. Of
//! batches that are no longer in the log (retention, compaction) a snapshot speaks. What a leader refuses is
//! decided here too; a follower refuses nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use wire::marker::Marker;

use super::batch::BatchInfo;
use super::refusal::Refusal;
use super::txn_index::TxnIndex;
use crate::flaws::Flaw;

/// Batches remembered per producer: as many as a client may have in flight.
const BATCHES_KEPT: usize = 5;

/// What a batch is to the producer's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sequenced {
    /// The next one.
    Next,
    /// One of the last ones again; this is where it lies.
    Again {
        /// Its first offset.
        base: i64,
        /// The offset after it.
        end: i64,
        /// Its highest timestamp, ms since 1970.
        timestamp: i64,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered {
    first: i32,
    last: i32,
    base: i64,
    end: i64,
    timestamp: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Producer {
    epoch: i16,
    recent: VecDeque<Remembered>,
    /// First offset of its open transaction.
    open: Option<i64>,
    /// Epoch of the coordinator of its last marker; -1 without one.
    coordinator_epoch: i32,
    /// Offset of its last marker; -1 without one.
    marker: i64,
    /// Highest timestamp of its last batch, ms since 1970.
    timestamp: i64,
}

impl Producer {
    const fn new(epoch: i16) -> Self {
        Self { epoch, recent: VecDeque::new(), open: None, coordinator_epoch: -1, marker: -1, timestamp: -1 }
    }

    /// A newer epoch numbers its batches anew.
    fn enter(&mut self, epoch: i16) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.recent.clear();
        }
    }
}

/// One producer of a partition, as DescribeProducers tells it (KIP-664).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerView {
    /// Its id.
    pub producer_id: i64,
    /// Its epoch, as of its last batch or marker.
    pub epoch: i16,
    /// Sequence number of its last record; -1 if none is remembered.
    pub last_sequence: i32,
    /// Highest timestamp of its last batch, ms since 1970.
    pub last_timestamp: i64,
    /// Epoch of the coordinator of its last marker; -1 without one.
    pub coordinator_epoch: i32,
    /// First offset of its open transaction; -1 without one.
    pub txn_start: i64,
}

/// A producer in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProducerEntry {
    producer_id: i64,
    state: Producer,
}

/// What a log remembered of its producers when it ended at some offset. Batches that retention or compaction
/// have taken since are in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProducerSnapshot {
    /// The offset after the last batch it knows of.
    pub end: i64,
    /// The leader epoch of that batch: a log that has another there is another log.
    pub(super) leader_epoch: i32,
    pub(super) producers: Vec<ProducerEntry>,
}

impl ProducerSnapshot {
    /// Whether any producer is in it.
    #[must_use]
    pub fn says_anything(&self) -> bool {
        !self.producers.is_empty()
    }
}

/// The producers of one log.
#[derive(Debug, Clone, Default)]
pub(super) struct Producers {
    known: BTreeMap<i64, Producer>,
    txns: TxnIndex,
    /// Aborts met so far; a planted flaw counts by it.
    aborts: u64,
}

impl Producers {
    /// Whether a client's batch may be appended: its epoch is not older than the last one seen, and its
    /// sequence number follows.
    ///
    /// An unknown producer may start anywhere (its older records may be gone, KIP-360: `UNKNOWN_PRODUCER_ID` is
    /// never said), a new epoch only at 0, and a known one only where it stopped. A batch older than the last
    /// five is answered `OUT_OF_ORDER_SEQUENCE_NUMBER`, as current brokers do. While a transaction is open, what
    /// the producer writes must belong to it.
    pub(super) fn check(&self, batch: &BatchInfo, flaw: Option<Flaw>) -> Result<Sequenced, Refusal> {
        let Some(known) = self.known.get(&batch.producer_id) else { return Ok(Sequenced::Next) };
        if batch.producer_epoch < known.epoch && flaw == Some(Flaw::ForgetFencing) {
            return Ok(Sequenced::Next);
        }
        self.check_epoch(batch.producer_id, batch.producer_epoch)?;
        if batch.producer_epoch > known.epoch {
            return if batch.base_sequence == 0 {
                Ok(Sequenced::Next)
            } else {
                Err(Refusal::OutOfOrderSequenceNumber)
            };
        }
        let last = sequence_after(batch.base_sequence, batch.last_offset_delta);
        let same = |old: &&Remembered| old.first == batch.base_sequence && old.last == last;
        if let Some(old) = known.recent.iter().find(same) {
            return Ok(Sequenced::Again { base: old.base, end: old.end, timestamp: old.timestamp });
        }
        if known.open.is_some() && !batch.transactional {
            return Err(Refusal::InvalidTxnState);
        }
        let expected = known.recent.back().map_or(0, |newest| sequence_after(newest.last, 1));
        if batch.base_sequence == expected {
            Ok(Sequenced::Next)
        } else {
            Err(Refusal::OutOfOrderSequenceNumber)
        }
    }

    /// Refuses a producer epoch older than the last one seen.
    pub(super) fn check_epoch(&self, producer_id: i64, epoch: i16) -> Result<(), Refusal> {
        match self.known.get(&producer_id) {
            Some(known) if epoch < known.epoch => Err(Refusal::InvalidProducerEpoch),
            _ => Ok(()),
        }
    }

    /// Whether a marker may be appended: neither its producer's epoch nor its coordinator's is an older one.
    pub(super) fn check_marker(&self, producer_id: i64, epoch: i16, marker: Marker) -> Result<(), Refusal> {
        self.check_epoch(producer_id, epoch)?;
        match self.known.get(&producer_id) {
            Some(known) if marker.coordinator_epoch < known.coordinator_epoch => {
                Err(Refusal::TransactionCoordinatorFenced)
            }
            _ => Ok(()),
        }
    }

    /// Whether this very epoch of a producer has a transaction open here.
    pub(super) fn has_open(&self, producer_id: i64, epoch: i16) -> bool {
        self.known.get(&producer_id).is_some_and(|known| known.open.is_some() && known.epoch == epoch)
    }

    /// Offset of the producer's last marker, -1 without one. While it stays the same, what was true of the
    /// producer's transaction before is still true.
    pub(super) fn last_marker(&self, producer_id: i64) -> i64 {
        self.known.get(&producer_id).map_or(-1, |known| known.marker)
    }

    /// Remembers a batch that is not in the log; only a planted flaw does. A transaction it does not open, for
    /// there would be nothing for a marker to end.
    pub(super) fn pretend(&mut self, batch: &BatchInfo) {
        if batch.idempotent() {
            self.record(&BatchInfo { transactional: false, ..*batch }, None);
        }
    }

    /// Remembers a batch that is in the log now.
    pub(super) fn record(&mut self, batch: &BatchInfo, flaw: Option<Flaw>) {
        if batch.producer_id < 0 || batch.control && batch.marker.is_none() {
            return;
        }
        let fresh = || Producer::new(batch.producer_epoch);
        let known = self.known.entry(batch.producer_id).or_insert_with(fresh);
        if batch.producer_epoch < known.epoch && flaw == Some(Flaw::ForgetFencing) {
            return;
        }
        known.enter(batch.producer_epoch);
        known.timestamp = batch.max_timestamp;
        if let Some(marker) = batch.marker {
            known.coordinator_epoch = marker.coordinator_epoch;
            known.marker = batch.base_offset;
            if let Some(first) = known.open.take() {
                self.aborts += u64::from(!marker.committed);
                let forget = flaw == Some(Flaw::OmitAborted) && Flaw::OmitAborted.hits(self.aborts);
                self.txns.end(first, batch.base_offset, marker.committed, forget);
            }
            return;
        }
        if batch.transactional && known.open.is_none() {
            known.open = Some(batch.base_offset);
            self.txns.open(batch.base_offset, batch.producer_id);
        }
        if batch.base_sequence < 0 {
            return;
        }
        if known.recent.len() == BATCHES_KEPT {
            known.recent.pop_front();
        }
        known.recent.push_back(Remembered {
            first: batch.base_sequence,
            last: sequence_after(batch.base_sequence, batch.last_offset_delta),
            base: batch.base_offset,
            end: batch.end_offset(),
            timestamp: batch.max_timestamp,
        });
    }

    /// Forgets producers whose last batch is older than that (`producer.id.expiration.ms`), unless a
    /// transaction is open. What they retry after that is appended again.
    pub(super) fn expire(&mut self, before_ms: i64) {
        self.known.retain(|_, known| known.open.is_some() || known.timestamp > before_ms);
    }

    /// Forgets everyone without an open transaction; only a planted flaw does.
    pub(super) fn forget(&mut self) {
        self.known.retain(|_, known| known.open.is_some());
    }

    pub(super) const fn txns(&self) -> &TxnIndex {
        &self.txns
    }

    pub(super) const fn txns_mut(&mut self) -> &mut TxnIndex {
        &mut self.txns
    }

    /// Every producer as it is now, for a snapshot.
    pub(super) fn entries(&self) -> Vec<ProducerEntry> {
        let entry =
            |(&producer_id, known): (&i64, &Producer)| ProducerEntry { producer_id, state: known.clone() };
        self.known.iter().map(entry).collect()
    }

    /// Takes the producers of a snapshot. What the batches before it say of transactions is known already and
    /// stays; of producers, the snapshot knows more.
    pub(super) fn restore(&mut self, entries: Vec<ProducerEntry>) {
        self.known = entries.into_iter().map(|entry| (entry.producer_id, entry.state)).collect();
        for (&producer_id, known) in &mut self.known {
            // The first records of a transaction may be gone, or all of them.
            known.open = known.open.and_then(|_| self.txns.first_open(producer_id));
        }
        let known = &self.known;
        self.txns.keep_open(|first, producer_id| {
            known.get(&producer_id).is_some_and(|known| known.open == Some(first))
        });
    }

    /// For each producer the offset after the batch that must stay in a compacted log: the one with its last
    /// sequence number or, without one, its last marker, which has its epoch.
    pub(super) fn last_batches(&self) -> BTreeSet<i64> {
        let last = |known: &Producer| match known.recent.back() {
            Some(newest) => Some(newest.end),
            None => (known.marker >= 0).then_some(known.marker + 1),
        };
        self.known.values().filter_map(last).collect()
    }

    /// Everything below is committed.
    pub(super) fn settle(&mut self, high_watermark: i64) {
        self.txns.settle(high_watermark);
    }

    pub(super) fn views(&self) -> Vec<ProducerView> {
        let view = |(&producer_id, known): (&i64, &Producer)| ProducerView {
            producer_id,
            epoch: known.epoch,
            last_sequence: known.recent.back().map_or(-1, |newest| newest.last),
            last_timestamp: known.timestamp,
            coordinator_epoch: known.coordinator_epoch,
            txn_start: known.open.unwrap_or(-1),
        };
        self.known.iter().map(view).collect()
    }
}

/// Sequence numbers wrap from 2^31 - 1 to 0.
const fn sequence_after(sequence: i32, steps: i32) -> i32 {
    ((sequence as i64 + steps as i64) & 0x7fff_ffff) as i32
}

#[cfg(test)]
mod tests;
