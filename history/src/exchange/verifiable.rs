//! What `kafka-verifiable-producer` and `kafka-verifiable-consumer --verbose` print: a JSON object a line
//! (`org.apache.kafka.tools.VerifiableProducer`, `VerifiableConsumer`).
//!
//! The files of all producers and consumers together are one history. They tell when something was
//! reported, never when it was asked for, so every interval begins with its process: real-time checks say
//! less then, and nothing false. An error of the producer is an unknown outcome.

use std::collections::{BTreeSet, HashMap};

use serde::Deserialize;

use super::jepsen::Values;
use super::lines::{self, Stop};
use super::scan::Problem;
use super::{Import, ImportError, Source};
use crate::event::{Contents, Role};
use crate::ids::{Nanos, Offset, Partition, Tag};
use crate::outcome::{ErrorCode, Outcome, Told};
use crate::plan::Plan;
use crate::view::{
    Builder, Delivery, Detail, Ended, Function, ImportFormat, Imported, Send, SessionId, Value,
};

/// One line; which fields there are depends on its name.
#[derive(Debug, Deserialize)]
struct Line {
    #[serde(alias = "time_ms")]
    timestamp: u64,
    name: String,
    topic: Option<String>,
    partition: Option<u32>,
    offset: Option<i64>,
    value: Option<serde_json::Value>,
    exception: Option<String>,
    message: Option<String>,
    count: Option<u64>,
    sent: Option<u64>,
    success: Option<bool>,
    #[serde(default)]
    partitions: Vec<Place>,
    #[serde(default)]
    offsets: Vec<Place>,
}

#[derive(Debug, Deserialize)]
struct Place {
    topic: String,
    partition: u32,
    offset: Option<i64>,
}

/// Reads the files of producers and consumers as one history.
///
/// # Errors
/// If a file cannot be read or holds anything else, if two producers send the same value, or if there is
/// no consumer that tells what it read.
pub fn import_verifiable(sources: &mut [Source], plan: Plan) -> Result<Import, ImportError> {
    let mut merge = Merge::new(plan);
    let (mut bytes, mut lines) = (0, 0);
    // Producers first: a consumer's record is known by who sent it.
    for pass in [Pass::Producers, Pass::Consumers] {
        for source in &mut *sources {
            (merge.producer, merge.consumer) = (None, None);
            merge.started = None;
            let mut read = |source: &mut Source| {
                lines::each(source.rewound().map_err(Stop::Io)?, |number, text| {
                    let line = serde_json::from_str(text).map_err(|error| super::json_problem(&error))?;
                    lines += u64::from(pass == Pass::Producers);
                    merge.take(pass, number, line)
                })
            };
            let read = read(source).map_err(|stop: Stop<Problem>| ImportError::of(source, stop))?;
            bytes += if pass == Pass::Producers { read } else { 0 };
        }
    }
    let told = if merge.records > 0 || merge.consumed == 0 { None } else { Some("tells no values") };
    let told = if merge.consumers == 0 { Some("is missing") } else { told };
    if let (Some(what), Some(source)) = (told, sources.last()) {
        let why = format!(
            "the output of kafka-verifiable-consumer {what} (run it with --verbose, and give the files of producers and consumers together)"
        );
        return Err(ImportError::of(source, Stop::Line(lines.max(1), why)));
    }
    let remarks = merge.remarks();
    Ok(Import { history: merge.finish(), bytes, lines, remarks })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    Producers,
    Consumers,
}

/// A session of the file being read.
#[derive(Debug, Clone)]
struct Current {
    id: SessionId,
    index: u32,
    sent: u64,
    since: Nanos,
    assigned: BTreeSet<Partition>,
}

struct Merge {
    builder: Builder,
    clients: u32,
    producer: Option<Current>,
    consumer: Option<Current>,
    started: Option<Nanos>,
    topics: HashMap<String, u32>,
    places: HashMap<(u32, u32), Partition>,
    names: Vec<String>,
    values: Values,
    consumers: u64,
    /// Records counted, and records told one by one.
    consumed: u64,
    records: u64,
    unreported: u64,
    strange: u64,
}

impl Merge {
    fn new(plan: Plan) -> Self {
        Self {
            builder: Builder::new(plan),
            clients: 0,
            producer: None,
            consumer: None,
            started: None,
            topics: HashMap::new(),
            places: HashMap::new(),
            names: Vec::new(),
            values: Values::default(),
            consumers: 0,
            consumed: 0,
            records: 0,
            unreported: 0,
            strange: 0,
        }
    }

    fn take(&mut self, pass: Pass, number: u64, line: Line) -> Result<(), Problem> {
        let at = line
            .timestamp
            .checked_mul(1_000_000)
            .map(Nanos)
            .ok_or_else(|| Problem::new("`timestamp` is no time in milliseconds"))?;
        match (line.name.as_str(), pass) {
            ("startup_complete", _) => {
                (self.producer, self.consumer, self.started) = (None, None, Some(at));
            }
            ("shutdown_complete", _) => {
                let current = if pass == Pass::Producers { &self.producer } else { &self.consumer };
                if let Some(current) = current {
                    self.builder.session(current.id).closed = true;
                }
            }
            ("producer_send_success" | "producer_send_error", Pass::Producers) => {
                self.send(number, at, &line)?;
            }
            ("tool_data", Pass::Producers) => {
                let reported = self.producer.as_ref().map_or(0, |current| current.sent);
                self.unreported += line.sent.unwrap_or(0).saturating_sub(reported);
            }
            ("record_data", Pass::Consumers) => self.record(at, &line)?,
            ("records_consumed", Pass::Consumers) => {
                self.consumed += line.count.unwrap_or(0);
                self.operation(Function::Poll, number, at, Outcome::Ok, None);
            }
            ("partitions_assigned" | "partitions_revoked" | "partitions_lost", Pass::Consumers) => {
                self.rebalance(number, at, &line);
            }
            ("offsets_committed", Pass::Consumers) => self.commit(number, at, &line),
            (
                "producer_send_success"
                | "producer_send_error"
                | "tool_data"
                | "record_data"
                | "records_consumed"
                | "partitions_assigned"
                | "partitions_revoked"
                | "partitions_lost"
                | "offsets_committed",
                _,
            ) => {}
            _ => self.strange += u64::from(pass == Pass::Producers),
        }
        Ok(())
    }

    fn send(&mut self, number: u64, at: Nanos, line: &Line) -> Result<(), Problem> {
        let acked = line.name == "producer_send_success";
        let (topic, value) = (self.topic(line)?, value(line)?);
        let offset = line.offset.filter(|offset| *offset != -1);
        if offset.is_some_and(i64::is_negative) {
            return Err(Problem::new("an offset is negative"));
        }
        let partition = line.partition.map(|partition| self.partition(topic, partition));
        if acked && partition.is_none() {
            return Err(Problem::new("`partition` is missing"));
        }
        let current = self.current(Pass::Producers, at);
        let tag = Tag { producer: current.index, session: 0, seq: current.sent };
        if self.values.insert(topic, &value, tag).is_err() {
            return Err(Problem::new(format!(
                "value `{value}` is sent a second time (give each producer a --value-prefix of its own)"
            )));
        }
        let outcome = if acked { Outcome::Ok } else { Outcome::Unknown };
        let send = Send {
            tag,
            key: None,
            partition,
            offset: offset.map(Offset),
            intended: current.since,
            invoked: current.since,
            completed: Some(at),
            outcome,
            told: if acked { Told::Acked } else { Told::Failed },
            error: ErrorCode::NONE,
        };
        self.builder.send_valued(current.id, &send, &value);
        let texts = [&line.exception, &line.message];
        let error: Vec<&str> = texts.into_iter().flatten().map(String::as_str).collect();
        let error = (!error.is_empty()).then(|| Detail {
            error: Some(error.join(": ").chars().take(200).collect()),
            ..Detail::default()
        });
        self.builder.operation(
            current.id,
            Ended {
                function: Function::Send,
                invoked: current.since,
                completed: Some(at),
                outcome,
                line: Some(number),
                detail: error,
            },
        );
        self.producer = Some(Current { sent: current.sent + 1, ..current });
        Ok(())
    }

    fn record(&mut self, at: Nanos, line: &Line) -> Result<(), Problem> {
        let (topic, value) = (self.topic(line)?, value(line)?);
        let (Some(partition), Some(offset @ 0..)) = (line.partition, line.offset) else {
            return Err(Problem::new("`partition` or `offset` is missing or negative"));
        };
        let partition = self.partition(topic, partition);
        let current = self.current(Pass::Consumers, at);
        let tag = self.values.get(topic, &value);
        let delivery = Delivery {
            partition,
            offset: Offset(offset),
            tag,
            contents: if tag.is_some() { Contents::Intact } else { Contents::Foreign },
            polled: current.since,
            returned: at,
        };
        match tag {
            Some(_) => self.builder.deliver(current.id, &delivery),
            None => self.builder.deliver_foreign(current.id, &delivery, value),
        };
        self.records += 1;
        Ok(())
    }

    fn rebalance(&mut self, number: u64, at: Nanos, line: &Line) {
        let named: Vec<Partition> = line.partitions.iter().map(|place| self.place(place)).collect();
        let mut current = self.current(Pass::Consumers, at);
        for partition in &named {
            if line.name == "partitions_assigned" {
                current.assigned.insert(*partition);
            } else {
                current.assigned.remove(partition);
            }
        }
        let detail = Detail {
            partitions: current.assigned.iter().copied().collect(),
            rebalanced: named,
            ..Detail::default()
        };
        self.consumer = Some(current);
        self.operation(Function::Subscribe, number, at, Outcome::Ok, Some(detail));
    }

    fn commit(&mut self, number: u64, at: Nanos, line: &Line) {
        let offsets = line.offsets.iter().filter_map(|place| Some((place, Offset(place.offset?))));
        let committed: Vec<(&Place, Offset)> = offsets.collect();
        let committed = committed.into_iter().map(|(place, offset)| (self.place(place), offset)).collect();
        let outcome = if line.success == Some(false) { Outcome::Unknown } else { Outcome::Ok };
        let detail = Detail { committed, ..Detail::default() };
        self.operation(Function::Commit, number, at, outcome, Some(detail));
    }

    /// Ends an operation of the consumer.
    fn operation(
        &mut self,
        function: Function,
        number: u64,
        at: Nanos,
        outcome: Outcome,
        detail: Option<Detail>,
    ) {
        let current = self.current(Pass::Consumers, at);
        let (invoked, line) = (current.since, Some(number));
        let completed = Some(at);
        self.builder.operation(current.id, Ended { function, invoked, completed, outcome, line, detail });
    }

    /// The session of the file being read; begun if there is none.
    fn current(&mut self, pass: Pass, at: Nanos) -> Current {
        let since = self.started.unwrap_or(at);
        let slot = if pass == Pass::Producers { &mut self.producer } else { &mut self.consumer };
        if let Some(current) = slot {
            return current.clone();
        }
        let index = self.clients;
        let id = self.builder.open(Role::Client, index, 0);
        self.builder.session(id).closed = false;
        self.clients += 1;
        self.consumers += u64::from(pass == Pass::Consumers);
        slot.insert(Current { id, index, sent: 0, since, assigned: BTreeSet::new() }).clone()
    }

    fn topic(&mut self, line: &Line) -> Result<u32, Problem> {
        let topic = line.topic.as_deref().ok_or_else(|| Problem::new("`topic` is missing"))?;
        Ok(self.topic_number(topic))
    }

    fn topic_number(&mut self, topic: &str) -> u32 {
        if let Some(number) = self.topics.get(topic) {
            return *number;
        }
        let number = u32::try_from(self.topics.len()).unwrap_or(u32::MAX);
        self.topics.insert(topic.to_owned(), number);
        number
    }

    fn place(&mut self, place: &Place) -> Partition {
        let topic = self.topic_number(&place.topic);
        self.partition(topic, place.partition)
    }

    fn partition(&mut self, topic: u32, partition: u32) -> Partition {
        if let Some(known) = self.places.get(&(topic, partition)) {
            return *known;
        }
        let name = self.topics.iter().find(|(_, number)| **number == topic).map(|(name, _)| name.as_str());
        let known = Partition(u32::try_from(self.names.len()).unwrap_or(u32::MAX));
        self.names.push(format!("{}-{partition}", name.unwrap_or_default()));
        self.places.insert((topic, partition), known);
        known
    }

    fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.unreported > 0 {
            remarks.push(format!(
                "{} sends were never reported on, so nothing is known of them",
                self.unreported
            ));
        }
        if self.strange > 0 {
            remarks
                .push(format!("{} lines have a name that is not known, and are passed over", self.strange));
        }
        remarks
    }

    fn finish(mut self) -> crate::view::History {
        self.builder.imported(Imported {
            partitions: self.names,
            subscribes: true,
            ..Imported::new(ImportFormat::Verifiable)
        });
        self.builder.finish()
    }
}

/// The value of a record: a number where it is one.
fn value(line: &Line) -> Result<Value, Problem> {
    let text = match &line.value {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(serde_json::Value::Number(number)) => number.to_string(),
        _ => return Err(Problem::new("`value` is missing, or neither text nor number")),
    };
    let number = text.parse::<i64>().ok().filter(|number| number.to_string() == text);
    Ok(number.map_or(Value::Text(text), Value::Number))
}
