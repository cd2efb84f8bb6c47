//! Fetch, by consumers and by replicas: topics by name up to version 12, by id from 13 on. Sessions (KIP-227)
//! are declined: session id 0 means every fetch is a full one.

use std::rc::Rc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::ProducerId;
use kafka_protocol::messages::fetch_request::FetchRequest;
use kafka_protocol::messages::fetch_response::{
    AbortedTransaction, EpochEndOffset, FetchResponse, FetchableTopicResponse, PartitionData,
};
use wire::frame::Head;

use super::named;
use crate::core::{
    self, ClusterImage, FetchPartition, FetchResult, PartitionKey, Reader, ReplicaIdentity, Uuid,
};
use crate::server::connection::{Answer, Closed};
use crate::server::engine::Host;

/// The isolation level that stops at the last stable offset.
pub(super) const READ_COMMITTED: i8 = 1;
use crate::server::limits;

/// Fetches, and answers when there is enough or time is up.
///
/// # Errors
/// If the request cannot be read.
pub(super) fn handle(host: &Rc<Host>, head: Head) -> Result<Answer, Closed> {
    let request: FetchRequest = head.body()?;
    let by_id = head.version >= 13;
    let image = host.image();
    let mut wanted = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let mut slots = Vec::with_capacity(topic.partitions.len());
        for fetch in &topic.partitions {
            let key = if by_id {
                identified(&image, Uuid(topic.topic_id.into_bytes()), fetch.partition)
            } else {
                named(&image, &topic.topic, fetch.partition).ok_or(ResponseError::UnknownTopicOrPartition)
            };
            let slot = key.map(|key| {
                wanted.push(FetchPartition {
                    key,
                    fetch_offset: fetch.fetch_offset,
                    current_leader_epoch: fetch.current_leader_epoch,
                    last_fetched_epoch: fetch.last_fetched_epoch,
                    max_bytes: u32::try_from(fetch.partition_max_bytes).unwrap_or(0),
                    log_start: fetch.log_start_offset,
                });
                wanted.len() - 1
            });
            slots.push((fetch.partition, slot));
        }
        topics.push((topic.topic.clone(), topic.topic_id, slots));
    }
    // An error is news: it must not wait for bytes. And nothing comes of waiting for nothing.
    let wrong = topics.iter().any(|(_, _, slots)| slots.iter().any(|(_, slot)| slot.is_err()));
    let max_wait_ms = if wrong { 0 } else { u64::try_from(request.max_wait_ms).unwrap_or(0) };
    let reader = match replica(&request) {
        Some(replica) => Reader::Replica(replica),
        None if request.isolation_level == READ_COMMITTED => Reader::Committed,
        None => Reader::Uncommitted,
    };
    let waiting = (!wanted.is_empty()).then(|| {
        host.fetch(core::FetchRequest {
            reader,
            max_wait_ms,
            min_bytes: u32::try_from(request.min_bytes).unwrap_or(0),
            max_bytes: u32::try_from(request.max_bytes).unwrap_or(0).min(limits::FETCH_BYTES),
            partitions: wanted,
        })
    });
    Ok(Box::pin(async move {
        let mut results = match waiting {
            Some(waiting) => waiting.answer().await.ok_or(Closed::Ending)?,
            None => Vec::new(),
        };
        let responses = topics.into_iter().map(|(name, id, slots)| {
            let partitions = slots.into_iter().map(|(index, slot)| {
                let data = match slot {
                    Ok(at) => {
                        let (result, bytes) = &mut results[at];
                        answer(result, std::mem::take(bytes), by_id, reader)
                    }
                    Err(error) => PartitionData::default()
                        .with_error_code(error.code())
                        .with_high_watermark(-1)
                        .with_records(Some(Bytes::new())),
                };
                data.with_partition_index(index)
            });
            let partitions = partitions.collect();
            FetchableTopicResponse::default().with_topic(name).with_topic_id(id).with_partitions(partitions)
        });
        let response = FetchResponse::default().with_responses(responses.collect());
        Ok(Some(head.answer(&response)?))
    }))
}

/// Who fetches: version 15 moved the replica id into a tagged field and gave it the broker epoch (KIP-903).
fn replica(request: &FetchRequest) -> Option<ReplicaIdentity> {
    let state = &request.replica_state;
    let (node, broker_epoch) = match state.replica_id.0 {
        id if id >= 0 => (id, state.replica_epoch),
        _ => (request.replica_id.0, -1),
    };
    (node >= 0).then_some(ReplicaIdentity { node, broker_epoch })
}

pub(super) fn identified(
    image: &ClusterImage,
    topic: Uuid,
    partition: i32,
) -> Result<PartitionKey, ResponseError> {
    let key = PartitionKey { topic, partition };
    match (image.topic(topic), image.partition(key)) {
        (_, Some(_)) => Ok(key),
        (Some(_), None) => Err(ResponseError::UnknownTopicOrPartition),
        (None, None) => Err(ResponseError::UnknownTopicId),
    }
}

fn answer(result: &FetchResult, bytes: Bytes, by_id: bool, reader: Reader) -> PartitionData {
    let code = result.error.map_or(0, |refusal| match refusal {
        // A topic deleted while the fetch waited; older versions have no word for it.
        core::Refusal::UnknownTopicId if !by_id => ResponseError::UnknownTopicOrPartition.code(),
        refusal => refusal.code(),
    });
    let mut data = PartitionData::default()
        .with_error_code(code)
        .with_high_watermark(result.high_watermark)
        .with_last_stable_offset(result.last_stable)
        .with_log_start_offset(result.log_start)
        .with_records(Some(bytes));
    // Null for those who read everything.
    let aborted = result.aborted.iter().map(|one| {
        AbortedTransaction::default()
            .with_producer_id(ProducerId(one.producer_id))
            .with_first_offset(one.first_offset)
    });
    data.aborted_transactions = (reader == Reader::Committed).then(|| aborted.collect());
    if let Some(diverging) = result.diverging {
        data.diverging_epoch =
            EpochEndOffset::default().with_epoch(diverging.epoch).with_end_offset(diverging.end_offset);
    }
    data
}
