//! The transactions of one log: which are open, which have ended without everyone knowing it, which aborted.
//! From these come the last stable offset and the aborted ranges of a fetch (KIP-98).
//!
//! Kafka keeps aborted transactions in `.txnindex` files beside the segments; here they are rebuilt from the
//! headers and markers that a recovery reads anyway, and looked up in memory.

use std::collections::{BTreeMap, VecDeque};

/// An aborted transaction, as a fetch tells it to a consumer that must skip its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Aborted {
    /// Its first offset in this partition.
    pub first_offset: i64,
    /// Whose.
    pub producer_id: i64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    first: i64,
    producer_id: i64,
    /// Offset of its marker.
    last: i64,
    /// Where the last stable offset was to go with that marker: nothing below it is aborted by a later entry.
    stable: i64,
}

#[derive(Debug, Clone, Copy)]
struct Ended {
    first: i64,
    /// Offset after its marker.
    end: i64,
}

/// The transactions of one log.
#[derive(Debug, Clone, Default)]
pub(super) struct TxnIndex {
    /// First offset and producer.
    open: BTreeMap<i64, i64>,
    /// Ended, but perhaps above the high watermark: a leader that loses the marker opens them again.
    ended: VecDeque<Ended>,
    /// By `last`.
    aborted: Vec<Entry>,
}

impl TxnIndex {
    /// A producer's first record of a transaction lies at `first`.
    pub(super) fn open(&mut self, first: i64, producer_id: i64) {
        self.open.insert(first, producer_id);
    }

    /// The transaction that began at `first` ended with the marker at `last`. An aborted one is remembered
    /// unless `forget`, which only a planted flaw asks for.
    pub(super) fn end(&mut self, first: i64, last: i64, committed: bool, forget: bool) {
        let Some(producer_id) = self.open.remove(&first) else { return };
        self.ended.push_back(Ended { first, end: last + 1 });
        if !committed && !forget {
            let stable = self.open.keys().next().copied().unwrap_or(last + 1);
            self.aborted.push(Entry { first, producer_id, last, stable });
        }
    }

    /// Where the open transaction of a producer begins.
    pub(super) fn first_open(&self, producer_id: i64) -> Option<i64> {
        self.open.iter().find(|(_, whose)| **whose == producer_id).map(|(first, _)| *first)
    }

    /// Forgets open transactions but these, by first offset and producer.
    pub(super) fn keep_open(&mut self, keep: impl Fn(i64, i64) -> bool) {
        self.open.retain(|first, producer_id| keep(*first, *producer_id));
    }

    /// Forgets aborted transactions whose marker lies below an offset and of which `remains` finds no record
    /// between their first offset and their marker. Consumers skip what a producer wrote from the first offset
    /// to the marker: of a transaction without a marker they would skip the producer's next one.
    pub(super) fn prune(&mut self, below: i64, remains: impl Fn(i64, i64, i64) -> bool) {
        self.aborted
            .retain(|entry| entry.last >= below || remains(entry.producer_id, entry.first, entry.last));
    }

    /// Every aborted transaction that began below an offset: whose, its first offset and its marker's.
    pub(super) fn aborted_spans(&self, below: i64) -> impl Iterator<Item = (i64, i64, i64)> {
        let begun = self.aborted.iter().filter(move |entry| entry.first < below);
        begun.map(|entry| (entry.producer_id, entry.first, entry.last))
    }

    /// Everything below is committed on the replicas: markers there are final.
    pub(super) fn settle(&mut self, high_watermark: i64) {
        while self.ended.front().is_some_and(|ended| ended.end <= high_watermark) {
            self.ended.pop_front();
        }
    }

    /// The last stable offset: no record below it belongs to a transaction that may still go either way.
    pub(super) fn last_stable(&self, high_watermark: i64) -> i64 {
        let open = self.open.keys().next().copied();
        let unsettled = self.ended.iter().filter(|ended| ended.end > high_watermark).map(|ended| ended.first);
        unsettled.chain(open).min().unwrap_or(i64::MAX).min(high_watermark)
    }

    /// Every aborted transaction with a record in `from..to`, in the order of their first offsets.
    pub(super) fn aborted(&self, from: i64, to: i64) -> Vec<Aborted> {
        let mut found = Vec::new();
        for entry in &self.aborted[self.aborted.partition_point(|entry| entry.last < from)..] {
            if entry.first < to {
                found.push(Aborted { first_offset: entry.first, producer_id: entry.producer_id });
            }
            if entry.stable >= to {
                break;
            }
        }
        found.sort_unstable();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn firsts(index: &TxnIndex, from: i64, to: i64) -> Vec<i64> {
        index.aborted(from, to).into_iter().map(|aborted| aborted.first_offset).collect()
    }

    #[test]
    fn the_last_stable_offset_waits_for_the_oldest_and_for_its_marker_to_be_committed() {
        let mut index = TxnIndex::default();
        assert_eq!(index.last_stable(9), 9);
        index.open(3, 70);
        index.open(5, 80);
        assert_eq!((index.last_stable(9), index.last_stable(2)), (3, 2));
        index.end(3, 9, true, false);
        assert_eq!(index.last_stable(9), 3, "the marker at 9 may still be lost");
        assert_eq!(index.last_stable(10), 5);
        index.settle(10);
        index.end(5, 10, false, false);
        assert_eq!(index.last_stable(11), 11);
    }

    /// Overlapping transactions end in another order than they began; a long one hides behind short ones.
    #[test]
    fn every_overlapping_aborted_transaction_is_told_once_and_in_order() {
        let mut index = TxnIndex::default();
        index.open(0, 1);
        index.open(1, 2);
        index.open(2, 3);
        index.end(1, 4, false, false);
        index.end(2, 5, true, false);
        index.open(6, 2);
        index.end(6, 7, false, false);
        index.end(0, 9, false, false);
        assert_eq!(firsts(&index, 0, 10), [0, 1, 6]);
        assert_eq!(firsts(&index, 5, 6), [0], "the long one alone");
        assert_eq!(firsts(&index, 0, 1), [0]);
        assert_eq!(firsts(&index, 4, 5), [0, 1], "a marker is part of it");
        assert_eq!(firsts(&index, 10, 20), [0; 0]);
    }
}
