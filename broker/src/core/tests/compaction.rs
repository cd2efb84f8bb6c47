//! Compaction and restarts change nothing that anyone may rely on: random logs with transactions are cleaned,
//! again and again, and read as a consumer reads them.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Bytes, BytesMut};
use kafka_protocol::records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType};
use proptest::prelude::*;
use wire::batch::{Header, patched_prefix};
use wire::marker::Marker;
use wire::records::Opened;

use super::super::log::Log;
use super::super::producer_state::Sequenced;
use super::super::*;

/// What somebody does with the log.
#[derive(Debug, Clone)]
enum Deed {
    /// A producer (0 is none) writes these keys, some of them tombstones, in or out of a transaction.
    Write { producer: i64, transactional: bool, keys: Vec<(u8, bool)> },
    /// A producer's transaction ends, if it has one.
    End { producer: i64, committed: bool },
}

fn deed() -> impl Strategy<Value = Deed> {
    let keys = prop::collection::vec((0..5_u8, prop::bool::weighted(0.2)), 1..4);
    prop_oneof![
        3 => (0..4_i64, any::<bool>(), keys).prop_map(|(producer, transactional, keys)| Deed::Write {
            producer,
            transactional,
            keys
        }),
        2 => (1..4_i64, any::<bool>()).prop_map(|(producer, committed)| Deed::End { producer, committed }),
    ]
}

/// A log with its bytes, as storage and core have them together.
#[derive(Default)]
struct Disk {
    log: Log,
    bytes: Vec<Bytes>,
    sequences: BTreeMap<i64, i32>,
    values: u32,
    cleaned_to: i64,
}

impl Disk {
    fn append(&mut self, bytes: &Bytes) {
        let mut out = BytesMut::from(&bytes[..]);
        out[..16].copy_from_slice(&patched_prefix(bytes, self.log.end(), 1));
        let bytes = out.freeze();
        self.log.append(info(&bytes));
        self.bytes.push(bytes);
    }

    fn act(&mut self, deed: &Deed) {
        match deed {
            Deed::Write { producer, transactional, keys } => {
                let open = self.log.producers().has_open(*producer, 0);
                // A producer in a transaction writes nothing outside of it.
                let transactional = *producer > 0 && (*transactional || open);
                let sequence = self.sequences.entry(*producer).or_default();
                let bytes = batch(*producer, *sequence, transactional, keys, &mut self.values);
                *sequence += keys.len() as i32;
                self.append(&bytes);
            }
            Deed::End { producer, committed } => {
                if self.log.producers().has_open(*producer, 0) {
                    let marker = Marker { committed: *committed, coordinator_epoch: 0 };
                    self.append(&marker.batch(*producer, 0, 0));
                }
            }
        }
    }

    fn stable(&self) -> i64 {
        self.log.producers().txns().last_stable(self.log.end())
    }

    /// Cleans what lies below an offset, as one segment, if it is stable.
    fn clean(&mut self, to: i64, now_ms: i64) {
        let below = self.stable();
        let cleanable = Cleanable {
            below,
            aborted: self.log.producers().txns().aborted_spans(below).collect(),
            last_batches: self.log.producers().last_batches(),
            flaw: None,
        };
        let policy =
            CleaningPolicy { dirty_ratio: 0.0, min_lag_ms: 0, max_lag_ms: i64::MAX, delete_retention_ms: 10 };
        let count = self.bytes.iter().take_while(|bytes| info(bytes).end_offset() <= to.min(below)).count();
        let Some(last) = count.checked_sub(1) else { return };
        let to = info(&self.bytes[last]).end_offset();
        let mut cleaner = Cleaner::new(&cleanable, &policy, now_ms, u64::MAX);
        for bytes in self.bytes[..count].iter().filter(|bytes| info(bytes).end_offset() > self.cleaned_to) {
            assert!(cleaner.learn(&Opened::of(bytes).expect("opens")).expect("whole"));
        }
        let left: Vec<Bytes> =
            (0..count).filter_map(|at| cleaner.clean(&self.bytes[at], at == last).expect("whole")).collect();
        self.log.cleaned(to, left.iter().map(info).collect());
        self.bytes.splice(..count, left);
        self.cleaned_to = to;
    }

    /// The same log found by another process, with a snapshot or without.
    fn restarted(&self, snapshot: Option<ProducerSnapshot>) -> Log {
        let key = PartitionKey { topic: Uuid::NIL, partition: 0 };
        let batches = self.bytes.iter().map(info).collect();
        Log::recovered(RecoveredLog { batches, producers: snapshot, ..RecoveredLog::empty(key) }, None)
    }

    /// The state a consumer under read_committed builds from the start up to the last stable offset.
    fn committed(&self, log: &Log) -> BTreeMap<u8, String> {
        let stable = log.producers().txns().last_stable(log.end());
        let mut aborted = log.producers().txns().aborted(0, stable).into_iter().peekable();
        let mut skipped = BTreeSet::new();
        let mut state = BTreeMap::new();
        for bytes in self.bytes.iter().filter(|bytes| info(bytes).end_offset() <= stable) {
            let info = info(bytes);
            while let Some(begun) = aborted.next_if(|aborted| aborted.first_offset < info.end_offset()) {
                skipped.insert(begun.producer_id);
            }
            if let Some(marker) = info.marker {
                if !marker.committed {
                    skipped.remove(&info.producer_id);
                }
                continue;
            }
            if info.transactional && skipped.contains(&info.producer_id) {
                continue;
            }
            for record in Opened::of(bytes).expect("opens").records() {
                let record = record.expect("whole");
                let key = record.key.expect("a key")[0];
                match record.value {
                    Some(value) => state.insert(key, String::from_utf8_lossy(value).into_owned()),
                    None => state.remove(&key),
                };
            }
        }
        state
    }
}

fn info(bytes: &Bytes) -> BatchInfo {
    BatchInfo::read(&Header::check(bytes).expect("a right checksum"), bytes)
}

fn batch(producer: i64, sequence: i32, transactional: bool, keys: &[(u8, bool)], values: &mut u32) -> Bytes {
    let record = |(at, (key, tombstone)): (i32, &(u8, bool))| {
        *values += 1;
        Record {
            transactional,
            control: false,
            partition_leader_epoch: 1,
            producer_id: if producer == 0 { -1 } else { producer },
            producer_epoch: if producer == 0 { -1 } else { 0 },
            timestamp_type: TimestampType::Creation,
            offset: i64::from(at),
            sequence: if producer == 0 { at - 1 } else { sequence + at },
            timestamp: 5,
            key: Some(Bytes::copy_from_slice(&[*key])),
            value: (!tombstone).then(|| Bytes::from(values.to_string())),
            headers: Default::default(),
            delete_horizon: false,
        }
    };
    let records: Vec<Record> = (0..).zip(keys).map(record).collect();
    let mut out = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut out, &records, &options).expect("encodes");
    out.freeze()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn nobody_can_tell_that_a_log_was_cleaned_but_by_its_gaps(
        rounds in prop::collection::vec((prop::collection::vec(deed(), 0..12), prop_oneof![0..60_i64, Just(i64::MAX)], any::<bool>()), 1..8),
    ) {
        let mut disk = Disk::default();
        let mut untouched = Disk::default();
        for (at, (deeds, to, restart)) in (0..).zip(&rounds) {
            for deed in deeds {
                disk.act(deed);
                untouched.act(deed);
            }
            // Horizons pass between some rounds and not between others.
            disk.clean(*to, 7 * at);
            if *restart {
                disk.log = disk.restarted(None);
            }
            prop_assert_eq!(disk.log.end(), untouched.log.end());
            prop_assert_eq!(disk.stable(), untouched.stable());
            prop_assert_eq!(disk.committed(&disk.log), untouched.committed(&untouched.log));
            let again = disk.restarted(None);
            prop_assert_eq!(disk.committed(&again), untouched.committed(&untouched.log));
            for (&producer, &sequence) in untouched.sequences.iter().filter(|(producer, _)| **producer > 0) {
                let next = BatchInfo { producer_id: producer, ..info(&batch(producer, sequence, true, &[(0, false)], &mut 0)) };
                prop_assert_eq!(again.producers().check(&next, None), Ok(Sequenced::Next));
                let open = untouched.log.producers().has_open(producer, 0);
                prop_assert_eq!(again.producers().has_open(producer, 0), open, "producer {}", producer);
            }
        }
    }

    /// The transactions of a log are looked up in memory; a restart finds the same ones, from the headers alone or
    /// with a snapshot of any age.
    #[test]
    fn a_restart_knows_every_transaction_and_producer(
        before in prop::collection::vec(deed(), 0..20),
        after in prop::collection::vec(deed(), 0..20),
    ) {
        let mut disk = Disk::default();
        before.iter().for_each(|deed| disk.act(deed));
        let snapshot = disk.log.snapshot();
        after.iter().for_each(|deed| disk.act(deed));
        let (live, end) = (disk.log.producers(), disk.log.end());
        for again in [disk.restarted(None), disk.restarted(Some(snapshot))] {
            let found = again.producers();
            prop_assert_eq!(found.entries(), live.entries());
            prop_assert_eq!(found.txns().last_stable(end), live.txns().last_stable(end));
            for from in 0..end {
                for to in from + 1..=end {
                    prop_assert_eq!(found.txns().aborted(from, to), live.txns().aborted(from, to));
                }
            }
        }
    }
}
