//! A whole run's history, merged from every worker's segment or imported: what checkers judge.

mod builder;
mod columns;
mod derived;
mod imported;
mod operation;
mod rows;
mod session;

use crate::event::{Note, Role};
use crate::ids::{Nanos, Partition, Tag};
use crate::plan::Plan;

pub use builder::{Builder, SessionId};
pub use columns::{Deliveries, Sends};
pub use imported::{ImportFormat, Imported, Value};
pub use operation::{Detail, Function, Operation, Run, Step};
pub use rows::{Delivery, Send};
pub use session::{Ended, Session, worker_name};

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
    /// What the source calls things, if this was not recorded by highwater.
    pub imported: Option<Imported>,
}

impl History {
    /// The sessions of one role.
    pub fn of(&self, role: Role) -> impl Iterator<Item = &Session> {
        self.sessions.iter().filter(move |session| session.role == role)
    }

    /// The sessions that send the workload's records: producers, and the clients of an import.
    pub fn senders(&self) -> impl Iterator<Item = &Session> {
        self.sessions.iter().filter(|session| matches!(session.role, Role::Producer | Role::Client))
    }

    /// Every record the workload sent (fences are not among them).
    pub fn sends(&self) -> impl Iterator<Item = Send> {
        self.senders().flat_map(Session::sends)
    }

    /// The sessions whose deliveries came out of the log: all but sinks.
    pub fn log_sessions(&self) -> impl Iterator<Item = &Session> {
        self.sessions.iter().filter(|session| session.reads_log())
    }

    /// Every note of every worker, with its time; sorted only within a session.
    pub fn notes(&self) -> impl Iterator<Item = (&Session, Nanos, &Note)> {
        self.sessions
            .iter()
            .flat_map(|session| session.notes.iter().map(move |(at, note)| (session, *at, note)))
    }

    /// The source's value of an imported record; `None` in our own histories and for tags nobody sent.
    #[must_use]
    pub fn value_of(&self, tag: Tag) -> Option<Value> {
        self.imported.as_ref()?;
        let client = |session: &&Session| (session.index, session.session) == (tag.producer, tag.session);
        self.of(Role::Client).find(client)?.value(usize::try_from(tag.seq).ok()?)
    }

    /// A tag as people should read it: the source's own value of an imported record, else the tag.
    #[must_use]
    pub fn name_of(&self, tag: Tag) -> String {
        self.value_of(tag).map_or_else(|| tag.to_string(), |value| value.to_string())
    }

    /// A partition as people should read it: the source's name in an imported history, else its number.
    #[must_use]
    pub fn partition_name(&self, partition: Partition) -> String {
        let named = self.imported.as_ref().and_then(|imported| imported.name_of(partition));
        named.map_or_else(|| partition.to_string(), str::to_owned)
    }

    /// Operations: those on record as such; in sessions without any, each send and each delivery counts.
    #[must_use]
    pub fn operation_count(&self) -> u64 {
        let count = |session: &Session| match session.recorded_operations() {
            0 => session.send_count() + session.delivery_count(),
            recorded => recorded,
        };
        self.sessions.iter().map(|session| count(session) as u64).sum()
    }
}
