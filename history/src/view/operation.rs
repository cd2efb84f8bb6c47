//! Operations: what a process did in one go, and which of its sends and deliveries belong to it.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::ids::{Nanos, Offset, Partition};
use crate::outcome::Outcome;

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Function {
    /// Sends records.
    Send,
    /// Polls once or several times.
    Poll,
    /// Sends and polls as one: all of it, or nothing.
    Txn,
    /// Takes partitions by name; positions of those it keeps stay.
    Assign,
    /// Joins a group.
    Subscribe,
    /// Commits offsets.
    Commit,
    /// Throws its client away.
    Crash,
    /// Anything that touches no record.
    Other,
}

/// The wide part of an operation, which few have.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Detail {
    /// The partitions assigned or subscribed to.
    pub partitions: Vec<Partition>,
    /// The positions were moved to the beginning of each.
    pub seek_to_beginning: bool,
    /// The partitions that a rebalance gave or took while the operation ran.
    pub rebalanced: Vec<Partition>,
    /// Of these, the partitions that its process was given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assigned: Vec<Partition>,
    /// Of these, the partitions that were taken from it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub revoked: Vec<Partition>,
    /// They were lost rather than revoked: its group had gone on without it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
    /// Offsets committed: the next to be read.
    pub committed: Vec<(Partition, Offset)>,
    /// Of each of its sends, in order, the place of the record that it was made of, if it was made of one
    /// (consume, transform, produce); empty where nobody says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Option<(Partition, Offset)>>,
    /// Offsets that its group had committed, as it was told when it asked (OffsetFetch, of stable offsets:
    /// KIP-447).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fetched: Vec<(Partition, Offset)>,
    /// What its source said of a failure.
    pub error: Option<String>,
}

/// One micro-operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The send of this index in the session.
    Send(usize),
    /// One poll, which returned the deliveries of these indices in the session (none, if it came back empty).
    Poll(Range<usize>),
}

/// One operation of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation<'a> {
    /// What it does.
    pub function: Function,
    /// Stamped before the call.
    pub invoked: Nanos,
    /// Stamped after it; `None` if it never came back.
    pub completed: Option<Nanos>,
    /// What is certain about it; one that never came back is `Unknown`.
    pub outcome: Outcome,
    /// Its sends, as indices into the session.
    pub sends: Range<usize>,
    /// Its deliveries, as indices into the session.
    pub deliveries: Range<usize>,
    /// The line of the imported file that completed it (or invoked it, if nothing did), from 1.
    pub line: Option<u64>,
    /// The wide part.
    pub detail: Option<&'a Detail>,
    /// Its micro-operations as runs; empty stands for all sends, then one poll if there may be one.
    pub(crate) runs: &'a [Run],
}

/// Several micro-operations of one sort: that many single sends, or one poll with that many deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Run {
    /// This many sends.
    Sends(u32),
    /// One poll that returned this many records.
    Poll(u32),
}

impl<'a> Operation<'a> {
    /// Its micro-operations, in order.
    pub fn steps(&self) -> impl Iterator<Item = Step> + use<'a> {
        let (mut send, mut delivery) = (self.sends.start, self.deliveries.start);
        let polls = !self.deliveries.is_empty() || self.function == Function::Poll;
        let usual = if self.runs.is_empty() {
            let poll = polls.then(|| Run::Poll(short(self.deliveries.len())));
            [Some(Run::Sends(short(self.sends.len()))), poll]
        } else {
            [None, None]
        };
        let runs = self.runs;
        runs.iter().copied().chain(usual.into_iter().flatten()).flat_map(move |run| {
            let (sends, poll) = match run {
                Run::Sends(count) => {
                    let from = send;
                    send += count as usize;
                    (from..send, None)
                }
                Run::Poll(count) => {
                    let from = delivery;
                    delivery += count as usize;
                    (0..0, Some(Step::Poll(from..delivery)))
                }
            };
            sends.map(Step::Send).chain(poll)
        })
    }

    /// What each of its polls returned, as indices into the session.
    pub fn polls(&self) -> impl Iterator<Item = Range<usize>> + use<'a> {
        self.steps().filter_map(|step| match step {
            Step::Poll(deliveries) => Some(deliveries),
            Step::Send(_) => None,
        })
    }
}

/// A count of micro-operations; no operation has four thousand million.
pub(super) fn short(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
