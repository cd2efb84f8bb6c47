//! Groups in the in-memory world: a client that speaks to whoever coordinates, and the rules it may rely on.

mod classic;
mod consumers;
mod failover;
mod offsets;
mod schedules;
mod statics;

use bytes::Bytes;
use kafka_protocol::messages::describe_groups_response::DescribedGroup;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    GroupId, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse,
    OffsetCommitRequest, SyncGroupRequest, SyncGroupResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::super::*;
use crate::flaws::Flaw;
use crate::simulation::{TOPIC, World, strings};

pub(super) const OFFSETS: Uuid = Uuid([9; 16]);
pub(super) const GROUP: &str = "g";

pub(super) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// A world with `__consumer_offsets` of one partition, and no delay before the first rebalance unless it is
/// given.
pub(super) fn world(brokers: i32, flaw: Option<Flaw>, settings: &[(&str, &str)]) -> World {
    // There is no coordinator of transactions here who could vouch for one.
    let mut all = vec![
        ("group.initial.rebalance.delay.ms", "0"),
        ("group.min.session.timeout.ms", "100"),
        ("transaction.partition.verification.enable", "false"),
    ];
    all.extend(settings);
    let mut world = World::with_settings(brokers, 2, &[("min.insync.replicas", "2")], flaw, &all);
    let topic = NewTopic {
        name: InternalTopic::ConsumerOffsets.name().to_owned(),
        id: OFFSETS,
        partitions: 1,
        replication_factor: brokers as i16,
        configs: strings(&[("cleanup.policy", "compact")]),
        assignments: Vec::new(),
        validate_only: false,
    };
    let message = ToController::Admin { request: 2, op: AdminOp::CreateTopic(topic) };
    world.control(ControllerInput::Message { connection: 0, message });
    world.run(100);
    world
}

/// What a member remembers between its requests.
#[derive(Debug, Clone, Default)]
pub(super) struct Client {
    pub(super) member: String,
    pub(super) instance: Option<String>,
    pub(super) generation: i32,
    pub(super) version: i16,
    pub(super) session_ms: i32,
}

impl Client {
    pub(super) fn new() -> Self {
        Self { generation: -1, version: 9, session_ms: 1_000, ..Self::default() }
    }

    pub(super) fn instance(name: &str) -> Self {
        Self { instance: Some(name.to_owned()), ..Self::new() }
    }
}

pub(super) fn offsets_key() -> PartitionKey {
    PartitionKey { topic: OFFSETS, partition: 0 }
}

impl World {
    pub(super) fn delete_topic(&mut self) {
        let message = ToController::Admin { request: 3, op: AdminOp::DeleteTopic { id: TOPIC } };
        self.control(ControllerInput::Message { connection: 0, message });
    }

    pub(super) fn coordinator(&self) -> i32 {
        self.partition(offsets_key()).leader
    }

    /// Asks a broker about [`GROUP`], in some version.
    pub(super) fn ask_at(&mut self, node: i32, version: i16, ask: GroupAsk) -> RequestId {
        self.ask_in(GROUP, node, version, ask)
    }

    /// Asks a broker about a group.
    pub(super) fn ask_in(&mut self, group: &str, node: i32, version: i16, ask: GroupAsk) -> RequestId {
        self.send_group(node, group, version, ask)
    }

    /// Asks the coordinator, and lets everything settle that needs no time.
    pub(super) fn ask(&mut self, version: i16, ask: GroupAsk) -> RequestId {
        let node = self.coordinator();
        let id = self.ask_at(node, version, ask);
        self.settle();
        id
    }

    pub(super) fn join(&mut self, client: &Client, protocols: &[(&str, &str)]) -> RequestId {
        let id = self.join_at(self.coordinator(), client, protocols);
        self.settle();
        id
    }

    pub(super) fn join_at(&mut self, node: i32, client: &Client, protocols: &[(&str, &str)]) -> RequestId {
        let protocols = protocols.iter().map(|(name, metadata)| {
            JoinGroupRequestProtocol::default()
                .with_name(text(name))
                .with_metadata(Bytes::from((*metadata).to_owned()))
        });
        let request = JoinGroupRequest::default()
            .with_group_id(GroupId(text(GROUP)))
            .with_session_timeout_ms(client.session_ms)
            .with_rebalance_timeout_ms(2_000)
            .with_member_id(text(&client.member))
            .with_group_instance_id(client.instance.as_deref().map(text))
            .with_protocol_type(text("consumer"))
            .with_protocols(protocols.collect());
        self.ask_at(node, client.version, GroupAsk::Join(request))
    }

    pub(super) fn joined(&self, id: RequestId) -> Option<JoinGroupResponse> {
        match self.answers.get(&id)? {
            GroupAnswer::Join(response) => Some(response.clone()),
            other => panic!("{other:?} is no answer to a JoinGroup"),
        }
    }

    /// Joins as clients do: when told the id it shall have, a new member comes again with it.
    pub(super) fn enter(&mut self, client: &mut Client, protocols: &[(&str, &str)]) -> RequestId {
        let first = self.join(client, protocols);
        match self.joined(first) {
            Some(refused) if refused.error_code == 79 => {
                client.member = refused.member_id.to_string();
                self.join(client, protocols)
            }
            _ => first,
        }
    }

    /// Takes note of a JoinGroup's answer, which must be there and good.
    pub(super) fn entered(&self, client: &mut Client, id: RequestId) -> JoinGroupResponse {
        let response = self.joined(id).expect("joined");
        assert_eq!(response.error_code, 0, "{response:?}");
        client.member = response.member_id.to_string();
        client.generation = response.generation_id;
        response
    }

    pub(super) fn sync_group(&mut self, client: &Client, shares: &[(&Client, &str)]) -> RequestId {
        let shares: Vec<_> =
            shares.iter().map(|(member, share)| (member.member.clone(), (*share).to_owned())).collect();
        let id = self.sync_at(self.coordinator(), client, &shares);
        self.settle();
        id
    }

    /// Syncs at a broker, with these shares by member.
    pub(super) fn sync_at(&mut self, node: i32, client: &Client, shares: &[(String, String)]) -> RequestId {
        let assignments = shares.iter().map(|(member, share)| {
            SyncGroupRequestAssignment::default()
                .with_member_id(text(member))
                .with_assignment(Bytes::from(share.clone()))
        });
        let request = SyncGroupRequest::default()
            .with_group_id(GroupId(text(GROUP)))
            .with_generation_id(client.generation)
            .with_member_id(text(&client.member))
            .with_group_instance_id(client.instance.as_deref().map(text))
            .with_assignments(assignments.collect());
        self.ask_at(node, 5, GroupAsk::Sync(request))
    }

    pub(super) fn synced(&self, id: RequestId) -> Option<SyncGroupResponse> {
        match self.answers.get(&id)? {
            GroupAnswer::Sync(response) => Some(response.clone()),
            other => panic!("{other:?} is no answer to a SyncGroup"),
        }
    }

    /// What a member was given.
    pub(super) fn share(&self, id: RequestId) -> String {
        let response = self.synced(id).expect("synced");
        assert_eq!(response.error_code, 0);
        String::from_utf8(response.assignment.to_vec()).expect("text")
    }

    pub(super) fn heartbeat(&mut self, client: &Client) -> i16 {
        let code = self.heartbeat_at(self.coordinator(), client);
        self.settle();
        code
    }

    pub(super) fn heartbeat_at(&mut self, node: i32, client: &Client) -> i16 {
        let request = HeartbeatRequest::default()
            .with_group_id(GroupId(text(GROUP)))
            .with_generation_id(client.generation)
            .with_member_id(text(&client.member))
            .with_group_instance_id(client.instance.as_deref().map(text));
        let id = self.ask_at(node, 4, GroupAsk::Heartbeat(request));
        match self.answers[&id] {
            GroupAnswer::Heartbeat(code) => code,
            ref other => panic!("{other:?} is no answer to a Heartbeat"),
        }
    }

    pub(super) fn leave(&mut self, member: &str, instance: Option<&str>) -> LeaveGroupResponse {
        let member =
            MemberIdentity::default().with_member_id(text(member)).with_group_instance_id(instance.map(text));
        let request = LeaveGroupRequest::default().with_members(vec![member]);
        let id = self.ask(5, GroupAsk::Leave(request));
        match &self.answers[&id] {
            GroupAnswer::Leave(response) => response.clone(),
            other => panic!("{other:?} is no answer to a LeaveGroup"),
        }
    }

    /// Two stable members of generation 1 with the shares `a` and `b`; the first one leads.
    pub(super) fn pair(&mut self) -> (Client, Client) {
        self.pair_for(1_000)
    }

    /// [`World::pair`] with other sessions.
    pub(super) fn pair_for(&mut self, session_ms: i32) -> (Client, Client) {
        let client = || Client { session_ms, ..Client::new() };
        let (mut one, mut two) = (client(), client());
        let first = self.enter(&mut one, &[("range", "m1")]);
        let second = self.enter(&mut two, &[("range", "m2")]);
        self.run(40);
        let response = self.entered(&mut one, first);
        assert_eq!(response.leader.as_str(), one.member, "the first one leads");
        assert_eq!(response.members.len(), 2);
        assert!(self.entered(&mut two, second).members.is_empty(), "others need not know who is there");
        self.share_out(&one, &two);
        (one, two)
    }

    /// The first of two gives both their shares.
    pub(super) fn share_out(&mut self, one: &Client, two: &Client) {
        let waits = self.sync_group(two, &[]);
        assert_eq!(self.synced(waits), None, "there is nothing to give yet");
        let leads = self.sync_group(one, &[(one, "a"), (two, "b")]);
        assert_eq!((self.share(leads).as_str(), self.share(waits).as_str()), ("a", "b"));
    }

    pub(super) fn commit_request(client: &Client, partition: i32, offset: i64) -> GroupAsk {
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(partition)
            .with_committed_offset(offset)
            .with_committed_metadata(Some(text("note")));
        let topic = OffsetCommitRequestTopic::default()
            .with_name(TopicName(text("t")))
            .with_partitions(vec![partition]);
        GroupAsk::Commit(
            OffsetCommitRequest::default()
                .with_group_id(GroupId(text(GROUP)))
                .with_generation_id_or_member_epoch(client.generation)
                .with_member_id(text(&client.member))
                .with_group_instance_id(client.instance.as_deref().map(text))
                .with_retention_time_ms(-1)
                .with_topics(vec![topic]),
        )
    }

    pub(super) fn commit(&mut self, client: &Client, partition: i32, offset: i64) -> RequestId {
        self.ask(8, Self::commit_request(client, partition, offset))
    }

    /// The error code of a commit, if it has been answered.
    pub(super) fn committed(&self, id: RequestId) -> Option<i16> {
        match self.answers.get(&id)? {
            GroupAnswer::Commit(response) => Some(response.topics[0].partitions[0].error_code),
            GroupAnswer::TxnCommit(response) => Some(response.topics[0].partitions[0].error_code),
            other => panic!("{other:?} is no answer to an OffsetCommit"),
        }
    }

    pub(super) fn fetch_request(partition: i32, require_stable: bool) -> GroupAsk {
        let topic = OffsetFetchRequestTopics::default()
            .with_name(TopicName(text("t")))
            .with_partition_indexes(vec![partition]);
        let wanted = OffsetFetchRequestGroup::default()
            .with_group_id(GroupId(text(GROUP)))
            .with_member_epoch(-1)
            .with_topics(Some(vec![topic]));
        GroupAsk::Fetch { wanted, require_stable }
    }

    /// The committed offset, or the error of the partition or the group.
    pub(super) fn position(&mut self, partition: i32, require_stable: bool) -> Result<i64, i16> {
        let id = self.ask(8, Self::fetch_request(partition, require_stable));
        self.positioned(id).expect("answered at once")
    }

    pub(super) fn positioned(&self, id: RequestId) -> Option<Result<i64, i16>> {
        let GroupAnswer::Fetch(group) = self.answers.get(&id)? else { panic!("no answer to an OffsetFetch") };
        if group.error_code != 0 {
            return Some(Err(group.error_code));
        }
        let partition = &group.topics[0].partitions[0];
        let code = partition.error_code;
        Some(if code == 0 { Ok(partition.committed_offset) } else { Err(code) })
    }

    pub(super) fn describe_group(&mut self) -> DescribedGroup {
        let id = self.ask(6, GroupAsk::Describe);
        match &self.answers[&id] {
            GroupAnswer::Describe(group) => (**group).clone(),
            other => panic!("{other:?} is no answer to DescribeGroups"),
        }
    }
}
