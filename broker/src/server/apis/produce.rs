//! Produce: one batch a partition, whose frame is checked here and whose records in the core's `validation`.

use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::produce_request::ProduceRequest;
use kafka_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};
use kafka_protocol::protocol::StrBytes;
use wire::batch::{BatchError, Header};
use wire::frame::Head;

use super::fetch::identified;
use super::named;
use crate::core::{
    InternalTopic, PartitionKey, ProducePartition, ProduceResult, RecordFault, RecordPolicy, Refusal,
    TxnManner, Uuid, Validated, validate,
};
use crate::server::clock;
use crate::server::connection::{Answer, Closed};
use crate::server::engine::Host;

/// Records that are named in an answer, at most: the others are to blame in the same way.
const FAULTS_TOLD: usize = 1_000;

/// Kafka's number of the codec.
const ZSTD: i16 = 4;

/// Appends, and answers when the acks asked for are there.
///
/// # Errors
/// If the request cannot be read.
pub(super) fn handle(host: &Rc<Host>, head: Head) -> Result<Answer, Closed> {
    let request: ProduceRequest = head.body()?;
    let acks = request.acks;
    let by_id = head.version >= 13;
    let image = host.image();
    let mut accepted: Vec<ProducePartition> = Vec::new();
    // For each of them what is wrong with single records.
    let mut faults: Vec<Vec<RecordFault>> = Vec::new();
    let mut seen = HashSet::new();
    // An error code, or the place in what is handed to the core.
    let mut topics = Vec::with_capacity(request.topic_data.len());
    // Apache Kafka, `AdminUtils.ADMIN_CLIENT_ID`: the one name that may write to internal topics.
    let administers = head.client == "__admin_client";
    for topic in request.topic_data {
        let mut slots = Vec::with_capacity(topic.partition_data.len());
        let id = Uuid(topic.topic_id.into_bytes());
        let name = if by_id { image.topic(id).map_or("", |(name, _)| name) } else { topic.name.as_str() };
        let forbidden = !administers && InternalTopic::named(name).is_some();
        for data in topic.partition_data {
            let key = if by_id {
                identified(&image, id, data.index)
            } else {
                named(&image, &topic.name, data.index).ok_or(ResponseError::UnknownTopicOrPartition)
            };
            let slot = match key {
                Err(error) => Err(error),
                Ok(_) if forbidden => Err(ResponseError::InvalidTopicException),
                Ok(key) if !seen.insert(key) => Err(ResponseError::InvalidRequest),
                Ok(key) => framed(data.records, head.version).map(|(header, bytes)| {
                    let none = BTreeMap::new();
                    let configs = image.topic(key.topic).map_or(&none, |(_, topic)| &topic.configs);
                    let (partition, at_fault) = checked(host, key, configs, &header, bytes);
                    accepted.push(partition);
                    faults.push(at_fault);
                    accepted.len() - 1
                }),
            };
            slots.push((data.index, slot));
        }
        topics.push((topic.name, topic.topic_id, slots));
    }
    let timeout_ms = u64::try_from(request.timeout_ms).unwrap_or(0);
    let implicit = host.settings.number("transaction.version") >= 2;
    let manner = match head.version {
        12.. if implicit => TxnManner::Implicit,
        11.. => TxnManner::Abortable,
        _ => TxnManner::Plain,
    };
    let transaction = request.transactional_id.map(|id| (id.to_string(), manner));
    let waiting = (!accepted.is_empty()).then(|| host.produce(acks, timeout_ms, transaction, accepted));
    Ok(Box::pin(async move {
        let results = match waiting {
            Some(waiting) => waiting.await.map_err(|_| Closed::Ending)?,
            None => Vec::new(),
        };
        let mut failed = false;
        let responses = topics.into_iter().map(|(name, id, slots)| {
            let partitions = slots.into_iter().map(|(index, slot)| {
                let response = match slot {
                    Ok(at) => answer(&results[at], &faults[at]),
                    Err(error) => {
                        PartitionProduceResponse::default().with_error_code(error.code()).with_base_offset(-1)
                    }
                };
                failed |= response.error_code != 0;
                response.with_index(index)
            });
            TopicProduceResponse::default()
                .with_name(name)
                .with_topic_id(id)
                .with_partition_responses(partitions.collect())
        });
        let response = ProduceResponse::default().with_responses(responses.collect());
        match acks {
            0 if failed => Err(Closed::Unacknowledged),
            0 => Ok(None),
            _ => Ok(Some(head.answer(&response)?)),
        }
    }))
}

fn answer(result: &ProduceResult, faults: &[RecordFault]) -> PartitionProduceResponse {
    let (code, base) = match result.result {
        Ok(base) => (0, base),
        Err(refusal) => (refusal.code(), -1),
    };
    // The log may have had a stronger reason than its records.
    let told = matches!(result.result, Err(Refusal::InvalidRecord | Refusal::InvalidTimestamp));
    let faults = if told { faults } else { &[] };
    let each = faults.iter().map(|fault| {
        let reason = StrBytes::from_static_str(fault.reason);
        let error = BatchIndexAndErrorMessage::default().with_batch_index(fault.index);
        error.with_batch_index_error_message(Some(reason))
    });
    let message = faults.first().map(|first| {
        let (count, index, reason) = (faults.len(), first.index, first.reason);
        StrBytes::from_string(format!("{count} records refused, first of all record {index}: {reason}"))
    });
    PartitionProduceResponse::default()
        .with_record_errors(each.take(FAULTS_TOLD).collect())
        .with_error_message(message)
        .with_error_code(code)
        .with_base_offset(base)
        .with_log_append_time_ms(result.stamped_ms)
        .with_log_start_offset(result.log_start)
}

/// A produce request of version 3 and later carries exactly one v2 batch a partition (Apache Kafka,
/// `ProduceRequest.validateRecords`); the log looks at its checksum next.
fn framed(records: Option<Bytes>, version: i16) -> Result<(Header, Bytes), ResponseError> {
    let bytes = records.filter(|bytes| !bytes.is_empty()).ok_or(ResponseError::InvalidRecord)?;
    let header = match Header::check(&bytes) {
        Ok(header) => header,
        // How many records it has is a matter of what is in it.
        Err(BatchError::Count { .. }) => Header::parse(&bytes).map_err(|_| ResponseError::InvalidRecord)?,
        Err(BatchError::Crc { .. }) => return Err(ResponseError::CorruptMessage),
        Err(BatchError::Magic(_) | BatchError::Torn { .. } | BatchError::Length(_)) => {
            return Err(ResponseError::InvalidRecord);
        }
    };
    if header.compression() == ZSTD && version < 7 {
        // KIP-110
        return Err(ResponseError::UnsupportedCompressionType);
    }
    if header.size == bytes.len() { Ok((header, bytes)) } else { Err(ResponseError::InvalidRecord) }
}

fn checked(
    host: &Host,
    key: PartitionKey,
    configs: &BTreeMap<String, String>,
    header: &Header,
    bytes: Bytes,
) -> (ProducePartition, Vec<RecordFault>) {
    let (policy, wall_ms) = host.with(|engine| {
        (RecordPolicy::of(engine.core.settings(), configs), engine.core.wall_ms(clock::millis()))
    });
    let Validated { batch, refusal, faults, stamped_ms } = validate(header, bytes, &policy, wall_ms);
    (ProducePartition { key, batch, refusal, stamped_ms }, faults)
}
