//! Nothing that is not whole passes for whole: flipped bits, cut files, missing files, other formats.

use std::fs;
use std::mem;
use std::path::Path;

use history::{Event, LoadError, Note, Recorder, Role};

use crate::sample::{UNGUARDED, acked, events, invoked, load, plan, record, tag};

const ROW: usize = 64;

fn damage(dir: &Path) -> Vec<(String, u64)> {
    load(dir).damage.into_iter().map(|damage| (damage.file, damage.at)).collect()
}

/// A segment whose writer died: its seal was never written and its tail is still there.
fn unsealed(dir: &Path, events: &[Event]) {
    let mut recorder = Recorder::create(dir, Role::Producer, 0, 0, UNGUARDED).expect("created");
    for event in events {
        recorder.record(history::clock::now(), event).expect("recorded");
    }
    mem::forget(recorder);
}

#[test]
fn every_flipped_bit_of_the_rows_is_named_by_its_row() {
    let dir = tempfile::tempdir().expect("a directory");
    record(dir.path(), &events());
    let path = dir.path().join("producer-0.rows");
    let whole = fs::read(&path).expect("read");
    assert_eq!(whole.len(), ROW * (1 + events().len()));
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &flipped).expect("written");
        let row = (bit / 8 / ROW * ROW) as u64;
        let found = damage(dir.path());
        let inside = |at: u64| (row..row + ROW as u64).contains(&at);
        assert!(
            found.iter().any(|(file, at)| file == "producer-0.rows" && inside(*at)),
            "bit {bit}: {found:?}"
        );
    }
}

#[test]
fn a_flipped_bit_behind_the_last_row_is_harmless_or_named() {
    let dir = tempfile::tempdir().expect("a directory");
    unsealed(dir.path(), &events());
    let path = dir.path().join("producer-0.rows");
    let whole = fs::read(&path).expect("read");
    let row = ROW * (1 + events().len() + 3);
    for bit in row * 8..(row + ROW) * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &flipped).expect("written");
        let found = damage(dir.path());
        if bit / 8 % ROW < 56 {
            assert_eq!(found, [], "bit {bit} of an uncommitted row");
        } else {
            assert_eq!(found, [("producer-0.rows".to_owned(), row as u64)], "bit {bit}");
        }
    }
}

#[test]
fn every_flipped_bit_of_the_side_table_is_named_by_its_entry() {
    let dir = tempfile::tempdir().expect("a directory");
    let notes = [Event::Note(Note::Retries { total: 7 }), Event::Note(Note::SessionClosed)];
    record(dir.path(), &notes[..1]);
    let path = dir.path().join("producer-0.wide");
    let second = fs::read(&path).expect("read").len();
    fs::remove_file(&path).expect("removed");
    record(dir.path(), &notes);
    let whole = fs::read(&path).expect("read");
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &flipped).expect("written");
        let entry = if bit / 8 < second { 0 } else { second as u64 };
        assert_eq!(damage(dir.path()), [("producer-0.wide".to_owned(), entry)], "bit {bit}");
    }
}

/// A cut is noticed at whatever byte, whether the writer sealed its segment or died.
#[test]
fn a_segment_cut_at_any_byte_is_damaged() {
    for write in [record, unsealed] {
        let dir = tempfile::tempdir().expect("a directory");
        write(dir.path(), &events());
        let path = dir.path().join("producer-0.rows");
        let whole = fs::read(&path).expect("read");
        let used = ROW * (1 + events().len());
        for cut in (0..used).chain([whole.len() - ROW, whole.len() - 1]) {
            if cut < whole.len() {
                fs::write(&path, &whole[..cut]).expect("written");
                let found = damage(dir.path());
                assert!(found.contains(&("producer-0.rows".to_owned(), cut as u64)), "at {cut}: {found:?}");
            }
        }
    }
}

#[test]
fn a_side_table_cut_at_any_byte_is_damaged() {
    let dir = tempfile::tempdir().expect("a directory");
    record(dir.path(), &events());
    let path = dir.path().join("producer-0.wide");
    let whole = fs::read(&path).expect("read");
    for cut in 0..whole.len() {
        fs::write(&path, &whole[..cut]).expect("written");
        let found = damage(dir.path());
        assert!(!found.is_empty() && found.iter().all(|(file, _)| file == "producer-0.wide"), "at {cut}");
    }
}

#[test]
fn a_missing_file_of_the_two_is_damage() {
    let dir = tempfile::tempdir().expect("a directory");
    record(dir.path(), &events());
    fs::rename(dir.path().join("producer-0.wide"), dir.path().join("kept")).expect("moved");
    assert_eq!(damage(dir.path()), [("producer-0.wide".to_owned(), 0)]);
    fs::rename(dir.path().join("kept"), dir.path().join("producer-0.wide")).expect("moved");
    fs::remove_file(dir.path().join("producer-0.rows")).expect("removed");
    assert_eq!(damage(dir.path()), [("producer-0.wide".to_owned(), 0)]);
}

#[test]
fn a_hole_before_committed_rows_is_damage() {
    let dir = tempfile::tempdir().expect("a directory");
    unsealed(dir.path(), &events());
    let path = dir.path().join("producer-0.rows");
    let mut bytes = fs::read(&path).expect("read");
    bytes[3 * ROW..5 * ROW].fill(0);
    fs::write(&path, bytes).expect("written");
    assert_eq!(damage(dir.path()), [("producer-0.rows".to_owned(), 3 * ROW as u64)]);
}

#[test]
fn a_writer_that_died_between_two_rows_leaves_no_damage() {
    let dir = tempfile::tempdir().expect("a directory");
    unsealed(dir.path(), &events());
    let path = dir.path().join("producer-0.rows");
    let mut bytes = fs::read(&path).expect("read");
    let torn = ROW * (1 + events().len());
    bytes[torn..torn + 40].fill(0xaa);
    fs::write(&path, bytes).expect("written");
    let history = load(dir.path());
    assert_eq!(history.damage, []);
    assert_eq!(history.sends().count(), 2);
}

#[test]
fn reports_that_match_no_invocation_are_damage() {
    let dir = tempfile::tempdir().expect("a directory");
    record(dir.path(), &[invoked(0), acked(1), acked(0), acked(0), invoked(0)]);
    let history = load(dir.path());
    let found: Vec<_> = history.damage.iter().map(|damage| damage.what.clone()).collect();
    assert_eq!(
        found,
        [
            format!("a report on `{}`, which was never invoked", tag(1)),
            format!("a second report on `{}`", tag(0)),
            format!("`{}` is invoked twice", tag(0)),
        ]
    );
    assert_eq!(history.damage[0].at, 2 * ROW as u64);
}

#[test]
fn a_segment_under_another_name_is_damage() {
    let dir = tempfile::tempdir().expect("a directory");
    record(dir.path(), &events());
    for ending in ["rows", "wide"] {
        let name = |index| dir.path().join(format!("producer-{index}.{ending}"));
        fs::copy(name(0), name(1)).expect("copied");
    }
    assert_eq!(damage(dir.path()), [("producer-1.rows".to_owned(), 0)]);
}

#[test]
fn another_format_version_is_refused_with_a_remedy() {
    let dir = tempfile::tempdir().expect("a directory");
    record(dir.path(), &events());
    let path = dir.path().join("producer-0.rows");
    let mut bytes = fs::read(&path).expect("read");
    for (version, remedy) in [
        (9_u16, "format version 9 is newer than 1 (upgrade highwater)"),
        (0, "format version 0 is older than 1 (use the highwater that recorded it)"),
    ] {
        bytes[8..10].copy_from_slice(&version.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..52]);
        bytes[52..56].copy_from_slice(&crc.to_le_bytes());
        fs::write(&path, &bytes).expect("written");
        let error = history::load(plan(), dir.path()).expect_err("refused");
        assert!(matches!(error, LoadError::Version { found, .. } if found == version));
        assert!(error.to_string().ends_with(remedy), "{error}");
    }
}

#[test]
fn an_unknown_kind_of_row_is_damage() {
    let dir = tempfile::tempdir().expect("a directory");
    record(dir.path(), &events());
    let path = dir.path().join("producer-0.rows");
    let mut bytes = fs::read(&path).expect("read");
    let row = &mut bytes[2 * ROW..3 * ROW];
    row[0] = 99;
    // Row 1: its number is part of its checksum.
    let crc = crc32c::crc32c_append(crc32c::crc32c(&row[..56]), &1_u32.to_le_bytes());
    row[56..60].copy_from_slice(&crc.to_le_bytes());
    fs::write(&path, bytes).expect("written");
    let found = load(dir.path()).damage;
    assert_eq!(found[0].at, 2 * ROW as u64);
    assert!(found[0].what.contains("unknown row kind `99`"), "{found:?}");
}
