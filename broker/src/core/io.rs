//! Everything that goes into and comes out of the broker's state machine.

use std::fmt;

use bytes::Bytes;

use super::batch::{Batch, BatchInfo};
use super::coordinator::{GroupAnswer, GroupRequest, TxnAnswer, TxnRequest};
use super::errands::{Errand, MarkerOrder, PeerAnswer, PeerRequest};
use super::message::{FromController, ToController};
use super::producer_state::ProducerSnapshot;
use super::refusal::Refusal;
use super::replica::Reader;
use super::settings::Settings;
use super::txn_index::Aborted;
use super::types::{PartitionKey, RequestId, Uuid};
use crate::flaws::Flaw;

/// What a broker is told once.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// Kafka broker id.
    pub node: i32,
    /// Unique to this process: two processes of one broker id never share it.
    pub incarnation: Uuid,
    /// The address clients are told.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Added to `now_ms` it gives the time of day, in milliseconds since 1970, until somebody moves the clock. It only
    /// goes into what is written down (timestamps) and is compared with that.
    pub wall_offset_ms: i64,
    /// The broker settings it was started with.
    pub settings: Settings,
    /// The epoch under which the process before it ended cleanly; -1 if it did not, or there was none.
    pub previous_epoch: i64,
    /// A planted flaw.
    pub flaw: Option<Flaw>,
}

/// A log found on disk at the start, already cut at the first torn batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveredLog {
    /// The partition.
    pub key: PartitionKey,
    /// Its batches in order of offset.
    pub batches: Vec<BatchInfo>,
    /// The high watermark last checkpointed, 0 if none; only a starting point.
    pub high_watermark: i64,
    /// Where the log starts: records below it were deleted, whether or not they are still on disk.
    pub log_start: i64,
    /// Leader epochs and where they began, as far as the batches alone may not tell: compaction takes batches.
    pub epochs: Vec<(i32, i64)>,
    /// What was last written down of its producers.
    pub producers: Option<ProducerSnapshot>,
}

impl RecoveredLog {
    /// The log of a partition that has none yet.
    #[must_use]
    pub fn empty(key: PartitionKey) -> Self {
        let (batches, epochs) = (Vec::new(), Vec::new());
        Self { key, batches, high_watermark: 0, log_start: 0, epochs, producers: None }
    }
}

/// One partition of a produce request.
#[derive(Debug, Clone)]
pub struct ProducePartition {
    /// The partition.
    pub key: PartitionKey,
    /// The one batch that a produce request of version 3 and later may carry, its magic, length and checksum
    /// being right.
    pub batch: Batch,
    /// What is wrong with its records, if anything; told unless the log has a stronger reason.
    pub refusal: Option<Refusal>,
    /// The time that the broker stamped it with, in ms since 1970; -1 if it did not.
    pub stamped_ms: i64,
}

/// What the client of a transaction understands, by the version of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TxnManner {
    /// Partitions are added by a request of their own (Produce up to 10).
    Plain,
    /// The same, and `TRANSACTION_ABORTABLE` is understood (Produce 11).
    Abortable,
    /// Partitions are added by the first record sent to them (Produce 12 and later under transaction version 2,
    /// KIP-890).
    Implicit,
}

/// A produce request.
#[derive(Debug, Clone)]
pub struct ProduceRequest {
    /// Names its reply.
    pub id: RequestId,
    /// 0, 1 or -1 (all).
    pub acks: i16,
    /// How long acks=-1 may wait, in milliseconds.
    pub timeout_ms: u64,
    /// The transactional id, if there is one, and what its client understands.
    pub transaction: Option<(String, TxnManner)>,
    /// What to append, at most one entry a partition.
    pub partitions: Vec<ProducePartition>,
}

/// Who fetches, if it is a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplicaIdentity {
    /// The follower.
    pub node: i32,
    /// Its broker epoch (Fetch v15, `ReplicaState`); -1 if the request cannot carry one, and then the
    /// replica is not protected by KIP-903.
    pub broker_epoch: i64,
}

/// One partition of a fetch request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchPartition {
    /// The partition.
    pub key: PartitionKey,
    /// First offset wanted.
    pub fetch_offset: i64,
    /// The leader epoch the sender believes in; -1 is not checked.
    pub current_leader_epoch: i32,
    /// Epoch of the sender's last record; -1 is not checked (an empty log, a consumer).
    pub last_fetched_epoch: i32,
    /// Most bytes to return for it.
    pub max_bytes: u32,
    /// Where the sender's own log starts; -1 for a consumer.
    pub log_start: i64,
}

/// A fetch request, by a consumer or a replica, received or to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchRequest {
    /// Who fetches.
    pub reader: Reader,
    /// How long to wait for `min_bytes`, in milliseconds.
    pub max_wait_ms: u64,
    /// Answer as soon as this many bytes are there.
    pub min_bytes: u32,
    /// Most bytes of the whole answer; the first batch is returned whatever its size (KIP-74).
    pub max_bytes: u32,
    /// What to fetch.
    pub partitions: Vec<FetchPartition>,
}

/// What happens to a broker.
#[derive(Debug, Clone)]
pub enum Input {
    /// Time passed.
    Tick,
    /// The connection to the controller is up.
    ControllerUp,
    /// It is gone; what was sent may or may not have arrived.
    ControllerDown,
    /// A message of the controller (all but [`FromController::Admin`]).
    FromController(FromController),
    /// The process is to end: hand over what is led here.
    ShutDown,
    /// Records below an offset are to be deleted ([`super::Broker::deletable`] has said up to where).
    DeleteRecords {
        /// The partition.
        key: PartitionKey,
        /// The new start of its log.
        before: i64,
    },
    /// A log here was compacted; the files are swapped already.
    Cleaned {
        /// The partition.
        key: PartitionKey,
        /// The first offset that was not looked at.
        to: i64,
        /// What is left below it, in order.
        left: Vec<BatchInfo>,
    },
    /// A client produces.
    Produce(ProduceRequest),
    /// A consumer or a replica fetches.
    Fetch {
        /// Names its reply.
        id: RequestId,
        /// The request.
        request: FetchRequest,
    },
    /// The client of a request is gone: forget a fetch of it that still waits. A waiting produce stays.
    FetchAbandoned(RequestId),
    /// A coordinator has the ends of transactions written here; answered by [`Output::ProduceReply`] with a
    /// result for every partition, in order.
    WriteMarkers {
        /// Names its reply.
        id: RequestId,
        /// What to write, and where.
        orders: Vec<MarkerOrder>,
    },
    /// A producer, or a leader on its behalf, asks the coordinator of a transactional id.
    Transaction {
        /// Names its reply.
        id: RequestId,
        /// The request.
        request: TxnRequest,
    },
    /// Another broker has answered, or will not (`None`: it may have done what it was asked).
    PeerAnswer {
        /// Of [`Output::AskPeer`].
        errand: Errand,
        /// Its answer.
        answer: Option<PeerAnswer>,
    },
    /// A client asks a group's coordinator.
    Group {
        /// Names its reply.
        id: RequestId,
        /// The request.
        request: Box<GroupRequest>,
    },
    /// What [`Output::ReadLog`] asked for.
    LogRead {
        /// The partition.
        key: PartitionKey,
        /// As it was asked.
        leader_epoch: i32,
        /// As it was asked.
        to: i64,
        /// The batches.
        bytes: Bytes,
    },
    /// A leader answered one of our fetches, or will not (`None`).
    FetchResponse {
        /// The leader.
        from: i32,
        /// Of [`Output::SendFetch`].
        correlation: u64,
        /// Its answer.
        partitions: Option<Vec<FetchedPartition>>,
    },
}

/// A partition in the answer of a leader.
#[derive(Debug, Clone)]
pub struct FetchedPartition {
    /// The partition.
    pub key: PartitionKey,
    /// What the leader says.
    pub result: Result<FetchedData, Refusal>,
}

/// What a leader sent of one partition.
#[derive(Debug, Clone)]
pub struct FetchedData {
    /// The leader's high watermark.
    pub high_watermark: i64,
    /// Where the leader's log starts.
    pub log_start: i64,
    /// What was asked for lies outside of the leader's log.
    pub out_of_range: bool,
    /// Where our log left the leader's: the largest epoch not above ours, and where it ends (KIP-595).
    pub diverging: Option<super::replica::EpochEnd>,
    /// New batches, in order.
    pub batches: Vec<Batch>,
}

/// What became of one partition of a produce request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProduceResult {
    /// The partition.
    pub key: PartitionKey,
    /// Offset of the first record, or why not.
    pub result: Result<i64, Refusal>,
    /// The log's first offset; -1 if it is not here.
    pub log_start: i64,
    /// The time the records have in the log, in ms since 1970, if the broker gave it or had them already; -1
    /// otherwise.
    pub stamped_ms: i64,
}

/// The bytes to return: whole batches only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadRange {
    /// Base offset of the first batch.
    pub from: i64,
    /// Offset after the last batch.
    pub to: i64,
    /// Their size in bytes.
    pub bytes: u64,
}

/// What to answer for one partition of a fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchResult {
    /// The partition.
    pub key: PartitionKey,
    /// An error; then there is nothing to read and the offsets are -1.
    pub error: Option<Refusal>,
    /// The high watermark.
    pub high_watermark: i64,
    /// The last stable offset.
    pub last_stable: i64,
    /// The log's first offset.
    pub log_start: i64,
    /// The fetcher must truncate first (KIP-595).
    pub diverging: Option<super::replica::EpochEnd>,
    /// What to read from storage; `None` is nothing.
    pub read: Option<ReadRange>,
    /// Under read_committed: the aborted transactions in it.
    pub aborted: Vec<Aborted>,
}

/// What a broker wants done, in this order.
#[derive(Debug, Clone)]
pub enum Output {
    /// A replica is assigned here for the first time: create its empty log.
    OpenLog {
        /// The partition.
        key: PartitionKey,
        /// Its topic's name.
        topic: String,
    },
    /// Its topic is gone: delete the log.
    DeleteLog {
        /// The partition.
        key: PartitionKey,
    },
    /// Write a batch at the end of a log.
    Append {
        /// The partition.
        key: PartitionKey,
        /// To be patched into the batch.
        base_offset: i64,
        /// To be patched into the batch.
        leader_epoch: i32,
        /// The batch.
        bytes: Bytes,
    },
    /// Cut a log so that it ends before this offset, which is the boundary of a batch.
    Truncate {
        /// The partition.
        key: PartitionKey,
        /// First offset to go.
        to: i64,
    },
    /// Records below this offset are gone: remember it, and remove what lies below it altogether.
    RaiseStart {
        /// The partition.
        key: PartitionKey,
        /// The first offset that is left.
        to: i64,
    },
    /// Throw a log away and begin it anew at this offset.
    RestartLog {
        /// The partition.
        key: PartitionKey,
        /// Its first offset.
        at: i64,
    },
    /// Answer a produce request. With acks=0 nothing is sent, but an error closes the connection.
    ProduceReply {
        /// The request.
        id: RequestId,
        /// In the request's order.
        partitions: Vec<ProduceResult>,
    },
    /// Answer a fetch; the ranges are read from storage now.
    FetchReply {
        /// The request.
        id: RequestId,
        /// In the request's order.
        partitions: Vec<FetchResult>,
    },
    /// Read whole batches of a log and come back with [`Input::LogRead`], in the next step.
    ReadLog {
        /// The partition.
        key: PartitionKey,
        /// Comes back.
        leader_epoch: i32,
        /// Base offset of the first batch.
        from: i64,
        /// Offset after the last.
        to: i64,
    },
    /// Answer a request to a group's coordinator. A request is answered once; an answer after that (a commit
    /// that was too late) is to be dropped.
    GroupReply {
        /// The request.
        id: RequestId,
        /// What to say.
        answer: GroupAnswer,
    },
    /// Answer a request to the coordinator of a transactional id.
    TransactionReply {
        /// The request.
        id: RequestId,
        /// What to say.
        answer: TxnAnswer,
    },
    /// Ask another broker, or this one. The server answers with exactly one [`Input::PeerAnswer`], never within
    /// this step.
    AskPeer {
        /// Whom; [`super::NO_LEADER`] is nobody and is answered with `None`.
        to: i32,
        /// Comes back.
        errand: Errand,
        /// The question.
        request: PeerRequest,
    },
    /// Fetch from a leader.
    SendFetch {
        /// The leader.
        to: i32,
        /// Comes back in [`Input::FetchResponse`].
        correlation: u64,
        /// The request.
        request: FetchRequest,
    },
    /// Send to the controller, if connected; else drop it.
    ToController(ToController),
    /// Something worth a line in the log, or telling the starter.
    Event(BrokerEvent),
}

/// Something worth knowing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokerEvent {
    /// Registered under this epoch.
    Registered {
        /// The epoch.
        broker_epoch: i64,
    },
    /// Another incarnation's session is still alive.
    RegistrationRefused {
        /// Why.
        reason: Refusal,
    },
    /// Others lead what this broker led: the process may end.
    MayEnd,
    /// The controller fenced (`true`) or unfenced this broker. The first `false` means ready.
    Fenced(bool),
    /// This broker leads now.
    Leads {
        /// The partition.
        key: PartitionKey,
        /// In this leader epoch.
        epoch: i32,
        /// Starting at this offset.
        end: i64,
        /// And knowing this high watermark.
        high_watermark: i64,
    },
    /// This broker follows now.
    Follows {
        /// The partition.
        key: PartitionKey,
        /// In this leader epoch.
        epoch: i32,
        /// This leader, or [`super::NO_LEADER`].
        leader: i32,
        /// With a log that ends here.
        end: i64,
    },
    /// A follower cut what its leader does not have.
    Truncated {
        /// The partition.
        key: PartitionKey,
        /// Old end.
        from: i64,
        /// New end.
        to: i64,
    },
    /// The ISR of a partition led here changed.
    Isr {
        /// The partition.
        key: PartitionKey,
        /// Its members.
        isr: Vec<i32>,
    },
    /// The controller refused another ISR.
    IsrRefused {
        /// The partition.
        key: PartitionKey,
        /// Why.
        reason: Refusal,
    },
}

impl fmt::Display for BrokerEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registered { broker_epoch } => write!(f, "registered under broker epoch {broker_epoch}"),
            Self::RegistrationRefused { reason } => write!(f, "registration refused: {reason}"),
            Self::MayEnd => f.write_str("others lead now"),
            Self::Fenced(true) => f.write_str("fenced by the controller"),
            Self::Fenced(false) => f.write_str("unfenced by the controller"),
            Self::Leads { key, epoch, end, high_watermark } => {
                write!(f, "{key}: leads in epoch {epoch} from offset {end}, high watermark {high_watermark}")
            }
            Self::Follows { key, epoch, leader, end } => {
                write!(f, "{key}: follows {leader} in epoch {epoch} from offset {end}")
            }
            Self::Truncated { key, from, to } => write!(f, "{key}: truncated from {from} to {to}"),
            Self::Isr { key, isr } => write!(f, "{key}: in-sync replicas are {isr:?}"),
            Self::IsrRefused { key, reason } => write!(f, "{key}: change of the ISR refused: {reason}"),
        }
    }
}
