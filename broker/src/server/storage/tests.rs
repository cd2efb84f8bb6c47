//! Logs on a real disk: append, read, roll, truncate, damage, recover.

use std::fs;
use std::path::Path;

use bytes::{Bytes, BytesMut};
use kafka_protocol::records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType};

use wire::power;

use super::*;

mod cleaning;
mod recovery;

const KEY: PartitionKey = PartitionKey { topic: crate::core::Uuid([7; 16]), partition: 3 };
const NEVER: LogSettings = LogSettings {
    segment_bytes: u64::MAX,
    segment_ms: u64::MAX,
    flush_messages: u64::MAX,
    flush_ms: u64::MAX,
};

/// A batch of `count` records whose times are `time`, `time + 1`, ...
fn encode(count: i64, time: i64) -> Bytes {
    encode_as(count, time, (-1, -1), &|_| None)
}

/// The same by a producer whose first sequence number is given, with keys.
fn encode_as(count: i64, time: i64, producer: (i64, i32), key: &dyn Fn(i64) -> Option<String>) -> Bytes {
    let (producer_id, sequence) = producer;
    let record = |at: i64| Record {
        transactional: false,
        control: false,
        partition_leader_epoch: 0,
        producer_id,
        producer_epoch: if producer_id < 0 { -1 } else { 0 },
        timestamp_type: TimestampType::Creation,
        offset: at,
        sequence: sequence + at as i32,
        timestamp: time + at,
        key: key(at).map(Bytes::from),
        value: Some(Bytes::from_static(b"some value")),
        headers: Default::default(),
        delete_horizon: false,
    };
    let records: Vec<_> = (0..count).map(record).collect();
    let mut out = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut out, &records, &options).expect("encodes");
    out.freeze()
}

fn open(data: &Path) -> (Logs, Vec<RecoveredLog>, Vec<String>) {
    let mut notes = Vec::new();
    let lock = lock(data).expect("locks");
    let (logs, recovered) = Logs::open(data, lock, false, |note| notes.push(note)).expect("opens");
    (logs, recovered, notes)
}

/// A log of `batches` batches of two records each, in epoch 5.
fn filled(data: &Path, batches: i64, settings: LogSettings) -> Logs {
    let (mut logs, _, _) = open(data);
    logs.create(KEY, "orders", settings).expect("creates");
    for at in 0..batches {
        logs.append(KEY, 2 * at, 5, &encode(2, 1_000 * at), 0).expect("appends");
    }
    logs
}

fn file(data: &Path, base: i64) -> PathBuf {
    data.join("orders-3").join(format!("{base:020}.log"))
}

#[test]
fn what_was_appended_is_read_back_patched_and_survives_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut logs = filled(folder.path(), 3, NEVER);
    let bytes = logs.read(KEY, 2, 6).expect("reads");
    let headers: Vec<_> = wire::batch::iter(bytes).map(|found| found.expect("whole").0).collect();
    let seen: Vec<_> = headers.iter().map(|header| (header.base_offset, header.leader_epoch)).collect();
    assert_eq!(seen, [(2, 5), (4, 5)]);
    logs.checkpoint([(KEY, 4)].into_iter()).expect("writes");
    drop(logs);
    let (logs, recovered, notes) = open(folder.path());
    assert!(notes.is_empty(), "{notes:?}");
    assert_eq!((recovered.len(), recovered[0].key, recovered[0].high_watermark), (1, KEY, 4));
    let offsets: Vec<_> = recovered[0].batches.iter().map(BatchInfo::end_offset).collect();
    assert_eq!(offsets, [2, 4, 6]);
    assert_eq!(logs.read(KEY, 0, 6).expect("reads").len(), 3 * encode(2, 0).len());
}

#[test]
fn a_second_node_is_kept_out_of_the_directory() {
    let folder = tempfile::tempdir().expect("a folder");
    let _first = open(folder.path());
    assert!(matches!(lock(folder.path()), Err(StorageError::Locked(_))));
}

#[test]
fn segments_roll_and_are_read_and_truncated_across() {
    let folder = tempfile::tempdir().expect("a folder");
    let size = encode(2, 0).len() as u64;
    let mut logs = filled(folder.path(), 7, LogSettings { segment_bytes: 2 * size, ..NEVER });
    assert!([0, 4, 8, 12].iter().all(|base| file(folder.path(), *base).exists()));
    let all = logs.read(KEY, 0, 14).expect("reads");
    assert_eq!(wire::batch::iter(all).filter(Result::is_ok).count(), 7);
    logs.truncate(KEY, 6).expect("truncates");
    assert!(!file(folder.path(), 8).exists() && !file(folder.path(), 12).exists());
    logs.append(KEY, 6, 6, &encode(2, 0), 0).expect("appends");
    drop(logs);
    let (_, recovered, notes) = open(folder.path());
    assert!(notes.is_empty(), "{notes:?}");
    let seen: Vec<_> = recovered[0].batches.iter().map(|one| (one.base_offset, one.leader_epoch)).collect();
    assert_eq!(seen, [(0, 5), (2, 5), (4, 5), (6, 6)]);
}

#[test]
fn recovery_cuts_a_torn_batch_and_everything_behind_a_damaged_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let size = encode(2, 0).len() as u64;
    drop(filled(folder.path(), 6, LogSettings { segment_bytes: 3 * size, ..NEVER }));
    let second = file(folder.path(), 6);
    let torn = fs::read(&second).expect("reads");
    fs::write(&second, &torn[..torn.len() - 1]).expect("writes");
    let (logs, recovered, notes) = open(folder.path());
    assert_eq!((recovered[0].batches.len(), notes.len()), (5, 1));
    drop(logs);
    let first = file(folder.path(), 0);
    let mut damaged = fs::read(&first).expect("reads");
    damaged[size as usize + 70] ^= 1;
    fs::write(&first, damaged).expect("writes");
    let (mut logs, recovered, notes) = open(folder.path());
    assert_eq!((recovered[0].batches.len(), notes.len()), (1, 2), "{notes:?}");
    assert!(!second.exists());
    logs.append(KEY, 2, 6, &encode(2, 0), 0).expect("appends after the cut");
    assert_eq!(logs.read(KEY, 0, 4).expect("reads").len() as u64, 2 * size);
}

#[test]
fn the_synced_length_is_noted_and_never_beyond_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let size = encode(2, 0).len();
    let noted = || fs::read_to_string(power::note_path(&file(folder.path(), 0))).unwrap_or_default();
    let mut logs = filled(folder.path(), 1, NEVER);
    assert_eq!(noted(), "");
    logs.configure(KEY, LogSettings { flush_messages: 4, ..NEVER });
    logs.append(KEY, 2, 5, &encode(2, 0), 0).expect("appends");
    assert_eq!(noted(), format!("{:020}\n", 2 * size));
    logs.append(KEY, 4, 5, &encode(2, 0), 0).expect("appends");
    logs.truncate(KEY, 2).expect("truncates");
    assert_eq!(noted(), format!("{size:020}\n"));
    logs.configure(KEY, LogSettings { flush_ms: 50, ..NEVER });
    logs.append(KEY, 2, 5, &encode(2, 0), 100).expect("appends");
    logs.tick(149).expect("nothing due");
    logs.tick(10_000).expect("syncs");
    assert_eq!(noted(), format!("{:020}\n", 2 * size));
}

#[test]
fn records_are_found_by_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let logs = filled(folder.path(), 3, NEVER);
    let log = logs.log(KEY).expect("there");
    let found =
        |time| log.find_time(time, 0, 6).expect("reads").map(|stored| (stored.offset, stored.timestamp));
    assert_eq!(found(0), Some((0, 0)));
    assert_eq!(found(1_001), Some((3, 1_001)));
    assert_eq!(found(2_002), None);
    assert_eq!(log.find_latest(0, 6).expect("reads").map(|stored| stored.offset), Some(5));
    assert_eq!(log.find_latest(0, 4).expect("reads").map(|stored| stored.offset), Some(3));
    assert_eq!(log.find_latest(0, 0).expect("reads"), None);
    assert_eq!(log.epoch_at(3), Some(5));
}

#[test]
fn records_are_found_by_time_in_compressed_batches_and_never_in_empty_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut logs, _, _) = open(folder.path());
    logs.create(KEY, "orders", NEVER).expect("creates");
    let opened = |time| wire::records::Opened::of(&encode(2, time)).expect("opens");
    logs.append(KEY, 0, 5, &opened(0).recoded(1).expect("packs"), 0).expect("appends");
    logs.append(KEY, 2, 5, &opened(9_000).rewritten(&[], None), 0).expect("appends");
    logs.append(KEY, 4, 5, &opened(2_000).recoded(4).expect("packs"), 0).expect("appends");
    let log = logs.log(KEY).expect("there");
    let found = |time| log.find_time(time, 0, 6).expect("reads").map(|stored| stored.offset);
    assert_eq!(
        [found(0), found(1), found(2), found(2_001), found(2_002)],
        [Some(0), Some(1), Some(4), Some(5), None]
    );
    assert_eq!(log.find_latest(0, 6).expect("reads").map(|stored| stored.offset), Some(5));
}

/// Files this process has open in a folder.
#[cfg(target_os = "linux")]
fn open_in(folder: &Path) -> usize {
    let links = fs::read_dir("/proc/self/fd").expect("linux").filter_map(Result::ok);
    links.filter_map(|link| fs::read_link(link.path()).ok()).filter(|path| path.starts_with(folder)).count()
}

#[cfg(target_os = "linux")]
#[test]
fn a_log_of_many_segments_holds_few_files_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut logs = filled(folder.path(), 50, LogSettings { segment_bytes: 1, ..NEVER });
    assert!(open_in(folder.path()) <= 3, "the lock, a segment and its note");
    assert_eq!(wire::batch::iter(logs.read(KEY, 0, 100).expect("reads")).count(), 50);
    logs.truncate(KEY, 51).expect("cuts into what was sealed");
    logs.append(KEY, 50, 6, &encode(2, 0), 0).expect("goes on");
    drop(logs);
    let (logs, recovered, _) = open(folder.path());
    assert_eq!(recovered[0].batches.len(), 26);
    assert!(open_in(folder.path()) <= 3);
    assert_eq!(wire::batch::iter(logs.read(KEY, 0, 100).expect("reads")).count(), 26);
}

#[test]
fn a_topic_made_again_under_its_name_pushes_the_old_log_aside() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut logs = filled(folder.path(), 2, NEVER);
    let again = PartitionKey { topic: crate::core::Uuid([8; 16]), partition: 3 };
    logs.create(again, "orders", NEVER).expect("creates");
    logs.append(KEY, 4, 5, &encode(2, 0), 0).expect("the old one still works");
    logs.delete(KEY).expect("deletes");
    logs.append(again, 0, 5, &encode(2, 0), 0).expect("the new one is untouched");
    drop(logs);
    let (_, recovered, _) = open(folder.path());
    assert_eq!(recovered.iter().map(|log| log.key).collect::<Vec<_>>(), [again]);
}

/// Durable after a sync: the log's own files and the entries of its folder. Not before: nothing of it.
#[test]
fn a_power_failure_takes_what_was_never_synced_and_a_kill_takes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut logs = filled(folder.path(), 2, NEVER);
    logs.sync().expect("syncs");
    logs.append(KEY, 4, 5, &encode(2, 0), 0).expect("appends");
    let other = PartitionKey { partition: 4, ..KEY };
    logs.create(other, "orders", NEVER).expect("creates");
    logs.append(other, 0, 5, &encode(2, 0), 0).expect("appends");
    logs.checkpoint([(KEY, 6)].into_iter()).expect("writes");
    drop(logs);

    let (logs, recovered, notes) = open(folder.path());
    let ends: Vec<_> = recovered.iter().map(|log| log.batches.last().map(BatchInfo::end_offset)).collect();
    assert_eq!((ends, notes.len()), (vec![Some(6), Some(2)], 0), "killed");
    drop(logs);

    let size = encode(2, 0).len() as u64;
    let lost = power::fail(folder.path(), None).expect("fails");
    assert_eq!(lost.bytes, 2 * size + metadata_bytes(other));
    let (_, recovered, notes) = open(folder.path());
    let ends: Vec<_> = recovered.iter().map(|log| log.batches.last().map(BatchInfo::end_offset)).collect();
    assert_eq!((ends, notes.len()), (vec![Some(4)], 0), "without power");
    assert_eq!(recovered[0].high_watermark, 6, "the checkpoint is replaced durably");
}

fn metadata_bytes(key: PartitionKey) -> u64 {
    format!("version: 0\ntopic_id: {}\npartition: {}\n", key.topic, key.partition).len() as u64
}

/// A write that got to the disk in pieces is cut at the first batch whose checksum does not match.
#[test]
fn a_torn_tail_is_cut_at_the_first_damaged_batch() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut logs = filled(folder.path(), 1, NEVER);
    logs.sync().expect("syncs");
    for at in 1..5 {
        logs.append(KEY, 2 * at, 5, &encode(2, 0), 0).expect("appends");
    }
    drop(logs);
    let size = encode(2, 0).len() as u64;
    power::fail(folder.path(), Some(&mut |_| 2 * size + size / 2)).expect("fails");
    let (_, recovered, notes) = open(folder.path());
    let end = recovered[0].batches.last().map(BatchInfo::end_offset);
    assert!(end == Some(2) || end == Some(4) || end == Some(6), "{end:?}");
    assert_eq!(notes.len(), 1, "{notes:?}");
}
