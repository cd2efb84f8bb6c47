//! The sans-IO core of the reference broker: Kafka's replication rules as plain state machines.
//!
//! Nothing in this folder holds a clock, a thread, a socket, a file or a random source (a test reads the
//! sources and refuses them): time comes in as `now_ms`, everything else as messages and facts, and what
//! is to be done comes out as a list. So the same code runs behind TCP, in unit tests, and under a
//! deterministic simulator.
//!
//! # How a server drives it
//!
//! **Broker.** [`Broker::new`] takes the recovered logs. Then every event is one call of
//! [`Broker::step`]`(now_ms, Input, &mut Vec<Output>)`; the server executes the outputs *in order, before
//! the next step*: an [`Output::Append`] is in the page cache before the [`Output::ProduceReply`] after it
//! leaves. [`Input::Tick`] is due at least every 20 ms (time-outs and long polls are checked there).
//! The controller link is part of the machine: the server reports [`Input::ControllerUp`] and
//! [`Input::ControllerDown`], sends every [`Output::ToController`], and feeds back what arrives as
//! [`Input::FromController`]. Registration, heartbeats and their retries are decided here. Administrative
//! requests ([`ToController::Admin`]) are the server's own: it sends them on the same connection and keeps
//! the answers ([`FromController::Admin`]) to itself.
//!
//! **Fetches between brokers.** [`Output::SendFetch`] asks for one request to a leader. The server answers
//! with exactly one [`Input::FetchResponse`] carrying the same correlation number (`None`: it failed, or a
//! deadline of the server's passed). A newer `SendFetch` to the same node supersedes an older one. Answers
//! that come late are recognised and ignored.
//!
//! **Coordinators.** [`Input::Group`] is a request to the coordinator of a group; it is answered by
//! [`Output::GroupReply`]. A new coordinator reads its log with [`Output::ReadLog`], which the server answers
//! with [`Input::LogRead`] before any other input.
//!
//! **Transactions.** [`Input::Transaction`] is a request to the coordinator of a transactional id, answered by
//! [`Output::TransactionReply`]; [`Input::WriteMarkers`] is answered by [`Output::ProduceReply`]. What brokers
//! ask each other goes out as [`Output::AskPeer`], also to the broker itself, and comes back as
//! [`Input::PeerAnswer`]. Records and offsets of a transaction may be held back until the coordinator has
//! confirmed it (KIP-890).
//!
//! **Queries** ([`Broker::image`], [`Broker::offsets`], [`Broker::end_offset_for_epoch`],
//! [`Broker::high_watermarks`], [`Broker::producers`], [`Broker::transactions`]) read without changing anything.
//!
//! **Controller.** [`Controller::step`] alike; a [`ControllerOutput::Persist`] always comes before the
//! answers that depend on it and must be durable before they leave.
//!
//! Batches stay opaque [`bytes::Bytes`]: whoever stores an [`Output::Append`] patches `baseOffset` and
//! `partitionLeaderEpoch` (both outside the CRC) to the values given beside the bytes. For a follower they
//! are already there.
//!
//! Eligible leader replicas (KIP-966) are off unless `eligible.leader.replicas.version=1` is set; without them the
//! last replica standing can lose acknowledged records in a power failure, as in Kafka before 4.1.
//!
//! **Cleaning.** When it is time, the server asks [`select`] and [`retained`] about the segments of a log, with
//! what [`Broker::cleanable`] and [`Broker::high_watermark`] say of it. Retention is an [`Input::DeleteRecords`];
//! compaction is the server's work with a [`Cleaner`], and [`Input::Cleaned`] once the files are swapped. Every
//! replica cleans for itself.
//!
//! Not modelled: two-phase commit (KIP-939), groups that change their protocol while they have members (KIP-848).

mod batch;
mod broker;
mod compaction;
mod controller;
mod coordinator;
mod errands;
mod fetcher;
mod image;
mod io;
mod leader;
mod log;
mod message;
mod producer_state;
mod purgatory;
mod refusal;
mod replica;
mod retention;
pub mod settings;
mod txn_index;
mod types;
mod validation;

pub use batch::{Batch, BatchInfo};
pub use broker::Broker;
pub use compaction::{Cleanable, Cleaner, CleaningPolicy, SegmentFacts, groups, select};
pub use controller::{Controller, ControllerConfig, ControllerEvent, ControllerInput, ControllerOutput};
pub use coordinator::{
    Caller, GroupAnswer, GroupAsk, GroupRequest, InternalTopic, TxnAnswer, TxnAsk, TxnDescription,
    TxnListing, TxnRequest, TxnState,
};
pub use errands::{Errand, MarkerOrder, PeerAnswer, PeerRequest, Place, ProducerEpoch};
pub use image::{
    ALL_BROKERS, BrokerImage, ClusterImage, MetadataSnapshot, NO_LEADER, PartitionImage, Reassignment,
    TopicImage,
};
pub use io::{
    BrokerConfig, BrokerEvent, FetchPartition, FetchRequest, FetchResult, FetchedData, FetchedPartition,
    Input, Output, ProducePartition, ProduceRequest, ProduceResult, ReadRange, RecoveredLog, ReplicaIdentity,
    TxnManner,
};
pub use message::{
    AdminAnswer, AdminOp, ConfigOwner, FromController, IsrMember, NewTopic, PartitionState, PerPartition,
    ToController,
};
pub use producer_state::{ProducerSnapshot, ProducerView};
pub use refusal::Refusal;
pub use replica::{EpochEnd, Offsets, Reader};
pub use retention::{RetentionPolicy, retained};
pub use txn_index::Aborted;
pub use types::{PartitionKey, RequestId, Uuid};
pub use validation::{RecordFault, RecordPolicy, Validated, validate};

#[cfg(test)]
mod tests;
