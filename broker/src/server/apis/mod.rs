//! The served APIs: from a decoded request to what the core is asked, and from its answer to a response.

mod acls;
mod alter_configs;
mod cluster;
mod configs;
mod coordinator;
mod delete_records;
mod delete_topics;
mod describe_topics;
mod elections;
mod fetch;
mod group_offsets;
mod groups;
mod log_dirs;
mod offsets;
mod partitions;
mod produce;
mod producer_id;
mod reassignments;
mod topics;
mod transaction_views;
mod transactions;

use std::net::IpAddr;
use std::rc::Rc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::api_versions_response::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey};
use kafka_protocol::messages::{ApiKey, ApiVersionsResponse, TopicName};
use kafka_protocol::protocol::{Encodable, HeaderVersion, Request, StrBytes};
use wire::frame::Head;
use wire::schema;

use super::connection::{Answer, Closed};
use super::engine::{Host, Unanswered};
use crate::core::{ClusterImage, PartitionKey, Refusal};

/// Starts a request. What it does to the logs happens now; what it waits for, in the answer.
///
/// # Errors
/// If the connection must be closed.
pub(super) fn handle(host: &Rc<Host>, peer: IpAddr, head: Head) -> Result<Answer, Closed> {
    match head.key {
        ApiKey::Produce => produce::handle(host, head),
        ApiKey::Fetch => fetch::handle(host, head),
        ApiKey::ApiVersions => ready(&head, &versions(host, &head)),
        ApiKey::ListOffsets => ready(&head, &offsets::list(host, head.version, &head.body()?)),
        ApiKey::OffsetForLeaderEpoch => ready(&head, &offsets::of_epochs(host, &head.body()?)),
        ApiKey::DescribeConfigs => ready(&head, &configs::describe(host, &head.body()?)),
        ApiKey::DescribeCluster => ready(&head, &cluster::describe(host, &head.body()?)),
        ApiKey::Metadata => later(host, head, cluster::metadata),
        ApiKey::CreateTopics => later(host, head, topics::create),
        ApiKey::DeleteTopics => later(host, head, delete_topics::delete),
        ApiKey::CreatePartitions => later(host, head, partitions::create),
        ApiKey::AlterConfigs => later(host, head, alter_configs::replace),
        ApiKey::IncrementalAlterConfigs => later(host, head, alter_configs::change),
        ApiKey::ElectLeaders => later(host, head, elections::elect),
        ApiKey::AlterPartitionReassignments => later(host, head, reassignments::alter),
        ApiKey::ListPartitionReassignments => ready(&head, &reassignments::list(host, &head.body()?)),
        ApiKey::DeleteRecords => later(host, head, delete_records::delete),
        ApiKey::DescribeLogDirs => ready(&head, &log_dirs::describe(host, &head.body()?)),
        ApiKey::DescribeTopicPartitions => ready(&head, &describe_topics::describe(host, &head.body()?)),
        ApiKey::DescribeAcls => ready(&head, &acls::describe()),
        ApiKey::CreateAcls => ready(&head, &acls::create(&head.body()?)),
        ApiKey::DeleteAcls => ready(&head, &acls::delete(&head.body()?)),
        ApiKey::FindCoordinator => later(host, head, coordinator::find),
        ApiKey::InitProducerId => later(host, head, producer_id::init),
        ApiKey::AddPartitionsToTxn => later(host, head, transactions::add_partitions),
        ApiKey::AddOffsetsToTxn => later(host, head, transactions::add_offsets),
        ApiKey::EndTxn => later(host, head, transactions::end),
        ApiKey::TxnOffsetCommit => transactions::commit_offsets(groups::Asker { host, peer, head }),
        ApiKey::WriteTxnMarkers => transactions::write_markers(host, head),
        ApiKey::DescribeProducers => ready(&head, &transaction_views::producers(host, &head.body()?)),
        ApiKey::DescribeTransactions => later(host, head, transaction_views::describe),
        ApiKey::ListTransactions => ready(&head, &transaction_views::list(host, head.version, &head.body()?)),
        _ => groups::handle(host, peer, head),
    }
}

/// An answer that is there already.
fn ready<R: Encodable + HeaderVersion>(head: &Head, response: &R) -> Result<Answer, Closed> {
    let bytes = head.answer(response)?;
    Ok(Box::pin(std::future::ready(Ok(Some(bytes)))))
}

/// An answer that asks the controller first.
fn later<Q, F>(host: &Rc<Host>, head: Head, work: fn(Rc<Host>, i16, Q) -> F) -> Result<Answer, Closed>
where
    Q: Request,
    F: Future<Output = Q::Response> + 'static,
{
    let request: Q = head.body()?;
    let work = work(Rc::clone(host), head.version, request);
    Ok(Box::pin(async move { Ok(Some(head.answer(&work.await)?)) }))
}

/// Advertises what [`schema::APIS`] lists, and nothing else: no telemetry. Under transaction version 1 no version
/// that speaks of version 2, so that a client which does not look at features cannot take it for granted.
fn versions(host: &Rc<Host>, head: &Head) -> ApiVersionsResponse {
    let error = if head.is_unknown_version() { ResponseError::UnsupportedVersion.code() } else { 0 };
    let level = host.settings.number("transaction.version");
    let level = i16::try_from(level).unwrap_or(1);
    let keys = schema::APIS.iter().map(|api| {
        let most = match api.key {
            ApiKey::Produce if level < 2 => 11,
            ApiKey::AddPartitionsToTxn
            | ApiKey::AddOffsetsToTxn
            | ApiKey::EndTxn
            | ApiKey::TxnOffsetCommit
                if level < 2 =>
            {
                3
            }
            _ => api.max,
        };
        ApiVersion::default()
            .with_api_key(api.key as i16)
            .with_min_version(api.advertised_min())
            .with_max_version(most)
    });
    let response = ApiVersionsResponse::default().with_error_code(error).with_api_keys(keys.collect());
    if head.version < 3 || head.is_unknown_version() {
        return response;
    }
    // Version 1 of groups is the protocol of KIP-848.
    let mut features = vec![("group.version", 1)];
    features.extend((level >= 2).then_some(("transaction.version", level)));
    let supported = |&(name, level): &(&str, i16)| {
        SupportedFeatureKey::default().with_name(text(name)).with_min_version(0).with_max_version(level)
    };
    let finalized = |&(name, level): &(&str, i16)| {
        FinalizedFeatureKey::default()
            .with_name(text(name))
            .with_min_version_level(level)
            .with_max_version_level(level)
    };
    response
        .with_supported_features(features.iter().map(supported).collect())
        .with_finalized_features_epoch(1)
        .with_finalized_features(features.iter().map(finalized).collect())
}

/// The partition of a topic name, if the metadata has it.
fn named(image: &ClusterImage, topic: &TopicName, partition: i32) -> Option<PartitionKey> {
    let topic = image.topics.get(topic.as_str())?;
    let index = usize::try_from(partition).ok()?;
    topic.partitions.get(index).map(|_| PartitionKey { topic: topic.id, partition })
}

/// An error code, and what it means here.
struct Fault(i16, Option<String>);

impl Fault {
    fn of(error: ResponseError, message: impl Into<String>) -> Self {
        Self(error.code(), Some(message.into()))
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self(refusal.code(), Some(refusal.to_string()))
    }
}

impl From<Unanswered> for Fault {
    fn from(error: Unanswered) -> Self {
        match error {
            Unanswered::Refused(refusal) => refusal.into(),
            Unanswered::Unreachable => Self(error.code(), Some("no connection to the controller".to_owned())),
            Unanswered::Unknown => Self(error.code(), Some("the controller has not answered".to_owned())),
        }
    }
}

fn text(text: impl Into<String>) -> StrBytes {
    StrBytes::from_string(text.into())
}

impl Unanswered {
    /// What a client is told. `NOT_CONTROLLER` says that nothing was done and to ask again.
    fn code(self) -> i16 {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Unreachable => ResponseError::NotController.code(),
            Self::Unknown => ResponseError::RequestTimedOut.code(),
        }
    }
}
