//! Topics, their settings, and metadata.

use std::collections::BTreeMap;
use std::time::Duration;

use history::{NodeId, Partition};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, ConfigEntry, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::KafkaError;
use rdkafka::metadata::Metadata;
use rdkafka::types::RDKafkaErrorCode;
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};

use super::aliases::own_name;
use crate::secure::Security;

/// The state of a partition as metadata shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionView {
    /// The partition.
    pub partition: Partition,
    /// Who leads, if anybody.
    pub leader: Option<NodeId>,
    /// The in-sync replicas.
    pub isr: Vec<NodeId>,
    /// All replicas.
    pub replicas: Vec<NodeId>,
}

/// A target as it answers to a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterView {
    /// The cluster's id, if it tells.
    pub cluster_id: Option<String>,
    /// Its brokers.
    pub nodes: Vec<NodeId>,
}

/// Where a cluster's brokers are, as they say themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// The cluster's id, if it tells.
    pub cluster_id: Option<String>,
    /// `HOST:PORT` of each.
    pub brokers: Vec<(NodeId, String)>,
}

/// Something about topics or metadata failed.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Nobody answered.
    #[error("no broker of `{bootstrap}` answered within {} s (check the address, and the security settings)", timeout.as_secs())]
    Unreachable {
        /// The bootstrap list.
        bootstrap: String,
        /// How long was waited.
        timeout: Duration,
        /// What the client said.
        #[source]
        source: Box<KafkaError>,
    },
    /// The topic exists already.
    #[error("topic `{0}` exists already (pass --allow-existing-topic to use it, or another --topic)")]
    Exists(String),
    /// The cluster refused.
    #[error("failed to {action} `{name}`: the cluster answered {code:?}{}", hint(*.code))]
    Refused {
        /// What was tried, as a verb and what with: `create topic`.
        action: &'static str,
        /// Its name.
        name: String,
        /// Its answer.
        code: RDKafkaErrorCode,
    },
    /// The cluster refused what librdkafka does not ask for.
    #[error("failed to {action} `{name}`: {reason}")]
    Denied {
        /// What was tried, as a verb and what with: `elect leaders of topic`.
        action: &'static str,
        /// Its name.
        name: String,
        /// What the cluster said, or why no broker could be asked.
        reason: String,
    },
    /// The client failed.
    #[error("failed to {action} `{name}`")]
    Client {
        /// What was tried, as a verb and what with: `create topic`.
        action: &'static str,
        /// Its name.
        name: String,
        /// What the client said.
        #[source]
        source: Box<KafkaError>,
    },
    /// The client was not made.
    #[error("failed to make a client for `{bootstrap}` (check the security settings)")]
    Create {
        /// The bootstrap list.
        bootstrap: String,
        /// What the client said.
        #[source]
        source: Box<KafkaError>,
    },
    /// No runtime for the client's futures.
    #[error("failed to start the admin client")]
    Runtime(#[source] std::io::Error),
}

fn hint(code: RDKafkaErrorCode) -> &'static str {
    match code {
        RDKafkaErrorCode::InvalidReplicationFactor => {
            " (lower replication.factor to the number of live brokers)"
        }
        RDKafkaErrorCode::InvalidConfig => " (the cluster does not take one of the topic settings)",
        RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed => {
            " (the user needs the right to create and delete topics)"
        }
        _ => "",
    }
}

/// An admin client.
pub struct Admin {
    pub(super) client: AdminClient<DefaultClientContext>,
    pub(super) runtime: Runtime,
    /// How brokers are asked for what the client does not ask for.
    pub(super) security: Option<Security>,
    bootstrap: String,
}

impl Admin {
    /// Makes the client; it connects in the background.
    ///
    /// # Errors
    /// If librdkafka refuses the configuration.
    pub fn new(config: &ClientConfig) -> Result<Self, AdminError> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(AdminError::Runtime)?;
        let bootstrap = config.get(own_name("bootstrap.servers")).unwrap_or_default().to_owned();
        let client = config.create().map_err(|source| AdminError::Create {
            bootstrap: bootstrap.clone(),
            source: Box::new(source),
        })?;
        Ok(Self { client, runtime, security: None, bootstrap })
    }

    /// The same, and brokers are asked on connections of our own too.
    #[must_use]
    pub fn asking(self, security: Security) -> Self {
        Self { security: Some(security), ..self }
    }

    /// Who is there.
    ///
    /// # Errors
    /// If nobody answers within `timeout`.
    pub fn probe(&self, timeout: Duration) -> Result<ClusterView, AdminError> {
        let Addresses { cluster_id, brokers } = self.addresses(timeout)?;
        Ok(ClusterView { cluster_id, nodes: brokers.into_iter().map(|(node, _)| node).collect() })
    }

    /// Who is there, and where.
    ///
    /// # Errors
    /// If nobody answers within `timeout`.
    pub fn addresses(&self, timeout: Duration) -> Result<Addresses, AdminError> {
        let client = self.client.inner();
        let metadata = client.fetch_metadata(None, timeout).map_err(|source| AdminError::Unreachable {
            bootstrap: self.bootstrap.clone(),
            timeout,
            source: Box::new(source),
        })?;
        let address = |host: &str, port| {
            if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
        };
        let brokers = metadata.brokers().iter();
        let brokers =
            brokers.map(|broker| (NodeId(broker.id()), address(broker.host(), broker.port()))).collect();
        Ok(Addresses { cluster_id: client.fetch_cluster_id(timeout), brokers })
    }

    /// Creates a topic.
    ///
    /// # Errors
    /// If the cluster refuses or does not answer.
    pub fn create(
        &self,
        topic: &str,
        partitions: u32,
        replicas: i32,
        settings: &BTreeMap<String, String>,
        timeout: Duration,
    ) -> Result<(), AdminError> {
        let count = i32::try_from(partitions).unwrap_or(i32::MAX);
        let mut new = NewTopic::new(topic, count, TopicReplication::Fixed(replicas));
        for (name, value) in settings {
            new = new.set(name, value);
        }
        let results = self.runtime.block_on(self.client.create_topics([&new], &options(timeout)));
        match self.single("create topic", topic, results)? {
            Ok(_) => Ok(()),
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => Err(AdminError::Exists(topic.to_owned())),
            Err((_, code)) => {
                Err(AdminError::Refused { action: "create topic", name: topic.to_owned(), code })
            }
        }
    }

    /// Deletes a topic; one that is not there counts as deleted.
    ///
    /// # Errors
    /// If the cluster refuses or does not answer.
    pub fn delete(&self, topic: &str, timeout: Duration) -> Result<(), AdminError> {
        let results = self.runtime.block_on(self.client.delete_topics(&[topic], &options(timeout)));
        match self.single("delete topic", topic, results)? {
            Ok(_) | Err((_, RDKafkaErrorCode::UnknownTopicOrPartition)) => Ok(()),
            Err((_, code)) => {
                Err(AdminError::Refused { action: "delete topic", name: topic.to_owned(), code })
            }
        }
    }

    /// Deletes a consumer group; one that is not there counts as deleted.
    ///
    /// # Errors
    /// If the cluster refuses, as while the group has members, or does not answer.
    pub fn delete_group(&self, group: &str, timeout: Duration) -> Result<(), AdminError> {
        let results = self.runtime.block_on(self.client.delete_groups(&[group], &options(timeout)));
        match self.single("delete group", group, results)? {
            Ok(_) | Err((_, RDKafkaErrorCode::GroupIdNotFound)) => Ok(()),
            Err((_, code)) => {
                Err(AdminError::Refused { action: "delete group", name: group.to_owned(), code })
            }
        }
    }

    /// The effective settings of a topic, by Kafka's names.
    ///
    /// # Errors
    /// If the cluster refuses or does not answer.
    pub fn describe(&self, topic: &str, timeout: Duration) -> Result<BTreeMap<String, String>, AdminError> {
        self.settings(&ResourceSpecifier::Topic(topic), "describe topic", topic, timeout)
    }

    /// The effective settings of a broker, by Kafka's names.
    ///
    /// # Errors
    /// If the broker refuses or does not answer.
    pub fn describe_broker(
        &self,
        node: NodeId,
        timeout: Duration,
    ) -> Result<BTreeMap<String, String>, AdminError> {
        self.settings(&ResourceSpecifier::Broker(node.0), "describe broker", &node.to_string(), timeout)
    }

    fn settings(
        &self,
        resource: &ResourceSpecifier<'_>,
        action: &'static str,
        name: &str,
        timeout: Duration,
    ) -> Result<BTreeMap<String, String>, AdminError> {
        let settings = self.entries(resource, action, name, timeout)?.into_iter();
        let settings = settings.filter(|entry| !entry.is_sensitive);
        Ok(settings.filter_map(|entry| Some((entry.name, entry.value?))).collect())
    }

    pub(super) fn entries(
        &self,
        resource: &ResourceSpecifier<'_>,
        action: &'static str,
        name: &str,
        timeout: Duration,
    ) -> Result<Vec<ConfigEntry>, AdminError> {
        let results = self.runtime.block_on(self.client.describe_configs([resource], &options(timeout)));
        let refused = |code| AdminError::Refused { action, name: name.to_owned(), code };
        Ok(self.single(action, name, results)?.map_err(refused)?.entries)
    }

    pub(super) fn metadata(&self, topic: &str, timeout: Duration) -> Result<Metadata, AdminError> {
        self.client.inner().fetch_metadata(Some(topic), timeout).map_err(|source| AdminError::Client {
            action: "look up topic",
            name: topic.to_owned(),
            source: Box::new(source),
        })
    }

    /// The partitions of a topic; empty if nobody knows it yet.
    ///
    /// # Errors
    /// If nobody answers within `timeout`.
    pub fn partitions(&self, topic: &str, timeout: Duration) -> Result<Vec<PartitionView>, AdminError> {
        Ok(Self::partitions_of(&self.metadata(topic, timeout)?, topic))
    }

    pub(super) fn partitions_of(metadata: &Metadata, topic: &str) -> Vec<PartitionView> {
        let nodes = |ids: &[i32]| ids.iter().copied().map(NodeId).collect::<Vec<_>>();
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        let mut partitions: Vec<_> = found
            .into_iter()
            .flat_map(|found| found.partitions())
            .map(|view| PartitionView {
                partition: Partition(u32::try_from(view.id()).unwrap_or(u32::MAX)),
                leader: (view.leader() >= 0).then(|| NodeId(view.leader())),
                isr: nodes(view.isr()),
                replicas: nodes(view.replicas()),
            })
            .collect();
        partitions.sort_by_key(|view| view.partition);
        partitions
    }

    pub(super) fn single<T>(
        &self,
        action: &'static str,
        name: &str,
        results: Result<Vec<T>, KafkaError>,
    ) -> Result<T, AdminError> {
        let failed = |source| AdminError::Client { action, name: name.to_owned(), source: Box::new(source) };
        let first = results.map_err(failed)?.into_iter().next();
        first.ok_or_else(|| failed(KafkaError::AdminOp(RDKafkaErrorCode::Fail)))
    }
}

pub(super) fn options(timeout: Duration) -> AdminOptions {
    AdminOptions::new().request_timeout(Some(timeout)).operation_timeout(Some(timeout))
}
