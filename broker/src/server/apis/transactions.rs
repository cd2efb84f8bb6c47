//! The APIs of transactions for producers: AddPartitionsToTxn, AddOffsetsToTxn, EndTxn and TxnOffsetCommit; and
//! WriteTxnMarkers, by which a coordinator, or a tool that ends a hanging transaction (KIP-664), has the end of
//! one written.

use std::collections::HashMap;
use std::rc::Rc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use kafka_protocol::messages::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    EndTxnRequest, EndTxnResponse, ProducerId, TopicName, TxnOffsetCommitRequest, TxnOffsetCommitResponse,
    WriteTxnMarkersRequest, WriteTxnMarkersResponse,
};
use wire::frame::Head;
use wire::marker::Marker;

use super::groups::Asker;
use super::{coordinator, named, producer_id, ready};
use crate::core::{
    GroupAnswer, GroupAsk, InternalTopic, MarkerOrder, Place, ProducerEpoch, Refusal, TxnAnswer, TxnAsk,
    TxnRequest,
};
use crate::server::connection::{Answer, Closed};
use crate::server::engine::Host;

/// Before `PRODUCER_FENCED` had a name of its own in an API it was said in other words.
pub(super) fn code(refusal: Refusal, version: i16, named_since: i16) -> i16 {
    match refusal {
        Refusal::ProducerFenced if version < named_since => Refusal::InvalidProducerEpoch.code(),
        refusal => refusal.code(),
    }
}

/// Asks the coordinator of a transactional id, and brings it a producer id if it needs one.
pub(super) async fn ask(
    host: &Rc<Host>,
    transactional_id: &str,
    mut ask: impl FnMut(Option<i64>) -> TxnAsk,
) -> Option<TxnAnswer> {
    let request = |ask| TxnRequest { transactional_id: transactional_id.to_owned(), ask };
    let first = host.ask_transaction(request(ask(None))).await?;
    if first != TxnAnswer::NeedsProducerId {
        return Some(first);
    }
    let Ok(fresh) = producer_id::fresh(host).await else {
        // Retriable, and true enough: ids come when the controller is heard.
        return Some(TxnAnswer::Producer(Err(Refusal::CoordinatorLoadInProgress)));
    };
    host.ask_transaction(request(ask(Some(fresh)))).await
}

/// Answers EndTxn.
pub(super) async fn end(host: Rc<Host>, version: i16, request: EndTxnRequest) -> EndTxnResponse {
    let producer = (request.producer_id.0, request.producer_epoch);
    let committed = request.committed;
    let end = |fresh| TxnAsk::End { producer, committed, bump: version >= 5, fresh };
    let answer = ask(&host, &request.transactional_id, end).await;
    let response = EndTxnResponse::default();
    match answer {
        Some(TxnAnswer::Producer(Ok((id, epoch)))) if version >= 5 => {
            response.with_producer_id(ProducerId(id)).with_producer_epoch(epoch)
        }
        Some(TxnAnswer::Producer(Ok(_))) => response,
        Some(TxnAnswer::Producer(Err(refusal))) => response.with_error_code(code(refusal, version, 2)),
        _ => response.with_error_code(ResponseError::CoordinatorNotAvailable.code()),
    }
}

/// Answers AddOffsetsToTxn: a partition of `__consumer_offsets` becomes part of the transaction.
pub(super) async fn add_offsets(
    host: Rc<Host>,
    version: i16,
    request: AddOffsetsToTxnRequest,
) -> AddOffsetsToTxnResponse {
    let offsets = InternalTopic::ConsumerOffsets;
    coordinator::create_missing(&host, offsets).await;
    let Some(key) = offsets.partition_of(&host.image(), &request.group_id) else {
        let code = ResponseError::CoordinatorNotAvailable.code();
        return AddOffsetsToTxnResponse::default().with_error_code(code);
    };
    let producer = (request.producer_id.0, request.producer_epoch);
    let places = vec![(offsets.name().to_owned(), key.partition)];
    let add = |_| TxnAsk::Add { producer, places: places.clone(), verify_only: false };
    let refusal = match ask(&host, &request.transactional_id, add).await {
        Some(TxnAnswer::Places(results)) => results.into_iter().flatten().next(),
        _ => Some(Refusal::CoordinatorNotAvailable),
    };
    AddOffsetsToTxnResponse::default().with_error_code(refusal.map_or(0, |refusal| code(refusal, version, 2)))
}

/// One transaction of AddPartitionsToTxn.
struct Addition {
    transactional_id: String,
    producer: ProducerEpoch,
    verify_only: bool,
    topics: Vec<AddPartitionsToTxnTopic>,
}

/// Answers AddPartitionsToTxn: of one producer up to version 3, of several from brokers after that.
pub(super) async fn add_partitions(
    host: Rc<Host>,
    version: i16,
    request: AddPartitionsToTxnRequest,
) -> AddPartitionsToTxnResponse {
    if version < 4 {
        let addition = Addition {
            transactional_id: request.v3_and_below_transactional_id.to_string(),
            producer: (request.v3_and_below_producer_id.0, request.v3_and_below_producer_epoch),
            verify_only: false,
            topics: request.v3_and_below_topics,
        };
        let results = add(&host, version, addition).await;
        return AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(results);
    }
    // Every one is asked before any is waited for.
    let additions: Vec<_> = request
        .transactions
        .into_iter()
        .map(|one| {
            let id = one.transactional_id.clone();
            let addition = Addition {
                transactional_id: id.to_string(),
                producer: (one.producer_id.0, one.producer_epoch),
                verify_only: one.verify_only,
                topics: one.topics,
            };
            (id, add(&host, version, addition))
        })
        .collect();
    let mut results = Vec::with_capacity(additions.len());
    for (id, topics) in additions {
        let topics = topics.await;
        let result = AddPartitionsToTxnResult::default().with_transactional_id(id).with_topic_results(topics);
        results.push(result);
    }
    AddPartitionsToTxnResponse::default().with_results_by_transaction(results)
}

/// Asks now, answers later. If a partition does not exist, nothing is done.
fn add(
    host: &Rc<Host>,
    version: i16,
    addition: Addition,
) -> impl Future<Output = Vec<AddPartitionsToTxnTopicResult>> + use<> {
    let Addition { transactional_id, producer, verify_only, topics } = addition;
    let image = host.image();
    let exists = |topic: &TopicName, index: i32| verify_only || named(&image, topic, index).is_some();
    let places: Vec<Place> = topics
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(|index| (topic.name.to_string(), *index)))
        .collect();
    let all =
        |topic: &AddPartitionsToTxnTopic| topic.partitions.iter().all(|index| exists(&topic.name, *index));
    let early: Option<Vec<i16>> = if transactional_id.is_empty() || places.is_empty() {
        Some(vec![ResponseError::InvalidRequest.code(); places.len()])
    } else if !topics.iter().all(all) {
        let code = |topic: &TopicName, index| match exists(topic, index) {
            true => ResponseError::OperationNotAttempted.code(),
            false => ResponseError::UnknownTopicOrPartition.code(),
        };
        let codes =
            topics.iter().flat_map(|topic| topic.partitions.iter().map(|index| code(&topic.name, *index)));
        Some(codes.collect())
    } else {
        None
    };
    let asked = early.is_none().then(|| {
        let ask = TxnAsk::Add { producer, places, verify_only };
        host.ask_transaction(TxnRequest { transactional_id, ask })
    });
    async move {
        let mut codes = match (early, asked) {
            (Some(codes), _) => codes,
            (None, Some(asked)) => match asked.await {
                Some(TxnAnswer::Places(results)) => results
                    .into_iter()
                    .map(|one| one.map_or(0, |refusal| code(refusal, version, 2)))
                    .collect(),
                _ => Vec::new(),
            },
            (None, None) => Vec::new(),
        }
        .into_iter();
        let topics = topics.into_iter().map(|topic| {
            let results = topic.partitions.into_iter().map(|index| {
                let code = codes.next().unwrap_or(ResponseError::CoordinatorNotAvailable.code());
                AddPartitionsToTxnPartitionResult::default()
                    .with_partition_index(index)
                    .with_partition_error_code(code)
            });
            let results = results.collect();
            AddPartitionsToTxnTopicResult::default().with_name(topic.name).with_results_by_partition(results)
        });
        topics.collect()
    }
}

/// Answers TxnOffsetCommit; the core verifies the transaction before the group's coordinator sees it.
///
/// # Errors
/// If the request cannot be read.
pub(super) fn commit_offsets(asker: Asker<'_>) -> Result<Answer, Closed> {
    let mut request: TxnOffsetCommitRequest = asker.head.body()?;
    let asked: Vec<(TopicName, Vec<i32>)> = request
        .topics
        .iter()
        .map(|topic| (topic.name.clone(), topic.partitions.iter().map(|one| one.partition_index).collect()))
        .collect();
    let image = asker.host.image();
    for topic in &mut request.topics {
        let name = topic.name.clone();
        topic.partitions.retain(|one| named(&image, &name, one.partition_index).is_some());
    }
    request.topics.retain(|topic| !topic.partitions.is_empty());
    let respond = move |codes: &HashMap<(TopicName, i32), i16>| {
        let topics = asked.into_iter().map(|(name, partitions)| {
            let partition = |index| {
                let unknown = ResponseError::UnknownTopicOrPartition.code();
                let code = codes.get(&(name.clone(), index)).copied().unwrap_or(unknown);
                TxnOffsetCommitResponsePartition::default().with_partition_index(index).with_error_code(code)
            };
            let partitions = partitions.into_iter().map(partition).collect();
            TxnOffsetCommitResponseTopic::default().with_name(name).with_partitions(partitions)
        });
        TxnOffsetCommitResponse::default().with_topics(topics.collect())
    };
    if request.topics.is_empty() {
        return ready(&asker.head, &respond(&HashMap::new()));
    }
    let group = request.group_id.clone();
    Ok(asker.one(&group, GroupAsk::TxnCommit(request), |_, answer| {
        let GroupAnswer::TxnCommit(response) = answer else { return None };
        let mut codes = HashMap::new();
        for topic in response.topics {
            for one in topic.partitions {
                codes.insert((topic.name.clone(), one.partition_index), one.error_code);
            }
        }
        Some(respond(&codes))
    }))
}

/// Answers WriteTxnMarkers once the markers are committed.
///
/// # Errors
/// If the request cannot be read.
pub(super) fn write_markers(host: &Rc<Host>, head: Head) -> Result<Answer, Closed> {
    let request: WriteTxnMarkersRequest = head.body()?;
    let orders = request.markers.iter().map(|marker| MarkerOrder {
        producer: (marker.producer_id.0, marker.producer_epoch),
        marker: Marker { committed: marker.transaction_result, coordinator_epoch: marker.coordinator_epoch },
        places: marker
            .topics
            .iter()
            .flat_map(|topic| topic.partition_indexes.iter().map(|index| (topic.name.to_string(), *index)))
            .collect(),
    });
    let waiting = host.write_markers(orders.collect());
    Ok(Box::pin(async move {
        let mut results = waiting.await.map_err(|_| Closed::Ending)?.into_iter();
        let markers = request.markers.into_iter().map(|marker| {
            let topics = marker.topics.into_iter().map(|topic| {
                let partitions = topic.partition_indexes.into_iter().map(|index| {
                    let result = results.next().map_or(Err(Refusal::RequestTimedOut), |one| one.result);
                    WritableTxnMarkerPartitionResult::default()
                        .with_partition_index(index)
                        .with_error_code(result.err().map_or(0, Refusal::code))
                });
                WritableTxnMarkerTopicResult::default()
                    .with_name(topic.name)
                    .with_partitions(partitions.collect())
            });
            WritableTxnMarkerResult::default()
                .with_producer_id(marker.producer_id)
                .with_topics(topics.collect())
        });
        let response = WriteTxnMarkersResponse::default().with_markers(markers.collect());
        Ok(Some(head.answer(&response)?))
    }))
}
