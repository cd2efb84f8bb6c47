//! Groups over the wire: the coordinator is found, every version of every request is answered, and a group
//! outlives its coordinator.

use broker::Ending;
use bytes::Bytes;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;
use wire::schema::find;

use crate::client::{Client, batch, name, produce};
use crate::cluster::{Cluster, until};

const TOPIC: &str = "orders";
const SETTINGS: &[(&str, &str)] = &[
    ("group.initial.rebalance.delay.ms", "0"),
    ("group.min.session.timeout.ms", "100"),
    ("offsets.topic.num.partitions", "4"),
];

/// Of these every version is asked here.
pub(crate) const ASKED: &[ApiKey] = &[
    ApiKey::FindCoordinator,
    ApiKey::JoinGroup,
    ApiKey::SyncGroup,
    ApiKey::Heartbeat,
    ApiKey::LeaveGroup,
    ApiKey::OffsetCommit,
    ApiKey::OffsetFetch,
    ApiKey::OffsetDelete,
    ApiKey::DescribeGroups,
    ApiKey::ListGroups,
    ApiKey::DeleteGroups,
];

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn group(name: &str) -> GroupId {
    GroupId(text(name))
}

/// Who coordinates a group, as any running broker tells.
fn coordinator(cluster: &Cluster, name: &str) -> i32 {
    until("a coordinator that runs", || {
        let running = cluster.running();
        running.iter().find_map(|node| {
            let request = FindCoordinatorRequest::default().with_coordinator_keys(vec![text(name)]);
            let response = Client::connect(cluster.address(*node)).ok()?.ask(&request, 4).ok()?;
            let found = &response.coordinators[0];
            (found.error_code == 0 && running.contains(&found.node_id.0)).then_some(found.node_id.0)
        })
    })
}

fn connect(cluster: &Cluster, name: &str) -> Client {
    Client::connect(cluster.address(coordinator(cluster, name))).expect("connects")
}

fn commit(name: &str, offset: i64) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition::default()
        .with_partition_index(0)
        .with_committed_offset(offset)
        .with_committed_metadata(Some(text("")));
    let topic = OffsetCommitRequestTopic::default()
        .with_name(super::client::name(TOPIC))
        .with_partitions(vec![partition]);
    OffsetCommitRequest::default()
        .with_group_id(group(name))
        .with_generation_id_or_member_epoch(-1)
        .with_retention_time_ms(-1)
        .with_topics(vec![topic])
}

/// What is committed, once the coordinator can say.
fn position(cluster: &Cluster, name: &str) -> i64 {
    until("a committed offset", || {
        let topic = OffsetFetchRequestTopics::default()
            .with_name(super::client::name(TOPIC))
            .with_partition_indexes(vec![0]);
        let wanted = OffsetFetchRequestGroup::default()
            .with_group_id(group(name))
            .with_member_epoch(-1)
            .with_topics(Some(vec![topic]));
        let request = OffsetFetchRequest::default().with_groups(vec![wanted]);
        let response = connect(cluster, name).ask(&request, 8).ok()?;
        let found = &response.groups[0];
        (found.error_code == 0).then(|| found.topics[0].partitions[0].committed_offset)
    })
}

fn join(name: &str, member: &str) -> JoinGroupRequest {
    let protocol =
        JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata(Bytes::from_static(b"m"));
    JoinGroupRequest::default()
        .with_group_id(group(name))
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(10_000)
        .with_member_id(text(member))
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol])
}

#[test]
fn every_version_of_every_group_request_is_answered() {
    let cluster = Cluster::start(SETTINGS);
    let mut any = Client::connect(cluster.address(1)).expect("connects");
    assert_eq!(any.create_topic(TOPIC, 1, 3, &[]), 0);
    for version in 0..=5 {
        let request = FindCoordinatorRequest::default();
        let request = match version {
            4.. => request.with_coordinator_keys(vec![text("g"), text("h")]),
            _ => request.with_key(text("g")),
        };
        until("a coordinator", || {
            let response = any.ask(&request, version).expect("answered");
            let codes = response.coordinators.iter().map(|one| one.error_code);
            (response.error_code == 0 && codes.sum::<i16>() == 0).then_some(())
        });
    }
    // Groups of their own, so that one version's members do not disturb another's.
    for version in 0..=9 {
        let name = format!("g{version}");
        let mut client = connect(&cluster, &name);
        // The coordinator may hear later than others that it is one.
        let mut joined = until("a coordinator that knows", || {
            let answer = client.ask(&join(&name, ""), version).expect("answered");
            (![14, 16].contains(&answer.error_code)).then_some(answer)
        });
        if version >= 4 {
            assert_eq!(joined.error_code, 79);
            joined = client.ask(&join(&name, &joined.member_id), version).expect("answered");
        }
        assert_eq!((joined.error_code, joined.generation_id), (0, 1), "version {version}");
        assert_eq!(joined.protocol_name.as_deref(), Some("range"));
        let member = joined.member_id;
        let share = SyncGroupRequestAssignment::default()
            .with_member_id(member.clone())
            .with_assignment(Bytes::from_static(b"all"));
        let mut sync = SyncGroupRequest::default()
            .with_group_id(group(&name))
            .with_generation_id(1)
            .with_member_id(member.clone())
            .with_assignments(vec![share]);
        if version >= 5 {
            sync = sync.with_protocol_type(Some(text("consumer"))).with_protocol_name(Some(text("range")));
        }
        let synced = client.ask(&sync, version.min(5)).expect("answered");
        assert_eq!((synced.error_code, &synced.assignment[..]), (0, &b"all"[..]), "version {version}");
        let heartbeat = HeartbeatRequest::default()
            .with_group_id(group(&name))
            .with_generation_id(1)
            .with_member_id(member.clone());
        assert_eq!(client.ask(&heartbeat, version.min(4)).expect("answered").error_code, 0);
        let request = commit(&name, i64::from(version))
            .with_generation_id_or_member_epoch(1)
            .with_member_id(member.clone());
        let answer = client.ask(&request, version.max(2)).expect("answered");
        assert_eq!(answer.topics[0].partitions[0].error_code, 0, "version {version}");
        let described = DescribeGroupsRequest::default().with_groups(vec![group(&name)]);
        let described = client.ask(&described, version.min(6)).expect("answered");
        assert_eq!(described.groups[0].group_state.as_str(), "Stable");
        let leave = LeaveGroupRequest::default().with_group_id(group(&name));
        let leave = match version {
            3.. => leave.with_members(vec![MemberIdentity::default().with_member_id(member)]),
            _ => leave.with_member_id(member),
        };
        assert_eq!(client.ask(&leave, version.min(5)).expect("answered").error_code, 0);
        fetches(&mut client, version, &name);
        let listed = client.ask(&ListGroupsRequest::default(), version.min(5)).expect("answered");
        assert!(listed.groups.iter().any(|one| one.group_id.as_str() == name), "version {version}");
        let delete = DeleteGroupsRequest::default().with_groups_names(vec![group(&name), group("none")]);
        let mut results = connect(&cluster, &name).ask(&delete, version.min(2)).expect("answered").results;
        results.retain(|one| one.group_id.as_str() == name);
        assert_eq!(results[0].error_code, 0);
    }
}

fn fetches(client: &mut Client, version: i16, group_name: &str) {
    let version = version.max(1);
    let topic = OffsetFetchRequestTopic::default().with_name(name(TOPIC)).with_partition_indexes(vec![0]);
    let topics = OffsetFetchRequestTopics::default().with_name(name(TOPIC)).with_partition_indexes(vec![0]);
    let request = match version {
        8.. => OffsetFetchRequest::default().with_groups(vec![
            OffsetFetchRequestGroup::default()
                .with_group_id(group(group_name))
                .with_member_epoch(-1)
                .with_topics(Some(vec![topics])),
        ]),
        _ => OffsetFetchRequest::default().with_group_id(group(group_name)).with_topics(Some(vec![topic])),
    };
    let response = client.ask(&request, version).expect("answered");
    let offset = match version {
        8.. => response.groups[0].topics[0].partitions[0].committed_offset,
        _ => response.topics[0].partitions[0].committed_offset,
    };
    assert_eq!(offset, if version == 1 { offset } else { i64::from(version) }, "version {version}");
    assert!(offset >= 0, "version {version}");
}

#[test]
fn a_group_and_its_offsets_outlive_their_coordinator() {
    let mut cluster = Cluster::start(SETTINGS);
    let mut any = Client::connect(cluster.address(1)).expect("connects");
    assert_eq!(any.create_topic(TOPIC, 1, 3, &[]), 0);
    let old = coordinator(&cluster, "g");
    let mut client = Client::connect(cluster.address(old)).expect("connects");
    for offset in 0..200 {
        let answer = client.ask(&commit("g", offset), 8).expect("answered");
        assert_eq!(answer.topics[0].partitions[0].error_code, 0);
    }
    let elsewhere = cluster.running().into_iter().find(|node| *node != old).expect("another");
    let mut wrong = Client::connect(cluster.address(elsewhere)).expect("connects");
    let answer = wrong.ask(&commit("g", 999), 8).expect("answered");
    // NOT_COORDINATOR
    assert_eq!(answer.topics[0].partitions[0].error_code, 16);
    cluster.stop(old, Ending::Abrupt);
    assert_eq!(position(&cluster, "g"), 199);
    cluster.start_broker(old);
    cluster.wait_ready(old);
    until("in-sync replicas", || {
        let topic = Client::connect(cluster.address(old)).ok()?.topic("__consumer_offsets").ok()?;
        topic.partitions.iter().all(|partition| partition.isr_nodes.len() == 3).then_some(())
    });
    for node in cluster.running() {
        if node != old {
            cluster.stop(node, Ending::Clean);
        }
    }
    assert_eq!(position(&cluster, "g"), 199, "it has the log too, or gets it back");
}

/// Bytes of the segments in which groups are kept, on one node.
fn segments_of_groups(cluster: &Cluster, node: i32) -> u64 {
    let folders = std::fs::read_dir(cluster.folder(node)).expect("reads").map(|entry| entry.expect("reads"));
    let ours =
        folders.filter(|folder| folder.file_name().to_string_lossy().starts_with("__consumer_offsets-"));
    let files = ours.flat_map(|folder| std::fs::read_dir(folder.path()).expect("reads"));
    let logs = files
        .map(|file| file.expect("reads"))
        .filter(|file| file.path().extension().is_some_and(|extension| extension == "log"));
    logs.map(|file| file.metadata().map_or(0, |metadata| metadata.len())).sum()
}

#[test]
fn the_log_of_groups_is_compacted_and_nothing_is_forgotten() {
    let small = [("offsets.topic.segment.bytes", "1000"), ("log.cleaner.backoff.ms", "50")];
    let settings = [SETTINGS, &small].concat();
    let mut cluster = Cluster::start(&settings);
    let mut any = Client::connect(cluster.address(1)).expect("connects");
    assert_eq!(any.create_topic(TOPIC, 1, 3, &[]), 0);
    for name in ["g", "h"] {
        let mut client = connect(&cluster, name);
        for offset in 0..100 {
            let answer = client.ask(&commit(name, offset), 8).expect("answered");
            assert_eq!(answer.topics[0].partitions[0].error_code, 0);
        }
    }
    for node in cluster.running() {
        // 200 commits take some 30 kB; what is left is the last of each group and what is not sealed yet.
        until("compaction", || (segments_of_groups(&cluster, node) < 5_000).then_some(()));
    }
    for node in cluster.running() {
        cluster.stop(node, Ending::Abrupt);
    }
    for node in 1..=3 {
        cluster.start_broker(node);
    }
    assert_eq!((position(&cluster, "g"), position(&cluster, "h")), (99, 99));
}

#[test]
fn what_does_not_exist_has_no_offset_and_internal_topics_belong_to_the_brokers() {
    let cluster = Cluster::start(SETTINGS);
    let mut client = connect(&cluster, "g");
    let answer = until("a loaded coordinator", || {
        let answer = client.ask(&commit("g", 1), 8).expect("answered");
        (answer.topics[0].partitions[0].error_code != 14).then_some(answer)
    });
    // UNKNOWN_TOPIC_OR_PARTITION
    assert_eq!(answer.topics[0].partitions[0].error_code, 3);
    let partition = OffsetDeleteRequestPartition::default();
    let topic = OffsetDeleteRequestTopic::default().with_name(name(TOPIC)).with_partitions(vec![partition]);
    let request = OffsetDeleteRequest::default().with_group_id(group("g")).with_topics(vec![topic]);
    // GROUP_ID_NOT_FOUND
    assert_eq!(client.ask(&request, 0).expect("answered").error_code, 69);
    let internal = "__consumer_offsets";
    let metadata = client.topic(internal).expect("answered");
    assert!(metadata.is_internal);
    assert_eq!(metadata.partitions.len(), 4);
    assert_eq!(metadata.partitions[0].replica_nodes.len(), 3);
    let request = produce(internal, -1, batch(-1, 0, &["mine".to_owned()]));
    let answer = client.ask(&request, 9).expect("answered");
    // INVALID_TOPIC_EXCEPTION
    assert_eq!(answer.responses[0].partition_responses[0].error_code, 17);
    let api = find(ApiKey::JoinGroup as i16).expect("served");
    assert_eq!((api.min, api.max), (0, 9));
}
