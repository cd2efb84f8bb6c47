//! Starting again: what is trusted, what is checked, and what is remembered of producers.

use super::*;
use crate::core::{Broker, BrokerConfig, Uuid};

fn damage(path: &Path, at: usize) {
    let mut bytes = fs::read(path).expect("reads");
    bytes[at] ^= 1;
    fs::write(path, bytes).expect("writes");
}

fn end(recovered: &[RecoveredLog]) -> Option<i64> {
    recovered[0].batches.last().map(BatchInfo::end_offset)
}

/// Two batches are durable and known to be, three are not.
fn half_synced(data: &Path) -> usize {
    let mut logs = filled(data, 2, NEVER);
    logs.sync().expect("syncs");
    logs.checkpoint_recovery().expect("writes");
    for at in 2..5 {
        logs.append(KEY, 2 * at, 5, &encode(2, 1_000 * at), 0).expect("appends");
    }
    encode(2, 0).len()
}

#[test]
fn checks_begin_at_the_recovery_point() {
    let folder = tempfile::tempdir().expect("a folder");
    let size = half_synced(folder.path());
    damage(&file(folder.path(), 0), size + 70);
    let (logs, recovered, notes) = open(folder.path());
    assert_eq!((end(&recovered), notes.len()), (Some(10), 0), "below it the disk is trusted");
    drop(logs);
    damage(&file(folder.path(), 0), 3 * size + 70);
    let (_, recovered, notes) = open(folder.path());
    assert_eq!((end(&recovered), notes.len()), (Some(6), 1), "behind it nothing is");
}

#[test]
fn without_a_recovery_point_everything_is_checked_and_after_a_clean_end_nothing() {
    for (clean, kept) in [(false, Some(2)), (true, Some(10))] {
        let folder = tempfile::tempdir().expect("a folder");
        let size = half_synced(folder.path());
        fs::remove_file(folder.path().join("recovery-point-offset-checkpoint")).expect("removes");
        damage(&file(folder.path(), 0), size + 70);
        let lock = lock(folder.path()).expect("locks");
        let (_, recovered) = Logs::open(folder.path(), lock, clean, |_| ()).expect("opens");
        assert_eq!(end(&recovered), kept, "clean: {clean}");
    }
}

#[test]
fn a_file_shorter_than_its_recovery_point_is_cut_where_it_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    let size = half_synced(folder.path());
    let path = file(folder.path(), 0);
    let whole = fs::read(&path).expect("reads");
    fs::write(&path, &whole[..size + 80]).expect("writes");
    let (_, recovered, notes) = open(folder.path());
    assert_eq!((end(&recovered), notes.len()), (Some(2), 1), "{notes:?}");
}

#[test]
fn what_is_written_again_below_the_recovery_point_is_checked() {
    let folder = tempfile::tempdir().expect("a folder");
    let size = half_synced(folder.path());
    let (mut logs, ..) = open(folder.path());
    logs.truncate(KEY, 2).expect("truncates");
    logs.append(KEY, 2, 6, &encode(2, 0), 0).expect("appends");
    drop(logs);
    damage(&file(folder.path(), 0), size + 70);
    let (_, recovered, notes) = open(folder.path());
    assert_eq!((end(&recovered), notes.len()), (Some(2), 1), "{notes:?}");
}

/// The recovery point is replaced durably, and only speaks of what was synced: a power failure leaves both whole.
#[test]
fn a_power_failure_leaves_the_recovery_point_and_what_it_vouches_for() {
    let folder = tempfile::tempdir().expect("a folder");
    half_synced(folder.path());
    power::fail(folder.path(), Some(&mut |bytes| bytes)).expect("fails");
    damage(&file(folder.path(), 0), 70);
    let (_, recovered, notes) = open(folder.path());
    assert!((Some(4)..Some(10)).contains(&end(&recovered)), "{:?}", end(&recovered));
    assert_eq!(notes.len(), 1, "the torn end is cut: {notes:?}");
}

#[test]
fn a_segment_rolls_once_it_spans_its_time() {
    let folder = tempfile::tempdir().expect("a folder");
    // Batches are a second apart.
    let logs = filled(folder.path(), 5, LogSettings { segment_ms: 1_999, ..NEVER });
    let bases: Vec<_> = logs.segments(KEY).expect("there").iter().map(|one| one.base).collect();
    assert_eq!(bases, [0, 4, 8]);
}

#[test]
fn records_without_a_time_roll_by_the_clock() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut logs, ..) = open(folder.path());
    logs.create(KEY, "orders", LogSettings { segment_ms: 50, ..NEVER }).expect("creates");
    for (at, now_ms) in (0..).zip([100, 150, 151, 300]) {
        logs.append(KEY, at, 5, &encode(1, -1), now_ms).expect("appends");
    }
    let bases: Vec<_> = logs.segments(KEY).expect("there").iter().map(|one| one.base).collect();
    assert_eq!(bases, [0, 2, 3]);
}

/// A core that has taken these logs, which is how a snapshot comes about.
fn core(recovered: Vec<RecoveredLog>) -> Broker {
    let config = BrokerConfig {
        node: 1,
        incarnation: Uuid::NIL,
        host: String::new(),
        port: 0,
        wall_offset_ms: 0,
        settings: Default::default(),
        previous_epoch: -1,
        flaw: None,
    };
    Broker::new(config, recovered)
}

/// Producer 7 has written three batches; the log starts behind them.
fn producers_gone_from_the_log(data: &Path) -> ProducerSnapshot {
    let (mut logs, ..) = open(data);
    logs.create(KEY, "orders", NEVER).expect("creates");
    for at in 0..3 {
        logs.append(KEY, at, 5, &encode_as(1, 0, (7, at as i32), &|_| None), 0).expect("appends");
    }
    logs.sync().expect("syncs");
    drop(logs);
    let (mut logs, recovered, _) = open(data);
    let snapshot = core(recovered).producer_snapshot(KEY).expect("a replica");
    logs.keep(KEY, &snapshot).expect("writes");
    logs.raise_start(KEY, 3).expect("deletes");
    snapshot
}

#[test]
fn a_snapshot_keeps_producers_whose_records_are_gone() {
    for power in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        let snapshot = producers_gone_from_the_log(folder.path());
        assert!(snapshot.says_anything());
        if power {
            power::fail(folder.path(), None).expect("fails");
        }
        let (_, recovered, _) = open(folder.path());
        assert_eq!(recovered[0].producers.as_ref(), Some(&snapshot), "power failure: {power}");
        let again = core(recovered).producer_snapshot(KEY).expect("a replica");
        assert_eq!((again.end, again.says_anything()), (3, true), "the core took it");
    }
}

#[test]
fn a_damaged_snapshot_is_as_good_as_none_and_an_older_one_serves() {
    let folder = tempfile::tempdir().expect("a folder");
    let snapshot = producers_gone_from_the_log(folder.path());
    let path = folder.path().join("orders-3").join(format!("{:020}.snapshot", 3));
    let older = path.with_file_name(format!("{:020}.snapshot", 2));
    fs::copy(&path, &older).expect("copies");
    damage(&path, 20);
    let (_, recovered, _) = open(folder.path());
    assert_eq!(recovered[0].producers.as_ref(), Some(&snapshot));
    damage(&older, 20);
    let (_, recovered, _) = open(folder.path());
    assert_eq!(recovered[0].producers, None);
}

#[test]
fn a_cut_takes_the_snapshots_that_know_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut logs, ..) = open(folder.path());
    logs.create(KEY, "orders", NEVER).expect("creates");
    for at in 0..3 {
        logs.append(KEY, at, 5, &encode_as(1, 0, (7, at as i32), &|_| None), 0).expect("appends");
    }
    drop(logs);
    let (mut logs, recovered, _) = open(folder.path());
    let snapshot = core(recovered).producer_snapshot(KEY).expect("a replica");
    logs.keep(KEY, &snapshot).expect("writes");
    logs.truncate(KEY, 3).expect("nothing to cut");
    let path = folder.path().join("orders-3").join(format!("{:020}.snapshot", 3));
    assert!(path.exists());
    logs.truncate(KEY, 2).expect("cuts");
    assert!(!path.exists() && !power::note_path(&path).exists());
}
