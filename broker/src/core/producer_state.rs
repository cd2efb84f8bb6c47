//! Idempotence: what a log remembers of each producer, so that a retried batch is recognised (KIP-98).
//!
//! The state is a function of the log: leaders and followers record every batch they append, and
//! truncation or a restart replays the headers.

use std::collections::{BTreeMap, VecDeque};

use super::batch::BatchInfo;
use super::refusal::Refusal;

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
    },
}

#[derive(Debug, Clone, Copy)]
struct Remembered {
    first: i32,
    last: i32,
    base: i64,
    end: i64,
}

#[derive(Debug, Clone)]
struct Producer {
    epoch: i16,
    recent: VecDeque<Remembered>,
}

/// The producers of one log.
#[derive(Debug, Clone, Default)]
pub(super) struct Producers(BTreeMap<i64, Producer>);

impl Producers {
    /// Whether a batch may be appended.
    ///
    /// An unknown producer may start anywhere (its older records may be gone), a new epoch only at 0, and
    /// a known one only where it stopped. A batch older than the last five is answered
    /// `OUT_OF_ORDER_SEQUENCE_NUMBER`, as current brokers do.
    pub(super) fn check(&self, batch: &BatchInfo) -> Result<Sequenced, Refusal> {
        let Some(known) = self.0.get(&batch.producer_id) else { return Ok(Sequenced::Next) };
        if batch.producer_epoch < known.epoch {
            return Err(Refusal::InvalidProducerEpoch);
        }
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
            return Ok(Sequenced::Again { base: old.base, end: old.end });
        }
        let expected = known.recent.back().map_or(0, |newest| sequence_after(newest.last, 1));
        if batch.base_sequence == expected {
            Ok(Sequenced::Next)
        } else {
            Err(Refusal::OutOfOrderSequenceNumber)
        }
    }

    /// Remembers a batch that is in the log now.
    pub(super) fn record(&mut self, batch: &BatchInfo) {
        let fresh = || Producer { epoch: batch.producer_epoch, recent: VecDeque::new() };
        let known = self.0.entry(batch.producer_id).or_insert_with(fresh);
        if known.epoch != batch.producer_epoch {
            *known = fresh();
        }
        if known.recent.len() == BATCHES_KEPT {
            known.recent.pop_front();
        }
        known.recent.push_back(Remembered {
            first: batch.base_sequence,
            last: sequence_after(batch.base_sequence, batch.last_offset_delta),
            base: batch.base_offset,
            end: batch.end_offset(),
        });
    }
}

/// Sequence numbers wrap from 2^31 - 1 to 0.
const fn sequence_after(sequence: i32, steps: i32) -> i32 {
    ((sequence as i64 + steps as i64) & 0x7fff_ffff) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(epoch: i16, sequence: i32, records: i32, base_offset: i64) -> BatchInfo {
        BatchInfo {
            base_offset,
            last_offset_delta: records - 1,
            leader_epoch: 0,
            producer_id: 9,
            producer_epoch: epoch,
            base_sequence: sequence,
            control: false,
            transactional: false,
            size: 100,
        }
    }

    #[test]
    fn a_retry_is_answered_with_its_offset_and_a_gap_is_refused() {
        let mut producers = Producers::default();
        assert_eq!(producers.check(&batch(0, 40, 2, 0)), Ok(Sequenced::Next), "an unknown producer");
        for at in 0..6 {
            producers.record(&batch(0, 40 + 2 * at, 2, 100 + 2 * i64::from(at)));
        }
        assert_eq!(producers.check(&batch(0, 52, 1, 0)), Ok(Sequenced::Next));
        assert_eq!(producers.check(&batch(0, 50, 2, 0)), Ok(Sequenced::Again { base: 110, end: 112 }));
        assert_eq!(producers.check(&batch(0, 42, 2, 0)), Ok(Sequenced::Again { base: 102, end: 104 }));
        let refused = Err(Refusal::OutOfOrderSequenceNumber);
        assert_eq!(producers.check(&batch(0, 40, 2, 0)), refused, "older than the last five");
        assert_eq!(producers.check(&batch(0, 53, 1, 0)), refused, "a gap");
        assert_eq!(producers.check(&batch(0, 50, 1, 0)), refused, "half of a batch");
    }

    #[test]
    fn epochs_fence_and_start_at_zero() {
        let mut producers = Producers::default();
        producers.record(&batch(3, 7, 1, 0));
        assert_eq!(producers.check(&batch(2, 8, 1, 0)), Err(Refusal::InvalidProducerEpoch));
        assert_eq!(producers.check(&batch(4, 8, 1, 0)), Err(Refusal::OutOfOrderSequenceNumber));
        assert_eq!(producers.check(&batch(4, 0, 1, 0)), Ok(Sequenced::Next));
        producers.record(&batch(4, 0, 1, 1));
        assert_eq!(producers.check(&batch(3, 8, 1, 0)), Err(Refusal::InvalidProducerEpoch));
    }

    #[test]
    fn sequence_numbers_wrap() {
        let mut producers = Producers::default();
        producers.record(&batch(0, i32::MAX - 1, 4, 0));
        assert_eq!(producers.check(&batch(0, 2, 1, 0)), Ok(Sequenced::Next));
        assert_eq!(producers.check(&batch(0, i32::MAX - 1, 4, 0)), Ok(Sequenced::Again { base: 0, end: 4 }));
    }
}
