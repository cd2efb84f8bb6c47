//! Our own form as JSON Lines: there and back, and nothing cut short passes for whole.

use history::exchange::{Format, Notation, write_jepsen, write_lines};
use history::{
    Contents, Detail, Ended, EndedOperation, Event, Function, History, Nanos, Note, Offset, Outcome,
    Partition, Recorder, Role,
};

use super::sample::{UNGUARDED, acked, events, invoked, load, record, tag};
use super::{data, read, read_as};

fn written(history: &History) -> String {
    let mut out = Vec::new();
    write_lines(history, &mut out).expect("memory takes everything");
    String::from_utf8(out).expect("UTF-8")
}

fn assert_same(history: &History) {
    let text = written(history);
    let again = read(&text).expect("it is legal").history;
    assert_eq!(written(&again), text);
    assert_eq!(
        (&again.plan, &again.imported, &again.damage),
        (&history.plan, &history.imported, &history.damage)
    );
    for (again, first) in again.sessions.iter().zip(&history.sessions) {
        assert_eq!(again.name(), first.name());
        assert!(again.sends().eq(first.sends()) && again.deliveries().eq(first.deliveries()));
        assert!(again.operations().eq(first.operations()));
        assert_eq!((&again.notes, &again.clock, again.closed), (&first.notes, &first.clock, first.closed));
    }
    assert_eq!(again.sessions.len(), history.sessions.len());
}

#[test]
fn a_recorded_history_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let foreign = Event::Delivered {
        polled: Nanos(0),
        partition: Partition(9),
        offset: Offset(i64::MAX),
        tag: None,
        contents: Contents::Foreign,
    };
    let note = Event::Note(Note::Retries { total: 7 });
    let more = [invoked(2), acked(2), note, foreign, invoked(1 << 40)];
    record(dir.path(), &[events(), more.to_vec()].concat());
    let mut history = load(dir.path());
    assert_same(&history);
    history.damage.push(history::Damage { file: "f".to_owned(), at: 1, what: "w".to_owned() });
    assert_same(&history);
}

/// A sink's rows are what applications made of records, so nobody may take them for reads of the log.
#[test]
fn a_sinks_rows_come_back_and_are_told_to_nobody_as_reads() {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path(), &events());
    let mut sink = Recorder::create(dir.path(), Role::Sink, 0, 0, UNGUARDED).expect("created");
    let row = Event::Delivered {
        polled: Nanos(7_000_000),
        partition: Partition(3),
        offset: Offset(1),
        tag: Some(tag(1)),
        contents: Contents::Intact,
    };
    for event in [row, Event::Note(Note::SessionClosed)] {
        sink.record(Nanos(8_000_000), &event).expect("recorded");
    }
    drop(sink);
    let history = load(dir.path());
    let sink = history.sessions.last().expect("two sessions");
    assert_eq!((sink.name().as_str(), sink.delivery_count(), sink.closed), ("sink-0", 1, true));
    assert!(written(&history).contains(r#"{"session":{"role":"sink","index":0"#));
    assert_same(&history);
    let mut out = Vec::new();
    write_jepsen(&history, Notation::Json, &mut out).expect("memory takes everything");
    let out = String::from_utf8(out).expect("UTF-8");
    assert_eq!(out.matches(r#""poll""#).count(), 4, "the reader's poll alone, twice a line: {out}");
}

#[test]
fn what_an_output_was_made_of_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let detail = Detail {
        inputs: vec![Some((Partition(1), Offset(7))), None],
        committed: vec![(Partition(1), Offset(8))],
        fetched: vec![(Partition(1), Offset(3))],
        ..Detail::default()
    };
    let ended = Ended {
        function: Function::Txn,
        invoked: Nanos(0),
        completed: Some(Nanos(9)),
        outcome: Outcome::Ok,
        line: None,
        detail: Some(detail.clone()),
    };
    let ended = Event::OperationEnded(Box::new(EndedOperation { ended, runs: Vec::new() }));
    record(dir.path(), &[invoked(0), acked(0), invoked(1), acked(1), ended]);
    let history = load(dir.path());
    assert_eq!(history.sessions[0].details().collect::<Vec<_>>(), [&detail]);
    assert!(written(&history).contains(r#""inputs":[[1,7],null],"fetched":[[1,3]]"#));
    assert_same(&history);
}

#[test]
fn an_imported_history_comes_back() {
    for name in ["jepsen-clean.jsonl", "jepsen-clean-txn.edn"] {
        assert_same(&read(data(name)).expect("it is legal").history);
    }
}

#[test]
fn what_is_cut_short_or_mixed_up_is_refused() {
    let text = written(&read(data("jepsen-clean.jsonl")).expect("it is legal").history);
    let lines: Vec<&str> = text.lines().collect();
    let without = |gone: usize| {
        let kept: Vec<&str> =
            lines.iter().enumerate().filter(|(at, _)| *at != gone).map(|(_, line)| *line).collect();
        read_as(kept.join("\n"), Format::Lines).expect_err("a line is missing")
    };
    assert!(without(lines.len() - 1).contains("ends early"));
    assert!(without(0).contains("line 1: the first line is to be"));
    assert!(without(1).contains("line 2: it belongs to no session"));
    assert!(without(5).contains("lines are to be before it"));
    let newer = text.replacen("\"version\":1", "\"version\":2", 1);
    assert!(read_as(newer, Format::Lines).expect_err("newer").contains("version 2 is newer than 1"));
}
