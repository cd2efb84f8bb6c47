//! DescribeTopicPartitions (KIP-966): topics page by page, and the one place where eligible leader replicas
//! are shown.

use std::rc::Rc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use kafka_protocol::messages::{
    BrokerId, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, TopicName,
};

use super::cluster::TOPIC_OPERATIONS;
use super::{text, topics};
use crate::core::{ClusterImage, InternalTopic, NO_LEADER, PartitionImage};
use crate::server::engine::Host;

/// Most partitions in one answer (`max.request.partition.size.limit`).
const MOST: usize = 2_000;

/// Answers DescribeTopicPartitions.
pub(super) fn describe(
    host: &Rc<Host>,
    request: &DescribeTopicPartitionsRequest,
) -> DescribeTopicPartitionsResponse {
    let image = host.image();
    let cursor = request.cursor.as_ref();
    let first = |name: &str| {
        let here = cursor.filter(|cursor| cursor.topic_name.as_str() == name);
        here.and_then(|cursor| usize::try_from(cursor.partition_index).ok()).unwrap_or(0)
    };
    let mut names: Vec<&str> = if request.topics.is_empty() {
        image.topics.keys().map(String::as_str).collect()
    } else {
        request.topics.iter().map(|topic| topic.name.as_str()).collect()
    };
    names.sort_unstable();
    names.dedup();
    names.retain(|name| cursor.is_none_or(|cursor| *name >= cursor.topic_name.as_str()));
    let mut left = usize::try_from(request.response_partition_limit).unwrap_or(0).clamp(1, MOST);
    let mut described = Vec::new();
    let mut next = None;
    for name in names {
        let answer = DescribeTopicPartitionsResponseTopic::default().with_name(Some(TopicName(text(name))));
        let Some(topic) = image.topics.get(name) else {
            let error = match topics::is_legal(name) {
                true => ResponseError::UnknownTopicOrPartition,
                false => ResponseError::InvalidTopicException,
            };
            described.push(answer.with_error_code(error.code()));
            continue;
        };
        let at = |index: usize| {
            Cursor::default()
                .with_topic_name(TopicName(text(name)))
                .with_partition_index(i32::try_from(index).unwrap_or(i32::MAX))
        };
        let begin = first(name);
        if left == 0 {
            next = Some(at(begin));
            break;
        }
        let partitions: Vec<_> = (0..)
            .zip(&topic.partitions)
            .skip(begin)
            .take(left)
            .map(|(index, state)| partition(&image, index, state))
            .collect();
        left -= partitions.len();
        let end = begin + partitions.len();
        described.push(
            answer
                .with_topic_id(uuid::Uuid::from_bytes(topic.id.0))
                .with_topic_authorized_operations(TOPIC_OPERATIONS)
                .with_is_internal(InternalTopic::named(name).is_some())
                .with_partitions(partitions),
        );
        if end < topic.partitions.len() {
            next = Some(at(end));
            break;
        }
    }
    DescribeTopicPartitionsResponse::default().with_topics(described).with_next_cursor(next)
}

fn partition(
    image: &ClusterImage,
    index: i32,
    state: &PartitionImage,
) -> DescribeTopicPartitionsResponsePartition {
    let ids = |nodes: &[i32]| nodes.iter().copied().map(BrokerId).collect::<Vec<_>>();
    let gone = |node: &i32| image.brokers.get(node).is_none_or(|broker| broker.fenced);
    let offline: Vec<i32> = state.replicas.iter().copied().filter(gone).collect();
    let error = if state.leader == NO_LEADER { ResponseError::LeaderNotAvailable.code() } else { 0 };
    DescribeTopicPartitionsResponsePartition::default()
        .with_error_code(error)
        .with_partition_index(index)
        .with_leader_id(BrokerId(state.leader))
        .with_leader_epoch(state.leader_epoch)
        .with_replica_nodes(ids(&state.replicas))
        .with_isr_nodes(ids(&state.isr))
        .with_eligible_leader_replicas(Some(ids(&state.elr)))
        .with_last_known_elr(Some(ids(&state.last_known_elr)))
        .with_offline_replicas(ids(&offline))
}
