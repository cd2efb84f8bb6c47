//! The clients a workload needs; targets implement them.

use std::time::Duration;

use history::{ErrorCode, Nanos, Offset, Partition};

/// A record to send.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// Comes back in its [`Completion`].
    pub token: u64,
    /// The partition asked for; `None` leaves it to the client's partitioner.
    pub partition: Option<Partition>,
    /// The record key.
    pub key: Option<&'a [u8]>,
    /// The payload.
    pub payload: &'a [u8],
}

/// What the client said to a record handed to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// Taken; a [`Completion`] follows.
    Queued,
    /// The client's queue is full: poll, then try the same record again. It was not taken.
    Full,
    /// Refused for good: it was never sent.
    Refused(ErrorCode),
}

/// What the client reports on a record it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Completion {
    /// The record's token.
    pub token: u64,
    /// When the client reported it.
    pub at: Nanos,
    /// Where it went, if known.
    pub partition: Option<Partition>,
    /// Its offset, if the acknowledgement carried one.
    pub offset: Option<Offset>,
    /// [`ErrorCode::NONE`] if it was delivered (with acks=0: written to a socket).
    pub error: ErrorCode,
}

/// What a client tells outside any operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// An error; `fatal` if the client can do no more.
    Error {
        /// Its number.
        code: ErrorCode,
        /// Its text.
        text: String,
        /// The client can do no more.
        fatal: bool,
    },
    /// Running total of retried produce requests.
    Retries(u64),
    /// Whom the client takes for the leader of a partition (-1: nobody).
    Leader(Partition, i32),
}

/// A pipelined producer. Reports come only from [`Producer::poll`].
pub trait Producer {
    /// Hands over a record without blocking.
    fn send(&mut self, record: Outgoing<'_>) -> Accepted;
    /// Serves the client for at most `timeout` (zero: only what is there) and collects its reports.
    fn poll(
        &mut self,
        timeout: Duration,
        completions: &mut Vec<Completion>,
        remarks: &mut Vec<(Nanos, Remark)>,
    );
}

/// A record read.
#[derive(Debug, Clone, Copy)]
pub struct Incoming<'a> {
    /// Where it was.
    pub partition: Partition,
    /// Its offset.
    pub offset: Offset,
    /// Its payload; a tombstone is empty.
    pub payload: &'a [u8],
}

/// A reader with assigned partitions.
pub trait Reader {
    /// Waits at most `timeout` for the next record and hands it to `each`; returns whether one came.
    /// `remarks` collects what the client tells besides.
    fn poll(
        &mut self,
        timeout: Duration,
        each: &mut dyn FnMut(Incoming<'_>),
        remarks: &mut Vec<(Nanos, Remark)>,
    ) -> bool;
}
