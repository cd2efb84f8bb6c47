//! What administers a cluster, on the wire: every advertised version is answered, and what it did is seen.

use kafka_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Request, StrBytes};
use wire::schema::find;

use broker::Ending;

use crate::client::{Client, name};
use crate::cluster::{Cluster, until};
use crate::replication::{leader, produce, wait_isr};

const TOPIC: &str = "orders";

/// What the tests here ask for: the test of every advertised version need not.
pub(crate) const ASKED: &[ApiKey] = &[
    ApiKey::CreatePartitions,
    ApiKey::AlterConfigs,
    ApiKey::IncrementalAlterConfigs,
    ApiKey::DeleteRecords,
    ApiKey::ElectLeaders,
    ApiKey::AlterPartitionReassignments,
    ApiKey::ListPartitionReassignments,
    ApiKey::DescribeLogDirs,
    ApiKey::DescribeTopicPartitions,
    ApiKey::DescribeAcls,
    ApiKey::CreateAcls,
    ApiKey::DeleteAcls,
];

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn with_topic(partitions: i32, factor: i16, configs: &[(&str, &str)]) -> (Cluster, Client) {
    let cluster = Cluster::start(&[]);
    let mut client = Client::connect(cluster.address(1)).expect("connects");
    assert_eq!(client.create_topic(TOPIC, partitions, factor, configs), 0);
    (cluster, client)
}

/// Asks in every advertised version.
fn every<Q: Request>(key: ApiKey, client: &mut Client, request: &Q, mut check: impl FnMut(i16, Q::Response)) {
    let api = find(key as i16).expect("served");
    for version in api.min..=api.max {
        check(version, client.ask(request, version).expect("an answer"));
    }
}

#[test]
fn every_version_of_the_admin_apis_is_answered() {
    let (_cluster, mut client) = with_topic(1, 1, &[]);
    let topic =
        CreatePartitionsTopic::default().with_name(name("absent")).with_count(3).with_assignments(None);
    let request = CreatePartitionsRequest::default().with_topics(vec![topic]);
    every(ApiKey::CreatePartitions, &mut client, &request, |version, answer| {
        assert_eq!(answer.results[0].error_code, 3, "v{version}");
    });
    let resource = alter_configs_request::AlterConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(text(TOPIC));
    let request = AlterConfigsRequest::default().with_resources(vec![resource]);
    every(ApiKey::AlterConfigs, &mut client, &request, |version, answer| {
        assert_eq!(answer.responses[0].error_code, 0, "v{version}");
    });
    let resource = AlterConfigsResource::default().with_resource_type(2).with_resource_name(text("absent"));
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    every(ApiKey::IncrementalAlterConfigs, &mut client, &request, |version, answer| {
        assert_eq!(answer.responses[0].error_code, 3, "v{version}");
    });
    let topic = DeleteRecordsTopic::default()
        .with_name(name("absent"))
        .with_partitions(vec![DeleteRecordsPartition::default()]);
    let request = DeleteRecordsRequest::default().with_topics(vec![topic]);
    every(ApiKey::DeleteRecords, &mut client, &request, |version, answer| {
        assert_eq!(answer.topics[0].partitions[0].error_code, 3, "v{version}");
    });
    let topic = TopicPartitions::default().with_topic(name(TOPIC)).with_partitions(vec![0, 9]);
    let request = ElectLeadersRequest::default().with_topic_partitions(Some(vec![topic]));
    every(ApiKey::ElectLeaders, &mut client, &request, |version, answer| {
        let codes: Vec<i16> =
            answer.replica_election_results[0].partition_result.iter().map(|one| one.error_code).collect();
        assert_eq!(codes, [84, 3], "v{version}");
    });
    let partition = ReassignablePartition::default().with_replicas(None);
    let topic = ReassignableTopic::default().with_name(name(TOPIC)).with_partitions(vec![partition]);
    let request = AlterPartitionReassignmentsRequest::default().with_topics(vec![topic]);
    every(ApiKey::AlterPartitionReassignments, &mut client, &request, |version, answer| {
        assert_eq!(answer.responses[0].partitions[0].error_code, 85, "v{version}");
    });
    let request = ListPartitionReassignmentsRequest::default().with_topics(None);
    every(ApiKey::ListPartitionReassignments, &mut client, &request, |version, answer| {
        assert_eq!((answer.error_code, answer.topics.len()), (0, 0), "v{version}");
    });
    let request = DescribeLogDirsRequest::default().with_topics(None);
    every(ApiKey::DescribeLogDirs, &mut client, &request, |version, answer| {
        assert_eq!(answer.results.len(), 1, "v{version}");
    });
    let topics = [TOPIC, "absent"]
        .map(|topic| describe_topic_partitions_request::TopicRequest::default().with_name(name(topic)));
    let request = DescribeTopicPartitionsRequest::default()
        .with_topics(topics.to_vec())
        .with_response_partition_limit(10)
        .with_cursor(None);
    every(ApiKey::DescribeTopicPartitions, &mut client, &request, |version, answer| {
        let codes: Vec<i16> = answer.topics.iter().map(|topic| topic.error_code).collect();
        assert_eq!(codes, [3, 0], "v{version}");
    });
    every(ApiKey::DescribeAcls, &mut client, &DescribeAclsRequest::default(), |version, answer| {
        assert_eq!(answer.error_code, 54, "v{version}");
    });
    every(ApiKey::CreateAcls, &mut client, &CreateAclsRequest::default(), |_, answer| {
        assert!(answer.results.is_empty());
    });
    every(ApiKey::DeleteAcls, &mut client, &DeleteAclsRequest::default(), |_, answer| {
        assert!(answer.filter_results.is_empty());
    });
}

fn reassign(client: &mut Client, replicas: Option<&[i32]>) -> i16 {
    let ids = replicas.map(|replicas| replicas.iter().copied().map(BrokerId).collect());
    let partition = ReassignablePartition::default().with_replicas(ids);
    let topic = ReassignableTopic::default().with_name(name(TOPIC)).with_partitions(vec![partition]);
    let request = AlterPartitionReassignmentsRequest::default().with_topics(vec![topic]);
    client.ask(&request, 1).expect("an answer").responses[0].partitions[0].error_code
}

#[test]
fn replicas_move_with_every_record_and_the_old_ones_are_gone() {
    let (cluster, mut client) = with_topic(1, 1, &[]);
    let values: Vec<i64> = (0..20).map(|at| produce(&cluster, &format!("value {at}"))).collect();
    assert_eq!(values.len(), 20);
    let (from, _) = leader(&cluster);
    let to = if from == 3 { 1 } else { 3 };
    assert_eq!(reassign(&mut client, Some(&[77])), 39, "no such broker");
    assert_eq!(reassign(&mut client, Some(&[to])), 0);
    until("the move", || {
        let partition = client.partition(TOPIC).ok()??;
        let moved = partition.replica_nodes == [BrokerId(to)] && partition.leader_id == BrokerId(to);
        moved.then_some(())
    });
    assert_eq!(crate::replication::read_all(&cluster, 19).len(), 20);
    until("the old log to go", || (!cluster.folder(from).join(format!("{TOPIC}-0")).exists()).then_some(()));
    assert_eq!(produce(&cluster, "after"), 20);
}

#[test]
fn a_broker_that_ends_in_good_order_gives_away_what_it_leads_and_comes_back_at_once() {
    let (mut cluster, mut client) = with_topic(1, 3, &[("min.insync.replicas", "2")]);
    produce(&cluster, "before");
    let (leads, epoch) = leader(&cluster);
    if leads == 1 {
        client = Client::connect(cluster.address(2)).expect("connects");
    }
    cluster.stop(leads, Ending::Clean);
    // The session has not expired by far: the controller knew when the broker had ended.
    let (next, after) = leader(&cluster);
    assert!(next != leads && after > epoch);
    cluster.start_broker(leads);
    cluster.wait_ready(leads);
    wait_isr(&cluster, 3);
    assert!(leader(&cluster).0 != leads, "nobody gives leadership back by itself");
    let topic = TopicPartitions::default().with_topic(name(TOPIC)).with_partitions(vec![0]);
    let request = ElectLeadersRequest::default().with_topic_partitions(Some(vec![topic]));
    let answer = client.ask(&request, 2).expect("an answer");
    assert_eq!(answer.replica_election_results[0].partition_result[0].error_code, 0);
    until("the preferred leader", || (leader(&cluster).0 == leads).then_some(()));
}

#[test]
fn deleted_records_are_gone_on_every_replica_and_stay_gone() {
    let (mut cluster, _) = with_topic(1, 3, &[]);
    for at in 0..10 {
        produce(&cluster, &format!("value {at}"));
    }
    wait_isr(&cluster, 3);
    let delete = |cluster: &Cluster, offset: i64| {
        let (leads, _) = leader(cluster);
        let mut client = Client::connect(cluster.address(leads)).expect("connects");
        let partition = DeleteRecordsPartition::default().with_offset(offset);
        let topic = DeleteRecordsTopic::default().with_name(name(TOPIC)).with_partitions(vec![partition]);
        let request = DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000);
        let answer = client.ask(&request, 2).expect("an answer").topics.remove(0).partitions.remove(0);
        (answer.error_code, answer.low_watermark)
    };
    let refused = |cluster: &Cluster, offset: i64| {
        until("the leader", || {
            let (leads, _) = leader(cluster);
            let mut client = Client::connect(cluster.address(leads)).ok()?;
            let code = client.fetch(TOPIC, offset, 0).ok()?.error_code;
            [0, 1].contains(&code).then_some(code == 1)
        })
    };
    assert_eq!(delete(&cluster, 99), (1, -1), "above the high watermark");
    assert_eq!(delete(&cluster, 4), (0, 4));
    assert!(refused(&cluster, 3) && !refused(&cluster, 4));
    let (leads, _) = leader(&cluster);
    cluster.stop(leads, Ending::Abrupt);
    assert!(until("a new leader", || Some(leader(&cluster).0 != leads).filter(|other| *other)));
    assert!(refused(&cluster, 3) && !refused(&cluster, 4), "its successor has deleted them too");
    cluster.start_broker(leads);
    cluster.wait_ready(leads);
    wait_isr(&cluster, 3);
    for node in [1, 2, 3] {
        if node != leads {
            cluster.stop(node, Ending::Clean);
        }
    }
    until("the one that was killed leads", || (leader(&cluster).0 == leads).then_some(()));
    assert!(refused(&cluster, 3) && !refused(&cluster, 4), "it has read so from its disk");
}

#[test]
fn a_changed_setting_takes_effect_and_a_wrong_one_changes_nothing() {
    let (cluster, mut client) = with_topic(1, 2, &[]);
    let mut set = |kind: i8, owner: &str, key: &str, value: &str| {
        let config = AlterableConfig::default().with_name(text(key)).with_value(Some(text(value)));
        let resource = AlterConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(owner))
            .with_configs(vec![config]);
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
        client.ask(&request, 1).expect("an answer").responses[0].error_code
    };
    let produced = |bytes: usize| {
        until("an answer", || {
            let (leads, _) = leader(&cluster);
            let mut client = Client::connect(cluster.address(leads)).ok()?;
            let one = crate::client::batch(-1, 0, &["x".repeat(bytes)]);
            let code = client.produce(TOPIC, -1, one).ok()?.error_code;
            [0, 10].contains(&code).then_some(code)
        })
    };
    assert_eq!(produced(5_000), 0);
    assert_eq!(set(2, TOPIC, "max.message.bytes", "x"), 40);
    assert_eq!(set(2, TOPIC, "no.such.setting", "1"), 40);
    assert_eq!(set(4, "1", "num.partitions", "3"), 42, "not of a running broker");
    assert_eq!(produced(5_000), 0);
    assert_eq!(set(2, TOPIC, "max.message.bytes", "1000"), 0);
    until("the topic's limit", || (produced(5_000) == 10).then_some(()));
    assert_eq!(set(2, TOPIC, "max.message.bytes", "10000"), 0);
    until("the topic's limit", || (produced(5_000) == 0).then_some(()));
    assert_eq!(set(4, "", "message.max.bytes", "1000"), 0, "the topic's own wins");
    assert_eq!(produced(5_000), 0);
}
