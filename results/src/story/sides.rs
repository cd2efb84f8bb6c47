//! What each side of a story saw: the senders, the log as the drain read it, and everybody who read the
//! partition.

use history::{History, Offset, Role, Session, Tag, Told};
use serde::Serialize;

use super::events::{place_text, record_text};
use super::subject::Subject;

/// Sides told of; of more, how many there are.
const SIDES_MAX: usize = 12;
/// Offsets named of one record.
const OFFSETS_MAX: usize = 6;

/// What one side saw.
#[derive(Debug, Serialize)]
pub struct Side {
    /// `producer`, `log`, `reader`, `sink`, or `client` of a history from elsewhere.
    pub side: &'static str,
    /// The session.
    pub who: String,
    /// What it saw.
    pub saw: String,
}

pub(super) fn all(history: &History, subject: &Subject) -> Vec<Side> {
    let mut sides = Vec::new();
    for session in &history.sessions {
        let side = match session.role {
            Role::Producer => "producer",
            Role::Drain => "log",
            Role::Reader => "reader",
            Role::Client => "client",
            Role::Sink => "sink",
            Role::Member => "member",
            Role::Runner | Role::Admin => continue,
        };
        let seen = if session.reads_log() {
            read(history, session, subject)
        } else {
            held(history, session, subject)
        };
        let told = sent(history, session, subject).into_iter().chain(seen);
        sides.extend(told.map(|saw| Side { side, who: session.name(), saw }));
    }
    // Who sent comes first, then what became of it, then who read it.
    sides.sort_by_key(|side| ["producer", "log", "reader"].iter().position(|first| *first == side.side));
    let more = sides.len().saturating_sub(SIDES_MAX);
    sides.truncate(SIDES_MAX);
    if more > 0 {
        let (side, who) = ("others", format!("{more} more"));
        sides.push(Side { side, who, saw: "`highwater history show` lists every session".to_owned() });
    }
    sides
}

fn sent(history: &History, session: &Session, subject: &Subject) -> Vec<String> {
    let ours = |tag: &&Tag| (tag.producer, tag.session) == (session.index, session.session);
    let sends =
        subject.tags.iter().filter(ours).filter_map(|tag| session.sends().find(|send| send.tag == *tag));
    let told = sends.map(|send| {
        let told = match send.told {
            Told::Acked => "that it is acknowledged",
            Told::Sent => "that it was written to a socket",
            Told::Failed => "that it failed",
            Told::Nothing => "nothing",
        };
        let offset = send.offset.map(|offset| format!(", at offset {offset}")).unwrap_or_default();
        format!("sent record {} and was told {told}{offset}", history.name_of(send.tag))
    });
    told.collect()
}

/// What a sink holds of the records.
fn held(history: &History, session: &Session, subject: &Subject) -> Option<String> {
    let mut rows: Vec<(Tag, Vec<String>)> = subject.tags.iter().map(|tag| (*tag, Vec::new())).collect();
    for (number, row) in (1..).zip(session.deliveries()) {
        if let Some((_, numbers)) = rows.iter_mut().find(|(tag, _)| row.tag == Some(*tag)) {
            numbers.push(format!("{number}"));
        }
    }
    let mut text = format!("holds {} rows", session.delivery_count());
    if !session.closed {
        text.push_str(", and was not read to its end");
    }
    for (tag, numbers) in &rows {
        let name = history.name_of(*tag);
        text.push_str(&match numbers.as_slice() {
            [] => format!("; none is of record {name}"),
            [number] => format!("; row {number} is of record {name}"),
            numbers => {
                let shown = &numbers[..numbers.len().min(OFFSETS_MAX)];
                let more = if numbers.len() > shown.len() { " and more" } else { "" };
                format!("; rows {}{more} are of record {name}", shown.join(", "))
            }
        });
    }
    Some(text)
}

/// What a reader saw of the partition, and of what lies around the place in question.
fn read(history: &History, session: &Session, subject: &Subject) -> Option<String> {
    let partition = subject.partition?;
    let mut seen = Seen::default();
    let mut records: Vec<(Tag, Vec<Offset>)> = subject.tags.iter().map(|tag| (*tag, Vec::new())).collect();
    for (number, record) in session.deliveries().enumerate() {
        if record.partition != partition {
            continue;
        }
        seen.count += 1;
        seen.first = Some(seen.first.map_or(record.offset, |first| first.min(record.offset)));
        seen.last = seen.last.max(Some(record.offset));
        if let Some((_, offsets)) = records.iter_mut().find(|(tag, _)| record.tag == Some(*tag)) {
            offsets.push(record.offset);
        }
        match subject.offset {
            Some(offset) if record.offset == offset && seen.there.is_none() => {
                let named = record.tag.is_some_and(|tag| subject.tags.contains(&tag));
                let text = record_text(history, session, number, &record);
                seen.there = Some(if named { None } else { Some(text) });
            }
            Some(offset) if record.offset < offset => seen.below = seen.below.max(Some(record.offset)),
            Some(offset) if record.offset > offset => {
                seen.above = Some(seen.above.map_or(record.offset, |above| above.min(record.offset)));
            }
            _ => {}
        }
    }
    let (first, last) = (seen.first?, seen.last?);
    let place = place_text(history, Some(partition));
    let mut text = format!("read {} records of {place} between offsets {first} and {last}", seen.count);
    for (tag, offsets) in &records {
        let name = history.name_of(*tag);
        let offsets: Vec<String> = offsets.iter().take(OFFSETS_MAX).map(ToString::to_string).collect();
        match offsets.as_slice() {
            [] => text.push_str(&format!("; record {name} was not among them")),
            offsets => text.push_str(&format!("; record {name} was at offset {}", offsets.join(", "))),
        }
    }
    if let Some(offset) = subject.offset {
        text.push_str(&match (seen.there, seen.below, seen.above) {
            (Some(None), ..) => String::new(),
            (Some(Some(there)), ..) => format!("; at offset {offset} it found {there}"),
            (None, Some(below), Some(above)) => {
                format!("; it went from offset {below} to {above}, past {offset}")
            }
            (None, Some(below), None) => format!("; it came as far as offset {below}, before {offset}"),
            (None, None, _) => format!("; it began behind offset {offset}"),
        });
    }
    Some(text)
}

#[derive(Debug, Default)]
struct Seen {
    count: u64,
    first: Option<Offset>,
    last: Option<Offset>,
    /// Something was at the place: what, unless it is a record whose offsets are told anyway.
    there: Option<Option<String>>,
    below: Option<Offset>,
    above: Option<Offset>,
}
