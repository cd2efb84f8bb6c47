//! CreatePartitions: a topic gets more of them, placed by the controller or by hand.

use std::collections::HashSet;
use std::rc::Rc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};

use super::{Fault, text};
use crate::core::AdminOp;
use crate::server::engine::Host;

/// Answers CreatePartitions.
pub(super) async fn create(
    host: Rc<Host>,
    _version: i16,
    request: CreatePartitionsRequest,
) -> CreatePartitionsResponse {
    let mut seen = HashSet::new();
    let names = request.topics.iter().map(|topic| &topic.name);
    let twice: HashSet<_> = names.filter(|name| !seen.insert((*name).clone())).cloned().collect();
    let mut results: Vec<CreatePartitionsTopicResult> = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let outcome = match twice.contains(&topic.name) {
            true if results.iter().any(|result| result.name == topic.name) => continue,
            true => Err(Fault::of(ResponseError::InvalidRequest, "duplicate topic name")),
            false => create_for(&host, topic, request.validate_only).await,
        };
        let Fault(code, message) = outcome.err().unwrap_or(Fault(0, None));
        results.push(
            CreatePartitionsTopicResult::default()
                .with_name(topic.name.clone())
                .with_error_code(code)
                .with_error_message(message.map(text)),
        );
    }
    CreatePartitionsResponse::default().with_results(results)
}

async fn create_for(
    host: &Rc<Host>,
    topic: &CreatePartitionsTopic,
    validate_only: bool,
) -> Result<(), Fault> {
    let chosen = |assignments: &Vec<
        kafka_protocol::messages::create_partitions_request::CreatePartitionsAssignment,
    >| {
        let brokers = assignments.iter().map(|one| one.broker_ids.iter().map(|broker| broker.0).collect());
        brokers.collect::<Vec<Vec<i32>>>()
    };
    let op = AdminOp::CreatePartitions {
        name: topic.name.to_string(),
        count: topic.count,
        assignments: topic.assignments.as_ref().map(chosen),
        validate_only,
    };
    host.administer(op).await?;
    Ok(())
}
