//! A whole run's history, merged from every worker's segment: what checkers judge.

use std::collections::BTreeMap;

use crate::clock::ClockIdentity;
use crate::event::{Contents, Note, Role};
use crate::ids::{Nanos, Offset, Partition, Tag};
use crate::outcome::{ErrorCode, Outcome, Told};
use crate::plan::Plan;

/// One record handed to a client, from invocation to report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Send {
    /// The record.
    pub tag: Tag,
    /// Number of its key, if it has one.
    pub key: Option<u64>,
    /// Where it was sent: as reported, else as asked for.
    pub partition: Option<Partition>,
    /// Its offset, if the acknowledgement carried one.
    pub offset: Option<Offset>,
    /// When the schedule wanted it sent.
    pub intended: Nanos,
    /// Stamped before the call.
    pub invoked: Nanos,
    /// Stamped after the report; `None` if none came.
    pub completed: Option<Nanos>,
    /// What is certain; no report is `Unknown`.
    pub outcome: Outcome,
    /// What the application was told; no report is `Nothing`.
    pub told: Told,
    /// The client's error.
    pub error: ErrorCode,
}

/// One record handed to a reading application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// Where it was.
    pub partition: Partition,
    /// Its offset.
    pub offset: Offset,
    /// Its tag, unless the payload is foreign.
    pub tag: Option<Tag>,
    /// Whether it is whole.
    pub contents: Contents,
    /// Stamped before the poll that returned it.
    pub polled: Nanos,
    /// Stamped after that poll.
    pub returned: Nanos,
}

/// One session of one worker: a process from start to end.
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
    /// Sends, in order of invocation (producers and fences only).
    pub sends: Vec<Send>,
    /// Deliveries, in order of delivery (readers and drains only).
    pub deliveries: Vec<Delivery>,
    /// Everything rarer, in order, with its time.
    pub notes: Vec<(Nanos, Note)>,
}

impl Session {
    /// `producer-0`, or `producer-0.2` for a later session.
    #[must_use]
    pub fn name(&self) -> String {
        worker_name(self.role, self.index, self.session)
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
    };
    if session == 0 { format!("{role}-{index}") } else { format!("{role}-{index}.{session}") }
}

/// Something that keeps a history from being whole. Any of these makes the verdict indeterminate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub file: String,
    /// Byte offset of the damage.
    pub at: u64,
    /// What is wrong.
    pub what: String,
}

/// A whole run's history.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// What was planned.
    pub plan: Plan,
    /// Every session of every worker, ordered by role, index and session.
    pub sessions: Vec<Session>,
    /// What is missing or broken.
    pub damage: Vec<Damage>,
}

impl History {
    /// The sessions of one role.
    pub fn of(&self, role: Role) -> impl Iterator<Item = &Session> {
        self.sessions.iter().filter(move |session| session.role == role)
    }

    /// Every record the workload sent (fences are not among them).
    pub fn sends(&self) -> impl Iterator<Item = &Send> {
        self.of(Role::Producer).flat_map(|session| &session.sends)
    }

    /// Every note of every worker, with its time; sorted only within a session.
    pub fn notes(&self) -> impl Iterator<Item = (&Session, Nanos, &Note)> {
        self.sessions
            .iter()
            .flat_map(|session| session.notes.iter().map(move |(at, note)| (session, *at, note)))
    }
}
