//! Programs of groups, as operations on objects: who holds a partition holds a lock, and a committed offset is a
//! register.

use broker::core::{GroupAnswer, GroupAsk, RequestId};
use broker::flaws::Flaw;
use bytes::Bytes;
use history::exchange::operations::Model;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    GroupId, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, OffsetCommitRequest, SyncGroupRequest,
    TopicName,
};
use kafka_protocol::protocol::StrBytes;
use rand::RngExt;

use crate::Seen;
use crate::calls::Calls;
use crate::cluster::{Cluster, PARTITIONS};

const GROUP: &str = "readers";

/// Members of a group that share the partitions, lose them all before every rebalance, and take what they are given.
pub(crate) fn ownership(flaw: Option<Flaw>, seed: u64) -> Seen {
    let mut cluster = Cluster::new(flaw, seed);
    let mut calls = Calls::default();
    let mut members: Vec<Member> = (0..PARTITIONS as usize).map(|_| Member::default()).collect();
    for _ in 0..6 {
        for (process, member) in members.iter_mut().enumerate() {
            for partition in std::mem::take(&mut member.holds) {
                calls.call(&mut cluster, process, "release", &partition, ("null", "null"));
            }
        }
        rebalance(&mut cluster, &mut members);
        for (process, member) in members.iter().enumerate() {
            for partition in &member.holds {
                calls.call(&mut cluster, process, "acquire", partition, ("null", "null"));
            }
        }
        let ms = cluster.draw.random_range(10..200);
        cluster.world.run(ms);
        for member in &members {
            member.heartbeat(&mut cluster);
        }
    }
    calls.judged(Model::Mutex, "null")
}

/// A member, and the partitions it has been given.
#[derive(Default)]
struct Member {
    id: String,
    generation: i32,
    holds: Vec<String>,
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn group() -> GroupId {
    GroupId(text(GROUP))
}

/// Everybody joins, and whoever leads gives each partition to one of them.
fn rebalance(cluster: &mut Cluster, members: &mut [Member]) {
    let mut joins: Vec<RequestId> = Vec::new();
    for member in members.iter_mut() {
        let mut id = cluster.send_group(GROUP, 5, GroupAsk::Join(member.join()));
        cluster.world.settle();
        if let Some(GroupAnswer::Join(refused)) = cluster.world.answers.get(&id)
            && refused.error_code == 79
        {
            member.id = refused.member_id.to_string();
            id = cluster.send_group(GROUP, 5, GroupAsk::Join(member.join()));
        }
        joins.push(id);
    }
    let all = |world: &broker::simulation::World| joins.iter().all(|id| world.answers.contains_key(id));
    assert!(cluster.world.run_until(20_000, all), "everybody is let in");
    let mut leads: Option<JoinGroupResponse> = None;
    for (member, id) in members.iter_mut().zip(&joins) {
        let Some(GroupAnswer::Join(response)) = cluster.world.answers.get(id) else { panic!("no answer") };
        assert_eq!(response.error_code, 0, "{response:?}");
        member.id = response.member_id.to_string();
        member.generation = response.generation_id;
        if response.leader == response.member_id {
            leads = Some(response.clone());
        }
    }
    let leads = leads.expect("somebody leads");
    let shares: Vec<SyncGroupRequestAssignment> = (0..)
        .zip(&leads.members)
        .map(|(partition, member)| {
            SyncGroupRequestAssignment::default()
                .with_member_id(member.member_id.clone())
                .with_assignment(Bytes::from(format!("{partition}")))
        })
        .collect();
    let mut syncs = Vec::new();
    for member in members.iter() {
        let shares = if leads.member_id.as_str() == member.id { shares.clone() } else { Vec::new() };
        let request = SyncGroupRequest::default()
            .with_group_id(group())
            .with_generation_id(member.generation)
            .with_member_id(text(&member.id))
            .with_assignments(shares);
        syncs.push(cluster.send_group(GROUP, 5, GroupAsk::Sync(request)));
    }
    cluster.world.run(50);
    for (member, id) in members.iter_mut().zip(&syncs) {
        let Some(GroupAnswer::Sync(response)) = cluster.world.answers.get(id) else { panic!("no answer") };
        assert_eq!(response.error_code, 0, "{response:?}");
        member.holds = vec![String::from_utf8_lossy(&response.assignment).into_owned()];
    }
}

impl Member {
    fn join(&self) -> JoinGroupRequest {
        let protocol = JoinGroupRequestProtocol::default().with_name(text("range"));
        JoinGroupRequest::default()
            .with_group_id(group())
            .with_session_timeout_ms(30_000)
            .with_rebalance_timeout_ms(10_000)
            .with_member_id(text(&self.id))
            .with_protocol_type(text("consumer"))
            .with_protocols(vec![protocol])
    }

    fn heartbeat(&self, cluster: &mut Cluster) {
        let request = HeartbeatRequest::default()
            .with_group_id(group())
            .with_generation_id(self.generation)
            .with_member_id(text(&self.id));
        let answer = cluster.group(GROUP, 4, GroupAsk::Heartbeat(request));
        assert!(matches!(answer, Some(GroupAnswer::Heartbeat(0))), "{answer:?}");
    }
}

/// Offsets are committed and fetched, one after the other; a coordinator dies meanwhile.
pub(crate) fn commits(flaw: Option<Flaw>, seed: u64) -> Seen {
    let mut cluster = Cluster::new(flaw, seed);
    let mut calls = Calls::default();
    let mut killed = None;
    for step in 1..=200 {
        let partition = cluster.draw.random_range(0..PARTITIONS);
        let key = partition.to_string();
        if cluster.draw.random_ratio(1, 2) {
            let value = step.to_string();
            let ask = commit(partition, step);
            calls.calling(&mut cluster);
            match cluster.group(GROUP, 8, ask) {
                Some(GroupAnswer::Commit(response)) => {
                    let code = response.topics[0].partitions[0].error_code;
                    let output = if code == 0 { Some("\"ok\"") } else { None };
                    calls.called(&mut cluster, 0, "write", &key, (&value, output));
                }
                _ => calls.called(&mut cluster, 0, "write", &key, (&value, None)),
            }
        } else {
            calls.calling(&mut cluster);
            if let Some(GroupAnswer::Fetch(response)) = cluster.group(GROUP, 8, fetch(partition))
                && response.error_code == 0
                && response.topics[0].partitions[0].error_code == 0
            {
                let value = response.topics[0].partitions[0].committed_offset;
                let output = format!(r#"{{"value":{value}}}"#);
                calls.called(&mut cluster, 1, "read", &key, ("null", Some(&output)));
            }
        }
        if step == 100 {
            let node = cluster.coordinator(GROUP);
            cluster.world.kill(node);
            killed = Some(node);
            cluster.world.run(4_000);
        }
        if step == 120
            && let Some(node) = killed.take()
        {
            cluster.world.start(node);
            cluster.world.run(3_000);
        }
    }
    calls.judged(Model::Register, "-1")
}

fn commit(partition: i32, offset: i64) -> GroupAsk {
    let partition =
        OffsetCommitRequestPartition::default().with_partition_index(partition).with_committed_offset(offset);
    let topic =
        OffsetCommitRequestTopic::default().with_name(TopicName(text("t"))).with_partitions(vec![partition]);
    let request = OffsetCommitRequest::default()
        .with_group_id(group())
        .with_generation_id_or_member_epoch(-1)
        .with_retention_time_ms(-1)
        .with_topics(vec![topic]);
    GroupAsk::Commit(request)
}

fn fetch(partition: i32) -> GroupAsk {
    let topic = OffsetFetchRequestTopics::default()
        .with_name(TopicName(text("t")))
        .with_partition_indexes(vec![partition]);
    let wanted = OffsetFetchRequestGroup::default()
        .with_group_id(group())
        .with_member_epoch(-1)
        .with_topics(Some(vec![topic]));
    GroupAsk::Fetch { wanted, require_stable: false }
}
