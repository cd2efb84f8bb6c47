//! One session of one worker, and how its rows are read and added.

use std::collections::BTreeMap;

use crate::clock::ClockIdentity;
use crate::event::{Note, Role};
use crate::ids::Nanos;
use crate::outcome::Outcome;

use super::columns::{Deliveries, DeliveryColumn, OperationColumn, SendColumn, Sends, ValueColumn};
use super::derived::Derived;
use super::imported::Value;
use super::operation::{Detail, Function, Operation, Run};
use super::rows::{Delivery, Send};

/// One session of one worker: a process from start to end.
///
/// Sends, deliveries and operations are kept in compact columns. Iterating is fast; reading one row by its
/// index costs up to a block of rows (some tens of nanoseconds), so walks should iterate.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// What the worker is for.
    pub role: Role,
    /// Its number among workers of that role, from 0.
    pub index: u32,
    /// Its session, from 0.
    pub session: u32,
    /// The clock that stamped it.
    pub clock: ClockIdentity,
    /// Client settings as read back from the client (librdkafka names).
    pub effective: BTreeMap<String, String>,
    /// It ended in an orderly way, so every report it would ever get is on record.
    pub closed: bool,
    /// Everything rarer, in order, with its time.
    pub notes: Vec<(Nanos, Note)>,
    pub(crate) sends: SendColumn,
    deliveries: DeliveryColumn,
    operations: OperationColumn,
    /// Micro-operations since the last operation ended.
    open: Vec<Run>,
    /// The source's values of sends, one each if there are any.
    values: ValueColumn,
    /// The source's values of deliveries that carry no tag.
    foreign: BTreeMap<usize, Value>,
}

/// What is to be known of an operation beside its sends and deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// What it does.
    pub function: Function,
    /// Stamped before the call.
    pub invoked: Nanos,
    /// Stamped after it; `None` if it never came back.
    pub completed: Option<Nanos>,
    /// What is certain about it.
    pub outcome: Outcome,
    /// The line of the imported file that completed it (or invoked it, if nothing did), from 1.
    pub line: Option<u64>,
    /// The wide part, if there is anything in it.
    pub detail: Option<Detail>,
}

impl Session {
    /// A session without any row, not closed.
    #[must_use]
    pub fn new(role: Role, index: u32, session: u32) -> Self {
        Self {
            role,
            index,
            session,
            clock: ClockIdentity::default(),
            effective: BTreeMap::new(),
            closed: false,
            notes: Vec::new(),
            sends: SendColumn::default(),
            deliveries: DeliveryColumn::default(),
            operations: OperationColumn::default(),
            open: Vec::new(),
            values: ValueColumn::default(),
            foreign: BTreeMap::new(),
        }
    }

    /// `producer-0`, or `producer-0.2` for a later session.
    #[must_use]
    pub fn name(&self) -> String {
        worker_name(self.role, self.index, self.session)
    }

    /// Whether its deliveries came out of the log; a sink's rows did not.
    #[must_use]
    pub fn reads_log(&self) -> bool {
        self.role != Role::Sink
    }

    /// How many records were handed to its client.
    #[must_use]
    pub fn send_count(&self) -> usize {
        self.sends.len()
    }

    /// The send of an index, in order of invocation.
    ///
    /// # Panics
    /// If the index is not below [`Session::send_count`].
    #[must_use]
    pub fn send(&self, index: usize) -> Send {
        self.sends.get(index)
    }

    /// Its sends, in order of invocation.
    pub fn sends(&self) -> Sends<'_> {
        self.sends.range(0..self.sends.len())
    }

    /// Its sends of these indices.
    ///
    /// # Panics
    /// If the range ends beyond [`Session::send_count`].
    pub fn sends_in(&self, range: std::ops::Range<usize>) -> Sends<'_> {
        self.sends.range(range)
    }

    /// How many records it was given.
    #[must_use]
    pub fn delivery_count(&self) -> usize {
        self.deliveries.len()
    }

    /// The delivery of an index, in order of delivery.
    ///
    /// # Panics
    /// If the index is not below [`Session::delivery_count`].
    #[must_use]
    pub fn delivery(&self, index: usize) -> Delivery {
        self.deliveries.get(index)
    }

    /// What it was given, in order of delivery.
    pub fn deliveries(&self) -> Deliveries<'_> {
        self.deliveries.range(0..self.deliveries.len())
    }

    /// Its deliveries of these indices.
    ///
    /// # Panics
    /// If the range ends beyond [`Session::delivery_count`].
    pub fn deliveries_in(&self, range: std::ops::Range<usize>) -> Deliveries<'_> {
        self.deliveries.range(range)
    }

    /// How many operations are on record as such; 0 where they are derived from sends and deliveries.
    #[must_use]
    pub fn recorded_operations(&self) -> usize {
        self.operations.len()
    }

    /// The recorded operation of an index.
    ///
    /// # Panics
    /// If the index is not below [`Session::recorded_operations`].
    #[must_use]
    pub fn operation(&self, index: usize) -> Operation<'_> {
        self.operations.get(index)
    }

    /// The recorded operations, in order of invocation; reading them one by one costs more.
    pub fn recorded(&self) -> impl Iterator<Item = Operation<'_>> {
        self.operations.iter()
    }

    /// The wide parts of the recorded operations that have one, in order; far cheaper than all operations.
    pub fn details(&self) -> impl Iterator<Item = &Detail> {
        self.operations.details()
    }

    /// The operation that a send belongs to, by the index of the send, and the operation's own index.
    #[must_use]
    pub fn operation_of_send(&self, send: usize) -> Option<(usize, Operation<'_>)> {
        match self.operations.len() {
            0 => Derived::of(self).enumerate().find(|(_, operation)| operation.sends.contains(&send)),
            _ => self.operations.of_send(send),
        }
    }

    /// Its operations, in order of invocation. Those on record (imports, transactions); where there are
    /// none, each send is one, and each run of deliveries with equal poll and return times is one poll.
    pub fn operations(&self) -> impl Iterator<Item = Operation<'_>> {
        let derived = (self.operations.len() == 0).then(|| Derived::of(self));
        self.operations.iter().chain(derived.into_iter().flatten())
    }

    /// What the source called the value of a send; `None` in our own histories.
    #[must_use]
    pub fn value(&self, send: usize) -> Option<Value> {
        self.values.get(send)
    }

    /// The source's text of a delivered value that nobody sent.
    #[must_use]
    pub fn foreign_value(&self, delivery: usize) -> Option<&Value> {
        self.foreign.get(&delivery)
    }

    /// Adds a send behind the others; returns its index.
    pub fn push_send(&mut self, send: &Send) -> usize {
        match self.open.last_mut() {
            Some(Run::Sends(count)) => *count = count.saturating_add(1),
            _ => self.open.push(Run::Sends(1)),
        }
        self.sends.push(send);
        self.sends.len() - 1
    }

    /// Adds a send with the source's own value; returns its index.
    pub fn push_valued(&mut self, send: &Send, value: &Value) -> usize {
        let index = self.push_send(send);
        self.values.set(index, value);
        index
    }

    /// Begins a poll: the deliveries that follow are what it returns. Needed only where an operation polls
    /// several times, or a poll may come back empty.
    pub fn push_poll(&mut self) {
        self.open.push(Run::Poll(0));
    }

    /// Adds a delivery behind the others; returns its index.
    pub fn push_delivery(&mut self, delivery: &Delivery) -> usize {
        match self.open.last_mut() {
            Some(Run::Poll(count)) => *count = count.saturating_add(1),
            _ => self.open.push(Run::Poll(1)),
        }
        self.deliveries.push(delivery);
        self.deliveries.len() - 1
    }

    /// Adds a delivery of something nobody sent, by its source's own value; returns its index.
    pub fn push_foreign(&mut self, delivery: &Delivery, value: Value) -> usize {
        let index = self.push_delivery(delivery);
        self.foreign.insert(index, value);
        index
    }

    /// Ends an operation: all sends and deliveries added since the last one are its.
    pub fn push_operation(&mut self, ended: Ended) {
        let runs = std::mem::take(&mut self.open);
        self.operations.push(ended, self.sends.len(), self.deliveries.len(), runs);
    }

    /// Adds an operation whose rows were added before it.
    pub(crate) fn push_recorded(&mut self, ended: Ended, sends_end: usize, runs: Vec<Run>) {
        self.operations.push(ended, sends_end, self.deliveries.len(), runs);
    }

    /// Sets the source's value of a send that will be added, or has been.
    pub(crate) fn set_value(&mut self, send: usize, value: &Value) {
        self.values.set(send, value);
    }

    /// Sets the source's value of the last delivery.
    pub(crate) fn set_foreign(&mut self, value: Value) {
        self.foreign.insert(self.deliveries.len().saturating_sub(1), value);
    }

    /// Gives back what was set aside for more rows.
    pub(crate) fn seal(&mut self) {
        self.open = Vec::new();
        self.sends.seal();
        self.deliveries.seal();
        self.operations.seal();
    }
}

/// The name of a worker's session; also the stem of its segment files.
#[must_use]
pub fn worker_name(role: Role, index: u32, session: u32) -> String {
    let role = match role {
        Role::Runner => "runner",
        Role::Producer => "producer",
        Role::Reader => "reader",
        Role::Admin => "admin",
        Role::Drain => "drain",
        Role::Client => "client",
        Role::Sink => "sink",
        Role::Member => "member",
    };
    if session == 0 { format!("{role}-{index}") } else { format!("{role}-{index}.{session}") }
}
