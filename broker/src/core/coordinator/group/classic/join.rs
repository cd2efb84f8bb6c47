//! JoinGroup: new members and known ones, dynamic and static.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{JoinGroupRequest, JoinGroupResponse};

use super::super::super::super::types::RequestId;
use super::super::request::{Caller, GroupAnswer, text};
use super::super::turn::Turn;
use super::super::{Token, records};
use super::membership::protocols;
use super::{Classic, Member, State};

/// First version that understands MEMBER_ID_REQUIRED (KIP-394).
const KNOWN_ID_SINCE: i16 = 4;
/// First version in which a leader can be told that its assignment stands (KIP-814).
const SKIPS_ASSIGNMENT_SINCE: i16 = 9;

/// A static member that came back to a stable group, while its new id is being written down.
#[derive(Debug)]
pub(in crate::core) struct Rejoined {
    id: RequestId,
    /// As it was, in case the write fails.
    before: Member,
    member: String,
    generation: i32,
    answer: JoinGroupResponse,
}

impl Rejoined {
    pub(in super::super) const fn request(&self) -> RequestId {
        self.id
    }
}

/// A JoinGroup that comes to nothing; a member keeps the id it has.
pub(in super::super) fn refused(member: &str, error: ResponseError) -> GroupAnswer {
    let response = JoinGroupResponse::default().with_error_code(error.code()).with_generation_id(-1);
    GroupAnswer::Join(response.with_member_id(text(member)))
}

impl Classic {
    /// Takes a JoinGroup, whose session time-out is legal.
    pub(in super::super) fn join(
        &mut self,
        turn: &mut Turn<'_, '_, '_>,
        group: &str,
        id: RequestId,
        caller: &Caller,
        request: &JoinGroupRequest,
    ) {
        let member = request.member_id.as_str();
        if !self.accepts(turn, member) {
            self.remove(turn, member);
            turn.answer(id, refused("", ResponseError::GroupMaxSizeReached));
        } else if !self.supports(&request.protocol_type, &protocols(request)) {
            turn.answer(id, refused(member, ResponseError::InconsistentGroupProtocol));
        } else if member.is_empty() {
            self.join_new(turn, group, id, caller, request);
        } else {
            self.join_known(turn, group, id, caller, request);
        }
    }

    /// Whether there is room, which a member of the group has already.
    fn accepts(&self, turn: &Turn<'_, '_, '_>, member: &str) -> bool {
        let most = usize::try_from(turn.setting("group.max.size")).unwrap_or(usize::MAX);
        let known = self.members.get(member);
        match self.state {
            State::Empty => true,
            State::PreparingRebalance => {
                let waiting = self.members.values().filter(|member| member.join.is_some()).count();
                known.is_some_and(|member| member.join.is_some()) || waiting < most
            }
            State::CompletingRebalance | State::Stable => known.is_some() || self.members.len() < most,
        }
    }

    fn join_new(
        &mut self,
        turn: &mut Turn<'_, '_, '_>,
        group: &str,
        id: RequestId,
        caller: &Caller,
        request: &JoinGroupRequest,
    ) {
        let instance = request.group_instance_id.as_deref();
        let fresh = uuid::Uuid::from_bytes(caller.fresh.0);
        let member = format!("{}-{fresh}", instance.unwrap_or(&caller.client_id));
        match instance.map(|instance| self.instances.get(instance).cloned()) {
            Some(Some(old)) => self.rejoin(turn, group, id, &old, &member, caller, request),
            None if caller.version >= KNOWN_ID_SINCE => {
                // It has to come again with this id: a client that retries must not leave members behind.
                let session_ms = u64::try_from(request.session_timeout_ms).unwrap_or(0);
                self.pending_joins.insert(member.clone(), turn.scope.now_ms.saturating_add(session_ms));
                turn.answer(id, refused(&member, ResponseError::MemberIdRequired));
            }
            Some(None) | None => self.admit(turn, group, id, member, caller, request),
        }
    }

    fn admit(
        &mut self,
        turn: &mut Turn<'_, '_, '_>,
        group: &str,
        id: RequestId,
        member: String,
        caller: &Caller,
        request: &JoinGroupRequest,
    ) {
        self.add(turn, Member::new(member, caller, request), id, &request.protocol_type);
        self.rebalance_or_complete(turn, group);
    }

    fn join_known(
        &mut self,
        turn: &mut Turn<'_, '_, '_>,
        group: &str,
        id: RequestId,
        caller: &Caller,
        request: &JoinGroupRequest,
    ) {
        let member = request.member_id.as_str();
        if self.pending_joins.contains_key(member) {
            let error = request.group_instance_id.is_some().then_some(ResponseError::UnknownServerError);
            match error {
                Some(error) => turn.answer(id, refused(member, error)),
                None => self.admit(turn, group, id, member.to_owned(), caller, request),
            }
            return;
        }
        if let Err(error) = self.validate(member, request.group_instance_id.as_deref()) {
            turn.answer(id, refused(member, error));
            return;
        }
        let unchanged = self.members.get(member).is_some_and(|known| known.protocols == protocols(request));
        let rebalances = match self.state {
            State::Empty => {
                turn.answer(id, refused(member, ResponseError::UnknownMemberId));
                return;
            }
            State::PreparingRebalance => true,
            // Its answer got lost, most likely.
            State::CompletingRebalance => !unchanged,
            // A leader joins again to have the group divided anew.
            State::Stable => self.is_leader(member) || !unchanged,
        };
        if rebalances {
            self.update(turn, member, id, request);
            self.rebalance_or_complete(turn, group);
        } else {
            let answer = self.joined(member);
            turn.answer(id, GroupAnswer::Join(answer));
        }
    }

    /// A member joins again, perhaps with other protocols. An older JoinGroup of it is not answered any more
    /// with anything but this.
    fn update(
        &mut self,
        turn: &mut Turn<'_, '_, '_>,
        member: &str,
        id: RequestId,
        request: &JoinGroupRequest,
    ) {
        let Some(known) = self.members.get_mut(member) else { return };
        known.update(request);
        if let Some(older) = known.join.replace(id) {
            turn.answer(older, refused(member, ResponseError::RebalanceInProgress));
        }
    }

    /// A static member is back under another id.
    #[expect(clippy::too_many_arguments, reason = "who, before and after, and what was asked")]
    fn rejoin(
        &mut self,
        turn: &mut Turn<'_, '_, '_>,
        group: &str,
        id: RequestId,
        old: &str,
        new: &str,
        caller: &Caller,
        request: &JoinGroupRequest,
    ) {
        let leader_before = self.leader.clone().unwrap_or_default();
        let Some(before) = self.replace(turn, old, new) else { return };
        if let Some(member) = self.members.get_mut(new) {
            member.update(request);
            member.client_id.clone_from(&caller.client_id);
            member.client_host.clone_from(&caller.client_host);
        }
        self.touch(turn, new);
        if self.state == State::Stable && self.elect_protocol() == self.protocol {
            // Nothing changes for the others: only its new id is written down (KIP-345).
            let leads = self.is_leader(new);
            let answer = if caller.version >= SKIPS_ASSIGNMENT_SINCE {
                self.joined(new).with_skip_assignment(leads)
            } else {
                // It must not take itself for the leader, which would divide the partitions again.
                self.joined(new).with_leader(text(leader_before)).with_members(Vec::new())
            };
            let entry = records::group(group, Some(&self.stored(None)));
            let (member, generation) = (new.to_owned(), self.generation);
            let rejoined = Box::new(Rejoined { id, before, member, generation, answer });
            turn.write(vec![entry], Token::Rejoined { group: group.to_owned(), rejoined });
            return;
        }
        if let Some(member) = self.members.get_mut(new) {
            member.join = Some(id);
        }
        self.rebalance_or_complete(turn, group);
    }

    /// The new id of a static member is written down, or could not be.
    pub(in super::super) fn rejoined(
        &mut self,
        turn: &mut Turn<'_, '_, '_>,
        rejoined: Rejoined,
        error: Option<ResponseError>,
    ) {
        let Rejoined { id, before, member, generation, answer } = rejoined;
        let Some(error) = error else {
            turn.answer(id, GroupAnswer::Join(answer));
            return;
        };
        turn.answer(id, refused("", error));
        if self.generation == generation && self.members.contains_key(&member) {
            self.replace(turn, &member, &before.id);
            self.members.insert(before.id.clone(), before);
        }
    }
}
