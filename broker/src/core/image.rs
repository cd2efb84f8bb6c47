//! The cluster's metadata: what the controller decides, persists and pushes to every broker as a whole.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::settings::Settings;
use super::types::{PartitionKey, Uuid};

/// The leader of a partition that has none.
pub const NO_LEADER: i32 = -1;

/// The key of settings that were changed for every broker.
pub const ALL_BROKERS: i32 = -1;

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

/// The configuration of one partition that a change aims at.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reassignment {
    /// Replicas that are copying the log, and stay if they get into the ISR.
    pub adding: Vec<i32>,
    /// Replicas that go once the others are in sync.
    pub removing: Vec<i32>,
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
    /// The replicas are being changed (KIP-455).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reassignment: Option<Reassignment>,
    /// Eligible leader replicas: out of the ISR since it fell below `min.insync.replicas`, and known to hold
    /// everything below the high watermark (KIP-966). Empty while that feature is off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elr: Vec<i32>,
    /// Who led last, while nobody is in sync.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last_known_elr: Vec<i32>,
}

impl PartitionImage {
    /// A new partition: every replica in sync, the first leads.
    #[must_use]
    pub fn new(replicas: Vec<i32>) -> Self {
        Self {
            leader: replicas.first().copied().unwrap_or(NO_LEADER),
            isr: replicas.clone(),
            replicas,
            leader_epoch: 0,
            partition_epoch: 0,
            reassignment: None,
            elr: Vec::new(),
            last_known_elr: Vec::new(),
        }
    }

    /// The replicas there are to be: without those that a reassignment removes.
    #[must_use]
    pub fn target(&self) -> Vec<i32> {
        let goes = |node: &i32| self.reassignment.as_ref().is_some_and(|to| to.removing.contains(node));
        self.replicas.iter().copied().filter(|node| !goes(node)).collect()
    }
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
    /// Broker settings changed while the brokers ran (KIP-226): by broker id, [`ALL_BROKERS`] for all of them.
    #[serde(default)]
    pub broker_configs: BTreeMap<i32, BTreeMap<String, String>>,
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

    /// A broker's settings: what it was started with, and what was changed since.
    #[must_use]
    pub fn settings(&self, given: &Settings, node: i32) -> Settings {
        static NONE: BTreeMap<String, String> = BTreeMap::new();
        let of = |node| self.broker_configs.get(&node).unwrap_or(&NONE);
        given.changed(of(ALL_BROKERS), of(node))
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
