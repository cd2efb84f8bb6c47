//! The lines of our own form, as serde reads and writes them (`docs/results-format.md`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::ClockIdentity;
use crate::event::{Contents, Note, Role};
use crate::ids::{Nanos, Offset, Partition, Tag};
use crate::outcome::{ErrorCode, Outcome, Told};
use crate::plan::Plan;
use crate::view::{Delivery, Detail, Ended, Function, Imported, Operation, Send, Session, Value};

/// Version of the form; a newer one is refused.
pub(super) const VERSION: u32 = 1;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Row {
    /// The first line.
    Highwater(Box<Start>),
    /// A session begins; what follows is its.
    Session(Box<SessionRow>),
    Send(SendRow),
    /// A poll begins; needed only where an operation polls several times or comes back empty.
    Poll {},
    Delivery(DeliveryRow),
    /// An operation ends, to which everything since the last one belongs.
    Operation(Box<OperationRow>),
    Note(Box<NoteRow>),
    /// Something that keeps the history from being whole.
    Damage {
        file: String,
        at: u64,
        what: String,
    },
    /// The last line.
    End {
        /// How many lines there are before it.
        lines: u64,
    },
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Start {
    pub(super) version: u32,
    pub(super) plan: Plan,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) imported: Option<Imported>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SessionRow {
    pub(super) role: Role,
    pub(super) index: u32,
    #[serde(default)]
    pub(super) session: u32,
    #[serde(default)]
    pub(super) clock: ClockIdentity,
    #[serde(default)]
    pub(super) effective: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) closed: bool,
}

impl SessionRow {
    pub(super) fn of(session: &Session) -> Self {
        Self {
            role: session.role,
            index: session.index,
            session: session.session,
            clock: session.clock.clone(),
            effective: session.effective.clone(),
            closed: session.closed,
        }
    }
}

/// A tag as `[producer, session, seq]`.
type Mark = (u32, u32, u64);

const fn mark(tag: Tag) -> Mark {
    (tag.producer, tag.session, tag.seq)
}

const fn tag((producer, session, seq): Mark) -> Tag {
    Tag { producer, session, seq }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SendRow {
    tag: Mark,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    partition: Option<Partition>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    offset: Option<Offset>,
    intended: Nanos,
    invoked: Nanos,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    completed: Option<Nanos>,
    outcome: Outcome,
    told: Told,
    #[serde(default, skip_serializing_if = "is_none")]
    error: ErrorCode,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<Value>,
}

fn is_none(error: &ErrorCode) -> bool {
    *error == ErrorCode::NONE
}

impl SendRow {
    pub(super) fn of(send: &Send, value: Option<Value>) -> Self {
        Self {
            tag: mark(send.tag),
            key: send.key,
            partition: send.partition,
            offset: send.offset,
            intended: send.intended,
            invoked: send.invoked,
            completed: send.completed,
            outcome: send.outcome,
            told: send.told,
            error: send.error,
            value,
        }
    }

    pub(super) fn send(&self) -> Send {
        Send {
            tag: tag(self.tag),
            key: self.key,
            partition: self.partition,
            offset: self.offset,
            intended: self.intended,
            invoked: self.invoked,
            completed: self.completed,
            outcome: self.outcome,
            told: self.told,
            error: self.error,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct DeliveryRow {
    partition: Partition,
    offset: Offset,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tag: Option<Mark>,
    contents: Contents,
    polled: Nanos,
    returned: Nanos,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<Value>,
}

impl DeliveryRow {
    pub(super) fn of(delivery: &Delivery, value: Option<Value>) -> Self {
        Self {
            partition: delivery.partition,
            offset: delivery.offset,
            tag: delivery.tag.map(mark),
            contents: delivery.contents,
            polled: delivery.polled,
            returned: delivery.returned,
            value,
        }
    }

    pub(super) fn delivery(&self) -> Delivery {
        Delivery {
            partition: self.partition,
            offset: self.offset,
            tag: self.tag.map(tag),
            contents: self.contents,
            polled: self.polled,
            returned: self.returned,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct OperationRow {
    function: Function,
    invoked: Nanos,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    completed: Option<Nanos>,
    outcome: Outcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detail: Option<Detail>,
}

impl OperationRow {
    pub(super) fn of(operation: &Operation<'_>) -> Self {
        Self {
            function: operation.function,
            invoked: operation.invoked,
            completed: operation.completed,
            outcome: operation.outcome,
            line: operation.line,
            detail: operation.detail.cloned(),
        }
    }

    pub(super) fn ended(self) -> Ended {
        let Self { function, invoked, completed, outcome, line, detail } = self;
        Ended { function, invoked, completed, outcome, line, detail }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct NoteRow {
    pub(super) time: Nanos,
    #[serde(flatten)]
    pub(super) note: Note,
}
