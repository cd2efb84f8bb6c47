//! SyncGroup and Heartbeat: assignments go out, and members show that they live.

use std::collections::BTreeMap;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{HeartbeatRequest, SyncGroupRequest, SyncGroupResponse};

use super::super::super::super::types::RequestId;
use super::super::request::{GroupAnswer, text};
use super::super::turn::Turn;
use super::super::{GroupWrite, Token, records};
use super::{Classic, State};
use crate::flaws::Flaw;

fn refused(error: ResponseError) -> GroupAnswer {
    GroupAnswer::Sync(SyncGroupResponse::default().with_error_code(error.code()))
}

impl Classic {
    /// Takes a SyncGroup. Members wait until the leader's has been written down.
    pub(in super::super) fn sync(
        &mut self,
        turn: &mut Turn<'_, '_, '_>,
        group: &str,
        id: RequestId,
        request: &SyncGroupRequest,
    ) {
        let member = request.member_id.as_str();
        if let Err(error) = self.validate_sync(request) {
            turn.answer(id, refused(error));
            return;
        }
        match self.state {
            State::Empty => turn.answer(id, refused(ResponseError::UnknownMemberId)),
            State::PreparingRebalance => turn.answer(id, refused(ResponseError::RebalanceInProgress)),
            State::CompletingRebalance => {
                self.pending_syncs.remove(member);
                if let Some(known) = self.members.get_mut(member)
                    && let Some(older) = known.sync.replace(id)
                {
                    turn.answer(older, refused(ResponseError::RebalanceInProgress));
                }
                // A leader that comes again with other shares, while the first are being written, must not have
                // the next coordinator give those out: a generation is divided once.
                if self.is_leader(member) && self.storing != Some(self.generation) {
                    self.storing = Some(self.generation);
                    self.store_assignments(turn, group, request);
                }
            }
            State::Stable => {
                self.pending_syncs.remove(member);
                let answer = self.synced(member);
                turn.answer(id, GroupAnswer::Sync(answer));
                self.touch(turn, member);
            }
        }
    }

    fn validate_sync(&self, request: &SyncGroupRequest) -> Result<(), ResponseError> {
        self.validate(&request.member_id, request.group_instance_id.as_deref())?;
        if request.generation_id != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        // Since version 5 a member says what it believes (KIP-559).
        let differs = |theirs: Option<&str>, ours: Option<&str>| match (theirs, ours) {
            (Some(theirs), Some(ours)) => theirs != ours,
            _ => false,
        };
        if differs(request.protocol_type.as_deref(), self.protocol_type.as_deref())
            || differs(request.protocol_name.as_deref(), self.protocol.as_deref())
        {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        Ok(())
    }

    fn store_assignments(&mut self, turn: &mut Turn<'_, '_, '_>, group: &str, request: &SyncGroupRequest) {
        let given = request.assignments.iter();
        let given: BTreeMap<String, _> =
            given.map(|one| (one.member_id.to_string(), one.assignment.clone())).collect();
        let share = |id: &String| (id.clone(), given.get(id).cloned().unwrap_or_default());
        let mut assignments: BTreeMap<_, _> = self.members.keys().map(share).collect();
        if turn.scope.flaw == Some(Flaw::TwoOwners) {
            let first = assignments.values().next().cloned().unwrap_or_default();
            assignments.values_mut().skip(1).take(1).for_each(|second| second.clone_from(&first));
        }
        let entry = records::group(group, Some(&self.stored(Some(&assignments))));
        let write = GroupWrite { generation: self.generation, assignments };
        turn.write(vec![entry], Token::Synced { group: group.to_owned(), write });
    }

    /// A member's share in the current generation.
    pub(super) fn synced(&self, member: &str) -> SyncGroupResponse {
        let assignment = self.members.get(member).map(|member| member.assignment.clone());
        SyncGroupResponse::default()
            .with_protocol_type(self.protocol_type.as_deref().map(text))
            .with_protocol_name(self.protocol.as_deref().map(text))
            .with_assignment(assignment.unwrap_or_default())
    }

    /// Takes a Heartbeat. While members are asked to join again they are told so, and stay alive.
    pub(in super::super) fn heartbeat(
        &mut self,
        turn: &Turn<'_, '_, '_>,
        request: &HeartbeatRequest,
    ) -> Result<(), ResponseError> {
        self.validate(&request.member_id, request.group_instance_id.as_deref())?;
        if request.generation_id != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        if self.state == State::Empty {
            return Err(ResponseError::UnknownMemberId);
        }
        self.touch(turn, &request.member_id);
        if self.state == State::PreparingRebalance { Err(ResponseError::RebalanceInProgress) } else { Ok(()) }
    }

    /// Whether offsets may be committed by this member in this generation (Apache Kafka,
    /// `ClassicGroup.validateOffsetCommit`). A transaction's offsets come while a rebalance goes on, too: its
    /// producer cannot wait for its end (KIP-447).
    pub(in super::super) fn validate_commit(
        &self,
        member: &str,
        instance: Option<&str>,
        generation: i32,
        transactional: bool,
    ) -> Result<(), ResponseError> {
        if generation < 0 && self.state == State::Empty {
            // Somebody who does without the group management, or an administrator.
            return Ok(());
        }
        if generation >= 0 || !member.is_empty() || instance.is_some() {
            self.validate(member, instance)?;
            if generation != self.generation {
                return Err(ResponseError::IllegalGeneration);
            }
        } else if !transactional && self.state != State::Empty {
            return Err(ResponseError::UnknownMemberId);
        }
        if !transactional && self.state == State::CompletingRebalance {
            return Err(ResponseError::RebalanceInProgress);
        }
        Ok(())
    }

    /// A commit is a sign of life as well.
    pub(in super::super) fn committed(&mut self, turn: &Turn<'_, '_, '_>, member: &str) {
        if matches!(self.state, State::Stable | State::PreparingRebalance) {
            self.touch(turn, member);
        }
    }
}
