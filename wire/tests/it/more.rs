//! Samples of requests for [`super::frames`]: groups, and everything that administers.

use bytes::Bytes;
use kafka_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;
use wire::frame::{FrameError, Head};

use crate::frames::{body, framed};
use crate::transactions;

fn name() -> TopicName {
    TopicName(StrBytes::from_static_str("orders"))
}

/// An honest request, with something in every list.
pub(crate) fn sample(key: ApiKey, version: i16) -> Bytes {
    let text = StrBytes::from_static_str;
    match key {
        ApiKey::CreatePartitions => {
            let chosen =
                CreatePartitionsAssignment::default().with_broker_ids(vec![BrokerId(1), BrokerId(2)]);
            let topic = CreatePartitionsTopic::default()
                .with_name(name())
                .with_count(3)
                .with_assignments(Some(vec![chosen]));
            framed(version, CreatePartitionsRequest::default().with_topics(vec![topic]))
        }
        ApiKey::AlterConfigs => {
            use kafka_protocol::messages::alter_configs_request::{AlterConfigsResource, AlterableConfig};
            let config = AlterableConfig::default().with_name(text("a")).with_value(Some(text("b")));
            let resource = AlterConfigsResource::default()
                .with_resource_name(text("orders"))
                .with_configs(vec![config.clone(), config]);
            framed(version, AlterConfigsRequest::default().with_resources(vec![resource]))
        }
        ApiKey::IncrementalAlterConfigs => {
            use kafka_protocol::messages::incremental_alter_configs_request::{
                AlterConfigsResource, AlterableConfig,
            };
            let config = AlterableConfig::default().with_name(text("a")).with_value(Some(text("b")));
            let resource = AlterConfigsResource::default()
                .with_resource_name(text("orders"))
                .with_configs(vec![config.clone(), config]);
            framed(version, IncrementalAlterConfigsRequest::default().with_resources(vec![resource]))
        }
        ApiKey::DeleteRecords => {
            let topic = DeleteRecordsTopic::default()
                .with_name(name())
                .with_partitions(vec![DeleteRecordsPartition::default(); 2]);
            framed(version, DeleteRecordsRequest::default().with_topics(vec![topic]))
        }
        ApiKey::ElectLeaders => {
            let topic = TopicPartitions::default().with_topic(name()).with_partitions(vec![0, 1]);
            framed(version, ElectLeadersRequest::default().with_topic_partitions(Some(vec![topic])))
        }
        ApiKey::AlterPartitionReassignments => {
            let partition =
                ReassignablePartition::default().with_replicas(Some(vec![BrokerId(1), BrokerId(2)]));
            let topic = ReassignableTopic::default().with_name(name()).with_partitions(vec![partition]);
            framed(version, AlterPartitionReassignmentsRequest::default().with_topics(vec![topic]))
        }
        ApiKey::ListPartitionReassignments => {
            let topic = ListPartitionReassignmentsTopics::default()
                .with_name(name())
                .with_partition_indexes(vec![0, 1]);
            framed(version, ListPartitionReassignmentsRequest::default().with_topics(Some(vec![topic])))
        }
        ApiKey::DescribeLogDirs => {
            let topic = DescribableLogDirTopic::default().with_topic(name()).with_partitions(vec![0, 1]);
            framed(version, DescribeLogDirsRequest::default().with_topics(Some(vec![topic])))
        }
        ApiKey::DescribeTopicPartitions => {
            let topic = TopicRequest::default().with_name(name());
            let request = DescribeTopicPartitionsRequest::default()
                .with_topics(vec![topic.clone(), topic])
                .with_cursor(Some(Cursor::default().with_topic_name(name())));
            framed(version, request)
        }
        ApiKey::DescribeAcls => {
            framed(version, DescribeAclsRequest::default().with_principal_filter(Some(text("me"))))
        }
        ApiKey::CreateAcls => {
            framed(version, CreateAclsRequest::default().with_creations(vec![AclCreation::default(); 2]))
        }
        ApiKey::DeleteAcls => {
            framed(version, DeleteAclsRequest::default().with_filters(vec![DeleteAclsFilter::default(); 2]))
        }
        other => transactions::sample(other, version).unwrap_or_else(|| bare(other, version)),
    }
}

/// The requests of groups, with the least there can be in them.
macro_rules! bare {
    ($($key:ident => $request:ident,)*) => {
        fn bare(key: ApiKey, version: i16) -> Bytes {
            match key {
                $(ApiKey::$key => framed(version, $request::default()),)*
                other => panic!("no sample for {other:?}"),
            }
        }

        fn decode_bare(key: ApiKey, head: &Head) -> Result<(ApiKey, i16, Bytes), FrameError> {
            match key {
                $(ApiKey::$key => body::<$request>(head),)*
                other => panic!("{other:?} is served and has no decoder here"),
            }
        }
    };
}

bare! {
    FindCoordinator => FindCoordinatorRequest,
    JoinGroup => JoinGroupRequest,
    SyncGroup => SyncGroupRequest,
    Heartbeat => HeartbeatRequest,
    LeaveGroup => LeaveGroupRequest,
    OffsetCommit => OffsetCommitRequest,
    OffsetFetch => OffsetFetchRequest,
    OffsetDelete => OffsetDeleteRequest,
    DescribeGroups => DescribeGroupsRequest,
    ListGroups => ListGroupsRequest,
    DeleteGroups => DeleteGroupsRequest,
    ConsumerGroupHeartbeat => ConsumerGroupHeartbeatRequest,
    ConsumerGroupDescribe => ConsumerGroupDescribeRequest,
}

/// Decodes as the broker does.
pub(crate) fn decode(key: ApiKey, head: &Head) -> Result<(ApiKey, i16, Bytes), FrameError> {
    match key {
        ApiKey::CreatePartitions => body::<CreatePartitionsRequest>(head),
        ApiKey::AlterConfigs => body::<AlterConfigsRequest>(head),
        ApiKey::IncrementalAlterConfigs => body::<IncrementalAlterConfigsRequest>(head),
        ApiKey::DeleteRecords => body::<DeleteRecordsRequest>(head),
        ApiKey::ElectLeaders => body::<ElectLeadersRequest>(head),
        ApiKey::AlterPartitionReassignments => body::<AlterPartitionReassignmentsRequest>(head),
        ApiKey::ListPartitionReassignments => body::<ListPartitionReassignmentsRequest>(head),
        ApiKey::DescribeLogDirs => body::<DescribeLogDirsRequest>(head),
        ApiKey::DescribeTopicPartitions => body::<DescribeTopicPartitionsRequest>(head),
        ApiKey::DescribeAcls => body::<DescribeAclsRequest>(head),
        ApiKey::CreateAcls => body::<CreateAclsRequest>(head),
        ApiKey::DeleteAcls => body::<DeleteAclsRequest>(head),
        other => transactions::decode(other, head).unwrap_or_else(|| decode_bare(other, head)),
    }
}
