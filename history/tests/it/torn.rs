//! Random histories with rows of every kind, cut or flipped at random places, or left by a writer that died
//! at any byte: what is read is what was recorded, or the damage is named where it is.

use std::fs;
use std::mem;
use std::path::Path;

use history::{
    Contents, Detail, Ended, EndedOperation, Event, Function, History, Nanos, Note, Offset, Outcome,
    Partition, Recorder, Role, Run, Value,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::sample::{UNGUARDED, acked, invoked, load, tag};

const ROW: usize = 64;
/// Bytes of an entry of the side table before its JSON.
const PREFIX: usize = 8;

/// One event of each kind, by number; sends are numbered by how many there were before.
fn event(kind: u8, sends: &mut u64) -> Event {
    let ended = Ended {
        function: Function::Txn,
        invoked: Nanos(3),
        completed: Some(Nanos(9)),
        outcome: Outcome::Unknown,
        line: Some(12),
        detail: None,
    };
    match kind {
        0 => {
            *sends += 1;
            invoked(*sends - 1)
        }
        1 => Event::Delivered {
            polled: Nanos(1),
            partition: Partition(2),
            offset: Offset(*sends as i64),
            tag: None,
            contents: Contents::Foreign,
        },
        2 => Event::Note(Note::LoadStopped { reason: format!("{sends} sent") }),
        3 => Event::OperationEnded(Box::new(EndedOperation { ended, runs: Vec::new() })),
        _ => {
            let detail = Some(Detail { rebalanced: vec![Partition(1)], ..Detail::default() });
            let runs = vec![Run::Poll(0), Run::Sends(2)];
            Event::OperationEnded(Box::new(EndedOperation { ended: Ended { detail, ..ended }, runs }))
        }
    }
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    vec((0_u8..5, any::<bool>()), 1..40).prop_map(|kinds| {
        let mut sends = 0;
        let mut events = Vec::new();
        for (kind, more) in kinds {
            events.push(event(kind, &mut sends));
            match kind {
                0 if more => {
                    events.push(Event::SourceValue(Value::Number(-5)));
                    events.push(acked(sends - 1));
                }
                1 if more => events.push(Event::SourceValue(Value::Text("é".to_owned()))),
                _ => {}
            }
        }
        events
    })
}

/// Records the events; a writer that dies never seals its segment.
fn record(dir: &Path, events: &[Event], dies: bool) {
    let mut recorder = Recorder::create(dir, Role::Client, 0, 0, UNGUARDED).expect("created");
    for (at, event) in (0..).zip(events) {
        recorder.record(Nanos(at), event).expect("recorded");
    }
    if dies {
        mem::forget(recorder);
    }
}

/// Everything that can be told of a history, as text.
fn told(history: &History) -> String {
    let sessions: Vec<String> = history
        .sessions
        .iter()
        .map(|session| {
            let values: Vec<_> = (0..session.send_count()).map(|send| session.value(send)).collect();
            format!(
                "{} {:?} {:?} {:?} {:?} {values:?}",
                session.name(),
                session.sends().collect::<Vec<_>>(),
                session.deliveries().collect::<Vec<_>>(),
                session.operations().collect::<Vec<_>>(),
                session.notes
            )
        })
        .collect();
    sessions.join("\n")
}

/// Start of the entry of the side table that a byte belongs to.
fn entry_at(wide: &[u8], byte: usize) -> usize {
    let mut start = 0;
    loop {
        let length = u32::from_le_bytes(wide[start..start + 4].try_into().expect("four bytes")) as usize;
        if byte < start + PREFIX + length {
            return start;
        }
        start += PREFIX + length;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// A flipped bit of any row, of the header or of the side table is named where it is.
    #[test]
    fn a_flipped_bit_is_named(events in events(), dies in any::<bool>(), at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let dir = tempfile::tempdir().expect("a directory");
        record(dir.path(), &events, dies);
        let whole = load(dir.path());
        prop_assert_eq!(&whole.damage, &[]);
        for (ending, used) in [("rows", ROW * (1 + events.len())), ("wide", usize::MAX)] {
            let path = dir.path().join("client-0").with_extension(ending);
            let bytes = fs::read(&path).expect("read");
            if bytes.is_empty() {
                continue;
            }
            let byte = at.index(bytes.len().min(used));
            let mut flipped = bytes.clone();
            flipped[byte] ^= 1_u8 << bit;
            fs::write(&path, &flipped).expect("written");
            let start = if ending == "rows" { byte / ROW * ROW } else { entry_at(&bytes, byte) };
            let end = if ending == "rows" { start + ROW } else { start + 1 };
            let found = load(dir.path()).damage;
            let named = |damage: &&history::Damage| {
                damage.file == format!("client-0.{ending}") && (start..end).contains(&(damage.at as usize))
            };
            prop_assert!(found.iter().any(|damage| named(&damage)), "byte {} of {}: {:?}", byte, ending, found);
            fs::write(&path, &bytes).expect("written");
        }
        prop_assert_eq!(told(&load(dir.path())), told(&whole));
    }

    /// A file cut anywhere is damage at that byte (or within the entry of the side table that is gone).
    #[test]
    fn a_cut_is_named(events in events(), dies in any::<bool>(), at in any::<prop::sample::Index>()) {
        let dir = tempfile::tempdir().expect("a directory");
        record(dir.path(), &events, dies);
        for ending in ["rows", "wide"] {
            let path = dir.path().join("client-0").with_extension(ending);
            let bytes = fs::read(&path).expect("read");
            if bytes.is_empty() {
                continue;
            }
            let cut = at.index(bytes.len());
            fs::write(&path, &bytes[..cut]).expect("written");
            let found = load(dir.path()).damage;
            let expected = if ending == "rows" { cut } else { entry_at(&bytes, cut) };
            let named = |damage: &history::Damage| {
                damage.file == format!("client-0.{ending}") && damage.at as usize == expected
            };
            prop_assert!(found.iter().any(named), "{} cut at {}: {:?}", ending, cut, found);
            fs::write(&path, &bytes).expect("written");
        }
    }

    /// A writer that died at any byte of a row leaves the rows before it, and no damage.
    #[test]
    fn a_writer_may_die_at_any_byte(events in events(), at in any::<prop::sample::Index>()) {
        let dir = tempfile::tempdir().expect("a directory");
        record(dir.path(), &events, true);
        let path = dir.path().join("client-0.rows");
        let mut bytes = fs::read(&path).expect("read");
        // The last eight bytes of a row are stored as one: either all of them are there, or none.
        let reached = ROW + at.index(ROW * events.len());
        let (row, within) = (reached / ROW, reached % ROW);
        let kept = row * ROW + within.min(ROW - 8);
        bytes[kept..].fill(0);
        fs::write(&path, &bytes).expect("written");

        let before = tempfile::tempdir().expect("a directory");
        record(before.path(), &events[..row - 1], true);
        let found = load(dir.path());
        prop_assert_eq!(&found.damage, &[]);
        prop_assert_eq!(told(&found), told(&load(before.path())));
    }
}

#[test]
fn an_older_minor_version_is_read() {
    let dir = tempfile::tempdir().expect("a directory");
    record(dir.path(), &[invoked(0), acked(0)], false);
    let path = dir.path().join("client-0.rows");
    let mut bytes = fs::read(&path).expect("read");
    for minor in [0_u16, 1, 99] {
        bytes[10..12].copy_from_slice(&minor.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..52]);
        bytes[52..56].copy_from_slice(&crc.to_le_bytes());
        fs::write(&path, &bytes).expect("written");
        let history = load(dir.path());
        assert_eq!((history.damage.len(), history.sends().count()), (0, 1), "minor {minor}");
    }
}

#[test]
fn a_value_of_nothing_and_a_partition_beyond_reason_are_damage() {
    let dir = tempfile::tempdir().expect("a directory");
    let beyond = |partition| Event::SendInvoked {
        tag: tag(0),
        partition: Some(Partition(partition)),
        key: None,
        payload_bytes: 0,
        intended: Nanos(0),
    };
    record(dir.path(), &[Event::SourceValue(Value::Number(1)), beyond(u32::MAX), beyond(3)], false);
    let history = load(dir.path());
    let found: Vec<_> = history.damage.iter().map(|damage| (damage.at, damage.what.as_str())).collect();
    assert_eq!(
        found,
        [
            (64, "a value `1` of no record"),
            (128, "partition 4294967295 is none (a topic has fewer than 1048576)")
        ]
    );
    assert_eq!(history.sends().count(), 1);
}
