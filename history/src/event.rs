//! Everything a worker can put on record. Frequent events are fixed-size rows; the rest are [`Note`]s,
//! which go to the side table as JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::ClockIdentity;
use crate::fault::{Application, FaultClass};
use crate::ids::{Nanos, NodeId, Offset, Partition, Tag};
use crate::outcome::{ErrorCode, Outcome, Told};
use crate::view::{Ended, Imported, Run, Value};

/// What a delivered payload turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Contents {
    /// A whole record of this run.
    Intact,
    /// A record of this run whose checksum does not match.
    Corrupt,
    /// Not a record of this run.
    Foreign,
}

/// One event of a worker. Its time is given beside it when it is recorded: invocations are stamped before
/// the call, completions after it, so a pause only widens intervals.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A record is about to be handed to the client.
    SendInvoked {
        /// The record.
        tag: Tag,
        /// The partition asked for; `None` leaves it to the client's partitioner.
        partition: Option<Partition>,
        /// Number of its key, if it has one.
        key: Option<u64>,
        /// Size of its payload.
        payload_bytes: u32,
        /// When the schedule wanted it sent (equal to the event's time without a rate).
        intended: Nanos,
    },
    /// The client reported on a record, or refused it.
    SendCompleted {
        /// The record.
        tag: Tag,
        /// Where it went, if known.
        partition: Option<Partition>,
        /// Its offset, if the acknowledgement carried one.
        offset: Option<Offset>,
        /// What is certain.
        outcome: Outcome,
        /// What the application was told.
        told: Told,
        /// The client's error.
        error: ErrorCode,
    },
    /// A record was handed to a reading application.
    Delivered {
        /// When the poll that returned it was invoked.
        polled: Nanos,
        /// Where it was.
        partition: Partition,
        /// Its offset.
        offset: Offset,
        /// Its tag, unless the payload is foreign.
        tag: Option<Tag>,
        /// Whether it is whole.
        contents: Contents,
    },
    /// What the source called the value of the record in the row before this one (imports only).
    SourceValue(Value),
    /// An operation ended: the sends and deliveries recorded since the last one are its.
    OperationEnded(Box<EndedOperation>),
    /// Anything rarer.
    Note(Note),
}

/// An operation, as it is put on record when it has ended. Its event's time is that of its completion, or of
/// its invocation if it has none.
#[derive(Debug, Clone, PartialEq)]
pub struct EndedOperation {
    /// What is to be known of it.
    pub ended: Ended,
    /// Its micro-operations; empty if these are its sends and then, if there are any, one poll with its deliveries.
    pub runs: Vec<Run>,
}

/// What a worker is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The runner itself: phases, faults, cluster events.
    Runner,
    /// Produces the workload's records.
    Producer,
    /// Follows the log during the run.
    Reader,
    /// Creates and describes topics, watches metadata, writes fences.
    Admin,
    /// Reads every partition from its start to its fence after healing.
    Drain,
    /// A process of an imported history, which may both send and poll.
    Client,
    /// What the run left behind in a sink (a table, an index, another topic), read back whole once nothing
    /// writes to it any more. Each delivery is a row that an application made of a record: tag, partition
    /// and offset are the record's, as the row tells them (where it tells no offset, the number of the row).
    /// A closed session was read to the end. A number is a sink; of several sessions of one number the last
    /// closed one counts.
    Sink,
    /// A member of the run's consumer group. Each of its deliveries is a record that it has processed.
    Member,
}

/// A phase of a run (`docs/ARCHITECTURE.md`, "A run").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Target, topic and actors come up.
    SetUp,
    /// No load and no fault.
    Quiet,
    /// Load with faults.
    Load,
    /// Every fault is undone.
    Heal,
    /// Every partition must be writable and readable again.
    Progress,
    /// Every partition is read to its fence.
    Drain,
    /// Nothing more will be recorded.
    End,
}

/// A rarer event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "note")]
pub enum Note {
    /// First note of every segment.
    SessionStarted {
        /// What the worker is for.
        role: Role,
        /// Its number among workers of that role, from 0.
        index: u32,
        /// Its session, from 0.
        session: u32,
        /// Process id.
        pid: u32,
        /// The clock that stamps this segment.
        clock: ClockIdentity,
        /// Client settings as read back from the client (librdkafka names).
        effective: BTreeMap<String, String>,
    },
    /// The worker closed its client in an orderly way; every report it would ever get has been recorded.
    SessionClosed,
    /// The client raised an error outside any operation.
    ClientError {
        /// Its number.
        code: ErrorCode,
        /// Its text.
        text: String,
        /// The client can do no more.
        fatal: bool,
    },
    /// Produce requests the client has retried so far (librdkafka's `txretries`).
    Retries {
        /// Running total of this session.
        total: u64,
    },
    /// The leader as a client sees it, when that changes.
    ClientView {
        /// The partition.
        partition: Partition,
        /// Whom the client sends to; `None` if to nobody.
        leader: Option<NodeId>,
    },
    /// The run entered a phase.
    PhaseEntered {
        /// Which.
        phase: Phase,
    },
    /// A fault is about to be injected.
    FaultInvoked {
        /// Number in the plan.
        fault: u32,
        /// What it may do.
        class: FaultClass,
        /// The nodes it hits.
        nodes: Vec<NodeId>,
        /// The partitions these nodes led at that moment; of a request to the cluster, those it is about.
        partitions: Vec<Partition>,
        /// The applications it hits.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        applications: Vec<Application>,
    },
    /// The fault is in force.
    FaultInjected {
        /// Number in the plan.
        fault: u32,
        /// By which mechanism, where there is more than one way, and on what: `tc htb on node 1`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        by: Vec<String>,
    },
    /// The fault is undone.
    FaultHealed {
        /// Number in the plan.
        fault: u32,
        /// Connections it touched.
        connections: u64,
        /// Bytes it held back, threw away or cut.
        bytes: u64,
        /// What was seen of it where it was undone: `node 1 had given up`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        seen: Vec<String>,
    },
    /// A fault could not be injected or healed.
    FaultFailed {
        /// Number in the plan.
        fault: u32,
        /// Why.
        reason: String,
    },
    /// A partition's state as the controller decided it, or as metadata shows it.
    PartitionState {
        /// The partition.
        partition: Partition,
        /// Who leads.
        leader: Option<NodeId>,
        /// Leader epoch; -1 where it is not known (metadata through librdkafka).
        epoch: i32,
        /// The in-sync replicas.
        isr: Vec<NodeId>,
        /// All replicas.
        replicas: Vec<NodeId>,
    },
    /// A broker was fenced (`true`) or unfenced by the controller.
    Fenced {
        /// The broker.
        node: NodeId,
        /// Its new state.
        fenced: bool,
    },
    /// A node's process ended without having been asked to.
    NodeDied {
        /// The node.
        node: NodeId,
        /// How it ended.
        status: String,
    },
    /// This history was imported; what its source calls things.
    Imported {
        /// The names.
        imported: Imported,
    },
    /// Topic and broker settings as read back from the target (Kafka names).
    EffectiveTopic {
        /// Every setting the target tells.
        settings: BTreeMap<String, String>,
    },
    /// A fence record was acknowledged.
    FenceAcked {
        /// Its partition.
        partition: Partition,
        /// Its offset.
        offset: Offset,
    },
    /// A partition's log start and end at the beginning of a drain.
    Watermarks {
        /// The partition.
        partition: Partition,
        /// First offset still there.
        start: Offset,
        /// High watermark.
        end: Offset,
    },
    /// A drain read the fence of a partition: everything before it was delivered.
    Drained {
        /// The partition.
        partition: Partition,
    },
    /// A follow-up reader stopped: it had been given until the fences, and how far it came. A member of a group
    /// came that far if its group committed past every fence, whoever read it.
    ReaderStopped {
        /// It read every fence.
        caught_up: bool,
    },
    /// A member is about to commit offsets: the next to be read. What becomes of it is an operation of its own; a
    /// member that dies meanwhile leaves only this.
    CommitInvoked {
        /// By partition.
        offsets: Vec<(Partition, Offset)>,
    },
    /// Who coordinates the run's group, when that changes; `None` is nobody.
    Coordinator {
        /// The broker.
        node: Option<NodeId>,
    },
    /// The load stopped early.
    LoadStopped {
        /// Why (signal, size guard).
        reason: String,
    },
}
