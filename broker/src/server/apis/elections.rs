//! ElectLeaders (KIP-183, KIP-460): the preferred leader, or any live one at all.

use std::rc::Rc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use kafka_protocol::messages::{ElectLeadersRequest, ElectLeadersResponse, TopicName};

use super::{Fault, text};
use crate::core::{AdminAnswer, AdminOp};
use crate::server::engine::Host;

const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

/// Answers ElectLeaders.
pub(super) async fn elect(
    host: Rc<Host>,
    version: i16,
    request: ElectLeadersRequest,
) -> ElectLeadersResponse {
    // Version 0 knows preferred leaders alone.
    let kind = if version == 0 { PREFERRED } else { request.election_type };
    if !matches!(kind, PREFERRED | UNCLEAN) {
        return ElectLeadersResponse::default().with_error_code(ResponseError::InvalidRequest.code());
    }
    let partitions = request.topic_partitions.map(|topics| {
        let each = topics.into_iter().flat_map(|topic| {
            let name = topic.topic.to_string();
            topic.partitions.into_iter().map(move |partition| (name.clone(), partition))
        });
        each.collect::<Vec<_>>()
    });
    let op = AdminOp::ElectLeaders { unclean: kind == UNCLEAN, partitions };
    let results = match host.administer(op).await {
        Ok(AdminAnswer::Partitions(results)) => results,
        Ok(_) => Vec::new(),
        Err(error) => {
            let Fault(code, _) = error.into();
            return ElectLeadersResponse::default().with_error_code(code);
        }
    };
    let mut topics: Vec<ReplicaElectionResult> = Vec::new();
    for (topic, partition, result) in results {
        let Fault(code, message) = result.err().map_or(Fault(0, None), Fault::from);
        let result = PartitionResult::default()
            .with_partition_id(partition)
            .with_error_code(code)
            .with_error_message(message.map(text));
        match topics.iter_mut().find(|known| known.topic.as_str() == topic) {
            Some(known) => known.partition_result.push(result),
            None => topics.push(
                ReplicaElectionResult::default()
                    .with_topic(TopicName(text(topic)))
                    .with_partition_result(vec![result]),
            ),
        }
    }
    ElectLeadersResponse::default().with_replica_election_results(topics)
}
