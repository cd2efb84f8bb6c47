//! The 64-byte row: how a frequent event becomes 56 bytes, and the word that commits them.
//!
//! | bytes | field |
//! |---|---|
//! | 0 | kind: 1 send invoked, 2 send completed, 3 delivered, 4 note, 5 operation, 6 source value |
//! | 1, 2 | outcome; told, or the function of an operation |
//! | 3 | presence bits (1 partition, 2 offset or key, 4 tag, 8 side table), contents in bits 4 and 5 |
//! | 4..8 | partition |
//! | 8..16 | time |
//! | 16..24 | sequence number; of an operation its line at the source, from 1, or 0 |
//! | 24..32 | offset; of an invocation its key; a value that is a number; the place in the side table |
//! | 32..36, 36..40 | producer, session |
//! | 40..48 | intended time of an invocation, poll time of a delivery, invocation of an operation |
//! | 48..52 | error |
//! | 52..56 | payload bytes of an invocation, JSON bytes in the side table |
//! | 56..64 | commit word: CRC32C of all before and of the row's number, then a constant |

use crate::event::{Contents, EndedOperation, Event, Note};
use crate::ids::{Nanos, Offset, Partition, Tag};
use crate::outcome::{ErrorCode, Outcome, Told};
use crate::view::{Detail, Ended, Function, Run, Value};
use serde::{Deserialize, Serialize};

/// Bytes of a row.
pub(super) const ROW_BYTES: usize = 64;
/// Bytes of a row before its commit word.
pub(super) const BODY_BYTES: usize = 56;
/// A row without its commit word.
pub(super) type Body = [u8; BODY_BYTES];

/// Upper half of every commit word: a row whose checksum happens to be 0 is still told from an empty one.
const COMMITTED: u64 = 0x4857_524f << 32;

const SEND_INVOKED: u8 = 1;
const SEND_COMPLETED: u8 = 2;
const DELIVERED: u8 = 3;
const NOTE: u8 = 4;
const OPERATION: u8 = 5;
const VALUE: u8 = 6;

const HAS_PARTITION: u8 = 1;
const HAS_OFFSET: u8 = 2;
const HAS_TAG: u8 = 4;
const HAS_WIDE: u8 = 8;
/// Of an operation: it came back.
const HAS_COMPLETED: u8 = 1;
const CONTENTS_SHIFT: u8 = 4;

/// What a row holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    /// An event, whole.
    Event(Event),
    /// A note in the side table.
    Note(Place),
    /// A value whose text is in the side table.
    Text(Place),
    /// An operation whose wide part is in the side table.
    Wide(Ended, Place),
}

/// The wide part of an operation, as the side table holds it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct WideOperation {
    pub(super) detail: Option<Detail>,
    pub(super) runs: Vec<Run>,
}

/// What is to be written to the side table first.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum Wide<'a> {
    /// A note.
    Note(&'a Note),
    /// A source's value.
    Text(&'a str),
    /// The wide part of an operation.
    Operation(Box<WideOperation>),
}

/// Where a note is in the side table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Byte offset of its entry.
    pub(super) offset: u64,
    /// Bytes of its JSON.
    pub(super) length: u32,
}

/// The word that commits a row: its number is part of the checksum, so that a row in a wrong place is damage.
pub(super) fn commit_word(body: &Body, number: u32) -> u64 {
    let mut summed = [0; BODY_BYTES + 4];
    summed[..BODY_BYTES].copy_from_slice(body);
    summed[BODY_BYTES..].copy_from_slice(&number.to_le_bytes());
    COMMITTED | u64::from(crc32c::crc32c(&summed))
}

/// How an event is recorded.
#[derive(Debug)]
pub(super) enum Encoded<'a> {
    /// As this row.
    Row(Body),
    /// In the side table, and then as this row, which is told where.
    Wide(Wide<'a>, Referring),
}

/// A row that lacks its place in the side table.
#[derive(Debug)]
pub(super) struct Referring(Fields);

impl Referring {
    /// The row.
    pub(super) fn to(mut self, place: Place) -> Body {
        self.0.length = place.length;
        self.0.set_offset(Some(place.offset.cast_signed()));
        self.0.pack()
    }
}

/// Lays out an event.
pub(super) fn encode(at: Nanos, event: &Event) -> Encoded<'_> {
    let mut row = Fields { at: at.0, ..Fields::default() };
    match event {
        &Event::SendInvoked { tag, partition, key, payload_bytes, intended } => {
            row.kind = SEND_INVOKED;
            row.set_tag(tag);
            row.set_partition(partition);
            row.set_offset(key.map(u64::cast_signed));
            row.length = payload_bytes;
            row.aux = intended.0;
        }
        &Event::SendCompleted { tag, partition, offset, outcome, told, error } => {
            row.kind = SEND_COMPLETED;
            row.set_tag(tag);
            row.set_partition(partition);
            row.set_offset(offset.map(|offset| offset.0));
            row.outcome = outcome_code(outcome);
            row.told = told_code(told);
            row.error = error.0;
        }
        &Event::Delivered { polled, partition, offset, tag, contents } => {
            row.kind = DELIVERED;
            row.set_partition(Some(partition));
            row.set_offset(Some(offset.0));
            if let Some(tag) = tag {
                row.set_tag(tag);
            }
            row.flags |= contents_code(contents) << CONTENTS_SHIFT;
            row.aux = polled.0;
        }
        Event::SourceValue(value) => {
            row.kind = VALUE;
            match value {
                Value::Number(number) => row.set_offset(Some(*number)),
                Value::Text(text) => {
                    row.flags |= HAS_WIDE;
                    return Encoded::Wide(Wide::Text(text), Referring(row));
                }
            }
        }
        Event::OperationEnded(operation) => {
            let EndedOperation { ended, runs } = operation.as_ref();
            row.kind = OPERATION;
            row.outcome = outcome_code(ended.outcome);
            row.told = function_code(ended.function);
            row.at = ended.completed.unwrap_or(ended.invoked).0;
            row.flags |= if ended.completed.is_some() { HAS_COMPLETED } else { 0 };
            row.aux = ended.invoked.0;
            row.seq = ended.line.unwrap_or(0);
            if ended.detail.is_some() || !runs.is_empty() {
                row.flags |= HAS_WIDE;
                let wide = WideOperation { detail: ended.detail.clone(), runs: runs.clone() };
                return Encoded::Wide(Wide::Operation(Box::new(wide)), Referring(row));
            }
        }
        Event::Note(note) => {
            row.kind = NOTE;
            return Encoded::Wide(Wide::Note(note), Referring(row));
        }
    }
    Encoded::Row(row.pack())
}

/// Reads a committed row back; `Err` says what this build does not know about it.
pub(super) fn decode(body: &Body) -> Result<(Nanos, Content), String> {
    let row = Fields::unpack(body);
    let content = match row.kind {
        SEND_INVOKED => Content::Event(Event::SendInvoked {
            tag: row.tag_always(),
            partition: row.partition(),
            key: row.offset().map(i64::cast_unsigned),
            payload_bytes: row.length,
            intended: Nanos(row.aux),
        }),
        SEND_COMPLETED => Content::Event(Event::SendCompleted {
            tag: row.tag_always(),
            partition: row.partition(),
            offset: row.offset().map(Offset),
            outcome: outcome_of(row.outcome).ok_or_else(|| unknown("outcome", row.outcome))?,
            told: told_of(row.told).ok_or_else(|| unknown("told", row.told))?,
            error: ErrorCode(row.error),
        }),
        DELIVERED => {
            let contents = row.flags >> CONTENTS_SHIFT;
            Content::Event(Event::Delivered {
                polled: Nanos(row.aux),
                partition: Partition(row.partition),
                offset: Offset(row.offset),
                tag: (row.flags & HAS_TAG != 0).then(|| row.tag_always()),
                contents: contents_of(contents).ok_or_else(|| unknown("contents", contents))?,
            })
        }
        OPERATION => {
            let ended = Ended {
                function: function_of(row.told).ok_or_else(|| unknown("function", row.told))?,
                invoked: Nanos(row.aux),
                completed: (row.flags & HAS_COMPLETED != 0).then_some(Nanos(row.at)),
                outcome: outcome_of(row.outcome).ok_or_else(|| unknown("outcome", row.outcome))?,
                line: (row.seq > 0).then_some(row.seq),
                detail: None,
            };
            if row.flags & HAS_WIDE != 0 {
                Content::Wide(ended, row.place())
            } else {
                Content::Event(Event::OperationEnded(Box::new(EndedOperation { ended, runs: Vec::new() })))
            }
        }
        VALUE if row.flags & HAS_WIDE != 0 => Content::Text(row.place()),
        VALUE => Content::Event(Event::SourceValue(Value::Number(row.offset))),
        NOTE => Content::Note(row.place()),
        kind => return Err(unknown("row kind", kind)),
    };
    Ok((Nanos(row.at), content))
}

fn unknown(what: &str, code: u8) -> String {
    format!("unknown {what} `{code}`")
}

/// A row's fields, before they are laid out.
#[derive(Debug, Default)]
struct Fields {
    kind: u8,
    outcome: u8,
    told: u8,
    flags: u8,
    partition: u32,
    at: u64,
    seq: u64,
    offset: i64,
    producer: u32,
    session: u32,
    aux: u64,
    error: i32,
    length: u32,
}

impl Fields {
    fn set_tag(&mut self, tag: Tag) {
        self.flags |= HAS_TAG;
        self.seq = tag.seq;
        self.producer = tag.producer;
        self.session = tag.session;
    }

    fn set_partition(&mut self, partition: Option<Partition>) {
        if let Some(partition) = partition {
            self.flags |= HAS_PARTITION;
            self.partition = partition.0;
        }
    }

    fn set_offset(&mut self, offset: Option<i64>) {
        if let Some(offset) = offset {
            self.flags |= HAS_OFFSET;
            self.offset = offset;
        }
    }

    fn tag_always(&self) -> Tag {
        Tag { producer: self.producer, session: self.session, seq: self.seq }
    }

    fn partition(&self) -> Option<Partition> {
        (self.flags & HAS_PARTITION != 0).then_some(Partition(self.partition))
    }

    fn offset(&self) -> Option<i64> {
        (self.flags & HAS_OFFSET != 0).then_some(self.offset)
    }

    fn place(&self) -> Place {
        Place { offset: self.offset.cast_unsigned(), length: self.length }
    }

    fn pack(&self) -> Body {
        let mut body = [0; BODY_BYTES];
        body[..4].copy_from_slice(&[self.kind, self.outcome, self.told, self.flags]);
        body[4..8].copy_from_slice(&self.partition.to_le_bytes());
        body[8..16].copy_from_slice(&self.at.to_le_bytes());
        body[16..24].copy_from_slice(&self.seq.to_le_bytes());
        body[24..32].copy_from_slice(&self.offset.to_le_bytes());
        body[32..36].copy_from_slice(&self.producer.to_le_bytes());
        body[36..40].copy_from_slice(&self.session.to_le_bytes());
        body[40..48].copy_from_slice(&self.aux.to_le_bytes());
        body[48..52].copy_from_slice(&self.error.to_le_bytes());
        body[52..].copy_from_slice(&self.length.to_le_bytes());
        body
    }

    fn unpack(body: &Body) -> Self {
        let u32_at = |at: usize| u32::from_le_bytes(body[at..at + 4].try_into().expect("four bytes"));
        let u64_at = |at: usize| u64::from_le_bytes(body[at..at + 8].try_into().expect("eight bytes"));
        Self {
            kind: body[0],
            outcome: body[1],
            told: body[2],
            flags: body[3],
            partition: u32_at(4),
            at: u64_at(8),
            seq: u64_at(16),
            offset: u64_at(24).cast_signed(),
            producer: u32_at(32),
            session: u32_at(36),
            aux: u64_at(40),
            error: u32_at(48).cast_signed(),
            length: u32_at(52),
        }
    }
}

const FUNCTIONS: [Function; 8] = [
    Function::Send,
    Function::Poll,
    Function::Txn,
    Function::Assign,
    Function::Subscribe,
    Function::Commit,
    Function::Crash,
    Function::Other,
];

/// Its number in [`FUNCTIONS`], from 1.
const fn function_code(function: Function) -> u8 {
    match function {
        Function::Send => 1,
        Function::Poll => 2,
        Function::Txn => 3,
        Function::Assign => 4,
        Function::Subscribe => 5,
        Function::Commit => 6,
        Function::Crash => 7,
        Function::Other => 8,
    }
}

fn function_of(code: u8) -> Option<Function> {
    FUNCTIONS.get(usize::from(code).checked_sub(1)?).copied()
}

const fn outcome_code(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Ok => 1,
        Outcome::Fail => 2,
        Outcome::Unknown => 3,
    }
}

const fn outcome_of(code: u8) -> Option<Outcome> {
    Some(match code {
        1 => Outcome::Ok,
        2 => Outcome::Fail,
        3 => Outcome::Unknown,
        _ => return None,
    })
}

const fn told_code(told: Told) -> u8 {
    match told {
        Told::Acked => 1,
        Told::Sent => 2,
        Told::Failed => 3,
        Told::Nothing => 4,
    }
}

const fn told_of(code: u8) -> Option<Told> {
    Some(match code {
        1 => Told::Acked,
        2 => Told::Sent,
        3 => Told::Failed,
        4 => Told::Nothing,
        _ => return None,
    })
}

const fn contents_code(contents: Contents) -> u8 {
    match contents {
        Contents::Intact => 0,
        Contents::Corrupt => 1,
        Contents::Foreign => 2,
    }
}

const fn contents_of(code: u8) -> Option<Contents> {
    Some(match code {
        0 => Contents::Intact,
        1 => Contents::Corrupt,
        2 => Contents::Foreign,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::option;
    use proptest::prelude::*;

    fn tag() -> impl Strategy<Value = Tag> {
        (any::<u32>(), any::<u32>(), any::<u64>()).prop_map(|(producer, session, seq)| Tag {
            producer,
            session,
            seq,
        })
    }

    fn event() -> impl Strategy<Value = Event> {
        let partition = || any::<u32>().prop_map(Partition);
        let offset = || any::<i64>().prop_map(Offset);
        let nanos = || any::<u64>().prop_map(Nanos);
        let outcome = prop::sample::select(vec![Outcome::Ok, Outcome::Fail, Outcome::Unknown]);
        let told = prop::sample::select(vec![Told::Acked, Told::Sent, Told::Failed, Told::Nothing]);
        let contents = prop::sample::select(vec![Contents::Intact, Contents::Corrupt, Contents::Foreign]);
        prop_oneof![
            (tag(), option::of(partition()), option::of(any::<u64>()), any::<u32>(), nanos()).prop_map(
                |(tag, partition, key, payload_bytes, intended)| Event::SendInvoked {
                    tag,
                    partition,
                    key,
                    payload_bytes,
                    intended
                }
            ),
            (tag(), option::of(partition()), option::of(offset()), outcome, told, any::<i32>()).prop_map(
                |(tag, partition, offset, outcome, told, error)| Event::SendCompleted {
                    tag,
                    partition,
                    offset,
                    outcome,
                    told,
                    error: ErrorCode(error)
                }
            ),
            (nanos(), partition(), offset(), option::of(tag()), contents).prop_map(
                |(polled, partition, offset, tag, contents)| Event::Delivered {
                    polled,
                    partition,
                    offset,
                    tag,
                    contents
                }
            ),
        ]
    }

    proptest! {
        #[test]
        fn every_frequent_event_comes_back(at in any::<u64>(), event in event()) {
            let Encoded::Row(body) = encode(Nanos(at), &event) else { panic!("not a note") };
            prop_assert_eq!(decode(&body), Ok((Nanos(at), Content::Event(event))));
        }

        #[test]
        fn every_place_comes_back(at in any::<u64>(), offset in any::<u64>(), length in any::<u32>()) {
            let place = Place { offset, length };
            let note = Event::Note(Note::SessionClosed);
            let Encoded::Wide(_, row) = encode(Nanos(at), &note) else { panic!("a note is wide") };
            prop_assert_eq!(decode(&row.to(place)), Ok((Nanos(at), Content::Note(place))));
        }
    }

    #[test]
    fn an_unknown_kind_is_named() {
        let mut body = [0; BODY_BYTES];
        body[0] = 99;
        assert_eq!(decode(&body), Err("unknown row kind `99`".to_owned()));
    }

    #[test]
    fn a_row_in_a_wrong_place_does_not_match() {
        assert_ne!(commit_word(&[1; BODY_BYTES], 0), commit_word(&[1; BODY_BYTES], 1));
    }
}
