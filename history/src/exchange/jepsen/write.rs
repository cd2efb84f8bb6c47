//! A history as operations of Jepsen's Kafka workload.
//!
//! A process there does one thing at a time, so a session with several records in flight becomes several
//! processes. Partitions are keys; records of our own are numbered through, producer by producer.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io::{self, Write};

use super::Notation;
use crate::event::Role;
use crate::ids::{FENCE_PRODUCER, Nanos, Partition, Tag};
use crate::outcome::Outcome;
use crate::view::{Function, History, Operation, Send, Session, Step, Value};

/// What could not be said in Jepsen's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unsaid {
    /// Sends left out because nobody ever knew their partition.
    pub nowhere: u64,
}

/// Writes a history, ordered by time.
///
/// # Errors
/// If writing fails.
pub fn write_jepsen(history: &History, notation: Notation, out: impl Write) -> io::Result<Unsaid> {
    let names = Names::of(history);
    let mut writer = Writer { out, notation, index: 0, names: &names, unsaid: Unsaid::default() };
    let lanes = lanes(history);
    // The next line of each process: its time, completions first, which process, which of its operations.
    let mut next: BinaryHeap<Reverse<(Nanos, bool, usize, usize)>> = BinaryHeap::new();
    for (process, lane) in lanes.iter().enumerate() {
        next.push(Reverse((lane.operations[0].invoked, true, process, 0)));
    }
    while let Some(Reverse((at, invokes, process, place))) = next.pop() {
        let lane = &lanes[process];
        let operation = &lane.operations[place];
        writer.line(lane.session, process, at, operation, invokes)?;
        let following = match operation.completed {
            Some(completed) if invokes => Some((completed, false, process, place)),
            _ => lane.operations.get(place + 1).map(|after| (after.invoked, true, process, place + 1)),
        };
        next.extend(following.map(Reverse));
    }
    writer.out.flush()?;
    Ok(writer.unsaid)
}

/// One process of the export.
struct Lane<'a> {
    session: &'a Session,
    operations: Vec<Operation<'a>>,
}

/// Every session's operations, spread over as many processes as were going on at a time.
fn lanes(history: &History) -> Vec<Lane<'_>> {
    let mut lanes: Vec<Lane<'_>> = Vec::new();
    let told = |session: &&Session| !matches!(session.role, Role::Runner | Role::Admin | Role::Sink);
    for session in history.sessions.iter().filter(told) {
        let first = lanes.len();
        // Processes that are free, the one longest so first.
        let mut free: BinaryHeap<Reverse<(Nanos, usize)>> = BinaryHeap::new();
        for operation in session.operations() {
            let lane = match free.peek() {
                Some(Reverse((since, lane))) if *since <= operation.invoked => {
                    let lane = *lane;
                    free.pop();
                    lane
                }
                _ => {
                    lanes.push(Lane { session, operations: Vec::new() });
                    lanes.len() - 1
                }
            };
            debug_assert!(lane >= first);
            if let Some(completed) = operation.completed {
                free.push(Reverse((completed, lane)));
            }
            lanes[lane].operations.push(operation);
        }
    }
    lanes
}

/// How records and partitions are called.
struct Names<'a> {
    history: &'a History,
    /// Where the numbers of each session's records begin.
    bases: HashMap<(u32, u32), u64>,
    /// Where records lie whose sender was not told.
    places: HashMap<Tag, Partition>,
    /// Names of partitions that are whole numbers can be written as such.
    numeric: bool,
}

impl<'a> Names<'a> {
    fn of(history: &'a History) -> Self {
        let (mut bases, mut next) = (HashMap::new(), 1);
        let mut places = HashMap::new();
        for session in history.senders() {
            bases.insert((session.index, session.session), next);
            next += session.sends().map(|send| send.tag.seq + 1).max().unwrap_or(0);
            for send in session.sends().filter(|send| send.partition.is_none()) {
                places.insert(send.tag, Partition(u32::MAX));
            }
        }
        if !places.is_empty() {
            for delivery in history.log_sessions().flat_map(Session::deliveries) {
                if let Some(place) = delivery.tag.and_then(|tag| places.get_mut(&tag)) {
                    *place = delivery.partition;
                }
            }
            places.retain(|_, place| place.0 != u32::MAX);
        }
        let numeric = history
            .imported
            .as_ref()
            .is_none_or(|imported| imported.partitions.iter().all(|name| name.parse::<i64>().is_ok()));
        Self { history, bases, places, numeric }
    }

    fn place(&self, send: &Send) -> Option<Partition> {
        send.partition.or_else(|| self.places.get(&send.tag).copied())
    }

    fn value(&self, tag: Tag) -> Value {
        if let Some(value) = self.history.value_of(tag) {
            return value;
        }
        match self.bases.get(&(tag.producer, tag.session)) {
            Some(base) => Value::Number(i64::try_from(base + tag.seq).unwrap_or(i64::MAX)),
            None => Value::Text(tag.to_string()),
        }
    }
}

struct Writer<'a, W> {
    out: W,
    notation: Notation,
    index: u64,
    names: &'a Names<'a>,
    unsaid: Unsaid,
}

impl<W: Write> Writer<'_, W> {
    fn line(
        &mut self,
        session: &Session,
        process: usize,
        at: Nanos,
        operation: &Operation<'_>,
        invokes: bool,
    ) -> io::Result<()> {
        let function = match operation.function {
            Function::Send => "send",
            Function::Poll => "poll",
            Function::Txn => "txn",
            Function::Assign => "assign",
            Function::Subscribe => "subscribe",
            Function::Crash => "crash",
            // They touch no record, and Jepsen has no name for them.
            Function::Commit | Function::Other => return Ok(()),
        };
        let kind = match operation.outcome {
            _ if invokes => "invoke",
            Outcome::Ok => "ok",
            Outcome::Fail => "fail",
            Outcome::Unknown => "info",
        };
        let value = match operation.function {
            Function::Send | Function::Poll | Function::Txn => {
                let Some(value) = self.micros(session, operation, invokes) else { return Ok(()) };
                value
            }
            Function::Assign | Function::Subscribe => {
                let keys = operation.detail.into_iter().flat_map(|detail| &detail.partitions);
                self.list(keys.map(|key| self.key(*key)))
            }
            _ => self.null().to_owned(),
        };
        let mut fields = vec![
            ("index", self.index.to_string()),
            ("type", self.word(kind)),
            ("f", self.word(function)),
            ("process", process.to_string()),
            ("time", at.0.to_string()),
            ("value", value),
        ];
        if let Some(detail) = operation.detail {
            if detail.seek_to_beginning {
                fields.push(("seek-to-beginning?", "true".to_owned()));
            }
            if let (false, Some(error)) = (invokes, &detail.error) {
                fields.push(("error", quoted(error)));
            }
            if !invokes && !detail.rebalanced.is_empty() {
                let keys = self.list(detail.rebalanced.iter().map(|key| self.key(*key)));
                let entry = self.map(&[("type", self.word("assigned")), ("keys", keys)]);
                fields.push(("rebalance-log", format!("[{entry}]")));
            }
        }
        self.index += 1;
        let line = self.map(&fields);
        writeln!(self.out, "{line}")
    }

    /// The micro-operations; `None` if there is nothing that could be said.
    fn micros(&mut self, session: &Session, operation: &Operation<'_>, invokes: bool) -> Option<String> {
        let mut micros = Vec::new();
        for step in operation.steps() {
            match step {
                Step::Send(place) => {
                    let send = session.send(place);
                    if send.tag.producer == FENCE_PRODUCER {
                        continue;
                    }
                    let Some(partition) = self.names.place(&send) else {
                        self.unsaid.nowhere += u64::from(invokes);
                        continue;
                    };
                    let value =
                        self.value(&session.value(place).unwrap_or_else(|| self.names.value(send.tag)));
                    let value = match (invokes, send.offset) {
                        (true, _) => value,
                        (_, Some(offset)) => self.list([offset.to_string(), value].into_iter()),
                        (_, None) if send.outcome == Outcome::Ok => {
                            self.list([self.null().to_owned(), value].into_iter())
                        }
                        _ => value,
                    };
                    micros.push(self.list([self.word("send"), self.key(partition), value].into_iter()));
                }
                Step::Poll(_) if invokes => micros.push(self.list([self.word("poll")].into_iter())),
                Step::Poll(records) => {
                    let records = self.records(session, records);
                    micros.push(self.list([self.word("poll"), records].into_iter()));
                }
            }
        }
        (!micros.is_empty()).then(|| self.list(micros.into_iter()))
    }

    /// What a poll returned, by key, in order of first appearance.
    fn records(&self, session: &Session, range: std::ops::Range<usize>) -> String {
        let mut keys: Vec<(Partition, Vec<String>)> = Vec::new();
        for (place, delivery) in range.clone().zip(session.deliveries_in(range)) {
            if delivery.tag.is_some_and(|tag| tag.producer == FENCE_PRODUCER) {
                continue;
            }
            let value = match (delivery.tag, session.foreign_value(place)) {
                (Some(tag), _) => self.names.value(tag),
                (None, Some(value)) => value.clone(),
                (None, None) => Value::Text("foreign".to_owned()),
            };
            let record = self.list([delivery.offset.to_string(), self.value(&value)].into_iter());
            match keys.iter_mut().find(|(key, _)| *key == delivery.partition) {
                Some((_, records)) => records.push(record),
                None => keys.push((delivery.partition, vec![record])),
            }
        }
        let entries = keys.into_iter().map(|(key, records)| {
            let (key, records) = (self.key(key), self.list(records.into_iter()));
            match self.notation {
                Notation::Json => format!("\"{}\":{records}", key.trim_matches('"')),
                Notation::Edn => format!("{key} {records}"),
            }
        });
        let separator = if self.notation == Notation::Json { "," } else { ", " };
        format!("{{{}}}", entries.collect::<Vec<_>>().join(separator))
    }

    fn key(&self, partition: Partition) -> String {
        let name = self.names.history.partition_name(partition);
        if self.names.numeric { name } else { quoted(&name) }
    }

    fn value(&self, value: &Value) -> String {
        match value {
            Value::Number(number) => number.to_string(),
            Value::Text(text) => quoted(text),
        }
    }

    const fn null(&self) -> &'static str {
        match self.notation {
            Notation::Json => "null",
            Notation::Edn => "nil",
        }
    }

    fn word(&self, word: &str) -> String {
        match self.notation {
            Notation::Json => format!("\"{word}\""),
            Notation::Edn => format!(":{word}"),
        }
    }

    fn list(&self, items: impl Iterator<Item = String>) -> String {
        let separator = if self.notation == Notation::Json { "," } else { " " };
        format!("[{}]", items.collect::<Vec<_>>().join(separator))
    }

    fn map(&self, fields: &[(&str, String)]) -> String {
        let fields = fields.iter().map(|(name, value)| match self.notation {
            Notation::Json => format!("\"{name}\":{value}"),
            Notation::Edn => format!(":{name} {value}"),
        });
        let separator = if self.notation == Notation::Json { "," } else { ", " };
        format!("{{{}}}", fields.collect::<Vec<_>>().join(separator))
    }
}

/// A string; JSON's escapes are EDN's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
