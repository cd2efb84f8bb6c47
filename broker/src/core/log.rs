//! A replica's log without its bytes: batch boundaries, leader epochs and producers.

use std::collections::BTreeMap;

use super::batch::BatchInfo;
use super::io::RecoveredLog;
use super::producer_state::{ProducerSnapshot, Producers};
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
    /// What was known of producers when the log ended at `base_at`: the batches below it may be gone, and a
    /// truncation above it replays from there.
    base: Producers,
    base_at: i64,
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
    /// The log as it was found; batches below its start do not count.
    pub(super) fn recovered(found: RecoveredLog, flaw: Option<Flaw>) -> Self {
        let RecoveredLog { batches, log_start, epochs, producers, .. } = found;
        // Compaction may have taken the first batches: the log starts where it did.
        let first = batches.first().map_or(log_start, |batch| batch.base_offset.min(log_start));
        let mut log = Self { start: first, base_at: first, flaw, ..Self::default() };
        let end = batches.last().map_or(log_start, BatchInfo::end_offset);
        let begun = batches.iter().map(|batch| (batch.leader_epoch, batch.base_offset));
        log.epochs = merged(epochs.into_iter().chain(begun), end);
        let mut snapshot = producers.filter(|snapshot| log.is_ours(snapshot, end, log_start));
        for batch in batches {
            if let Some(before) = snapshot.take_if(|snapshot| snapshot.end <= batch.base_offset) {
                log.restore(before);
            }
            log.append(batch);
        }
        if let Some(before) = snapshot {
            log.restore(before);
        }
        // What was cut off at the end may have been all there was.
        log.raise_start(log_start.min(log.end()));
        log
    }

    /// Whether a snapshot was taken of this log, and not of one that has been cut since.
    fn is_ours(&self, snapshot: &ProducerSnapshot, end: i64, log_start: i64) -> bool {
        let begun = self.epochs.partition_point(|&(_, start)| start < snapshot.end);
        match begun.checked_sub(1) {
            Some(last) => snapshot.end <= end && self.epochs[last].0 == snapshot.leader_epoch,
            // Of what lies below the start nothing was ever cut: it was committed.
            None => snapshot.end <= log_start,
        }
    }

    fn restore(&mut self, snapshot: ProducerSnapshot) {
        self.producers.restore(snapshot.producers);
        self.base = self.producers.clone();
        self.base_at = snapshot.end;
    }

    /// What is known of producers, to be written down.
    pub(super) fn snapshot(&self) -> ProducerSnapshot {
        ProducerSnapshot {
            end: self.end(),
            leader_epoch: self.last_epoch(),
            producers: self.producers.entries(),
        }
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
        self.settle_base(gone);
        self.batches.drain(..gone);
        self.prune(to);
        true
    }

    /// Moves the state to replay from behind the first so many batches.
    fn settle_base(&mut self, batches: usize) {
        for batch in &self.batches[..batches] {
            if batch.base_offset >= self.base_at {
                self.base.record(batch, self.flaw);
                self.base_at = batch.end_offset();
            }
        }
    }

    /// Forgets aborted transactions of which nothing is left.
    fn prune(&mut self, below: i64) {
        let batches = &self.batches;
        let remains = |producer_id: i64, first: i64, last: i64| {
            let from = batches.partition_point(|batch| batch.end_offset() <= first);
            let within = batches[from..].iter().take_while(|batch| batch.base_offset < last);
            within.into_iter().any(|batch| batch.producer_id == producer_id && batch.transactional)
        };
        self.producers.txns_mut().prune(below, remains);
        self.base.txns_mut().prune(below, remains);
    }

    /// Compaction has left these of the batches below an offset.
    pub(super) fn cleaned(&mut self, to: i64, left: Vec<BatchInfo>) {
        let from = self.batches.partition_point(|batch| batch.base_offset < to);
        self.settle_base(from);
        let start = self.start;
        let left = left.into_iter().filter(|batch| batch.end_offset() > start);
        self.batches.splice(..from, left);
        self.prune(to);
    }

    /// An empty log that begins at an offset.
    pub(super) fn restart(&mut self, at: i64) {
        *self = Self { start: at, base_at: at, flaw: self.flaw, ..Self::default() };
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
        if end < self.base_at {
            self.base = Producers::default();
            self.base_at = self.start;
        }
        self.producers = self.base.clone();
        for batch in self.batches.iter().filter(|batch| batch.base_offset >= self.base_at) {
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

/// Epochs and where each began, of those that began below `end`. Compaction may have taken the first batches
/// of an epoch; the earliest beginning known is the right one.
fn merged(known: impl Iterator<Item = (i32, i64)>, end: i64) -> Vec<(i32, i64)> {
    let mut first: BTreeMap<i32, i64> = BTreeMap::new();
    for (epoch, start) in known.filter(|&(_, start)| start < end) {
        first.entry(epoch).and_modify(|known| *known = start.min(*known)).or_insert(start);
    }
    let mut out: Vec<(i32, i64)> = Vec::with_capacity(first.len());
    for (epoch, start) in first {
        // A later epoch never begins earlier: such a note is of a log that has been cut since.
        while out.last().is_some_and(|&(_, before)| before >= start) {
            out.pop();
        }
        out.push((epoch, start));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(batches: Vec<BatchInfo>, log_start: i64) -> RecoveredLog {
        let key = super::super::types::PartitionKey { topic: super::super::types::Uuid::NIL, partition: 0 };
        RecoveredLog { batches, log_start, ..RecoveredLog::empty(key) }
    }

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
        let mut all = Log::recovered(found(Vec::new(), 5), None);
        assert_eq!((all.start(), all.end()), (5, 5));
        assert!(!all.raise_start(5));
    }

    /// A batch of one record of an idempotent producer.
    fn numbered(base_offset: i64, leader_epoch: i32, producer_id: i64, sequence: i32) -> BatchInfo {
        BatchInfo {
            base_offset,
            last_offset_delta: 0,
            leader_epoch,
            producer_id,
            producer_epoch: 0,
            base_sequence: sequence,
            control: false,
            transactional: false,
            marker: None,
            max_timestamp: 0,
            size: 100,
        }
    }

    fn knows(log: &Log, batch: &BatchInfo) -> bool {
        matches!(
            log.producers().check(batch, None),
            Ok(super::super::producer_state::Sequenced::Again { .. })
        )
    }

    #[test]
    fn producers_outlive_their_deleted_batches_through_truncation_and_a_snapshot() {
        let batches: Vec<_> = (0..4).map(|at| numbered(i64::from(at), 1, 7, at)).collect();
        let mut log = Log::recovered(found(batches.clone(), 0), None);
        log.raise_start(2);
        assert!(log.truncate(3));
        assert!(knows(&log, &batches[1]) && knows(&log, &batches[2]), "deleted is not forgotten");
        assert_eq!(
            log.producers().check(&batches[3], None),
            Ok(super::super::producer_state::Sequenced::Next)
        );
        log.raise_start(3);
        let snapshot = log.snapshot();
        let restart = |end: Option<BatchInfo>, snapshot| {
            let mut again = found(end.into_iter().collect(), 3);
            again.producers = Some(snapshot);
            Log::recovered(again, None)
        };
        assert!(knows(&restart(None, snapshot.clone()), &batches[2]));
        let on = restart(Some(batches[3]), snapshot.clone());
        assert!(knows(&on, &batches[2]) && knows(&on, &batches[3]), "the snapshot and what follows it");
        let mut torn = Log::recovered(found(vec![numbered(0, 2, 7, 0)], 0), None);
        assert!(!torn.is_ours(&snapshot, torn.end(), 0), "a snapshot of more than there is");
        torn.append(numbered(1, 2, 8, 0));
        torn.append(numbered(2, 2, 8, 1));
        assert!(!torn.is_ours(&snapshot, torn.end(), 0), "of another epoch's records");
    }

    #[test]
    fn epochs_begin_where_they_did_whatever_compaction_has_taken() {
        let mut log = log(&[(1, 2), (4, 2), (4, 2), (6, 1)]);
        let left: Vec<_> = log.batches[2..3].to_vec();
        log.cleaned(6, left.clone());
        assert_eq!((log.end_of_epoch(1).end_offset, log.end_of_epoch(4).end_offset), (2, 6));
        assert_eq!(log.span(0, 7, 1000, true).map(|span| (span.from, span.to)), Some((4, 7)), "over the gap");
        let mut again = found(left.into_iter().chain(log.batches[1..].to_vec()).collect(), 0);
        again.epochs = vec![(1, 0), (4, 2), (5, 9)];
        let again = Log::recovered(again, None);
        assert_eq!((again.end_of_epoch(1).end_offset, again.end_of_epoch(4).end_offset), (2, 6));
        assert_eq!(again.last_epoch(), 6, "what begins behind the end was cut off");
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
