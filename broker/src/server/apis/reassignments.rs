//! AlterPartitionReassignments and ListPartitionReassignments (KIP-455): replicas come and go while the
//! partition is served.

use std::rc::Rc;

use kafka_protocol::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use kafka_protocol::messages::list_partition_reassignments_response::{
    OngoingPartitionReassignment, OngoingTopicReassignment,
};
use kafka_protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, BrokerId,
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse, TopicName,
};

use super::{Fault, text};
use crate::core::{AdminAnswer, AdminOp, TopicImage};
use crate::server::engine::Host;

/// Answers AlterPartitionReassignments.
pub(super) async fn alter(
    host: Rc<Host>,
    version: i16,
    request: AlterPartitionReassignmentsRequest,
) -> AlterPartitionReassignmentsResponse {
    let each = request.topics.into_iter().flat_map(|topic| {
        let name = topic.name.to_string();
        topic.partitions.into_iter().map(move |partition| {
            let replicas = partition.replicas.map(|ids| ids.into_iter().map(|id| id.0).collect());
            (name.clone(), partition.partition_index, replicas)
        })
    });
    let resize = version == 0 || request.allow_replication_factor_change;
    let response =
        AlterPartitionReassignmentsResponse::default().with_allow_replication_factor_change(resize);
    let results = match host.administer(AdminOp::AlterReassignments { wanted: each.collect(), resize }).await
    {
        Ok(AdminAnswer::Partitions(results)) => results,
        Ok(_) => Vec::new(),
        Err(error) => {
            let Fault(code, message) = error.into();
            return response.with_error_code(code).with_error_message(message.map(text));
        }
    };
    let mut topics: Vec<ReassignableTopicResponse> = Vec::new();
    for (topic, partition, result) in results {
        let Fault(code, message) = result.err().map_or(Fault(0, None), Fault::from);
        let result = ReassignablePartitionResponse::default()
            .with_partition_index(partition)
            .with_error_code(code)
            .with_error_message(message.map(text));
        match topics.iter_mut().find(|known| known.name.as_str() == topic) {
            Some(known) => known.partitions.push(result),
            None => topics.push(
                ReassignableTopicResponse::default()
                    .with_name(TopicName(text(topic)))
                    .with_partitions(vec![result]),
            ),
        }
    }
    response.with_responses(topics)
}

/// Answers ListPartitionReassignments: those under way, of the partitions asked for or of all.
pub(super) fn list(
    host: &Rc<Host>,
    request: &ListPartitionReassignmentsRequest,
) -> ListPartitionReassignmentsResponse {
    let image = host.image();
    let ids = |nodes: &[i32]| nodes.iter().copied().map(BrokerId).collect();
    let wanted = |name: &str, partition: i32| {
        request.topics.as_ref().is_none_or(|topics| {
            topics
                .iter()
                .any(|topic| topic.name.as_str() == name && topic.partition_indexes.contains(&partition))
        })
    };
    let ongoing = |(name, topic): (&String, &TopicImage)| {
        let partitions = (0..).zip(&topic.partitions).filter_map(|(at, partition)| {
            let change = partition.reassignment.as_ref().filter(|_| wanted(name, at))?;
            Some(
                OngoingPartitionReassignment::default()
                    .with_partition_index(at)
                    .with_replicas(ids(&partition.replicas))
                    .with_adding_replicas(ids(&change.adding))
                    .with_removing_replicas(ids(&change.removing)),
            )
        });
        let partitions: Vec<_> = partitions.collect();
        (!partitions.is_empty()).then(|| {
            OngoingTopicReassignment::default()
                .with_name(TopicName(text(name.as_str())))
                .with_partitions(partitions)
        })
    };
    ListPartitionReassignmentsResponse::default()
        .with_topics(image.topics.iter().filter_map(ongoing).collect())
}
