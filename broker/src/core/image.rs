//! The cluster's metadata: what the controller decides, persists and pushes to every broker as a whole.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::types::{PartitionKey, Uuid};

/// The leader of a partition that has none.
pub const NO_LEADER: i32 = -1;

/// A registered broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerImage {
    /// Grows with every accepted incarnation (KIP-631); older ones are refused everywhere (KIP-903).
    pub epoch: i64,
    /// The process that registered.
    pub incarnation: Uuid,
    /// Where clients and brokers reach it.
    pub host: String,
    /// Port at that host.
    pub port: u16,
    /// A fenced broker leads nothing and is in no ISR, except as the last member.
    pub fenced: bool,
}

/// A partition as the controller decided it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionImage {
    /// All replicas, preferred leader first.
    pub replicas: Vec<i32>,
    /// The in-sync replicas.
    pub isr: Vec<i32>,
    /// Who leads, or [`NO_LEADER`].
    pub leader: i32,
    /// Bumped by every change of the leader, also to none.
    pub leader_epoch: i32,
    /// Bumped by every change of any of this.
    pub partition_epoch: i32,
}

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicImage {
    /// Its id.
    pub id: Uuid,
    /// Settings that differ from the broker's, by topic-level name.
    pub configs: BTreeMap<String, String>,
    /// Its partitions, by number from 0.
    pub partitions: Vec<PartitionImage>,
}

/// The metadata of the whole cluster at one version.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ClusterImage {
    /// The cluster's name.
    pub cluster_id: String,
    /// Grows with every change.
    pub version: u64,
    /// Registered brokers by id.
    pub brokers: BTreeMap<i32, BrokerImage>,
    /// Topics by name.
    pub topics: BTreeMap<String, TopicImage>,
}

impl ClusterImage {
    /// The topic with this id, with its name.
    #[must_use]
    pub fn topic(&self, id: Uuid) -> Option<(&str, &TopicImage)> {
        self.topics.iter().find(|(_, topic)| topic.id == id).map(|(name, topic)| (name.as_str(), topic))
    }

    /// A partition by key.
    #[must_use]
    pub fn partition(&self, key: PartitionKey) -> Option<&PartitionImage> {
        self.topic(key.topic)?.1.partitions.get(usize::try_from(key.partition).ok()?)
    }

    /// Whether a broker is registered under this epoch and not fenced: only such a replica may join an ISR.
    #[must_use]
    pub fn is_eligible(&self, node: i32, broker_epoch: i64) -> bool {
        self.brokers.get(&node).is_some_and(|broker| !broker.fenced && broker.epoch == broker_epoch)
    }
}

/// Everything the controller keeps durably.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MetadataSnapshot {
    /// The cluster.
    pub image: ClusterImage,
    /// First producer id never handed out.
    pub next_producer_id: i64,
}
