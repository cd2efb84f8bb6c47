//! Consumer groups: generations, fencing, offsets, and what an administrator sees of them.

use bytes::Bytes;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, FindCoordinatorRequest, HeartbeatRequest, JoinGroupRequest,
    JoinGroupResponse, LeaveGroupRequest, ListGroupsRequest, OffsetCommitRequest, OffsetDeleteRequest,
    OffsetFetchRequest, SyncGroupRequest,
};
use kafka_protocol::protocol::StrBytes;

use super::probe::{Probe, error, group, text, topic};
use super::topics;

const GROUP: &str = "readers";

/// Who joins, and how.
#[derive(Clone)]
struct Member {
    id: StrBytes,
    instance: Option<&'static str>,
    protocols: &'static [&'static str],
    kind: &'static str,
    session_ms: i32,
}

fn member(id: &StrBytes) -> Member {
    Member { id: id.clone(), instance: None, protocols: &["range"], kind: "consumer", session_ms: 30_000 }
}

fn join_request(name: &str, member: &Member) -> JoinGroupRequest {
    let protocols = member.protocols.iter().map(|name| {
        JoinGroupRequestProtocol::default().with_name(text(name)).with_metadata(Bytes::from_static(b"m"))
    });
    JoinGroupRequest::default()
        .with_group_id(group(name))
        .with_session_timeout_ms(member.session_ms)
        .with_rebalance_timeout_ms(5_000)
        .with_member_id(member.id.clone())
        .with_group_instance_id(member.instance.map(text))
        .with_protocol_type(text(member.kind))
        .with_protocols(protocols.collect())
}

fn joined(answer: &JoinGroupResponse) -> String {
    if answer.error_code != 0 {
        return error(answer.error_code);
    }
    format!(
        "ok, generation {}, protocol {:?}, {} members told, leads {}",
        answer.generation_id,
        answer.protocol_name.as_ref().map(ToString::to_string),
        answer.members.len(),
        answer.leader == answer.member_id
    )
}

fn join(probe: &mut Probe, step: &str, name: &str, member: &Member) -> JoinGroupResponse {
    let answer = probe.ask(&join_request(name, member), 7);
    probe.note(step, joined(&answer));
    answer
}

/// Joins as Kafka asks of a new member: once to be given an id, then with it.
fn enter(probe: &mut Probe, name: &str) -> (StrBytes, i32) {
    let given = probe.ask(&join_request(name, &member(&text(""))), 7).member_id;
    let answer = probe.ask(&join_request(name, &member(&given)), 7);
    assert_eq!(answer.error_code, 0, "joins `{name}`: {}", error(answer.error_code));
    (given, answer.generation_id)
}

fn sync(probe: &mut Probe, step: &str, name: &str, id: &StrBytes, generation: i32, to: &[&StrBytes]) {
    let assignments = to.iter().map(|member| {
        SyncGroupRequestAssignment::default()
            .with_member_id((*member).clone())
            .with_assignment(Bytes::from_static(b"mine"))
    });
    let request = SyncGroupRequest::default()
        .with_group_id(group(name))
        .with_generation_id(generation)
        .with_member_id(id.clone())
        .with_protocol_type(Some(text("consumer")))
        .with_protocol_name(Some(text("range")))
        .with_assignments(assignments.collect());
    let answer = probe.ask(&request, 5);
    probe.note(step, format!("{}, assigned {} bytes", error(answer.error_code), answer.assignment.len()));
}

fn heartbeat(probe: &mut Probe, step: &str, name: &str, id: &StrBytes, generation: i32) {
    let request = HeartbeatRequest::default()
        .with_group_id(group(name))
        .with_generation_id(generation)
        .with_member_id(id.clone());
    let answer = probe.ask(&request, 4);
    probe.note(step, error(answer.error_code));
}

fn leave(probe: &mut Probe, step: &str, name: &str, id: &StrBytes, instance: Option<&str>) {
    let who = MemberIdentity::default().with_member_id(id.clone()).with_group_instance_id(instance.map(text));
    let request = LeaveGroupRequest::default().with_group_id(group(name)).with_members(vec![who]);
    let answer = probe.ask(&request, 4);
    let each: Vec<String> = answer.members.iter().map(|member| error(member.error_code)).collect();
    probe.note(step, format!("{}, members {each:?}", error(answer.error_code)));
}

fn commit(probe: &mut Probe, step: &str, name: &str, who: (&StrBytes, i32), at: (&str, i32, i64)) {
    let (partition, offset) = (at.1, at.2);
    let partition = OffsetCommitRequestPartition::default()
        .with_partition_index(partition)
        .with_committed_offset(offset)
        .with_committed_leader_epoch(0)
        .with_committed_metadata(Some(text("note")));
    let wanted = OffsetCommitRequestTopic::default().with_name(topic(at.0)).with_partitions(vec![partition]);
    let request = OffsetCommitRequest::default()
        .with_group_id(group(name))
        .with_generation_id_or_member_epoch(who.1)
        .with_member_id(who.0.clone())
        .with_topics(vec![wanted]);
    let answer = probe.ask(&request, 8);
    probe.note(step, error(answer.topics[0].partitions[0].error_code));
}

fn committed(probe: &mut Probe, step: &str, name: &str, partitions: Option<Vec<i32>>) {
    let topics = partitions.map(|indexes| {
        vec![OffsetFetchRequestTopics::default().with_name(topic("grouped")).with_partition_indexes(indexes)]
    });
    let wanted = OffsetFetchRequestGroup::default().with_group_id(group(name)).with_topics(topics);
    let request = OffsetFetchRequest::default().with_groups(vec![wanted]).with_require_stable(true);
    let answer = probe.ask(&request, 8).groups.remove(0);
    let mut found: Vec<String> = answer
        .topics
        .iter()
        .flat_map(|topic| &topic.partitions)
        .map(|each| {
            format!(
                "{}: {}, {}, epoch {}, {:?}",
                each.partition_index,
                error(each.error_code),
                each.committed_offset,
                each.committed_leader_epoch,
                each.metadata.as_ref().map(ToString::to_string)
            )
        })
        .collect();
    found.sort();
    probe.note(step, format!("{}, {found:?}", error(answer.error_code)));
}

fn describe(probe: &mut Probe, step: &str, name: &str) {
    let request = DescribeGroupsRequest::default().with_groups(vec![group(name)]);
    let answer = probe.ask(&request, 6).groups.remove(0);
    probe.note(
        step,
        format!(
            "{}, state `{}`, type `{}`, protocol `{}`, {} members",
            error(answer.error_code),
            answer.group_state,
            answer.protocol_type,
            answer.protocol_data,
            answer.members.len()
        ),
    );
}

fn delete(probe: &mut Probe, step: &str, name: &str) {
    let answer = probe.ask(&DeleteGroupsRequest::default().with_groups_names(vec![group(name)]), 2);
    probe.note(step, error(answer.results[0].error_code));
}

pub(super) fn run(probe: &mut Probe) {
    topics::create(probe, "grouped", 2, &[]);
    probe.area("groups");
    coordinators(probe);
    joining(probe);
    pairs(probe);
    statics(probe);
    offsets(probe);
    administration(probe);
}

fn coordinators(probe: &mut Probe) {
    for (step, name, kind, version) in [
        ("coordinator of a group", GROUP, 0, 3),
        ("coordinator of no name", "", 0, 3),
        ("coordinator of an unknown kind", GROUP, 9, 3),
    ] {
        let request = FindCoordinatorRequest::default().with_key(text(name)).with_key_type(kind);
        let (code, found) = probe.settle(|probe| match probe.try_ask(&request, version) {
            Some(answer) => (answer.error_code, Some(answer.node_id.0 >= 0)),
            None => (0, None),
        });
        match found {
            Some(found) => probe.note(step, format!("{}, a node {found}", error(code))),
            None => probe.note(step, "connection closed"),
        }
    }
    let request = FindCoordinatorRequest::default()
        .with_key_type(0)
        .with_coordinator_keys(vec![text("one"), text("two")]);
    let answer = probe.ask(&request, 4);
    let codes: Vec<String> = answer.coordinators.iter().map(|each| error(each.error_code)).collect();
    probe.note("coordinators of two groups", format!("{codes:?}"));
}

fn joining(probe: &mut Probe) {
    let nobody = text("");
    let (_, first) = probe.settle(|probe| {
        let answer = probe.ask(&join_request(GROUP, &member(&nobody)), 7);
        (answer.error_code, answer)
    });
    probe.note("first join", format!("{}, an id is given {}", joined(&first), !first.member_id.is_empty()));
    let me = first.member_id;
    let answer = join(probe, "join with the id", GROUP, &member(&me));
    let generation = answer.generation_id;
    heartbeat(probe, "heartbeat before the sync", GROUP, &me, generation);
    sync(probe, "sync of a wrong generation", GROUP, &me, generation + 1, &[]);
    sync(probe, "sync of a stranger", GROUP, &text("stranger"), generation, &[]);
    sync(probe, "sync", GROUP, &me, generation, &[&me]);
    sync(probe, "sync again", GROUP, &me, generation, &[]);
    heartbeat(probe, "heartbeat", GROUP, &me, generation);
    heartbeat(probe, "heartbeat of an older generation", GROUP, &me, generation - 1);
    heartbeat(probe, "heartbeat of a newer generation", GROUP, &me, generation + 1);
    heartbeat(probe, "heartbeat of a stranger", GROUP, &text("stranger"), generation);
    heartbeat(probe, "heartbeat in no group", "nobody-here", &me, generation);
    join(probe, "join of a stranger with an id", GROUP, &member(&text("stranger")));
    let other = Member { kind: "connect", ..member(&nobody) };
    join(probe, "join of another kind", GROUP, &other);
    join(probe, "join with other protocols", GROUP, &Member { protocols: &["sticky"], ..member(&nobody) });
    join(probe, "join with no protocols", GROUP, &Member { protocols: &[], ..member(&nobody) });
    join(probe, "join with a session too short", GROUP, &Member { session_ms: 1, ..member(&nobody) });
    join(probe, "join with a session too long", GROUP, &Member { session_ms: i32::MAX, ..member(&nobody) });
    join(probe, "join of no group", "", &member(&nobody));
    describe(probe, "describe", GROUP);
    describe(probe, "describe a stranger", "nobody-here");
    delete(probe, "delete while in use", GROUP);
    commit(probe, "commit", GROUP, (&me, generation), ("grouped", 0, 5));
    commit(probe, "commit of an older generation", GROUP, (&me, generation - 1), ("grouped", 0, 6));
    commit(probe, "commit of a stranger", GROUP, (&text("stranger"), generation), ("grouped", 0, 6));
    commit(probe, "commit from outside", GROUP, (&nobody, -1), ("grouped", 0, 6));
    leave(probe, "leave of a stranger", GROUP, &text("stranger"), None);
    leave(probe, "leave", GROUP, &me, None);
    leave(probe, "leave again", GROUP, &me, None);
    describe(probe, "describe when empty", GROUP);
    commit(probe, "commit after leaving", GROUP, (&me, generation), ("grouped", 0, 7));
    committed(probe, "committed", GROUP, Some(vec![0, 1]));
}

/// Two members, so that a rebalance waits for both.
fn pairs(probe: &mut Probe) {
    let mut second = probe.peer();
    let (me, generation) = enter(probe, "pair");
    sync(probe, "alone", "pair", &me, generation, &[&me]);
    let other = second.ask(&join_request("pair", &member(&text(""))), 7).member_id;
    second.send(&join_request("pair", &member(&other)), 7);
    for _ in 0..400 {
        let request = HeartbeatRequest::default()
            .with_group_id(group("pair"))
            .with_generation_id(generation)
            .with_member_id(me.clone());
        if probe.ask(&request, 4).error_code != 0 {
            break;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(25));
    }
    heartbeat(probe, "heartbeat while another joins", "pair", &me, generation);
    commit(probe, "commit while another joins", "pair", (&me, generation), ("grouped", 0, 1));
    sync(probe, "sync while another joins", "pair", &me, generation, &[]);
    let again = join(probe, "rejoin", "pair", &member(&me));
    let (_, theirs) = second.receive::<JoinGroupRequest>(7).expect("an answer");
    probe.note("the other joins", joined(&theirs));
    let generation = again.generation_id;
    commit(probe, "commit before the sync", "pair", (&me, generation), ("grouped", 0, 1));
    sync(probe, "the leader's sync", "pair", &me, generation, &[&me, &other]);
    sync(&mut second, "", "pair", &other, generation, &[]);
    leave(probe, "the leader leaves", "pair", &me, None);
    heartbeat(probe, "the leader's heartbeat", "pair", &me, generation);
    heartbeat(&mut second, "", "pair", &other, generation);
    let last = second.transcript.lines().last().unwrap_or_default().to_owned();
    probe.note("the other's heartbeat", last.rsplit(": ").next().unwrap_or_default());
}

/// Static membership (KIP-345).
fn statics(probe: &mut Probe) {
    let fixed = |id: &StrBytes| Member { instance: Some("one"), ..member(id) };
    let nobody = text("");
    let first = join(probe, "a static member joins", "static", &fixed(&nobody));
    sync(probe, "and syncs", "static", &first.member_id, first.generation_id, &[&first.member_id]);
    let second = join(probe, "its successor joins", "static", &fixed(&nobody));
    probe.note("its id is another", second.member_id != first.member_id);
    let fenced = join(probe, "the first joins again", "static", &fixed(&first.member_id));
    let _ = fenced;
    heartbeat_as(probe, "heartbeat of the first", &first.member_id, second.generation_id);
    heartbeat_as(probe, "heartbeat of the second", &second.member_id, second.generation_id);
    leave(probe, "leave of an unknown instance", "static", &nobody, Some("nine"));
    leave(probe, "leave by instance", "static", &nobody, Some("one"));
}

fn heartbeat_as(probe: &mut Probe, step: &str, id: &StrBytes, generation: i32) {
    let request = HeartbeatRequest::default()
        .with_group_id(group("static"))
        .with_generation_id(generation)
        .with_member_id(id.clone())
        .with_group_instance_id(Some(text("one")));
    let answer = probe.ask(&request, 4);
    probe.note(step, error(answer.error_code));
}

fn offsets(probe: &mut Probe) {
    let nobody = text("");
    committed(probe, "nothing committed", "simple", Some(vec![0]));
    commit(probe, "commit without a group", "simple", (&nobody, -1), ("grouped", 0, 3));
    commit(probe, "commit a lower offset", "simple", (&nobody, -1), ("grouped", 0, 2));
    commit(probe, "commit a negative offset", "simple", (&nobody, -1), ("grouped", 1, -7));
    commit(probe, "commit an unknown topic", "simple", (&nobody, -1), ("nowhere", 0, 2));
    commit(probe, "commit an unknown partition", "simple", (&nobody, -1), ("grouped", 9, 2));
    commit(probe, "commit with a generation", "simple", (&nobody, 4), ("grouped", 0, 9));
    commit(probe, "commit with an id", "simple", (&text("me"), -1), ("grouped", 0, 9));
    committed(probe, "everything committed", "simple", None);
    describe(probe, "describe a simple group", "simple");
    let partition = OffsetDeleteRequestPartition::default().with_partition_index(0);
    for name in ["grouped", "nowhere"] {
        let wanted = OffsetDeleteRequestTopic::default()
            .with_name(topic(name))
            .with_partitions(vec![partition.clone()]);
        let request = OffsetDeleteRequest::default().with_group_id(group("simple")).with_topics(vec![wanted]);
        let answer = probe.ask(&request, 0);
        let code = answer.topics.first().and_then(|topic| topic.partitions.first());
        let code = code.map(|partition| error(partition.error_code));
        probe.note(format!("delete the offset of {name}"), format!("{}, {code:?}", error(answer.error_code)));
    }
    committed(probe, "after deletion", "simple", None);
}

fn administration(probe: &mut Probe) {
    let mut listed: Vec<String> = probe
        .ask(&ListGroupsRequest::default(), 5)
        .groups
        .iter()
        .map(|each| {
            format!(
                "{} is {}, `{}`, {}",
                each.group_id.0, each.group_state, each.protocol_type, each.group_type
            )
        })
        .collect();
    listed.sort();
    probe.note("list", format!("{listed:?}"));
    let request = ListGroupsRequest::default().with_states_filter(vec![text("Stable")]);
    let mut stable: Vec<String> =
        probe.ask(&request, 5).groups.iter().map(|each| each.group_id.0.to_string()).collect();
    stable.sort();
    probe.note("list the stable", format!("{stable:?}"));
    delete(probe, "delete", "simple");
    delete(probe, "delete again", "simple");
    delete(probe, "delete no name", "");
    committed(probe, "committed after deletion", "simple", Some(vec![0]));
}
