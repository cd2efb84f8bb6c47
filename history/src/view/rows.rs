//! What the frequent rows of a history are to a reader: small values, made on the fly from the columns
//! underneath.

use crate::event::Contents;
use crate::ids::{Nanos, Offset, Partition, Tag};
use crate::outcome::{ErrorCode, Outcome, Told};

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
