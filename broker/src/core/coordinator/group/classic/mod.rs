//! A classic group: members join, one of them divides the partitions, all of them get their share, and whatever
//! changes starts that again under the next generation (Apache Kafka, `ClassicGroup` and the classic half of
//! `GroupMetadataManager`; KIP-62, KIP-345, KIP-394, KIP-814).
//!
//! Two generations never overlap in what the group commits: offsets are only taken from members of the
//! current one.

mod describe;
mod join;
mod membership;
mod rebalance;
mod sync;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{JoinGroupResponse, SyncGroupResponse};

use super::super::super::types::RequestId;
use super::records::{StoredGroup, StoredMember};
use super::request::{GroupAnswer, text};
use super::turn::Turn;
pub(super) use join::{Rejoined, refused};

/// How long a member may wait in its first JoinGroup: its id is not known to it, so it cannot heartbeat.
const NEW_MEMBER_MS: u64 = 300_000;

/// The protocol type of consumers.
pub(super) const CONSUMER: &str = "consumer";

/// Kafka's states, but for `Dead`: a dead group is not here any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum State {
    #[default]
    Empty,
    PreparingRebalance,
    CompletingRebalance,
    Stable,
}

impl State {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// A member of a classic group.
#[derive(Debug, Clone)]
pub(in crate::core) struct Member {
    id: String,
    instance: Option<String>,
    client_id: String,
    client_host: String,
    rebalance_ms: i32,
    session_ms: i32,
    /// Name and metadata, in the member's order of preference.
    protocols: Vec<(String, Bytes)>,
    assignment: Bytes,
    /// In its first JoinGroup.
    is_new: bool,
    /// The JoinGroup that waits.
    join: Option<RequestId>,
    /// The SyncGroup that waits.
    sync: Option<RequestId>,
    /// When its session ends.
    deadline_ms: u64,
}

impl Member {
    fn metadata(&self, protocol: Option<&str>) -> Bytes {
        let known = self.protocols.iter().find(|(name, _)| Some(name.as_str()) == protocol);
        known.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
    }

    /// Whether its session is over. While a request of a known member waits here it cannot heartbeat.
    const fn has_expired(&self, now_ms: u64) -> bool {
        now_ms >= self.deadline_ms && (self.is_new || (self.join.is_none() && self.sync.is_none()))
    }
}

/// When a rebalance ends without those who have not joined.
#[derive(Debug, Clone, Copy)]
struct JoinTimer {
    at_ms: u64,
    /// Of the first rebalance of a group: how much longer newcomers may extend it.
    extension_ms: Option<u64>,
}

/// A classic group.
#[derive(Debug, Default)]
pub(super) struct Classic {
    state: State,
    /// The state before, which tells a first rebalance from others.
    previous: State,
    /// Time of day of the last change of the state, ms; -1 is not known.
    state_ms: i64,
    generation: i32,
    protocol_type: Option<String>,
    protocol: Option<String>,
    leader: Option<String>,
    members: BTreeMap<String, Member>,
    /// Ids given out that have not joined yet (KIP-394), and until when.
    pending_joins: BTreeMap<String, u64>,
    /// Instance to member.
    instances: BTreeMap<String, String>,
    /// Members that have not synced in this generation.
    pending_syncs: BTreeSet<String>,
    /// Somebody came while the first rebalance was waiting.
    newcomer: bool,
    join_timer: Option<JoinTimer>,
    sync_deadline_ms: Option<u64>,
    /// The shares of this generation are being written down.
    storing: Option<i32>,
    /// What its consumers subscribe to; `None` is not known.
    subscribed: Option<BTreeSet<String>>,
}

impl Classic {
    /// Nobody is there, and nobody on the way.
    pub(super) fn is_deserted(&self) -> bool {
        self.state == State::Empty && self.pending_joins.is_empty()
    }

    pub(super) const fn state(&self) -> State {
        self.state
    }

    pub(super) const fn state_ms(&self) -> i64 {
        self.state_ms
    }

    pub(super) fn protocol_type(&self) -> Option<&str> {
        self.protocol_type.as_deref()
    }

    /// Whether consumers of this group read a topic; unknown counts as no.
    pub(super) fn subscribes(&self, topic: &str) -> bool {
        self.subscribed.as_ref().is_some_and(|topics| topics.contains(topic))
    }

    /// Whether it is known what its consumers read.
    pub(super) const fn knows_subscriptions(&self) -> bool {
        self.subscribed.is_some()
    }

    /// Nothing that a later request could rest on: no member, nobody about to be one, never had one.
    pub(super) fn is_vacant(&self) -> bool {
        self.state == State::Empty
            && self.generation == 0
            && self.protocol_type.is_none()
            && self.pending_joins.is_empty()
    }

    fn transition(&mut self, turn: &Turn<'_, '_, '_>, state: State) {
        self.previous = self.state;
        self.state = state;
        self.state_ms = turn.scope.wall_ms;
    }

    fn is_leader(&self, member: &str) -> bool {
        self.leader.as_deref() == Some(member)
    }

    /// The longest that any member needs to join again.
    fn rebalance_ms(&self) -> u64 {
        let longest = self.members.values().map(|member| member.rebalance_ms).max();
        u64::try_from(longest.unwrap_or(0)).unwrap_or(0)
    }

    fn all_joined(&self) -> bool {
        self.pending_joins.is_empty() && self.members.values().all(|member| member.join.is_some())
    }

    /// Protocols that every member supports.
    fn candidates(&self) -> BTreeSet<&str> {
        let names = |member: &Member| -> BTreeSet<String> {
            member.protocols.iter().map(|(name, _)| name.clone()).collect()
        };
        let common = self.members.values().map(names).reduce(|common, names| &common & &names);
        let first = self.members.values().next();
        let known = first.into_iter().flat_map(|member| &member.protocols).map(|(name, _)| name.as_str());
        known.filter(|name| common.as_ref().is_some_and(|common| common.contains(*name))).collect()
    }

    /// The protocol most members prefer among those that all support.
    fn elect_protocol(&self) -> Option<String> {
        let candidates = self.candidates();
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            let names = member.protocols.iter().map(|(name, _)| name.as_str());
            if let Some(vote) = names.into_iter().find(|name| candidates.contains(name)) {
                *votes.entry(vote).or_default() += 1;
            }
        }
        votes.into_iter().rev().max_by_key(|(_, votes)| *votes).map(|(name, _)| name.to_owned())
    }

    /// Whether a member with these protocols could take part.
    fn supports(&self, protocol_type: &str, protocols: &[(String, Bytes)]) -> bool {
        if self.state == State::Empty {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        let candidates = self.candidates();
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols.iter().any(|(name, _)| candidates.contains(name.as_str()))
    }

    /// Checks that a member is who it says: an instance has one member at a time (KIP-345).
    pub(super) fn validate(&self, member: &str, instance: Option<&str>) -> Result<(), ResponseError> {
        if let Some(instance) = instance {
            match self.instances.get(instance) {
                None => return Err(ResponseError::UnknownMemberId),
                Some(known) if known != member => return Err(ResponseError::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member) { Ok(()) } else { Err(ResponseError::UnknownMemberId) }
    }

    /// A sign of life.
    fn touch(&mut self, turn: &Turn<'_, '_, '_>, member: &str) {
        if let Some(member) = self.members.get_mut(member) {
            let session_ms = u64::try_from(member.session_ms).unwrap_or(0);
            member.deadline_ms = turn.scope.now_ms.saturating_add(session_ms);
        }
    }

    /// Answers the JoinGroup of a member that waits, if one does.
    fn answer_join(&mut self, turn: &mut Turn<'_, '_, '_>, member: &str, answer: JoinGroupResponse) {
        if let Some(id) = self.members.get_mut(member).and_then(|member| member.join.take()) {
            turn.answer(id, GroupAnswer::Join(answer));
        }
    }

    /// Answers the SyncGroup of a member that waits, if one does.
    fn answer_sync(&mut self, turn: &mut Turn<'_, '_, '_>, member: &str, answer: SyncGroupResponse) {
        if let Some(id) = self.members.get_mut(member).and_then(|member| member.sync.take()) {
            turn.answer(id, GroupAnswer::Sync(answer));
        }
    }

    /// As it is written down, with these assignments instead of those that members have.
    pub(super) fn stored(&self, assignments: Option<&BTreeMap<String, Bytes>>) -> StoredGroup {
        let member = |member: &Member| StoredMember {
            id: member.id.clone(),
            instance: member.instance.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_ms: member.rebalance_ms,
            session_ms: member.session_ms,
            subscription: member.metadata(self.protocol.as_deref()),
            assignment: match assignments {
                Some(assignments) => assignments.get(&member.id).cloned().unwrap_or_default(),
                None => member.assignment.clone(),
            },
        };
        StoredGroup {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            state_ms: self.state_ms,
            members: self.members.values().map(member).collect(),
        }
    }

    /// As a new coordinator finds it: stable if it has members, and every session starts anew.
    pub(super) fn restored(stored: StoredGroup, now_ms: u64) -> Self {
        let protocol = stored.protocol.clone().unwrap_or_default();
        let member = |member: StoredMember| Member {
            id: member.id,
            instance: member.instance,
            client_id: member.client_id,
            client_host: member.client_host,
            rebalance_ms: member.rebalance_ms,
            session_ms: member.session_ms,
            protocols: vec![(protocol.clone(), member.subscription)],
            assignment: member.assignment,
            is_new: false,
            join: None,
            sync: None,
            deadline_ms: now_ms.saturating_add(u64::try_from(member.session_ms).unwrap_or(0)),
        };
        let members: BTreeMap<_, _> =
            stored.members.into_iter().map(member).map(|member| (member.id.clone(), member)).collect();
        let state = if members.is_empty() { State::Empty } else { State::Stable };
        let instance = |member: &Member| Some((member.instance.clone()?, member.id.clone()));
        let mut group = Self {
            state,
            previous: state,
            state_ms: stored.state_ms,
            generation: stored.generation,
            protocol_type: Some(stored.protocol_type).filter(|kind| !kind.is_empty()),
            protocol: stored.protocol,
            leader: stored.leader,
            instances: members.values().filter_map(instance).collect(),
            members,
            ..Self::default()
        };
        group.subscribed = group.subscriptions();
        group
    }

    /// Refuses everyone that waits: this coordinator is none any more.
    pub(super) fn unload(&mut self, mut answer: impl FnMut(RequestId, GroupAnswer)) {
        let code = ResponseError::NotCoordinator.code();
        for member in self.members.values_mut() {
            if let Some(id) = member.join.take() {
                let refusal = JoinGroupResponse::default().with_error_code(code).with_generation_id(-1);
                answer(id, GroupAnswer::Join(refusal.with_member_id(text(member.id.as_str()))));
            }
            if let Some(id) = member.sync.take() {
                answer(id, GroupAnswer::Sync(SyncGroupResponse::default().with_error_code(code)));
            }
        }
    }
}
