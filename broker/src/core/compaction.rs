//! Compaction: which records of a log may go because a later one has the same key. Pure rules over batches; the
//! storage rewrites its files with what they answer.
//!
//! The rules are those of Apache Kafka's log cleaner (documentation, "Log Compaction"; KIP-534):
//! - the last record of every key stays, at its offset; what goes leaves a gap;
//! - nothing is cleaned that is in the active segment, above the last stable offset, or younger than
//!   `min.compaction.lag.ms` ([`select`] says where that begins);
//! - records of aborted transactions go, whatever their key;
//! - a tombstone (no value) stays for `delete.retention.ms` after the first cleaning that met it, so that
//!   readers that are behind learn of the deletion; a transaction's marker stays as long, and as long as
//!   anything of its transaction does;
//! - a producer's last batch stays, if need be without records: its sequence numbers are in it;
//! - so does the last batch of every file, since offsets must not be given twice;
//! - a record without a key has no business in such a topic, and goes.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;

use bytes::Bytes;
use wire::records::{Opened, Record};

use crate::flaws::Flaw;

/// What the log itself says about its compaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleanable {
    /// What lies below may be cleaned: it is committed and belongs to no open transaction.
    pub below: i64,
    /// Aborted transactions: whose, first offset, and offset of the marker.
    pub aborted: Vec<(i64, i64, i64)>,
    /// The offset after the last batch of each producer that is remembered.
    pub last_batches: BTreeSet<i64>,
    /// A planted flaw.
    pub flaw: Option<Flaw>,
}

/// The settings of a topic that concern its compaction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CleaningPolicy {
    /// `min.cleanable.dirty.ratio`.
    pub dirty_ratio: f64,
    /// `min.compaction.lag.ms`.
    pub min_lag_ms: i64,
    /// `max.compaction.lag.ms`.
    pub max_lag_ms: i64,
    /// `delete.retention.ms`.
    pub delete_retention_ms: i64,
}

/// A segment, seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentFacts {
    /// Its first offset.
    pub base: i64,
    /// The offset after its last record.
    pub end: i64,
    /// Its size in bytes.
    pub bytes: u64,
    /// Highest timestamp of its first batch, in ms since 1970; -1 without one.
    pub first_ms: i64,
    /// Highest timestamp of all, in ms since 1970; -1 without one.
    pub newest_ms: i64,
}

/// How many of a log's sealed segments are to be cleaned now, from the first on; `None` if it is not time.
/// Below `first_dirty` everything was cleaned before.
#[must_use]
pub fn select(
    sealed: &[SegmentFacts],
    first_dirty: i64,
    below: i64,
    policy: &CleaningPolicy,
    wall_ms: i64,
) -> Option<usize> {
    let clean = sealed.partition_point(|segment| segment.end <= first_dirty);
    let young = |segment: &SegmentFacts| {
        policy.min_lag_ms > 0 && segment.newest_ms > wall_ms.saturating_sub(policy.min_lag_ms)
    };
    let dirty = sealed[clean..].iter().take_while(|segment| segment.end <= below && !young(segment)).count();
    let all = clean + dirty;
    let bytes = |range: Range<usize>| sealed[range].iter().map(|segment| segment.bytes).sum::<u64>();
    let due_ms = wall_ms.saturating_sub(policy.max_lag_ms);
    let overdue = sealed[clean..all].iter().any(|segment| (0..due_ms).contains(&segment.first_ms));
    let ratio = bytes(clean..all) as f64 / bytes(0..all).max(1) as f64;
    (dirty > 0 && (overdue || ratio > policy.dirty_ratio)).then_some(all)
}

/// Which of these segments become one: neighbours that fit into one file as they are.
#[must_use]
pub fn groups(sealed: &[SegmentFacts], segment_bytes: u64) -> Vec<Range<usize>> {
    let mut out: Vec<Range<usize>> = Vec::new();
    let mut bytes = 0;
    for (at, segment) in sealed.iter().enumerate() {
        // Offsets within a segment are 32-bit numbers in Kafka's indexes.
        let joins = |group: &Range<usize>| {
            bytes + segment.bytes <= segment_bytes
                && segment.end.saturating_sub(sealed[group.start].base) <= i64::from(i32::MAX)
        };
        match out.last_mut() {
            Some(group) if joins(group) => {
                group.end = at + 1;
                bytes += segment.bytes;
            }
            _ => {
                out.push(at..at + 1);
                bytes = segment.bytes;
            }
        }
    }
    out
}

/// One cleaning of a log: learns the last record of every key, then says what is left of each batch.
#[derive(Debug)]
pub struct Cleaner {
    now_ms: i64,
    delete_retention_ms: i64,
    /// First offset and marker of the aborted transactions of each producer, in order.
    aborted: BTreeMap<i64, Vec<(i64, i64)>>,
    last_batches: BTreeSet<i64>,
    flaw: Option<Flaw>,
    latest: BTreeMap<Bytes, i64>,
    /// Bytes that `latest` may still take.
    room: u64,
    /// From here on nothing was learned, so everything stays.
    learned: i64,
    /// Producers with something left of a transaction that no marker so far has ended.
    open: BTreeSet<i64>,
}

/// What a key in the map takes beside its own bytes.
const ENTRY: u64 = 24;

impl Cleaner {
    /// A cleaning at a time of day (`now_ms`, since 1970), with so many bytes of room for keys.
    #[must_use]
    pub fn new(cleanable: &Cleanable, policy: &CleaningPolicy, now_ms: i64, room: u64) -> Self {
        let mut aborted: BTreeMap<i64, Vec<(i64, i64)>> = BTreeMap::new();
        for &(producer_id, first, last) in &cleanable.aborted {
            aborted.entry(producer_id).or_default().push((first, last));
        }
        aborted.values_mut().for_each(|spans| spans.sort_unstable());
        Self {
            now_ms,
            delete_retention_ms: policy.delete_retention_ms,
            aborted,
            last_batches: cleanable.last_batches.clone(),
            flaw: cleanable.flaw,
            latest: BTreeMap::new(),
            room,
            learned: i64::MAX,
            open: BTreeSet::new(),
        }
    }

    /// Takes note of a dirty batch; batches come in order of offset. `false`: there is no room for its keys, and
    /// what follows is better left to the next cleaning.
    ///
    /// # Errors
    /// If its records cannot be read.
    pub fn learn(&mut self, batch: &Opened) -> io::Result<bool> {
        if batch.header().is_control() {
            return Ok(true);
        }
        for record in batch.records() {
            let record = record?;
            let Some(key) = record.key.filter(|_| !self.is_aborted(batch, &record)) else { continue };
            let key = self.slot(key);
            if let Some(known) = self.latest.get_mut(&key) {
                *known = record.offset;
                continue;
            }
            let Some(room) = self.room.checked_sub(key.len() as u64 + ENTRY) else {
                self.learned = batch.header().base_offset;
                return Ok(false);
            };
            self.room = room;
            self.latest.insert(key, record.offset);
        }
        Ok(true)
    }

    /// Up to which offset keys were learned: behind it the log is as dirty as before.
    #[must_use]
    pub const fn learned(&self) -> i64 {
        self.learned
    }

    /// What a key goes by in the map.
    fn slot(&self, key: &[u8]) -> Bytes {
        if self.flaw == Some(Flaw::CompactionDropsLatest) {
            // A hash of four bits instead of the key: two keys meet, and the later one takes all.
            return Bytes::copy_from_slice(&[crc32c::crc32c(key) as u8 & 0x0f]);
        }
        Bytes::copy_from_slice(key)
    }

    /// What is left of a batch: `None` if nothing is, else the batch, rewritten if anything of it went. Batches
    /// come in order of offset, from the start of the log. The last one of a file stays, if only in name.
    ///
    /// # Errors
    /// If its records cannot be read.
    pub fn clean(&mut self, bytes: &Bytes, last_of_file: bool) -> io::Result<Option<Bytes>> {
        let batch = Opened::of(bytes)?;
        let header = batch.header();
        let of_producer = header.producer_id >= 0 && self.last_batches.contains(&(header.last_offset() + 1));
        let expired = batch.delete_horizon().is_some_and(|horizon| horizon <= self.now_ms);
        let records = batch.records().collect::<io::Result<Vec<_>>>()?;
        let mut kept = Vec::with_capacity(records.len());
        // Whether something in it is kept for a while only.
        let mut mortal = false;
        if header.is_control() {
            // What the marker ends is there as long as something of it survived the walk so far.
            let ends_something = self.open.remove(&header.producer_id);
            mortal = !ends_something;
            // A marker without its record would end nothing when the log is read again.
            if ends_something || !expired || of_producer {
                kept.extend(&records);
            }
        } else {
            for record in &records {
                let tombstone = record.value.is_none();
                if self.is_latest(record) && !self.is_aborted(&batch, record) && !(tombstone && expired) {
                    mortal |= tombstone;
                    kept.push(*record);
                }
            }
        }
        if kept.is_empty() && !of_producer && !last_of_file {
            return Ok(None);
        }
        if header.is_transactional() && !header.is_control() {
            // Even an empty batch opens its transaction when the log is read again.
            self.open.insert(header.producer_id);
        }
        let horizon = match batch.delete_horizon() {
            None if mortal => Some(self.now_ms.saturating_add(self.delete_retention_ms)),
            known => known.filter(|_| mortal),
        };
        if kept.len() == records.len() && horizon == batch.delete_horizon() {
            return Ok(Some(bytes.clone()));
        }
        Ok(Some(batch.rewritten(&kept, horizon)))
    }

    /// A record without a key is nobody's latest.
    fn is_latest(&self, record: &Record<'_>) -> bool {
        let Some(key) = record.key else { return false };
        record.offset >= self.learned
            || self.latest.get(&self.slot(key)).is_none_or(|latest| *latest <= record.offset)
    }

    fn is_aborted(&self, batch: &Opened, record: &Record<'_>) -> bool {
        let header = batch.header();
        let spans = header.is_transactional().then(|| self.aborted.get(&header.producer_id)).flatten();
        spans.is_some_and(|spans| {
            let begun = spans.partition_point(|&(first, _)| first <= record.offset);
            begun.checked_sub(1).is_some_and(|at| record.offset < spans[at].1)
        })
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::records::{
        Compression, Record as Wanted, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
    };

    use super::*;

    const RETENTION_MS: i64 = 1_000;

    /// A batch at an offset: producer, transactional, control, and its keys and values.
    fn batch(
        offset: i64,
        producer: i64,
        (transactional, control): (bool, bool),
        records: &[(Option<&str>, Option<&str>)],
    ) -> Bytes {
        let bytes = |text: Option<&str>| text.map(|text| Bytes::from(text.to_owned()));
        let records: Vec<Wanted> = (0..)
            .zip(records)
            .map(|(at, (key, value))| Wanted {
                transactional,
                control,
                partition_leader_epoch: 0,
                producer_id: producer,
                producer_epoch: if producer < 0 { -1 } else { 0 },
                timestamp_type: TimestampType::Creation,
                offset: offset + at,
                // The encoder starts another batch where offset and sequence drift apart.
                sequence: offset as i32 + at as i32,
                timestamp: 50,
                key: bytes(*key),
                value: bytes(*value),
                headers: Default::default(),
                delete_horizon: false,
            })
            .collect();
        let mut out = bytes::BytesMut::new();
        let options = RecordEncodeOptions { version: 2, compression: Compression::None };
        RecordBatchEncoder::encode(&mut out, &records, &options).expect("encodes");
        out.freeze()
    }

    fn plain(offset: i64, records: &[(Option<&str>, Option<&str>)]) -> Bytes {
        batch(offset, -1, (false, false), records)
    }

    fn set(key: &'static str, value: &'static str) -> (Option<&'static str>, Option<&'static str>) {
        (Some(key), Some(value))
    }

    /// Cleans them at a time, with an aborted transaction of producer 9 from offset `aborted` on.
    fn clean(batches: &[Bytes], now_ms: i64, aborted: i64, last_batches: &[i64]) -> Vec<Bytes> {
        let cleanable = Cleanable {
            below: i64::MAX,
            aborted: vec![(9, aborted, i64::MAX)],
            last_batches: last_batches.iter().copied().collect(),
            flaw: None,
        };
        run(batches, &cleanable, now_ms, u64::MAX)
    }

    fn run(batches: &[Bytes], cleanable: &Cleanable, now_ms: i64, room: u64) -> Vec<Bytes> {
        let policy = CleaningPolicy {
            dirty_ratio: 0.5,
            min_lag_ms: 0,
            max_lag_ms: i64::MAX,
            delete_retention_ms: RETENTION_MS,
        };
        let mut cleaner = Cleaner::new(cleanable, &policy, now_ms, room);
        for bytes in batches {
            if !cleaner.learn(&Opened::of(bytes).expect("opens")).expect("whole") {
                break;
            }
        }
        batches.iter().filter_map(|bytes| cleaner.clean(bytes, false).expect("whole")).collect()
    }

    /// Offset, key and value of everything.
    fn contents(batches: &[Bytes]) -> Vec<(i64, String, Option<String>)> {
        let mut out = Vec::new();
        for bytes in batches {
            for record in Opened::of(bytes).expect("opens").records() {
                let record = record.expect("whole");
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                out.push((record.offset, record.key.map_or_else(String::new, text), record.value.map(text)));
            }
        }
        out
    }

    fn left(batches: &[Bytes]) -> Vec<String> {
        let each = contents(batches).into_iter();
        each.map(|(offset, key, value)| format!("{offset} {key}={}", value.unwrap_or_default())).collect()
    }

    #[test]
    fn the_last_record_of_a_key_stays_where_it_is() {
        let log = [
            plain(0, &[set("a", "1"), set("b", "1")]),
            plain(2, &[set("a", "2"), set("c", "1"), set("a", "3")]),
            plain(5, &[set("b", "2")]),
        ];
        let cleaned = clean(&log, 0, 99, &[]);
        assert_eq!(left(&cleaned), ["3 c=1", "4 a=3", "5 b=2"]);
        assert_eq!(cleaned.len(), 2, "a batch of which nothing is left goes");
        let again = clean(&cleaned, 0, 99, &[]);
        assert_eq!(again, cleaned, "cleaning what is clean changes nothing");
    }

    #[test]
    fn a_record_without_a_key_goes() {
        assert_eq!(left(&clean(&[plain(0, &[(None, Some("x")), set("a", "1")])], 0, 99, &[])), ["1 a=1"]);
    }

    #[test]
    fn a_tombstone_stays_for_its_retention() {
        let log = [plain(0, &[set("a", "1"), (Some("a"), None)]), plain(2, &[set("b", "1")])];
        let first = clean(&log, 100, 99, &[]);
        assert_eq!(left(&first), ["1 a=", "2 b=1"]);
        let early = clean(&first, 100 + RETENTION_MS - 1, 99, &[]);
        assert_eq!(early, first, "the horizon was set by the first cleaning");
        assert_eq!(left(&clean(&first, 100 + RETENTION_MS, 99, &[])), ["2 b=1"]);
    }

    #[test]
    fn aborted_records_go_and_do_not_shadow_committed_ones() {
        let log = [
            plain(0, &[set("a", "committed")]),
            batch(1, 9, (true, false), &[set("a", "aborted")]),
            batch(2, 9, (true, true), &[set("", "")]),
        ];
        assert_eq!(left(&clean(&log, 0, 1, &[])), ["0 a=committed", "2 ="]);
    }

    #[test]
    fn a_marker_stays_while_anything_of_its_transaction_does() {
        let log = [
            batch(0, 7, (true, false), &[set("a", "1")]),
            batch(1, 7, (true, true), &[set("", "")]),
            plain(2, &[set("b", "1")]),
        ];
        let once = clean(&log, 0, 99, &[]);
        assert_eq!(left(&clean(&once, 10 * RETENTION_MS, 99, &[])), ["0 a=1", "1 =", "2 b=1"]);
        let overwritten = [log[0].clone(), log[1].clone(), plain(2, &[set("a", "2")])];
        let once = clean(&overwritten, 0, 99, &[]);
        assert_eq!(left(&once), ["1 =", "2 a=2"]);
        assert_eq!(left(&clean(&once, RETENTION_MS, 99, &[])), ["2 a=2"]);
    }

    #[test]
    fn a_producers_last_batch_stays_without_its_records() {
        let log = [batch(0, 7, (false, false), &[set("a", "1")]), plain(1, &[set("a", "2")])];
        let cleaned = clean(&log, 0, 99, &[1]);
        assert_eq!(left(&cleaned), ["1 a=2"]);
        let header = *Opened::of(&cleaned[0]).expect("opens").header();
        assert_eq!((header.count, header.last_offset(), header.producer_id), (0, 0, 7));
    }

    #[test]
    fn an_empty_batch_of_a_transaction_keeps_its_marker() {
        let log = [
            batch(0, 7, (true, false), &[set("a", "1")]),
            batch(1, 7, (true, true), &[set("", "")]),
            plain(2, &[set("a", "2")]),
        ];
        let once = clean(&log, 0, 99, &[1]);
        assert_eq!(left(&once), ["1 =", "2 a=2"]);
        let again = clean(&once, 10 * RETENTION_MS, 99, &[1]);
        assert_eq!((left(&again), again.len()), (left(&once), 3), "else it would be open for ever");
    }

    #[test]
    fn the_last_batch_of_a_file_stays_in_name() {
        let cleanable =
            Cleanable { below: 9, aborted: Vec::new(), last_batches: BTreeSet::new(), flaw: None };
        let policy = CleaningPolicy {
            dirty_ratio: 0.5,
            min_lag_ms: 0,
            max_lag_ms: i64::MAX,
            delete_retention_ms: RETENTION_MS,
        };
        let mut cleaner = Cleaner::new(&cleanable, &policy, 0, u64::MAX);
        let gone = plain(3, &[(None, Some("x")), (None, Some("y"))]);
        let left = cleaner.clean(&gone, true).expect("whole").expect("it stays");
        let header = wire::batch::Header::check(&left).expect("a right checksum");
        assert_eq!((header.count, header.base_offset, header.last_offset()), (0, 3, 4));
    }

    #[test]
    fn what_was_not_learned_stays() {
        let log = [plain(0, &[set("a", "1"), set("b", "1")]), plain(2, &[set("a", "2"), set("c", "1")])];
        let cleanable =
            Cleanable { below: 9, aborted: Vec::new(), last_batches: BTreeSet::new(), flaw: None };
        let room_for_two = 2 * (ENTRY + 1);
        let cleaned = run(&log, &cleanable, 0, room_for_two);
        assert_eq!(left(&cleaned), ["1 b=1", "2 a=2", "3 c=1"], "the second batch did not fit");
    }

    /// Imitates a cleaner whose map holds a hash of the key that is too short.
    #[test]
    fn the_flaw_drops_the_latest_record_of_a_key_and_nothing_else_does() {
        let keys: Vec<String> = (0..17).map(|at| format!("key {at}")).collect();
        let log: Vec<Bytes> =
            (0..).zip(&keys).map(|(at, key)| plain(at, &[(Some(key.as_str()), Some("latest"))])).collect();
        let kept = |flaw| {
            let cleanable = Cleanable { below: 99, aborted: Vec::new(), last_batches: BTreeSet::new(), flaw };
            run(&log, &cleanable, 0, u64::MAX).len()
        };
        assert_eq!(kept(None), 17);
        assert!(kept(Some(Flaw::CompactionDropsLatest)) < 17, "of 17 keys two share a slot");
    }

    fn segment(base: i64, end: i64, bytes: u64, first_ms: i64, newest_ms: i64) -> SegmentFacts {
        SegmentFacts { base, end, bytes, first_ms, newest_ms }
    }

    #[test]
    fn a_log_is_cleaned_when_enough_of_it_is_dirty_or_it_is_overdue() {
        let sealed =
            [segment(0, 10, 100, 0, 50), segment(10, 20, 100, 60, 100), segment(20, 30, 100, 110, 150)];
        let policy = CleaningPolicy {
            dirty_ratio: 0.5,
            min_lag_ms: 0,
            max_lag_ms: i64::MAX,
            delete_retention_ms: RETENTION_MS,
        };
        let at = |first_dirty, below, policy| select(&sealed, first_dirty, below, policy, 200);
        assert_eq!(at(0, 99, &policy), Some(3), "all of it is dirty");
        assert_eq!(at(10, 99, &policy), Some(3), "two thirds");
        assert_eq!(at(20, 99, &policy), None, "a third");
        assert_eq!(at(30, 99, &policy), None, "nothing");
        assert_eq!(at(0, 29, &policy), Some(2), "what may still change is left alone");
        assert_eq!(at(0, 9, &policy), None);
        let young = CleaningPolicy { min_lag_ms: 100, ..policy };
        assert_eq!(at(0, 99, &young), Some(2), "the third is too young");
        let late = CleaningPolicy { max_lag_ms: 80, ..policy };
        assert_eq!(at(20, 99, &late), Some(3), "a third, but old");
        let not_yet = CleaningPolicy { max_lag_ms: 90, ..policy };
        assert_eq!(at(20, 99, &not_yet), None);
    }

    #[test]
    fn small_neighbours_become_one_file() {
        let sealed = [
            segment(0, 10, 40, 0, 0),
            segment(10, 20, 50, 0, 0),
            segment(20, 30, 20, 0, 0),
            segment(30, 40, 200, 0, 0),
            segment(40, 50, 1, 0, 0),
            segment(50, 51 + i64::from(i32::MAX), 1, 0, 0),
        ];
        assert_eq!(groups(&sealed, 100), [0..2, 2..3, 3..4, 4..5, 5..6]);
        assert!(groups(&[], 100).is_empty());
    }
}
