//! Lines into a history: invocations wait for their completions, values find the sends they came from.

use std::collections::{HashMap, HashSet};

use super::line::{Kind, Line, Micro, Process, Value as Given, Verb};
use super::names::{Keys, Processes};
use super::values::Values;
use crate::event::{Contents, Role};
use crate::exchange::scan::{Problem, Word};
use crate::ids::{Nanos, Offset, Partition, Tag};
use crate::outcome::{ErrorCode, Outcome, Told};
use crate::plan::Plan;
use crate::view::{
    Builder, Delivery, Detail, Ended, Function, History, ImportFormat, Imported, Send, SessionId, Value,
};

/// Sends that are known before they are read: values that an earlier reading of the file saw polled before
/// they were sent.
pub(super) type Foreseen = HashMap<(u32, Value), Tag>;

/// A history under construction.
pub(super) struct Assembler {
    builder: Builder,
    keys: Keys,
    processes: Processes,
    clients: Vec<Client>,
    values: Values,
    foreseen: Foreseen,
    /// Polled, and not sent so far.
    missed: HashSet<(u32, Value)>,
    /// Sent after having been polled; not to be known in this reading any more.
    late: Foreseen,
    clock: Clock,
    subscribes: bool,
    transactions: bool,
    pub(super) odd: Odd,
}

/// What is legal and makes one wonder, counted.
#[derive(Debug, Default)]
pub(super) struct Odd {
    /// Lines of nemeses and others that are no client.
    pub(super) named: u64,
    /// Lines whose time is before that of the line above, and the first of them.
    pub(super) backwards: (u64, u64),
    /// Operations that never completed.
    pub(super) open: u64,
    /// Operations of clients whose function is not known.
    pub(super) strange: u64,
    /// A polled value that nobody sent.
    pub(super) unsent: u64,
}

/// One process.
#[derive(Debug)]
struct Client {
    id: SessionId,
    sent: u64,
    /// Line, time and verb of the operation that is open.
    open: Option<(u64, Nanos, Verb)>,
    /// Its micro-operations; `None` is a poll.
    micros: Vec<Option<(u32, Value)>>,
    /// What it assigned or subscribed to.
    partitions: Vec<Partition>,
    seek: bool,
}

/// Whether lines carry times, and the one before.
#[derive(Debug, Default)]
struct Clock {
    timed: Option<bool>,
    last: i64,
    index: Option<i64>,
}

impl Assembler {
    pub(super) fn new(plan: Plan, foreseen: Foreseen) -> Self {
        Self {
            builder: Builder::new(plan),
            keys: Keys::default(),
            processes: Processes::default(),
            clients: Vec::new(),
            values: Values::default(),
            foreseen,
            missed: HashSet::new(),
            late: Foreseen::new(),
            clock: Clock::default(),
            subscribes: false,
            transactions: false,
            odd: Odd::default(),
        }
    }

    /// Takes one line.
    pub(super) fn take(&mut self, number: u64, line: &mut Line) -> Result<(), Problem> {
        let kind = line.kind.ok_or_else(|| Problem::new("it has no `type`"))?;
        let verb = line.verb.ok_or_else(|| Problem::new("it has no `f`"))?;
        let process = line.process.ok_or_else(|| Problem::new("it has no `process`"))?;
        let at = self.time(number, line)?;
        let process = match process {
            Process::Client(process) => process,
            Process::Named => {
                self.odd.named += 1;
                return Ok(());
            }
        };
        if let (Verb::Micros { .. }, Given::Other(_)) = (verb, &line.value) {
            let Given::Other(problem) = std::mem::take(&mut line.value) else { unreachable!("just seen") };
            return Err(problem);
        }
        let (client, new) = self.processes.number(process);
        if new {
            let index = u32::try_from(client).unwrap_or(u32::MAX);
            let id = self.builder.open(Role::Client, index, 0);
            let micros = Vec::new();
            let partitions = Vec::new();
            self.clients.push(Client { id, sent: 0, open: None, micros, partitions, seek: false });
        }
        match kind {
            Kind::Invoke => self.invoke(client, process, (number, at, verb), line),
            Kind::Ok => self.complete(client, process, Outcome::Ok, (number, at, verb), line),
            Kind::Fail => self.complete(client, process, Outcome::Fail, (number, at, verb), line),
            Kind::Info => self.complete(client, process, Outcome::Unknown, (number, at, verb), line),
        }
    }

    /// The line's time; where lines carry none, their number stands for it.
    fn time(&mut self, number: u64, line: &Line) -> Result<Nanos, Problem> {
        let clock = &mut self.clock;
        if let Some(index) = line.index {
            if clock.index.is_some_and(|last| index <= last) {
                let last = clock.index.unwrap_or_default();
                return Err(Problem::new(format!(
                    "index {index} follows index {last} (each is to be higher)"
                )));
            }
            clock.index = Some(index);
        }
        if *clock.timed.get_or_insert(line.time.is_some()) != line.time.is_some() {
            return Err(Problem::new("some lines have a `time`, and others have none"));
        }
        let Some(time) = line.time else { return Ok(Nanos(number)) };
        if time < clock.last {
            self.odd.backwards.0 += 1;
            if self.odd.backwards.1 == 0 {
                self.odd.backwards.1 = number;
            }
        }
        clock.last = time;
        Ok(Nanos(u64::try_from(time).unwrap_or_default()))
    }

    fn invoke(
        &mut self,
        client: usize,
        process: i64,
        (number, at, verb): (u64, Nanos, Verb),
        line: &Line,
    ) -> Result<(), Problem> {
        let state = &mut self.clients[client];
        if let Some((open, ..)) = state.open {
            return Err(Problem::new(format!(
                "process {process} invokes an operation while that of line {open} is open"
            )));
        }
        state.open = Some((number, at, verb));
        state.micros.clear();
        for micro in &line.micros {
            let Micro::Send { key, value, .. } = *micro else {
                state.micros.push(None);
                continue;
            };
            let partition = self.keys.partition(key, &line.arena);
            let value = value_of(value, line);
            let sends = state.micros.iter().flatten().count() as u64;
            let tag = Tag { producer: index(client), session: 0, seq: state.sent + sends };
            if self.values.insert(partition, &value, tag).is_err() {
                return Err(Problem::new(format!(
                    "value `{value}` of key `{}` is sent a second time (values are unique within a key)",
                    self.keys.names[partition as usize]
                )));
            }
            if !self.missed.is_empty() && self.missed.contains(&(partition, value.clone())) {
                self.late.insert((partition, value.clone()), tag);
            }
            state.micros.push(Some((partition, value)));
        }
        state.seek = line.seek_to_beginning;
        state.partitions.clear();
        if matches!(verb, Verb::Assign | Verb::Subscribe) {
            let partitions = line.keys.iter().map(|key| self.keys.partition(*key, &line.arena));
            state.partitions.extend(partitions.map(Partition));
        }
        Ok(())
    }

    fn complete(
        &mut self,
        client: usize,
        process: i64,
        outcome: Outcome,
        (number, at, verb): (u64, Nanos, Verb),
        line: &Line,
    ) -> Result<(), Problem> {
        let state = &mut self.clients[client];
        let Some((invoked_on, invoked, invoked_verb)) = state.open.take() else {
            return Err(Problem::new(format!("process {process} completes an operation it did not invoke")));
        };
        // A mixture may be tagged by its content, which is known at invocation already.
        if invoked_verb != verb {
            return Err(Problem::new(format!("`f` is another than at the invocation on line {invoked_on}")));
        }
        if at < invoked {
            return Err(Problem::new(format!("it completes before its invocation on line {invoked_on}")));
        }
        let told = match outcome {
            Outcome::Ok => Told::Acked,
            Outcome::Fail | Outcome::Unknown => Told::Failed,
        };
        let report = Report { invoked, completed: Some(at), outcome, told };
        if let (Verb::Micros { .. }, Given::Micros) = (verb, &line.value) {
            self.micros(client, report, invoked_on, line)?;
        } else {
            self.as_invoked(client, report);
        }
        let detail = self.detail(client, verb, line);
        self.end(client, verb, report, number, detail);
        Ok(())
    }

    /// The micro-operations as they came back.
    fn micros(&mut self, client: usize, report: Report, line_no: u64, line: &Line) -> Result<(), Problem> {
        let state = &mut self.clients[client];
        let differs = |what: &str| Problem::new(format!("{what} at the invocation on line {line_no}"));
        if state.micros.len() != line.micros.len() {
            return Err(differs("it has another number of micro-operations than"));
        }
        let mut polled = line.polled.iter();
        let mut taken = 0;
        for (place, micro) in line.micros.iter().enumerate() {
            match (*micro, &state.micros[place]) {
                (Micro::Send { key, offset, value }, Some((partition, sent))) => {
                    if self.keys.partition(key, &line.arena) != *partition || !same(value, sent, line) {
                        return Err(differs("a send has another key or value than"));
                    }
                    let send = report.send(index(client), state.sent, *partition, offset);
                    self.builder.send_valued(state.id, &send, sent);
                    state.sent += 1;
                }
                (Micro::Poll { end }, None) => {
                    self.builder.poll(state.id);
                    for record in polled.by_ref().take(end - taken) {
                        let partition = self.keys.partition(record.key, &line.arena);
                        let value = value_of(record.value, line);
                        let known = self.values.get(partition, &value);
                        let tag = known.or_else(|| {
                            if self.foreseen.is_empty() {
                                return None;
                            }
                            self.foreseen.get(&(partition, value.clone())).copied()
                        });
                        let delivery = Delivery {
                            partition: Partition(partition),
                            offset: Offset(record.offset),
                            tag,
                            contents: if tag.is_some() { Contents::Intact } else { Contents::Foreign },
                            polled: report.invoked,
                            returned: report.completed.unwrap_or(report.invoked),
                        };
                        if tag.is_some() {
                            self.builder.deliver(state.id, &delivery);
                        } else {
                            self.odd.unsent += 1;
                            self.missed.insert((partition, value.clone()));
                            self.builder.deliver_foreign(state.id, &delivery, value);
                        }
                    }
                    taken = end;
                }
                _ => return Err(differs("it has another micro-operation than")),
            }
        }
        Ok(())
    }

    /// The micro-operations of an operation that came back with nothing, or never.
    fn as_invoked(&mut self, client: usize, report: Report) {
        let state = &mut self.clients[client];
        for micro in &state.micros {
            match micro {
                Some((partition, value)) => {
                    let send = report.send(index(client), state.sent, *partition, None);
                    self.builder.send_valued(state.id, &send, value);
                    state.sent += 1;
                }
                None => self.builder.poll(state.id),
            }
        }
    }

    /// The wide part of an operation, if there is anything in it.
    fn detail(&mut self, client: usize, verb: Verb, line: &Line) -> Option<Detail> {
        let state = &mut self.clients[client];
        let named = match verb {
            Verb::Assign | Verb::Subscribe => {
                if !line.keys.is_empty() {
                    state.partitions.clear();
                    let partitions = line.keys.iter().map(|key| self.keys.partition(*key, &line.arena));
                    state.partitions.extend(partitions.map(Partition));
                }
                std::mem::take(&mut state.partitions)
            }
            _ if line.rebalanced.is_empty() && line.error.is_none() => return None,
            _ => Vec::new(),
        };
        let mut rebalanced: Vec<_> =
            line.rebalanced.iter().map(|key| Partition(self.keys.partition(*key, &line.arena))).collect();
        rebalanced.sort_unstable();
        rebalanced.dedup();
        Some(Detail {
            partitions: named,
            seek_to_beginning: state.seek || line.seek_to_beginning,
            rebalanced,
            error: line.error.clone(),
            ..Detail::default()
        })
    }

    fn end(&mut self, client: usize, verb: Verb, report: Report, line: u64, detail: Option<Detail>) {
        let state = &mut self.clients[client];
        let function = match verb {
            Verb::Micros { txn } => {
                let sends = state.micros.iter().filter(|micro| micro.is_some()).count();
                self.transactions |= txn || state.micros.len() > 1;
                match (txn, sends, state.micros.len()) {
                    (true, ..) => Function::Txn,
                    (false, 0, _) => Function::Poll,
                    (false, sends, all) if sends == all => Function::Send,
                    _ => Function::Txn,
                }
            }
            Verb::Assign => Function::Assign,
            Verb::Subscribe => {
                self.subscribes = true;
                Function::Subscribe
            }
            Verb::Crash => Function::Crash,
            Verb::Other => {
                self.odd.strange += 1;
                Function::Other
            }
        };
        let Report { invoked, completed, outcome, .. } = report;
        let ended = Ended { function, invoked, completed, outcome, line: Some(line), detail };
        self.builder.operation(state.id, ended);
    }

    /// The history; or, if records were polled before they were sent, those records, to read the file once
    /// more knowing them.
    pub(super) fn finish(mut self) -> Result<(History, Odd), Foreseen> {
        if !self.late.is_empty() {
            return Err(self.late);
        }
        for client in 0..self.clients.len() {
            let Some((line, invoked, verb)) = self.clients[client].open.take() else { continue };
            self.odd.open += 1;
            let report = Report { invoked, completed: None, outcome: Outcome::Unknown, told: Told::Nothing };
            self.as_invoked(client, report);
            let detail = self.detail(client, verb, &Line::default());
            self.end(client, verb, report, line, detail);
        }
        self.builder.imported(Imported {
            partitions: self.keys.names,
            subscribes: self.subscribes,
            transactions: self.transactions,
            ..Imported::new(ImportFormat::Jepsen)
        });
        Ok((self.builder.finish(), self.odd))
    }
}

/// What became of an operation, for each of its sends.
#[derive(Debug, Clone, Copy)]
struct Report {
    invoked: Nanos,
    completed: Option<Nanos>,
    outcome: Outcome,
    told: Told,
}

impl Report {
    fn send(self, producer: u32, seq: u64, partition: u32, offset: Option<i64>) -> Send {
        Send {
            tag: Tag { producer, session: 0, seq },
            key: None,
            partition: Some(Partition(partition)),
            offset: offset.map(Offset),
            intended: self.invoked,
            invoked: self.invoked,
            completed: self.completed,
            outcome: self.outcome,
            told: self.told,
            error: ErrorCode::NONE,
        }
    }
}

fn index(client: usize) -> u32 {
    u32::try_from(client).unwrap_or(u32::MAX)
}

fn value_of(word: Word, line: &Line) -> Value {
    match word {
        Word::Number(number) => Value::Number(number),
        Word::Text(from, to) => Value::Text(line.text(from, to).to_owned()),
    }
}

fn same(word: Word, value: &Value, line: &Line) -> bool {
    match (word, value) {
        (Word::Number(number), Value::Number(value)) => number == *value,
        (Word::Text(from, to), Value::Text(value)) => line.text(from, to) == value,
        _ => false,
    }
}
