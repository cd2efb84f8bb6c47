//! What tools ask to find a hanging transaction (KIP-664): DescribeProducers of a partition's leader,
//! DescribeTransactions of a coordinator, ListTransactions of every broker.

use std::rc::Rc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_producers_response::{
    PartitionResponse, ProducerState, TopicResponse,
};
use kafka_protocol::messages::{
    DescribeProducersRequest, DescribeProducersResponse, DescribeTransactionsRequest,
    DescribeTransactionsResponse, ListTransactionsRequest, ListTransactionsResponse, ProducerId, TopicName,
    TransactionalId, describe_transactions_response, list_transactions_response,
};

use super::{named, text};
use crate::core::{Refusal, TxnAnswer, TxnAsk, TxnRequest, TxnState};
use crate::server::clock;
use crate::server::engine::Host;
use crate::server::errands::by_topic;

/// Answers DescribeProducers.
pub(super) fn producers(host: &Rc<Host>, request: &DescribeProducersRequest) -> DescribeProducersResponse {
    let image = host.image();
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partition_indexes.iter().map(|&index| {
            let response = PartitionResponse::default().with_partition_index(index);
            let found = match named(&image, &topic.name, index) {
                Some(key) => host.with(|engine| engine.core.producers(key)).map_err(Refusal::code),
                None => Err(ResponseError::UnknownTopicOrPartition.code()),
            };
            match found {
                Err(code) => response.with_error_code(code),
                Ok(producers) => {
                    let states = producers.into_iter().map(|one| {
                        ProducerState::default()
                            .with_producer_id(ProducerId(one.producer_id))
                            .with_producer_epoch(one.epoch.into())
                            .with_last_sequence(one.last_sequence)
                            .with_last_timestamp(one.last_timestamp)
                            .with_coordinator_epoch(one.coordinator_epoch)
                            .with_current_txn_start_offset(one.txn_start)
                    });
                    response.with_active_producers(states.collect())
                }
            }
        });
        TopicResponse::default().with_name(topic.name.clone()).with_partitions(partitions.collect())
    });
    DescribeProducersResponse::default().with_topics(topics.collect())
}

/// Answers DescribeTransactions.
pub(super) async fn describe(
    host: Rc<Host>,
    _version: i16,
    request: DescribeTransactionsRequest,
) -> DescribeTransactionsResponse {
    let mut states = Vec::with_capacity(request.transactional_ids.len());
    for id in request.transactional_ids {
        let state = describe_transactions_response::TransactionState::default();
        let asked = TxnRequest { transactional_id: id.to_string(), ask: TxnAsk::Describe };
        let answer = match id.is_empty() {
            true => Err(ResponseError::InvalidRequest.code()),
            false => match host.ask_transaction(asked).await {
                Some(TxnAnswer::Described(described)) => described.map_err(Refusal::code),
                _ => Err(ResponseError::CoordinatorNotAvailable.code()),
            },
        };
        let state = match answer {
            Err(code) => state.with_error_code(code),
            Ok(found) => {
                let topics = by_topic(&found.places).into_iter().map(|(topic, partitions)| {
                    describe_transactions_response::TopicData::default()
                        .with_topic(TopicName(text(topic)))
                        .with_partitions(partitions)
                });
                state
                    .with_transaction_state(text(found.state.to_string()))
                    .with_transaction_timeout_ms(found.timeout_ms)
                    .with_transaction_start_time_ms(found.started_ms)
                    .with_producer_id(ProducerId(found.producer.0))
                    .with_producer_epoch(found.producer.1)
                    .with_topics(topics.collect())
            }
        };
        states.push(state.with_transactional_id(id));
    }
    DescribeTransactionsResponse::default().with_transaction_states(states)
}

/// Answers ListTransactions: those that this broker coordinates.
pub(super) fn list(
    host: &Rc<Host>,
    version: i16,
    request: &ListTransactionsRequest,
) -> ListTransactionsResponse {
    let (found, loading) = host.with(|engine| engine.core.transactions());
    if loading {
        let code = ResponseError::CoordinatorLoadInProgress.code();
        return ListTransactionsResponse::default().with_error_code(code);
    }
    let known = |name: &str| TxnState::ALL.iter().any(|state| state.to_string() == name);
    let unknown = request.state_filters.iter().filter(|name| !known(name)).cloned().collect();
    // No filter means all; only unknown names mean none.
    let in_state = |state: TxnState| {
        let name = state.to_string();
        request.state_filters.is_empty() || request.state_filters.iter().any(|one| one.as_str() == name)
    };
    let of_producer = |id: i64| {
        request.producer_id_filters.is_empty() || request.producer_id_filters.contains(&ProducerId(id))
    };
    let now_ms = host.with(|engine| engine.core.config().wall_offset_ms) + clock::millis().cast_signed();
    let lasts = |started_ms: i64| {
        let least = if version >= 1 { request.duration_filter } else { -1 };
        least < 0 || started_ms >= 0 && now_ms - started_ms > least
    };
    let states = found
        .into_iter()
        .filter(|one| in_state(one.state) && of_producer(one.producer_id) && lasts(one.started_ms))
        .map(|one| {
            list_transactions_response::TransactionState::default()
                .with_transactional_id(TransactionalId(text(one.transactional_id)))
                .with_producer_id(ProducerId(one.producer_id))
                .with_transaction_state(text(one.state.to_string()))
        });
    ListTransactionsResponse::default()
        .with_unknown_state_filters(unknown)
        .with_transaction_states(states.collect())
}
