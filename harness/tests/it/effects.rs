//! Rows of sinks, from the outside: given as JSON Lines, judged by what the user says is promised.

use checkers::guarantees::Effects;
use history::exchange::write_lines;
use history::{
    Builder, Cell, Contents, Delivery, ErrorCode, Nanos, Offset, Outcome, Partition, Plan, Role, Send, Tag,
    Told,
};
use targets::kafka::names::{self, Kind};

use super::exchange::Desk;

/// Twelve records, read by the drain of a run of ours, or by a process of others; the rows of a sink.
fn lines(ours: bool, rows: &[u64], closed: bool) -> String {
    let mut plan = Plan::imported("sunk", Cell::default());
    if ours {
        plan.workload = "log".to_owned();
        plan.checkers = vec!["loss".to_owned()];
    }
    let mut builder = Builder::new(plan);
    let (sends, reads) = if ours { (Role::Producer, Role::Drain) } else { (Role::Client, Role::Client) };
    let (sender, reader) = (builder.open(sends, 0, 0), builder.open(reads, 1, 0));
    let tag = |seq: u64| Tag { producer: 0, session: 0, seq };
    let (partition, nanos) = (Partition(0), |at: u64| Nanos(1_000_000_000 + at * 1_000_000));
    let delivery = |offset: i64, seq: u64, at: u64| {
        let (tag, contents) = (Some(tag(seq)), Contents::Intact);
        Delivery {
            partition,
            offset: Offset(offset),
            tag,
            contents,
            polled: nanos(at),
            returned: nanos(at + 1),
        }
    };
    for seq in 0..12 {
        builder.send(
            sender,
            &Send {
                tag: tag(seq),
                key: None,
                partition: Some(partition),
                offset: Some(Offset(seq as i64)),
                intended: nanos(seq * 2),
                invoked: nanos(seq * 2),
                completed: Some(nanos(seq * 2 + 1)),
                outcome: Outcome::Ok,
                told: Told::Acked,
                error: ErrorCode::NONE,
            },
        );
        builder.deliver(reader, &delivery(seq as i64, seq, 100));
    }
    if ours {
        builder.note(reader, nanos(200), history::Note::Drained { partition });
    }
    let sink = builder.open(Role::Sink, 0, 0);
    builder.session(sink).closed = closed;
    for (number, seq) in (0..).zip(rows) {
        builder.deliver(sink, &delivery(number, *seq, 300));
    }
    let mut out = Vec::new();
    write_lines(&builder.finish(), &mut out).expect("memory takes everything");
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn the_words_of_the_setting_are_those_of_the_rules() {
    let entry = names::resolve("effects").expect("a setting");
    let Kind::Word(words) = entry.kind else { panic!("{entry:?}") };
    assert_eq!(words, Effects::ALL.map(Effects::name));
}

#[test]
fn rows_are_judged_by_what_is_promised() {
    let desk = Desk::new();
    let all: Vec<u64> = (0..12).collect();
    let lost: Vec<u64> = (0..12).filter(|seq| *seq != 5).collect();
    let again: Vec<u64> = (0..12).chain([5]).collect();
    for (form, ours) in [("ours", true), ("theirs", false)] {
        for (name, rows) in [("all", &all), ("lost", &lost), ("again", &again)] {
            desk.put(&format!("{form}-{name}.jsonl"), &lines(ours, rows, true));
        }
        desk.put(&format!("{form}-cut.jsonl"), &lines(ours, &lost, false));
        for (name, said, exit, found) in [
            ("all", "exactly-once", 0, &[][..]),
            ("lost", "exactly-once", 1, &["\"lost-effect\" 1"]),
            ("lost", "at-least-once", 1, &["\"lost-effect\" 1"]),
            ("lost", "at-most-once", 0, &["\"lost-effect\" 1"]),
            ("lost", "", 0, &["\"lost-effect\" 1"]),
            ("again", "exactly-once", 1, &["\"duplicate-effect\" 1"]),
            ("again", "at-least-once", 0, &["\"duplicate-effect\" 1"]),
            ("again", "at-most-once", 1, &["\"duplicate-effect\" 1"]),
            ("again", "", 0, &["\"duplicate-effect\" 1"]),
            ("cut", "exactly-once", 5, &[]),
        ] {
            let set = if said.is_empty() { String::new() } else { format!(" --set effects={said}") };
            let (code, _, findings) = desk.verdict(&format!("{form}-{name}.jsonl{set}"));
            assert_eq!(
                (code, findings),
                (exit, found.iter().map(ToString::to_string).collect::<Vec<_>>()),
                "{form} {name} {said}"
            );
        }
    }
    // The promise of an import stays with it.
    desk.well("history import theirs-all.jsonl --set effects=exactly-once --name kept");
    let human = desk.well("check kept");
    assert!(human.contains("effects=exactly-once says"), "{human}");
    let (code, _, stderr) = desk.run("check theirs-all.jsonl --set effects=once");
    assert!(code == 2 && stderr.contains("`exactly-once`, `at-least-once`, `at-most-once`"), "{stderr}");
    let (code, _, stderr) = desk.run("check ours-all.jsonl --set effects=exactly-once --set acks=1");
    assert!(code == 2 && stderr.contains("tells its own settings"), "{stderr}");
}

#[test]
fn a_finding_in_a_sink_is_told_as_a_story() {
    let desk = Desk::new();
    desk.put("again.jsonl", &lines(true, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 5], true));
    let story = desk.well("explain again.jsonl duplicate-effect --set effects=exactly-once");
    for part in ["holds record p0#5 in row 6", "rows 6, 13 are of record p0#5", "effects=exactly-once"] {
        assert!(story.contains(part), "{part}: {story}");
    }
    let rows = desk.well("history show again.jsonl --session sink-0");
    assert!(rows.contains("p0#5"), "{rows}");
}
