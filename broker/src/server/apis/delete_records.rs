//! DeleteRecords (KIP-107): the log starts later, on every live replica before the answer leaves.

use std::rc::Rc;
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use kafka_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse, TopicName};
use tokio::time::{Instant, sleep};

use super::named;
use crate::core::{Input, PartitionKey};
use crate::server::engine::Host;

/// How often the replicas are looked at.
const LOOK: Duration = Duration::from_millis(5);

/// Answers DeleteRecords.
pub(super) async fn delete(
    host: Rc<Host>,
    _version: i16,
    request: DeleteRecordsRequest,
) -> DeleteRecordsResponse {
    let timeout = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
    let deadline = Instant::now() + timeout;
    // All are started before any is waited for.
    let mut started = Vec::new();
    for topic in request.topics {
        let each = topic.partitions.iter().map(|partition| {
            (
                partition.partition_index,
                start(&host, &topic.name, partition.partition_index, partition.offset),
            )
        });
        let each: Vec<_> = each.collect();
        started.push((topic.name, each));
    }
    let mut topics = Vec::with_capacity(started.len());
    for (name, partitions) in started {
        let mut results = Vec::with_capacity(partitions.len());
        for (index, outcome) in partitions {
            let outcome = match outcome {
                Ok((key, before)) => replicated(&host, key, before, deadline).await,
                Err(code) => Err(code),
            };
            let result = DeleteRecordsPartitionResult::default().with_partition_index(index);
            results.push(match outcome {
                Ok(low) => result.with_low_watermark(low),
                Err(code) => result.with_low_watermark(-1).with_error_code(code),
            });
        }
        topics.push(DeleteRecordsTopicResult::default().with_name(name).with_partitions(results));
    }
    DeleteRecordsResponse::default().with_topics(topics)
}

/// Raises the start of the log here; up to where.
fn start(
    host: &Rc<Host>,
    topic: &TopicName,
    partition: i32,
    offset: i64,
) -> Result<(PartitionKey, i64), i16> {
    let image = host.image();
    let key = named(&image, topic, partition).ok_or(ResponseError::UnknownTopicOrPartition.code())?;
    let configs = image.topics.get(topic.as_str()).map(|topic| &topic.configs);
    let compacted =
        configs.is_some_and(|configs| !host.settings_now().topic_has(configs, "cleanup.policy", "delete"));
    if compacted {
        return Err(ResponseError::PolicyViolation.code());
    }
    let before =
        host.with(|engine| engine.core.deletable(key, offset)).map_err(crate::core::Refusal::code)?;
    host.step(Input::DeleteRecords { key, before });
    Ok((key, before))
}

/// Waits until every live replica's log starts there.
async fn replicated(host: &Rc<Host>, key: PartitionKey, before: i64, deadline: Instant) -> Result<i64, i16> {
    loop {
        let low = host.with(|engine| engine.core.low_watermark(key)).map_err(crate::core::Refusal::code)?;
        if low >= before {
            return Ok(low);
        }
        if Instant::now() >= deadline {
            return Err(ResponseError::RequestTimedOut.code());
        }
        sleep(LOOK).await;
    }
}
