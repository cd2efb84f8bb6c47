//! Tiny histories as text, one event a line:
//!
//! ```text
//! p0#0 0@5 acked           producer 0 sent its record 0 to partition 0, acknowledged at offset 5
//! p0.1#3 k7 0@? nothing    session 1, key 7, partition known, offset not; also: sent, failed, fail
//! killed p0                its session was never closed
//! log 0: p0#0 _ p0#1 ~p0#2 ?   the drained log from offset 0: a hole, a corrupt and a foreign record
//! cut 0: p0#0              the same, but the drain never reached the fence
//! read r0 0: 5=p0#0        reader 0 was given this at offset 5
//! caught r0                reader 0 read every fence
//! sink s0: p0#0 p0#1 ?     the rows of sink 0, at offsets from 1000 on
//! unread s0                it was not read to its end
//! set acks=1
//! ```

use history::event::Role;
use history::{Contents, Note, Outcome, Tag, Told};

use super::Scene;
use crate::CATALOG;
use crate::context::Context;

/// Holds the findings of every checker on a tiny history against `expected` (`lost-write 1, duplicate 2`,
/// in order of name). Tiny histories never put much to the test, so `exercise` is left out.
#[track_caller]
pub(crate) fn check(text: &str, expected: &str) {
    let scene = scene(text);
    let context = Context::new(&scene.history);
    let mut found: Vec<String> = CATALOG
        .iter()
        .filter(|spec| spec.name != "exercise")
        .flat_map(|spec| (spec.check)(&context))
        .map(|finding| format!("{} {}", finding.kind, finding.count))
        .collect();
    found.sort();
    assert_eq!(found.join(", "), expected, "{text}");
}

/// Reads the notation.
pub(crate) fn scene(text: &str) -> Scene {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let logs = lines.iter().filter(|line| line.starts_with("log ") || line.starts_with("cut ")).count();
    let mut scene = Scene::new(u32::try_from(logs).expect("few partitions"));
    for line in lines {
        read_line(&mut scene, line);
    }
    scene
}

fn read_line(scene: &mut Scene, line: &str) {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match word {
        "set" => {
            let (name, value) = rest.split_once('=').expect("NAME=VALUE");
            scene.set(name, value);
        }
        "killed" => {
            let tag = parse_tag(&format!("{rest}#0"));
            scene.session(Role::Producer, tag.producer, tag.session).closed = false;
        }
        "caught" => {
            let index = number(&rest[1..]);
            let at = scene.now();
            let reader = scene.session(Role::Reader, index, 0);
            reader.notes.push((at, Note::ReaderStopped { caught_up: true }));
        }
        "unread" => scene.session(Role::Sink, number(&rest[1..]), 0).closed = false,
        "sink" => {
            let (sink, rows) = rest.split_once(':').expect("SINK: ROWS");
            scene.session(Role::Sink, number(&sink[1..]), 0);
            for (offset, row) in (1000..).zip(rows.split_whitespace()) {
                let (tag, contents) = parse_record(row);
                scene.deliver(Role::Sink, number(&sink[1..]), 0, offset, tag, contents);
            }
        }
        "log" | "cut" => {
            let (partition, records) = rest.split_once(':').expect("PARTITION: RECORDS");
            let records: Vec<_> = (0..)
                .zip(records.split_whitespace())
                .filter(|(_, record)| *record != "_")
                .map(|(offset, record)| {
                    let (tag, contents) = parse_record(record);
                    (offset, tag, contents)
                })
                .collect();
            scene.log(number(partition), &records, word == "log");
        }
        "read" => {
            let (place, records) = rest.split_once(':').expect("READER PARTITION: RECORDS");
            let (reader, partition) = place.split_once(' ').expect("READER PARTITION");
            for record in records.split_whitespace() {
                let (offset, record) = record.split_once('=').expect("OFFSET=RECORD");
                let (tag, contents) = parse_record(record);
                let offset = offset.parse().expect("an offset");
                scene.deliver(Role::Reader, number(&reader[1..]), number(partition), offset, tag, contents);
            }
        }
        _ => send(scene, line),
    }
}

fn send(scene: &mut Scene, line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let key = words[1].strip_prefix('k').map(|key| key.parse().expect("a key"));
    let place = words[words.len() - 2];
    let at = place.split_once('@').map(|(partition, offset)| (number(partition), offset.parse().ok()));
    let fate = match words[words.len() - 1] {
        "acked" => (Outcome::Ok, Told::Acked),
        "sent" => (Outcome::Unknown, Told::Sent),
        "failed" => (Outcome::Unknown, Told::Failed),
        "fail" => (Outcome::Fail, Told::Failed),
        "nothing" => (Outcome::Unknown, Told::Nothing),
        other => panic!("no such fate: {other}"),
    };
    scene.send(parse_tag(words[0]), key, at, fate);
}

fn parse_record(text: &str) -> (Option<Tag>, Contents) {
    match text.strip_prefix('~') {
        _ if text == "?" => (None, Contents::Foreign),
        Some(tag) => (Some(parse_tag(tag)), Contents::Corrupt),
        None => (Some(parse_tag(text)), Contents::Intact),
    }
}

fn parse_tag(text: &str) -> Tag {
    let (producer, seq) = text.strip_prefix('p').and_then(|rest| rest.split_once('#')).expect("pN#SEQ");
    let (producer, session) = producer.split_once('.').unwrap_or((producer, "0"));
    Tag { producer: number(producer), session: number(session), seq: seq.parse().expect("a sequence number") }
}

fn number(text: &str) -> u32 {
    text.parse().expect("a number")
}
