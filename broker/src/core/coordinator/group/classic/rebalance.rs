//! A rebalance of a classic group: begun by a change, waited for, and ended with a new generation.

use std::collections::BTreeSet;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::{JoinGroupResponse, SyncGroupResponse};

use super::super::super::Reader;
use super::super::records;
use super::super::request::text;
use super::super::turn::Turn;
use super::super::{GroupWrite, Token};
use super::{CONSUMER, Classic, JoinTimer, Member, State};

impl Classic {
    /// Something changed: a rebalance begins, or the one under way may be complete now.
    pub(super) fn rebalance_or_complete(&mut self, turn: &mut Turn<'_, '_, '_>, group: &str) {
        match self.state {
            State::PreparingRebalance => self.complete_if_all_joined(turn, group),
            State::Empty | State::CompletingRebalance | State::Stable => self.prepare(turn, group),
        }
    }

    /// Ends the rebalance under way if nobody is missing. The first one of a group waits its time out, so that
    /// members which start together do not rebalance one by one.
    pub(super) fn complete_if_all_joined(&mut self, turn: &mut Turn<'_, '_, '_>, group: &str) {
        if self.state == State::PreparingRebalance && self.previous != State::Empty && self.all_joined() {
            self.complete(turn, group);
        }
    }

    pub(super) fn prepare(&mut self, turn: &mut Turn<'_, '_, '_>, group: &str) {
        if self.state == State::CompletingRebalance {
            // Those who wait for their assignment have to join again.
            self.reset_assignments(turn, ResponseError::RebalanceInProgress);
        }
        self.sync_deadline_ms = None;
        let now_ms = turn.scope.now_ms;
        let first = self.state == State::Empty;
        self.transition(turn, State::PreparingRebalance);
        if first {
            let delay_ms = turn.setting("group.initial.rebalance.delay.ms");
            let extension_ms = Some(self.rebalance_ms().saturating_sub(delay_ms));
            self.join_timer = Some(JoinTimer { at_ms: now_ms + delay_ms, extension_ms });
        } else if self.all_joined() {
            self.complete(turn, group);
        } else {
            self.wait_for_members(now_ms);
        }
    }

    fn wait_for_members(&mut self, now_ms: u64) {
        let at_ms = now_ms.saturating_add(self.rebalance_ms());
        self.join_timer = Some(JoinTimer { at_ms, extension_ms: None });
    }

    /// Lets time-outs take effect.
    pub(in super::super) fn tick(&mut self, turn: &mut Turn<'_, '_, '_>, group: &str) {
        let now_ms = turn.scope.now_ms;
        let given_up: Vec<String> = self
            .pending_joins
            .iter()
            .filter(|(_, at_ms)| **at_ms <= now_ms)
            .map(|(member, _)| member.clone())
            .collect();
        for member in given_up {
            self.pending_joins.remove(&member);
            self.complete_if_all_joined(turn, group);
        }
        let expired: Vec<String> = self
            .members
            .values()
            .filter(|member| member.has_expired(now_ms))
            .map(|member| member.id.clone())
            .collect();
        for member in expired {
            // What became of an earlier one may have changed this one's state.
            if self.members.get(&member).is_some_and(|member| member.has_expired(now_ms)) {
                self.remove(turn, &member);
                self.membership_shrank(turn, group);
            }
        }
        if let Some(timer) = self.join_timer.filter(|timer| timer.at_ms <= now_ms) {
            let delay_ms = turn.setting("group.initial.rebalance.delay.ms");
            match timer.extension_ms {
                Some(extension_ms) if self.newcomer && extension_ms > 0 && delay_ms > 0 => {
                    self.newcomer = false;
                    let next_ms = delay_ms.min(extension_ms);
                    let extension_ms = Some(extension_ms.saturating_sub(next_ms));
                    self.join_timer = Some(JoinTimer { at_ms: now_ms + next_ms, extension_ms });
                }
                _ => self.complete(turn, group),
            }
        }
        if self.sync_deadline_ms.is_some_and(|at_ms| at_ms <= now_ms) {
            self.sync_deadline_ms = None;
            self.expire_syncs(turn, group);
        }
    }

    /// Members that joined and never synced are out (KAFKA-13435).
    fn expire_syncs(&mut self, turn: &mut Turn<'_, '_, '_>, group: &str) {
        let waits = matches!(self.state, State::CompletingRebalance | State::Stable);
        let silent = std::mem::take(&mut self.pending_syncs);
        if waits && !silent.is_empty() {
            silent.iter().for_each(|member| self.remove(turn, member));
            self.prepare(turn, group);
        }
    }

    /// Ends the joining: those who are missing are out, unless they are static, and the rest learns of the new
    /// generation.
    fn complete(&mut self, turn: &mut Turn<'_, '_, '_>, group: &str) {
        self.join_timer = None;
        self.newcomer = false;
        let missing: Vec<String> = self
            .members
            .values()
            .filter(|member| member.join.is_none() && member.instance.is_none())
            .map(|member| member.id.clone())
            .collect();
        missing.iter().for_each(|member| self.remove(turn, member));
        if !self.members.is_empty() && !self.elect_leader() {
            // Only static members are left and none of them has joined: until one does, or all have expired.
            self.wait_for_members(turn.scope.now_ms);
            return;
        }
        self.generation = self.generation.wrapping_add(1).max(0);
        self.pending_syncs.clear();
        if self.members.is_empty() {
            self.protocol = None;
            self.leader = None;
            self.subscribed = self.subscriptions();
            self.transition(turn, State::Empty);
            turn.write(vec![records::group(group, Some(&self.stored(None)))], Token::Noted);
            return;
        }
        self.protocol = self.elect_protocol();
        self.subscribed = self.subscriptions();
        self.transition(turn, State::CompletingRebalance);
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in &ids {
            let answer = self.joined(id);
            self.answer_join(turn, id, answer);
            self.touch(turn, id);
            if let Some(member) = self.members.get_mut(id) {
                member.is_new = false;
            }
        }
        self.pending_syncs.extend(ids);
        self.sync_deadline_ms = Some(turn.scope.now_ms.saturating_add(self.rebalance_ms()));
    }

    /// The leader stays if it has joined again; otherwise somebody who has.
    fn elect_leader(&mut self) -> bool {
        let joined = |member: &&Member| member.join.is_some();
        let current = self.leader.as_ref().and_then(|leader| self.members.get(leader));
        if current.as_ref().is_some_and(joined) {
            return true;
        }
        let other = self.members.values().find(joined).map(|member| member.id.clone());
        let found = other.is_some();
        if found {
            self.leader = other;
        }
        found
    }

    /// What a member is told of the current generation; the leader also who else is in it.
    pub(super) fn joined(&self, member: &str) -> JoinGroupResponse {
        let members = if self.is_leader(member) { self.roster() } else { Vec::new() };
        JoinGroupResponse::default()
            .with_generation_id(self.generation)
            .with_protocol_type(self.protocol_type.as_deref().map(text))
            .with_protocol_name(self.protocol.as_deref().map(text))
            .with_leader(text(self.leader.clone().unwrap_or_default()))
            .with_member_id(text(member))
            .with_members(members)
    }

    pub(super) fn roster(&self) -> Vec<JoinGroupResponseMember> {
        let protocol = self.protocol.as_deref();
        let one = |member: &Member| {
            JoinGroupResponseMember::default()
                .with_member_id(text(member.id.as_str()))
                .with_group_instance_id(member.instance.as_deref().map(text))
                .with_metadata(member.metadata(protocol))
        };
        self.members.values().map(one).collect()
    }

    /// Nobody has an assignment any more; those who wait for one are told why.
    pub(super) fn reset_assignments(&mut self, turn: &mut Turn<'_, '_, '_>, error: ResponseError) {
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            if let Some(member) = self.members.get_mut(&id) {
                member.assignment.clear();
                if member.sync.is_some() {
                    let answer = SyncGroupResponse::default().with_error_code(error.code());
                    self.answer_sync(turn, &id, answer);
                    self.touch(turn, &id);
                }
            }
        }
    }

    /// A write of the leader's assignment is settled.
    pub(in super::super) fn assignment_stored(
        &mut self,
        turn: &mut Turn<'_, '_, '_>,
        group: &str,
        write: GroupWrite,
        error: Option<ResponseError>,
    ) {
        if self.storing == Some(write.generation) {
            self.storing = None;
        }
        if self.state != State::CompletingRebalance || self.generation != write.generation {
            // Another rebalance has begun meanwhile, and has told those who waited.
            return;
        }
        if let Some(error) = error {
            self.reset_assignments(turn, error);
            self.prepare(turn, group);
            return;
        }
        for (id, assignment) in write.assignments {
            if let Some(member) = self.members.get_mut(&id) {
                member.assignment = assignment;
            }
        }
        self.transition(turn, State::Stable);
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let waits = self.members.get(&id).is_some_and(|member| member.sync.is_some());
            if waits {
                let answer = self.synced(&id);
                self.answer_sync(turn, &id, answer);
                self.touch(turn, &id);
            }
        }
    }

    /// What consumers of this group read, if that can be known: all members are consumers, whose metadata
    /// begins with a version and the names of topics.
    pub(super) fn subscriptions(&self) -> Option<BTreeSet<String>> {
        if self.protocol_type.as_deref() != Some(CONSUMER) {
            return None;
        }
        let protocol = self.protocol.as_deref();
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            let mut metadata = Reader::new(member.metadata(protocol));
            metadata.i16()?;
            for _ in 0..metadata.i32()? {
                topics.insert(metadata.text()?);
            }
        }
        Some(topics)
    }
}
