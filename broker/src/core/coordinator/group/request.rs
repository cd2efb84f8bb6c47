//! What the coordinator of a group is asked and answers. The messages are Kafka's own; a request that names
//! several groups is taken apart by the server, one question a group.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::consumer_group_describe_response::DescribedGroup as DescribedConsumerGroup;
use kafka_protocol::messages::describe_groups_response::DescribedGroup;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::offset_fetch_response::OffsetFetchResponseGroup;
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use kafka_protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, GroupId, HeartbeatRequest,
    JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse, OffsetCommitRequest,
    OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse, SyncGroupRequest, SyncGroupResponse,
    TxnOffsetCommitRequest, TxnOffsetCommitResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::super::super::types::Uuid;

/// Who asks.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The client id of the request.
    pub client_id: String,
    /// The address it comes from.
    pub client_host: String,
    /// The version of the request.
    pub version: i16,
    /// Never given to anyone before: a new member is named with it.
    pub fresh: Uuid,
}

/// A question about one group.
#[derive(Debug, Clone)]
pub struct GroupRequest {
    /// The group's id.
    pub group: String,
    /// Who asks.
    pub caller: Caller,
    /// What.
    pub ask: GroupAsk,
}

/// What is asked.
#[derive(Debug, Clone)]
pub enum GroupAsk {
    /// JoinGroup.
    Join(JoinGroupRequest),
    /// SyncGroup.
    Sync(SyncGroupRequest),
    /// Heartbeat.
    Heartbeat(HeartbeatRequest),
    /// LeaveGroup; the lone member of versions before 3 has been put into the list.
    Leave(LeaveGroupRequest),
    /// OffsetCommit; unknown topics have been taken out.
    Commit(OffsetCommitRequest),
    /// TxnOffsetCommit; the producer has been verified.
    TxnCommit(TxnOffsetCommitRequest),
    /// OffsetFetch of one group.
    Fetch {
        /// Which offsets, for whom.
        wanted: OffsetFetchRequestGroup,
        /// Rather an error than an offset that an open transaction is about to replace (KIP-447).
        require_stable: bool,
    },
    /// DescribeGroups of one group.
    Describe,
    /// DeleteGroups of one group.
    Delete,
    /// OffsetDelete.
    DeleteOffsets(OffsetDeleteRequest),
    /// ConsumerGroupHeartbeat (KIP-848).
    ConsumerHeartbeat(ConsumerGroupHeartbeatRequest),
    /// ConsumerGroupDescribe of one group (KIP-848).
    ConsumerDescribe,
}

/// What is answered, by the [`GroupAsk`] of the same name.
#[derive(Debug, Clone)]
pub enum GroupAnswer {
    /// JoinGroup.
    Join(JoinGroupResponse),
    /// SyncGroup.
    Sync(SyncGroupResponse),
    /// Heartbeat: an error code.
    Heartbeat(i16),
    /// LeaveGroup.
    Leave(LeaveGroupResponse),
    /// OffsetCommit.
    Commit(OffsetCommitResponse),
    /// TxnOffsetCommit.
    TxnCommit(TxnOffsetCommitResponse),
    /// OffsetFetch of one group.
    Fetch(OffsetFetchResponseGroup),
    /// DescribeGroups of one group.
    Describe(Box<DescribedGroup>),
    /// DeleteGroups of one group: an error code.
    Delete(i16),
    /// OffsetDelete.
    DeleteOffsets(OffsetDeleteResponse),
    /// ConsumerGroupHeartbeat.
    ConsumerHeartbeat(ConsumerGroupHeartbeatResponse),
    /// ConsumerGroupDescribe of one group.
    ConsumerDescribe(Box<DescribedConsumerGroup>),
}

pub(super) fn text(text: impl Into<String>) -> StrBytes {
    StrBytes::from_string(text.into())
}

impl GroupAsk {
    /// Offsets may be kept under the empty name, as very old clients did; nothing else may.
    pub(super) const fn allows_empty_group(&self) -> bool {
        matches!(
            self,
            Self::Commit(_)
                | Self::TxnCommit(_)
                | Self::Fetch { .. }
                | Self::Describe
                | Self::Delete
                | Self::DeleteOffsets(_)
        )
    }

    /// The answer that says nothing but this error.
    pub(super) fn refused(&self, group: &str, error: ResponseError) -> GroupAnswer {
        let code = error.code();
        let group = || GroupId(text(group));
        match self {
            Self::Join(request) => GroupAnswer::Join(
                JoinGroupResponse::default()
                    .with_error_code(code)
                    .with_member_id(request.member_id.clone())
                    .with_generation_id(-1),
            ),
            Self::Sync(_) => GroupAnswer::Sync(SyncGroupResponse::default().with_error_code(code)),
            // A coordinator that is being loaded does not know its members yet, who do nothing wrong.
            Self::Heartbeat(_) if error == ResponseError::CoordinatorLoadInProgress => {
                GroupAnswer::Heartbeat(0)
            }
            Self::Heartbeat(_) => GroupAnswer::Heartbeat(code),
            Self::Leave(_) => GroupAnswer::Leave(LeaveGroupResponse::default().with_error_code(code)),
            Self::Commit(request) => GroupAnswer::Commit(commit_answer(request, |_| code)),
            Self::TxnCommit(request) => GroupAnswer::TxnCommit(txn_commit_answer(request, |_| code)),
            Self::Fetch { .. } => GroupAnswer::Fetch(
                OffsetFetchResponseGroup::default().with_group_id(group()).with_error_code(code),
            ),
            Self::Describe => GroupAnswer::Describe(Box::new(
                DescribedGroup::default().with_group_id(group()).with_error_code(code),
            )),
            Self::Delete => GroupAnswer::Delete(code),
            Self::DeleteOffsets(_) => {
                GroupAnswer::DeleteOffsets(OffsetDeleteResponse::default().with_error_code(code))
            }
            Self::ConsumerHeartbeat(_) => GroupAnswer::ConsumerHeartbeat(
                ConsumerGroupHeartbeatResponse::default()
                    .with_error_code(code)
                    .with_error_message(Some(text(error.to_string()))),
            ),
            Self::ConsumerDescribe => GroupAnswer::ConsumerDescribe(Box::new(
                DescribedConsumerGroup::default().with_group_id(group()).with_error_code(code),
            )),
        }
    }
}

/// An error code (0 is none) a partition, by its place in the request's order.
pub(super) fn commit_answer(
    request: &OffsetCommitRequest,
    mut code: impl FnMut(usize) -> i16,
) -> OffsetCommitResponse {
    let mut place = 0;
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            place += 1;
            OffsetCommitResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(code(place - 1))
        });
        OffsetCommitResponseTopic::default()
            .with_name(topic.name.clone())
            .with_topic_id(topic.topic_id)
            .with_partitions(partitions.collect())
    });
    OffsetCommitResponse::default().with_topics(topics.collect())
}

/// [`commit_answer`] of a transaction's offsets.
pub(super) fn txn_commit_answer(
    request: &TxnOffsetCommitRequest,
    mut code: impl FnMut(usize) -> i16,
) -> TxnOffsetCommitResponse {
    let mut place = 0;
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            place += 1;
            TxnOffsetCommitResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(code(place - 1))
        });
        TxnOffsetCommitResponseTopic::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    TxnOffsetCommitResponse::default().with_topics(topics.collect())
}

/// Who left, and with what error.
pub(super) fn left(member: &str, instance: Option<&str>, code: i16) -> MemberResponse {
    MemberResponse::default()
        .with_member_id(text(member))
        .with_group_instance_id(instance.map(text))
        .with_error_code(code)
}
