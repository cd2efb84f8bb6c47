//! What brokers and the controller say to each other. Every message is safe to lose, to repeat and to
//! deliver late: epochs tell what is stale.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::image::ClusterImage;
use super::refusal::Refusal;
use super::settings::ConfigOp;
use super::types::{PartitionKey, Uuid};

/// A proposed ISR member and the broker epoch its leader saw it fetch under (KIP-903).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IsrMember {
    /// The broker.
    pub node: i32,
    /// Its epoch; -1 is not known and not checked (a fetch older than version 15).
    pub broker_epoch: i64,
}

/// From a broker to the controller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToController {
    /// A process asks for its broker id.
    Register {
        /// The broker id.
        node: i32,
        /// Unique to this process.
        incarnation: Uuid,
        /// The address clients are told.
        host: String,
        /// Its port.
        port: u16,
        /// The epoch under which its predecessor ended cleanly, all its logs synced; -1 if it did not.
        previous_epoch: i64,
    },
    /// The process is about to end: another broker shall lead what it leads (controlled shutdown).
    ShutDown {
        /// The broker.
        node: i32,
        /// The epoch it was registered under.
        broker_epoch: i64,
    },
    /// The process is alive.
    Heartbeat {
        /// The broker.
        node: i32,
        /// The epoch it was registered under.
        broker_epoch: i64,
        /// Version of the metadata it has.
        image_version: u64,
    },
    /// A leader proposes another ISR (KIP-497).
    AlterPartition {
        /// Comes back in the answer.
        request: u64,
        /// The leader.
        node: i32,
        /// The leader's broker epoch.
        broker_epoch: i64,
        /// The partition.
        key: PartitionKey,
        /// The leader's leader epoch.
        leader_epoch: i32,
        /// The partition epoch the proposal builds on.
        partition_epoch: i32,
        /// The proposal.
        isr: Vec<IsrMember>,
    },
    /// An administrative request of a server; the broker core never sends one.
    Admin {
        /// Comes back in the answer.
        request: u64,
        /// What to do.
        op: AdminOp,
    },
}

/// A topic to create. The server has validated the settings and resolved defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// A fresh id.
    pub id: Uuid,
    /// How many partitions.
    pub partitions: i32,
    /// How many replicas each.
    pub replication_factor: i16,
    /// The replicas of each partition, if the client chose them; then the two numbers above follow from it.
    pub assignments: Vec<Vec<i32>>,
    /// Settings that differ from the broker's, by topic-level name.
    pub configs: BTreeMap<String, String>,
    /// Only say whether it could be created.
    pub validate_only: bool,
}

/// What a server asks of the controller on behalf of a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AdminOp {
    /// Create a topic.
    CreateTopic(NewTopic),
    /// Delete a topic with this id.
    DeleteTopic {
        /// The id.
        id: Uuid,
    },
    /// Raise a topic's number of partitions.
    CreatePartitions {
        /// Its name.
        name: String,
        /// How many it shall have in all.
        count: i32,
        /// The replicas of each new partition, if the client chose them.
        assignments: Option<Vec<Vec<i32>>>,
        /// Only say whether it could be done.
        validate_only: bool,
    },
    /// Change settings.
    AlterConfigs {
        /// Whose.
        of: ConfigOwner,
        /// Forget everything that is set before, as the older of the two APIs does.
        replace: bool,
        /// What to change, in order.
        changes: Vec<(String, ConfigOp)>,
        /// Only say whether it could be done.
        validate_only: bool,
    },
    /// Elect leaders.
    ElectLeaders {
        /// Any live replica will do, whatever it lacks; else the preferred one, if it is in sync.
        unclean: bool,
        /// Which partitions, by topic and number; `None` is all of them.
        partitions: Option<Vec<(String, i32)>>,
    },
    /// Change or cancel (`None`) the replicas of partitions, by topic and number (KIP-455).
    AlterReassignments {
        /// What is wanted.
        wanted: Vec<(String, i32, Option<Vec<i32>>)>,
        /// There may be more or fewer of them than now (KIP-860).
        resize: bool,
    },
    /// Reserve producer ids.
    AllocateProducerIds,
}

/// Whose settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConfigOwner {
    /// A topic's, by name.
    Topic(String),
    /// A broker's, by id, or every broker's ([`super::image::ALL_BROKERS`]).
    Broker(i32),
}

/// What became of each of several partitions.
pub type PerPartition = Vec<(String, i32, Result<(), Refusal>)>;

/// What became of an [`AdminOp`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AdminAnswer {
    /// Done (or possible, if only validated).
    Done,
    /// Each partition has its own answer.
    Partitions(PerPartition),
    /// A setting cannot be changed so, for this reason.
    BadConfig(String),
    /// These producer ids are the asker's alone.
    ProducerIds {
        /// The first.
        first: i64,
        /// How many.
        count: i32,
    },
}

/// A partition after an accepted AlterPartition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionState {
    /// Who leads.
    pub leader: i32,
    /// In this epoch.
    pub leader_epoch: i32,
    /// The new partition epoch.
    pub partition_epoch: i32,
    /// The new ISR.
    pub isr: Vec<i32>,
}

/// From the controller to a broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromController {
    /// The registration is accepted; the broker is fenced until it has shown that it has the metadata.
    Registered {
        /// The broker's epoch.
        broker_epoch: i64,
        /// The metadata, in which the broker appears.
        image: ClusterImage,
    },
    /// The registration is refused for now; ask again.
    RegistrationRefused {
        /// Why.
        reason: Refusal,
    },
    /// Answer to a heartbeat.
    HeartbeatAck {
        /// The epoch of the heartbeat.
        broker_epoch: i64,
        /// Whether the broker is fenced, or why the heartbeat counts for nothing.
        result: Result<bool, Refusal>,
    },
    /// Nothing is led by the broker any more, as far as others could take over: it may end.
    MayEnd {
        /// The epoch it was registered under.
        broker_epoch: i64,
    },
    /// The metadata changed.
    Image(ClusterImage),
    /// Answer to an AlterPartition.
    AlterPartition {
        /// Of the proposal.
        request: u64,
        /// The partition.
        key: PartitionKey,
        /// Its new state, or why not.
        result: Result<PartitionState, Refusal>,
    },
    /// Answer to an administrative request, for the server.
    Admin {
        /// Of the request.
        request: u64,
        /// What became of it.
        result: Result<AdminAnswer, Refusal>,
    },
}
