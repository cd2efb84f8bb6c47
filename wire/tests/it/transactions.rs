//! Samples of requests for [`super::frames`]: transactions.

use bytes::Bytes;
use kafka_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;
use wire::frame::{FrameError, Head};

use crate::frames::{body, framed};

fn name() -> TopicName {
    TopicName(StrBytes::from_static_str("orders"))
}

/// An honest request, with something in every list; `None` if it is not about transactions.
pub(crate) fn sample(key: ApiKey, version: i16) -> Option<Bytes> {
    let text = StrBytes::from_static_str;
    Some(match key {
        ApiKey::AddPartitionsToTxn => {
            let topic = AddPartitionsToTxnTopic::default().with_name(name()).with_partitions(vec![0, 1]);
            let request = AddPartitionsToTxnRequest::default();
            let request = if version < 4 {
                request.with_v3_and_below_topics(vec![topic.clone(), topic])
            } else {
                let one = AddPartitionsToTxnTransaction::default().with_topics(vec![topic]);
                request.with_transactions(vec![one.clone(), one])
            };
            framed(version, request)
        }
        ApiKey::AddOffsetsToTxn => framed(version, AddOffsetsToTxnRequest::default()),
        ApiKey::EndTxn => framed(version, EndTxnRequest::default()),
        ApiKey::WriteTxnMarkers => {
            let topic =
                WritableTxnMarkerTopic::default().with_name(name()).with_partition_indexes(vec![0, 1]);
            let marker = WritableTxnMarker::default().with_topics(vec![topic]);
            framed(version, WriteTxnMarkersRequest::default().with_markers(vec![marker.clone(), marker]))
        }
        ApiKey::TxnOffsetCommit => {
            let partition = TxnOffsetCommitRequestPartition::default();
            let topic = TxnOffsetCommitRequestTopic::default()
                .with_name(name())
                .with_partitions(vec![partition.clone(), partition]);
            framed(version, TxnOffsetCommitRequest::default().with_topics(vec![topic]))
        }
        ApiKey::DescribeProducers => {
            let topic = TopicRequest::default().with_name(name()).with_partition_indexes(vec![0, 1]);
            framed(version, DescribeProducersRequest::default().with_topics(vec![topic]))
        }
        ApiKey::DescribeTransactions => {
            let ids = vec![TransactionalId(text("a")), TransactionalId(text("b"))];
            framed(version, DescribeTransactionsRequest::default().with_transactional_ids(ids))
        }
        ApiKey::ListTransactions => {
            let request = ListTransactionsRequest::default()
                .with_state_filters(vec![text("Empty"), text("Ongoing")])
                .with_producer_id_filters(vec![ProducerId(1), ProducerId(2)]);
            framed(version, request)
        }
        _ => return None,
    })
}

/// Decodes as the broker does; `None` if it is not about transactions.
pub(crate) fn decode(key: ApiKey, head: &Head) -> Option<Result<(ApiKey, i16, Bytes), FrameError>> {
    Some(match key {
        ApiKey::AddPartitionsToTxn => body::<AddPartitionsToTxnRequest>(head),
        ApiKey::AddOffsetsToTxn => body::<AddOffsetsToTxnRequest>(head),
        ApiKey::EndTxn => body::<EndTxnRequest>(head),
        ApiKey::WriteTxnMarkers => body::<WriteTxnMarkersRequest>(head),
        ApiKey::TxnOffsetCommit => body::<TxnOffsetCommitRequest>(head),
        ApiKey::DescribeProducers => body::<DescribeProducersRequest>(head),
        ApiKey::DescribeTransactions => body::<DescribeTransactionsRequest>(head),
        ApiKey::ListTransactions => body::<ListTransactionsRequest>(head),
        _ => return None,
    })
}
