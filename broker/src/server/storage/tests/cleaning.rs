//! Compaction of files: what is swapped, what a crash in the middle leaves, and what a power failure takes.

use std::collections::BTreeSet;

use super::*;
use crate::core::{Cleanable, CleaningPolicy};

const FOREVER_MS: i64 = i64::MAX;

fn order(below: i64) -> CleaningOrder {
    CleaningOrder {
        cleanable: Cleanable { below, aborted: Vec::new(), last_batches: BTreeSet::new(), flaw: None },
        policy: CleaningPolicy {
            dirty_ratio: 0.0,
            min_lag_ms: 0,
            max_lag_ms: FOREVER_MS,
            delete_retention_ms: 0,
        },
        segment_bytes: u64::MAX,
        room: u64::MAX,
        wall_ms: 0,
    }
}

fn keyed(time: i64, keys: [&str; 2]) -> Bytes {
    encode_as(2, time, (-1, -1), &|at| Some(keys[at as usize].to_owned()))
}

/// Four sealed segments of one batch each and an active one: `a b`, `a c`, `a d`, `a d`, and `a e` in another
/// epoch.
fn keyed_log(data: &Path) -> Logs {
    let settings = LogSettings { segment_bytes: 1, ..NEVER };
    let (mut logs, _, _) = open(data);
    logs.create(KEY, "orders", settings).expect("creates");
    for (at, other) in (0..).zip(["b", "c", "d", "d"]) {
        logs.append(KEY, 2 * at, 5, &keyed(1_000 * at, ["a", other]), 0).expect("appends");
    }
    logs.append(KEY, 8, 6, &keyed(9_000, ["a", "e"]), 0).expect("appends");
    logs
}

fn compact(logs: &mut Logs, order: CleaningOrder) -> Option<Vec<BatchInfo>> {
    let cleaned = logs.cleaning(KEY, order)?.run().expect("runs");
    logs.adopt(cleaned).expect("swaps")
}

/// Offset and key of every record, and the bounds of every batch.
fn contents(logs: &Logs) -> (Vec<String>, Vec<(i64, i64)>) {
    let mut records = Vec::new();
    let mut batches = Vec::new();
    for found in wire::batch::iter(logs.read(KEY, 0, 99).expect("reads")) {
        let (header, bytes) = found.expect("whole");
        wire::batch::Header::check(&bytes).expect("the right checksum");
        batches.push((header.base_offset, header.last_offset()));
        let opened = wire::records::Opened::of(&bytes).expect("opens");
        for record in opened.records().map(|record| record.expect("whole")) {
            let key = String::from_utf8_lossy(record.key.unwrap_or_default()).into_owned();
            records.push(format!("{} {key}", record.offset));
        }
    }
    (records, batches)
}

const CLEAN: [&str; 6] = ["1 b", "3 c", "6 a", "7 d", "8 a", "9 e"];

#[test]
fn sealed_segments_become_one_and_offsets_stay() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut logs = keyed_log(folder.path());
    let left = compact(&mut logs, order(99)).expect("it is due");
    let bounds: Vec<_> = left.iter().map(|one| (one.base_offset, one.end_offset())).collect();
    assert_eq!(bounds, [(0, 2), (2, 4), (6, 8)]);
    assert_eq!(contents(&logs), (CLEAN.map(str::to_owned).to_vec(), vec![(0, 1), (2, 3), (6, 7), (8, 9)]));
    assert!(file(folder.path(), 0).exists() && file(folder.path(), 8).exists());
    assert!([2, 4, 6].iter().all(|base| !file(folder.path(), *base).exists()));
    let in_gap = logs.read(KEY, 4, 8).expect("reads");
    assert_eq!(wire::batch::Header::parse(&in_gap).map(|header| header.base_offset), Ok(6));
    assert!(logs.cleaning(KEY, order(99)).is_none(), "nothing is dirty");
    logs.append(KEY, 10, 6, &keyed(9_500, ["f", "g"]), 0).expect("it goes on");
    drop(logs);
    let (logs, recovered, notes) = open(folder.path());
    assert!(notes.is_empty(), "{notes:?}");
    assert_eq!(contents(&logs).0[..6], CLEAN);
    assert_eq!(recovered[0].epochs, [(5, 0)], "written down before the batches went");
    let order =
        CleaningOrder { policy: CleaningPolicy { dirty_ratio: 0.9, ..order(99).policy }, ..order(99) };
    assert!(logs.cleaning(KEY, order).is_none(), "what is clean is remembered");
}

#[test]
fn what_may_still_change_is_not_touched() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut logs = keyed_log(folder.path());
    compact(&mut logs, order(5)).expect("two segments are settled");
    assert_eq!(contents(&logs).0, ["1 b", "2 a", "3 c", "4 a", "5 d", "6 a", "7 d", "8 a", "9 e"]);
    assert!(compact(&mut logs, order(4)).is_none());
}

#[test]
fn a_log_that_was_cut_meanwhile_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut logs = keyed_log(folder.path());
    let cleaned = logs.cleaning(KEY, order(99)).expect("due").run().expect("runs");
    logs.truncate(KEY, 6).expect("truncates");
    assert_eq!(logs.adopt(cleaned).expect("nothing to do"), None);
    assert_eq!(contents(&logs).0, ["0 a", "1 b", "2 a", "3 c", "4 a", "5 d"]);
    let names = fs::read_dir(folder.path().join("orders-3")).expect("reads");
    let aside = names.map(|entry| entry.expect("reads").path()).filter(|path| path.extension().is_some());
    assert!(aside.into_iter().all(|path| path.extension() != Some("cleaned".as_ref())));
}

/// Before the new file has its name, the old ones count; after, the new one does, whatever of the old is left. So
/// it is for a kill and for a power failure, in which what was never synced vanishes.
#[test]
fn a_crash_at_any_step_leaves_the_old_or_the_new() {
    let half_written = 0;
    let renamed = 3;
    let steps = 0..6;
    for (step, power) in steps.flat_map(|step| [(step, false), (step, true)]) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut logs = keyed_log(folder.path());
        logs.sync().expect("the active one too");
        let before = contents(&logs).0;
        let job = logs.cleaning(KEY, order(99)).expect("due");
        drop(job.run().expect("runs"));
        drop(logs);
        let first = file(folder.path(), 0);
        let aside = first.with_extension("cleaned");
        let whole = fs::read(&aside).expect("reads");
        if step == half_written {
            fs::write(&aside, &whole[..whole.len() / 2]).expect("writes");
        }
        // What `Segment::replaced` and the log do after it, up to the step.
        let mut note = power::Note::beside(&first);
        if step >= 2 {
            let longest = fs::metadata(&first).expect("there").len().max(whole.len() as u64);
            note.write(longest).expect("writes");
        }
        if step >= renamed {
            fs::rename(&aside, &first).expect("renames");
        }
        if step >= 4 {
            note.write(whole.len() as u64).expect("writes");
        }
        if step >= 5 {
            fs::remove_file(power::note_path(&file(folder.path(), 2))).expect("removes");
            fs::remove_file(file(folder.path(), 2)).expect("removes");
            fs::remove_file(power::note_path(&file(folder.path(), 4))).expect("removes");
        }
        if power {
            power::fail(folder.path(), None).expect("fails");
        }
        let (logs, _, _) = open(folder.path());
        let wanted = if step >= renamed { CLEAN.map(str::to_owned).to_vec() } else { before };
        assert_eq!(contents(&logs).0, wanted, "step {step}, power failure: {power}");
        assert!(!aside.exists());
        assert_eq!(logs.segments(KEY).expect("there").len(), if step >= renamed { 2 } else { 5 });
    }
}

/// A compacted segment is durable before it counts; a power failure takes none of it, nor the epochs, nor how far
/// the log is clean. What was written aside and not taken vanishes.
#[test]
fn a_power_failure_takes_nothing_of_what_was_compacted() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut logs = keyed_log(folder.path());
    compact(&mut logs, order(99)).expect("due");
    logs.append(KEY, 10, 6, &keyed(9_500, ["a", "g"]), 0).expect("rolls, and so syncs");
    logs.append(KEY, 12, 6, &keyed(9_600, ["a", "g"]), 0).expect("rolls, and so syncs");
    drop(logs.cleaning(KEY, order(99)).expect("due").run().expect("runs"));
    drop(logs);
    power::fail(folder.path(), None).expect("fails");
    assert!(!file(folder.path(), 0).with_extension("cleaned").exists());
    let (logs, recovered, notes) = open(folder.path());
    assert!(notes.is_empty(), "{notes:?}");
    assert_eq!(contents(&logs).0, ["1 b", "3 c", "6 a", "7 d", "8 a", "9 e", "10 a", "11 g"]);
    assert_eq!(recovered[0].epochs, [(5, 0)]);
    let late = CleaningOrder { policy: CleaningPolicy { dirty_ratio: 0.6, ..order(99).policy }, ..order(99) };
    assert!(logs.cleaning(KEY, late).is_none(), "three of five batches are known to be clean");
}

#[test]
fn deleting_everything_leaves_an_empty_segment_where_the_log_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut logs = keyed_log(folder.path());
    logs.raise_start(KEY, 10).expect("deletes");
    assert_eq!(logs.segments(KEY).expect("there").len(), 1);
    assert!(file(folder.path(), 10).exists() && !file(folder.path(), 8).exists());
    drop(logs);
    let (mut logs, recovered, notes) = open(folder.path());
    assert_eq!((recovered[0].log_start, recovered[0].batches.len(), notes.len()), (10, 0, 0));
    logs.append(KEY, 10, 6, &keyed(0, ["a", "b"]), 0).expect("appends");
    assert_eq!(contents(&logs).0, ["10 a", "11 b"]);
    drop(logs);
    power::fail(folder.path(), None).expect("fails");
    let (_, recovered, _) = open(folder.path());
    assert_eq!((recovered[0].log_start, recovered[0].batches.len()), (10, 0));
    assert!(file(folder.path(), 10).exists(), "it begins where it began");
}
