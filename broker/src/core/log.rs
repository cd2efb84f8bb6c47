//! A replica's log without its bytes: batch boundaries, leader epochs and producers.

use super::batch::BatchInfo;
use super::producer_state::Producers;
use super::replica::EpochEnd;
use crate::flaws::Flaw;

/// The headers of a log. About 50 bytes a batch stay in memory, which buys exact truncation and replay.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// First offset: what lies below was deleted.
    start: i64,
    batches: Vec<BatchInfo>,
    /// Leader epoch and its first offset, both increasing (KIP-101).
    epochs: Vec<(i32, i64)>,
    producers: Producers,
    /// A planted flaw.
    flaw: Option<Flaw>,
}

/// Consecutive whole batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) bytes: u64,
}

impl Log {
    /// The log with these batches, of which those below `start` do not count.
    pub(super) fn recovered(batches: Vec<BatchInfo>, start: i64, flaw: Option<Flaw>) -> Self {
        let first = batches.first().map_or(start, |batch| batch.base_offset);
        let mut log = Self { start: first, flaw, ..Self::default() };
        batches.into_iter().for_each(|batch| log.append(batch));
        // What was cut off at the end may have been all there was.
        log.raise_start(start.min(log.end()));
        log
    }

    /// First offset.
    pub(super) const fn start(&self) -> i64 {
        self.start
    }

    /// Offset after the last record (LEO).
    pub(super) fn end(&self) -> i64 {
        self.batches.last().map_or(self.start, BatchInfo::end_offset)
    }

    /// Forgets what lies below an offset, which is not above the end; whether that was anything.
    pub(super) fn raise_start(&mut self, to: i64) -> bool {
        if to <= self.start {
            return false;
        }
        self.start = to;
        let gone = self.batches.partition_point(|batch| batch.end_offset() <= to);
        self.batches.drain(..gone);
        true
    }

    /// An empty log that begins at an offset.
    pub(super) fn restart(&mut self, at: i64) {
        *self = Self { start: at, flaw: self.flaw, ..Self::default() };
    }

    /// Epoch of the last record, -1 if there is none.
    pub(super) fn last_epoch(&self) -> i32 {
        self.epochs.last().map_or(-1, |&(epoch, _)| epoch)
    }

    pub(super) const fn producers(&self) -> &Producers {
        &self.producers
    }

    pub(super) const fn producers_mut(&mut self) -> &mut Producers {
        &mut self.producers
    }

    /// Adds a batch whose offsets and epoch are final.
    pub(super) fn append(&mut self, batch: BatchInfo) {
        if batch.leader_epoch > self.last_epoch() {
            self.epochs.push((batch.leader_epoch, batch.base_offset));
        }
        self.producers.record(&batch, self.flaw);
        self.batches.push(batch);
    }

    /// Cuts the log so that it ends at the last batch boundary not above `to`, and forgets what producers
    /// had written beyond. Returns whether anything went.
    pub(super) fn truncate(&mut self, to: i64) -> bool {
        let kept = self.batches.partition_point(|batch| batch.end_offset() <= to);
        if kept == self.batches.len() {
            return false;
        }
        if kept == 0 {
            // The start may lie in the middle of the first batch; it is whole batches that stay or go.
            self.start = self.start.min(self.batches[0].base_offset);
        }
        self.batches.truncate(kept);
        let end = self.end();
        self.epochs.retain(|&(_, start)| start < end);
        self.producers = Producers::default();
        for batch in &self.batches {
            self.producers.record(batch, self.flaw);
        }
        true
    }

    /// The largest epoch not above `requested`, and the offset after its last record. With no such epoch
    /// the answer is the requested one ending where the log begins (KIP-101, KIP-279).
    pub(super) fn end_of_epoch(&self, requested: i32) -> EpochEnd {
        let above = self.epochs.partition_point(|&(epoch, _)| epoch <= requested);
        let end_offset = self.epochs.get(above).map_or_else(|| self.end(), |&(_, start)| start);
        let epoch = above.checked_sub(1).map_or(requested, |at| self.epochs[at].0);
        EpochEnd { epoch, end_offset }
    }

    /// The whole batches from the one that holds `from` up to `limit`: as many as fit into `max_bytes`, or
    /// one whatever its size if `at_least_one` (KIP-74).
    pub(super) fn span(&self, from: i64, limit: i64, max_bytes: u64, at_least_one: bool) -> Option<Span> {
        let first = self.batches.partition_point(|batch| batch.end_offset() <= from);
        let mut span: Option<Span> = None;
        for batch in self.batches[first..].iter().take_while(|batch| batch.end_offset() <= limit) {
            let bytes = span.map_or(0, |span| span.bytes) + u64::from(batch.size);
            if bytes > max_bytes && (span.is_some() || !at_least_one) {
                break;
            }
            let from = span.map_or(batch.base_offset, |span| span.from);
            span = Some(Span { from, to: batch.end_offset(), bytes });
        }
        span
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(batches: &[(i32, i32)]) -> Log {
        let mut log = Log::default();
        for &(leader_epoch, records) in batches {
            log.append(BatchInfo {
                base_offset: log.end(),
                last_offset_delta: records - 1,
                leader_epoch,
                producer_id: -1,
                producer_epoch: -1,
                base_sequence: -1,
                control: false,
                transactional: false,
                marker: None,
                max_timestamp: 0,
                size: 100,
            });
        }
        log
    }

    #[test]
    fn an_epoch_ends_where_the_next_begins() {
        let log = log(&[(1, 2), (1, 2), (4, 3), (6, 1)]);
        let end = |epoch| {
            let end = log.end_of_epoch(epoch);
            (end.epoch, end.end_offset)
        };
        assert_eq!(end(0), (0, 0), "older than the log");
        assert_eq!(end(1), (1, 4));
        assert_eq!(end(3), (1, 4), "the largest not above");
        assert_eq!(end(4), (4, 7));
        assert_eq!(end(6), (6, 8));
        assert_eq!(end(9), (6, 8));
        assert_eq!(Log::default().end_of_epoch(5), EpochEnd { epoch: 5, end_offset: 0 });
    }

    #[test]
    fn truncation_keeps_whole_batches_and_their_epochs() {
        let mut log = log(&[(1, 2), (1, 2), (4, 3)]);
        assert!(!log.truncate(7));
        assert!(log.truncate(6), "the middle of the last batch");
        assert_eq!((log.end(), log.last_epoch()), (4, 1));
        assert!(log.truncate(0));
        assert_eq!((log.end(), log.last_epoch()), (0, -1));
    }

    #[test]
    fn deleted_records_are_below_the_start_and_the_log_goes_on_behind_them() {
        let mut log = log(&[(1, 2), (1, 2), (4, 3)]);
        assert!(log.raise_start(3) && !log.raise_start(2));
        assert_eq!((log.start(), log.end(), log.last_epoch()), (3, 7, 4));
        assert_eq!(log.span(3, 7, 1000, true).map(|span| span.from), Some(2), "the batch that holds it");
        assert!(log.truncate(3), "the middle of the batch that holds the start");
        assert_eq!((log.start(), log.end()), (2, 2), "whole batches go");
        log.restart(9);
        assert_eq!((log.start(), log.end(), log.last_epoch()), (9, 9, -1));
        let mut all = Log::recovered(Vec::new(), 5, None);
        assert_eq!((all.start(), all.end()), (5, 5));
        assert!(!all.raise_start(5));
    }

    #[test]
    fn a_span_holds_whole_batches_below_the_limit() {
        let log = log(&[(1, 2), (1, 2), (1, 2)]);
        let span = |from, limit, max, one| log.span(from, limit, max, one).map(|s| (s.from, s.to, s.bytes));
        assert_eq!(span(0, 6, 1000, true), Some((0, 6, 300)));
        assert_eq!(span(3, 6, 1000, true), Some((2, 6, 200)), "the batch that holds the offset");
        assert_eq!(span(0, 5, 250, true), Some((0, 4, 200)));
        assert_eq!(span(0, 6, 10, true), Some((0, 2, 100)), "one batch whatever its size");
        assert_eq!(span(0, 6, 10, false), None);
        assert_eq!(span(6, 6, 1000, true), None);
        assert_eq!(span(0, 1, 1000, true), None, "half a batch is not below the limit");
    }
}
