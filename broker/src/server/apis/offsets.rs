//! ListOffsets and OffsetForLeaderEpoch: where a log starts and ends, what was when, where an epoch ended.

use std::rc::Rc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::list_offsets_request::ListOffsetsPartition;
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use kafka_protocol::messages::{
    ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
    TopicName,
};

use super::fetch::READ_COMMITTED;
use super::named;
use crate::server::engine::{Engine, Host};
use crate::server::storage::Stored;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;

/// Answers ListOffsets: up to the high watermark, or to the last stable offset under read_committed.
pub(super) fn list(host: &Rc<Host>, version: i16, request: &ListOffsetsRequest) -> ListOffsetsResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| {
            let response =
                ListOffsetsPartitionResponse::default().with_partition_index(asked.partition_index);
            match host.with(|engine| find(engine, &topic.name, asked, request.isolation_level)) {
                Err(code) => response.with_error_code(code).with_offset(-1).with_timestamp(-1),
                Ok(found) => {
                    let response = response.with_offset(found.offset).with_timestamp(found.timestamp);
                    // Before version 4 there is no word for it.
                    if version >= 4 { response.with_leader_epoch(found.leader_epoch) } else { response }
                }
            }
        });
        ListOffsetsTopicResponse::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    ListOffsetsResponse::default().with_topics(topics.collect())
}

fn find(
    engine: &Engine,
    topic: &TopicName,
    asked: &ListOffsetsPartition,
    isolation_level: i8,
) -> Result<Stored, i16> {
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    let key = named(engine.core.image(), topic, asked.partition_index).ok_or(unknown)?;
    let offsets = engine.core.offsets(key, asked.current_leader_epoch).map_err(crate::core::Refusal::code)?;
    let storage = ResponseError::KafkaStorageError.code();
    let log = engine.logs.log(key).map_err(|_| storage)?;
    let at = |offset, leader_epoch| Stored { offset, timestamp: -1, leader_epoch };
    // Where the end is not known yet, everything but the start is not available (KIP-207).
    let latest = offsets.latest.map_err(crate::core::Refusal::code);
    let latest = match isolation_level {
        READ_COMMITTED => latest.map(|_| offsets.last_stable),
        _ => latest,
    };
    match asked.timestamp {
        EARLIEST | EARLIEST_LOCAL => {
            Ok(at(offsets.log_start, log.epoch_at(offsets.log_start).unwrap_or(offsets.leader_epoch)))
        }
        LATEST => Ok(at(latest?, offsets.leader_epoch)),
        MAX_TIMESTAMP => {
            Ok(log.find_latest(offsets.log_start, latest?).map_err(|_| storage)?.unwrap_or(at(-1, -1)))
        }
        time if time >= 0 => {
            let end = latest?;
            let found = log.find_time(time, offsets.log_start, end).map_err(|_| storage)?;
            let inside = |found: &Stored| (offsets.log_start..end).contains(&found.offset);
            Ok(found.filter(inside).unwrap_or(at(-1, -1)))
        }
        _ => Err(ResponseError::UnsupportedVersion.code()),
    }
}

/// Answers OffsetForLeaderEpoch (KIP-101, KIP-279, and KIP-320 for consumers).
pub(super) fn of_epochs(
    host: &Rc<Host>,
    request: &OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| {
            let answer = host.with(|engine| {
                let unknown = ResponseError::UnknownTopicOrPartition.code();
                let key = named(engine.core.image(), &topic.topic, asked.partition).ok_or(unknown)?;
                engine
                    .core
                    .end_offset_for_epoch(key, asked.current_leader_epoch, asked.leader_epoch)
                    .map_err(crate::core::Refusal::code)
            });
            let response = EpochEndOffset::default().with_partition(asked.partition);
            match answer {
                Ok(end) => response.with_leader_epoch(end.epoch).with_end_offset(end.end_offset),
                Err(code) => response.with_error_code(code),
            }
        });
        OffsetForLeaderTopicResult::default()
            .with_topic(topic.topic.clone())
            .with_partitions(partitions.collect())
    });
    OffsetForLeaderEpochResponse::default().with_topics(topics.collect())
}
