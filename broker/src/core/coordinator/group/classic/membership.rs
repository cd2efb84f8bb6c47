//! Who is a member of a classic group: added, replaced by a restarted instance, removed, leaving.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{
    JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse, SyncGroupResponse,
};

use super::super::super::super::types::RequestId;
use super::super::request::{Caller, GroupAnswer, left, text};
use super::super::turn::Turn;
use super::{Classic, Member, NEW_MEMBER_MS, State};

impl Member {
    /// As its JoinGroup describes it.
    pub(super) fn new(id: String, caller: &Caller, request: &JoinGroupRequest) -> Self {
        let mut member = Self {
            id,
            instance: request.group_instance_id.as_ref().map(ToString::to_string),
            client_id: caller.client_id.clone(),
            client_host: caller.client_host.clone(),
            rebalance_ms: 0,
            session_ms: 0,
            protocols: Vec::new(),
            assignment: Bytes::new(),
            is_new: true,
            join: None,
            sync: None,
            deadline_ms: 0,
        };
        member.update(request);
        member
    }

    pub(super) fn update(&mut self, request: &JoinGroupRequest) {
        self.session_ms = request.session_timeout_ms;
        // Version 0 has no rebalance time-out of its own; the decoder leaves -1.
        self.rebalance_ms = match request.rebalance_timeout_ms {
            ..0 => request.session_timeout_ms,
            given => given,
        };
        self.protocols = protocols(request);
    }
}

/// The protocols of a JoinGroup, by name and metadata.
pub(super) fn protocols(request: &JoinGroupRequest) -> Vec<(String, Bytes)> {
    request.protocols.iter().map(|one| (one.name.to_string(), one.metadata.clone())).collect()
}

impl Classic {
    /// A new member, whose JoinGroup waits.
    pub(super) fn add(&mut self, turn: &Turn<'_, '_, '_>, mut member: Member, id: RequestId, kind: &str) {
        if self.members.is_empty() {
            self.protocol_type = Some(kind.to_owned());
        }
        if self.state == State::PreparingRebalance && self.previous == State::Empty {
            self.newcomer = true;
        }
        member.join = Some(id);
        member.deadline_ms = turn.scope.now_ms.saturating_add(NEW_MEMBER_MS);
        self.pending_joins.remove(&member.id);
        self.leader.get_or_insert_with(|| member.id.clone());
        if let Some(instance) = &member.instance {
            self.instances.insert(instance.clone(), member.id.clone());
        }
        self.members.insert(member.id.clone(), member);
    }

    /// Removes a member. A request of it that waits is told that it is none any more.
    pub(super) fn remove(&mut self, turn: &mut Turn<'_, '_, '_>, id: &str) {
        let code = ResponseError::UnknownMemberId.code();
        self.answer_join(
            turn,
            id,
            JoinGroupResponse::default()
                .with_error_code(code)
                .with_generation_id(-1)
                .with_member_id(text(id)),
        );
        self.answer_sync(turn, id, SyncGroupResponse::default().with_error_code(code));
        self.pending_joins.remove(id);
        self.pending_syncs.remove(id);
        let Some(member) = self.members.remove(id) else { return };
        if let Some(instance) = &member.instance
            && self.instances.get(instance).is_some_and(|known| known == id)
        {
            self.instances.remove(instance);
        }
        if self.is_leader(id) {
            self.leader = self.members.keys().next().cloned();
        }
    }

    /// After members have gone.
    pub(super) fn membership_shrank(&mut self, turn: &mut Turn<'_, '_, '_>, group: &str) {
        match self.state {
            State::Empty => {}
            State::Stable | State::CompletingRebalance => self.prepare(turn, group),
            State::PreparingRebalance => self.complete_if_all_joined(turn, group),
        }
    }

    /// Puts a restarted instance in the place of the member it was before: same assignment, another id. Requests
    /// of the old one that wait are fenced (KIP-345).
    pub(super) fn replace(&mut self, turn: &mut Turn<'_, '_, '_>, old: &str, new: &str) -> Option<Member> {
        let fenced = ResponseError::FencedInstanceId.code();
        self.answer_join(
            turn,
            old,
            JoinGroupResponse::default()
                .with_error_code(fenced)
                .with_generation_id(-1)
                .with_member_id(text(old)),
        );
        self.answer_sync(turn, old, SyncGroupResponse::default().with_error_code(fenced));
        let before = self.members.remove(old)?;
        self.pending_syncs.remove(old);
        if self.is_leader(old) {
            self.leader = Some(new.to_owned());
        }
        let mut member = before.clone();
        member.id = new.to_owned();
        if let Some(instance) = &member.instance {
            self.instances.insert(instance.clone(), new.to_owned());
        }
        self.members.insert(new.to_owned(), member);
        Some(before)
    }

    /// LeaveGroup: members go by their ids, or by their instances (an administrator removes them so).
    pub(in super::super) fn leave(
        &mut self,
        turn: &mut Turn<'_, '_, '_>,
        group: &str,
        id: RequestId,
        request: &LeaveGroupRequest,
    ) {
        let mut gone = false;
        let mut members = Vec::with_capacity(request.members.len());
        for identity in &request.members {
            let instance = identity.group_instance_id.as_deref();
            let result = match identity.member_id.as_str() {
                "" => {
                    let known = instance.and_then(|instance| self.instances.get(instance));
                    known.cloned().ok_or(ResponseError::UnknownMemberId)
                }
                pending if self.pending_joins.contains_key(pending) => Ok(pending.to_owned()),
                member => self.validate(member, instance).map(|()| member.to_owned()),
            };
            if let Ok(member) = &result {
                self.remove(turn, member);
                gone = true;
            }
            let code = result.err().map_or(0, |error| error.code());
            members.push(left(&identity.member_id, instance, code));
        }
        turn.answer(id, GroupAnswer::Leave(LeaveGroupResponse::default().with_members(members)));
        if gone {
            self.membership_shrank(turn, group);
        }
    }
}
