//! Metadata and DescribeCluster: who is there, who leads what. Asking for a topic may create it.

use std::rc::Rc;
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    BrokerId, DescribeClusterRequest, DescribeClusterResponse, MetadataRequest, MetadataResponse, TopicName,
};
use tokio::time::{Instant, sleep};

use super::{text, topics};
use crate::core::{BrokerImage, ClusterImage, InternalTopic, NO_LEADER, PartitionImage, TopicImage, Uuid};
use crate::server::engine::Host;

/// How long an answer waits for a topic that it has just had created.
const CREATION: Duration = Duration::from_millis(1_000);

/// Answers Metadata.
pub(super) async fn metadata(host: Rc<Host>, version: i16, request: MetadataRequest) -> MetadataResponse {
    // No list means all of them; in version 0, which has no null, so does an empty one.
    let wanted = request.topics.filter(|topics| version > 0 || !topics.is_empty());
    let create =
        request.allow_auto_topic_creation && host.settings_now().get("auto.create.topics.enable") == "true";
    if let (Some(wanted), true) = (&wanted, create) {
        let names = wanted.iter().filter_map(|topic| topic.name.as_ref());
        create_missing(&host, names).await;
    }
    let image = host.image();
    let may = asked(request.include_topic_authorized_operations, TOPIC_OPERATIONS);
    let mut topics: Vec<MetadataResponseTopic> = match wanted {
        None => image.topics.iter().map(|(name, topic)| known(&image, name, topic)).collect(),
        Some(wanted) => wanted
            .iter()
            .map(|topic| match &topic.name {
                Some(name) => by_name(&image, name),
                None => by_id(&image, topic.topic_id),
            })
            .collect(),
    };
    for topic in topics.iter_mut().filter(|topic| topic.error_code == 0) {
        topic.topic_authorized_operations = may;
    }
    let brokers = live(&image).map(|(id, broker)| {
        MetadataResponseBroker::default()
            .with_node_id(BrokerId(id))
            .with_host(text(broker.host.as_str()))
            .with_port(i32::from(broker.port))
    });
    MetadataResponse::default()
        .with_brokers(brokers.collect())
        .with_cluster_id(Some(text(image.cluster_id.as_str())))
        // Any broker forwards what only the controller can do, as in KRaft.
        .with_controller_id(BrokerId(host.spec.node_id))
        .with_cluster_authorized_operations(asked(
            request.include_cluster_authorized_operations,
            CLUSTER_OPERATIONS,
        ))
        .with_topics(topics)
}

async fn create_missing(host: &Rc<Host>, names: impl Iterator<Item = &TopicName>) {
    let image = host.image();
    let missing: Vec<&TopicName> =
        names.filter(|name| !image.topics.contains_key(name.as_str()) && topics::is_legal(name)).collect();
    let deadline = Instant::now() + CREATION;
    for name in &missing {
        // An error shows as the topic's absence.
        let _ = tokio::time::timeout_at(deadline, topics::create_default(host, name)).await;
    }
    let there = || {
        let image = host.image();
        missing.iter().all(|name| image.topics.contains_key(name.as_str()))
    };
    while !there() && Instant::now() < deadline {
        sleep(Duration::from_millis(10)).await;
    }
}

fn by_name(image: &ClusterImage, name: &TopicName) -> MetadataResponseTopic {
    match image.topics.get(name.as_str()) {
        Some(topic) => known(image, name.as_str(), topic),
        None => {
            let error = match topics::is_legal(name) {
                true => ResponseError::UnknownTopicOrPartition,
                false => ResponseError::InvalidTopicException,
            };
            MetadataResponseTopic::default().with_error_code(error.code()).with_name(Some(name.clone()))
        }
    }
}

fn by_id(image: &ClusterImage, id: uuid::Uuid) -> MetadataResponseTopic {
    match image.topic(Uuid(id.into_bytes())) {
        Some((name, topic)) => known(image, name, topic),
        None => MetadataResponseTopic::default()
            .with_error_code(ResponseError::UnknownTopicId.code())
            .with_name(Some(TopicName::default()))
            .with_topic_id(id),
    }
}

fn known(image: &ClusterImage, name: &str, topic: &TopicImage) -> MetadataResponseTopic {
    let partitions = (0..).zip(&topic.partitions).map(|(index, state)| partition(image, index, state));
    MetadataResponseTopic::default()
        .with_name(Some(TopicName(text(name))))
        .with_topic_id(uuid::Uuid::from_bytes(topic.id.0))
        .with_is_internal(InternalTopic::named(name).is_some())
        .with_partitions(partitions.collect())
}

fn partition(image: &ClusterImage, index: i32, state: &PartitionImage) -> MetadataResponsePartition {
    let ids = |nodes: &[i32]| nodes.iter().copied().map(BrokerId).collect();
    let gone = |node: &i32| image.brokers.get(node).is_none_or(|broker| broker.fenced);
    let offline: Vec<i32> = state.replicas.iter().copied().filter(gone).collect();
    let error = if state.leader == NO_LEADER { ResponseError::LeaderNotAvailable.code() } else { 0 };
    MetadataResponsePartition::default()
        .with_error_code(error)
        .with_partition_index(index)
        .with_leader_id(BrokerId(state.leader))
        .with_leader_epoch(state.leader_epoch)
        .with_replica_nodes(ids(&state.replicas))
        .with_isr_nodes(ids(&state.isr))
        .with_offline_replicas(ids(&offline))
}

fn live(image: &ClusterImage) -> impl Iterator<Item = (i32, &BrokerImage)> {
    image.brokers.iter().filter(|(_, broker)| !broker.fenced).map(|(id, broker)| (*id, broker))
}

/// What a client that may do everything is told it may do, as a bit field: Kafka without an authorizer says
/// so too. The operations are those of `AclOperation`.
const CLUSTER_OPERATIONS: i32 = bits(&[5, 7, 8, 9, 10, 11, 12]);
/// The same of a topic.
pub(super) const TOPIC_OPERATIONS: i32 = bits(&[3, 4, 5, 6, 7, 8, 10, 11]);

const fn bits(operations: &[i32]) -> i32 {
    let mut bits = 0;
    let mut at = 0;
    while at < operations.len() {
        bits |= 1 << operations[at];
        at += 1;
    }
    bits
}

/// Answers DescribeCluster.
pub(super) fn describe(host: &Rc<Host>, request: &DescribeClusterRequest) -> DescribeClusterResponse {
    const BROKERS: i8 = 1;
    if request.endpoint_type != BROKERS {
        return DescribeClusterResponse::default()
            .with_error_code(ResponseError::MismatchedEndpointType.code())
            .with_endpoint_type(BROKERS);
    }
    let image = host.image();
    let shown = |(_, broker): &(&i32, &BrokerImage)| !broker.fenced || request.include_fenced_brokers;
    let brokers = image.brokers.iter().filter(shown).map(|(&id, broker)| {
        DescribeClusterBroker::default()
            .with_broker_id(BrokerId(id))
            .with_is_fenced(broker.fenced)
            .with_host(text(broker.host.as_str()))
            .with_port(i32::from(broker.port))
    });
    DescribeClusterResponse::default()
        .with_cluster_id(text(image.cluster_id.as_str()))
        .with_controller_id(BrokerId(host.spec.node_id))
        .with_brokers(brokers.collect())
        .with_endpoint_type(BROKERS)
        .with_cluster_authorized_operations(asked(
            request.include_cluster_authorized_operations,
            CLUSTER_OPERATIONS,
        ))
}

/// The operations if they were asked for, else Kafka's word for not.
const fn asked(asked: bool, operations: i32) -> i32 {
    if asked { operations } else { i32::MIN }
}
