//! The clients a workload needs; targets implement them.

use std::time::Duration;

use history::{Contents, ErrorCode, Nanos, Offset, Partition, Tag};

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

/// A record that a member was handed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handed {
    /// Where it was.
    pub partition: Partition,
    /// Its offset.
    pub offset: Offset,
    /// Its tag, unless it is none of the run's.
    pub tag: Option<Tag>,
    /// Whether it is whole.
    pub contents: Contents,
}

/// What a group does to a member's partitions, and when the member was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebalance {
    /// When it was told.
    pub at: Nanos,
    /// What is asked of it.
    pub change: Change,
    /// The partitions it is about.
    pub partitions: Vec<Partition>,
}

/// What a rebalance asks of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// To take partitions.
    Assigned,
    /// To give partitions up, which it still owns until it has.
    Revoked,
    /// To give partitions up that others may own already.
    Lost,
}

/// Offsets by partition: the next to be read.
pub type Positions = Vec<(Partition, Offset)>;

/// What became of offsets that the client committed by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// When it was told.
    pub at: Nanos,
    /// The offsets.
    pub offsets: Positions,
    /// [`ErrorCode::NONE`] if the coordinator took them.
    pub error: ErrorCode,
}

/// A member of a consumer group. It takes and gives up partitions only when it is told to by
/// [`Member::carry_out`].
pub trait Member {
    /// Waits at most `timeout` for a record. `None` also if a rebalance waits to be carried out.
    fn poll(&mut self, timeout: Duration) -> Option<Handed>;
    /// The rebalances to be carried out, in order; nothing may be polled before they are.
    fn rebalances(&mut self) -> Vec<Rebalance>;
    /// Takes or gives up partitions.
    ///
    /// # Errors
    /// The client's, if it refuses.
    fn carry_out(&mut self, rebalance: &Rebalance) -> Result<(), ErrorCode>;
    /// Commits offsets, and waits for the answer.
    ///
    /// # Errors
    /// The client's; the offsets may be committed all the same.
    fn commit(&mut self, offsets: &Positions) -> Result<(), ErrorCode>;
    /// Says that so much is processed, for a client that commits by itself and leaves that to its application.
    fn store(&mut self, offsets: &Positions);
    /// What the client committed by itself since the last call.
    fn committed(&mut self) -> Vec<Committed>;
    /// What the group has committed in these partitions, as the coordinator says; -1 where it has committed nothing.
    ///
    /// # Errors
    /// The client's, or the coordinator's.
    fn fetch(&mut self, partitions: &[Partition], timeout: Duration) -> Result<Positions, ErrorCode>;
    /// Goes back to these offsets.
    fn seek(&mut self, offsets: &Positions);
    /// What the client told besides since the last call.
    fn remarks(&mut self, remarks: &mut Vec<(Nanos, Remark)>);
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
