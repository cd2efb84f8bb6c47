//! The group coordinator: the groups of one partition of `__consumer_offsets`, and their offsets.
//!
//! What is answered has been committed: offsets and assignments are written first and take effect when the
//! high watermark has passed them.

mod classic;
mod commits;
mod consumer;
mod expiry;
mod offsets;
mod records;
mod request;
mod steps;
mod turn;

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_groups_response::DescribedGroup;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{GroupId, JoinGroupRequest};

use super::super::io::Output;
use super::super::refusal::Refusal;
use super::super::types::RequestId;
use super::{Effects, InternalTopic, Machine, Replayed, Scope};
use classic::{Classic, Rejoined};
use commits::Commit;
use consumer::{Consumer, Heartbeat};
use offsets::Offsets;
use records::Stored;
use request::text;
pub use request::{Caller, GroupAnswer, GroupAsk, GroupRequest};
use turn::{Turn, write_error};

/// How often the time-outs of groups are looked at, ms.
const SCAN_MS: u64 = 20;

/// The groups of one partition.
#[derive(Default)]
pub(in crate::core) struct Groups {
    groups: BTreeMap<String, Group>,
    scan_at_ms: u64,
    expiry_at_ms: Option<u64>,
    /// Version of the metadata in which topics were last looked up.
    image_version: u64,
    /// Commits answered; a planted flaw counts by it.
    commits: u64,
}

#[derive(Default)]
struct Group {
    classic: Classic,
    /// A group is classic, or it is of the next generation; then its classic side is empty.
    consumer: Option<Consumer>,
    offsets: Offsets,
}

/// A write of the group coordinator that is under way.
pub(in crate::core) enum Token {
    /// Nobody waits for it.
    Noted,
    /// The shares of a classic group's members.
    Synced {
        group: String,
        write: GroupWrite,
    },
    /// A static member under its new id.
    Rejoined {
        group: String,
        rejoined: Box<Rejoined>,
    },
    Commit(Box<Commit>),
    /// A step of a consumer group.
    Step(Box<Step>),
    /// Offsets to be removed, perhaps with their group.
    Removal(Box<Removal>),
}

/// Shares by member, and the generation they belong to.
pub(in crate::core) struct GroupWrite {
    generation: i32,
    assignments: BTreeMap<String, Bytes>,
}

/// A change of a consumer group under way.
pub(in crate::core) struct Step {
    group: String,
    /// The group as it was: what could not be written has not happened.
    before: Option<Consumer>,
    /// The heartbeat, and what to answer.
    answer: Option<(RequestId, GroupAsk, GroupAnswer)>,
}

/// Tombstones under way, and who asked for them.
pub(in crate::core) struct Removal {
    group: String,
    places: Vec<offsets::Place>,
    /// The group goes too, if it is still empty then.
    whole: bool,
    /// The request, and what to answer.
    answer: Option<(RequestId, GroupAsk, GroupAnswer)>,
}

impl Machine for Groups {
    type Request = GroupRequest;
    type Token = Token;

    const TOPIC: InternalTopic = InternalTopic::ConsumerOffsets;

    fn refuse(id: RequestId, request: GroupRequest, refusal: Refusal, out: &mut Vec<Output>) {
        let error = ResponseError::try_from_code(refusal.code()).unwrap_or(ResponseError::NotCoordinator);
        out.push(Output::GroupReply { id, answer: request.ask.refused(&request.group, error) });
    }

    fn replay(&mut self, scope: Scope<'_>, replayed: Replayed) {
        match replayed {
            Replayed::Marker { producer_id, committed } => {
                for group in self.groups.values_mut() {
                    group.offsets.complete(producer_id, committed);
                }
            }
            Replayed::Entry { entry, producer_id, end } => match records::read(entry.clone()) {
                None => self.replay_consumer(&entry),
                Some(Stored::Offset { group, place, committed }) => {
                    let offsets = &mut self.groups.entry(group).or_default().offsets;
                    match (committed, producer_id) {
                        (Some(committed), Some(producer)) => offsets.pend(producer, place, committed, end),
                        (Some(committed), None) => offsets.commit(place, committed, end),
                        (None, _) => offsets.remove(&place),
                    }
                }
                Some(Stored::Group { group, stored }) => {
                    let group = self.groups.entry(group).or_default();
                    group.classic =
                        stored.map(|stored| Classic::restored(stored, scope.now_ms)).unwrap_or_default();
                }
            },
        }
    }

    fn loaded(&mut self, scope: Scope<'_>, _: &mut Effects<'_, Token>) {
        let session_ms = scope.settings.number("group.consumer.session.timeout.ms");
        for consumer in self.groups.values_mut().filter_map(|group| group.consumer.as_mut()) {
            consumer.restored(scope.now_ms, session_ms);
        }
        self.forget_vacant();
    }

    fn handle(
        &mut self,
        scope: Scope<'_>,
        id: RequestId,
        request: GroupRequest,
        effects: &mut Effects<'_, Token>,
    ) {
        self.take(&mut Turn { scope, effects }, id, request);
    }

    fn tick(&mut self, scope: Scope<'_>, effects: &mut Effects<'_, Token>) {
        if scope.now_ms < self.scan_at_ms {
            return;
        }
        self.scan_at_ms = scope.now_ms + SCAN_MS;
        let mut turn = Turn { scope, effects };
        for (name, group) in &mut self.groups {
            group.classic.tick(&mut turn, name);
            group.tick_consumer(&mut turn, name);
        }
        self.forget_deleted_topics(&mut turn);
        self.expire(&mut turn);
        self.forget_vacant();
    }

    fn settled(
        &mut self,
        scope: Scope<'_>,
        token: Token,
        result: Result<i64, Refusal>,
        effects: &mut Effects<'_, Token>,
    ) {
        let mut turn = Turn { scope, effects };
        let error = result.err().map(write_error);
        match token {
            Token::Noted => {}
            Token::Synced { group, write } => {
                if let Some(found) = self.groups.get_mut(&group) {
                    found.classic.assignment_stored(&mut turn, &group, write, error);
                }
            }
            Token::Rejoined { group, rejoined } => {
                if let Some(found) = self.groups.get_mut(&group) {
                    found.classic.rejoined(&mut turn, *rejoined, error);
                }
            }
            Token::Commit(commit) => self.committed(&mut turn, *commit, result),
            Token::Step(step) => self.stepped(&mut turn, *step, error),
            Token::Removal(removal) => self.removed(&mut turn, *removal, error),
        }
    }

    fn overdue(&mut self, token: &Token, out: &mut Vec<Output>) {
        let error = write_error(Refusal::RequestTimedOut);
        let late = match token {
            Token::Noted | Token::Synced { .. } => None,
            Token::Rejoined { rejoined, .. } => Some((rejoined.request(), classic::refused("", error))),
            Token::Commit(commit) => commit.late(error),
            Token::Step(step) => {
                step.answer.as_ref().map(|(id, ask, _)| (*id, ask.refused(&step.group, error)))
            }
            Token::Removal(removal) => {
                removal.answer.as_ref().map(|(id, ask, _)| (*id, ask.refused(&removal.group, error)))
            }
        };
        out.extend(late.map(|(id, answer)| Output::GroupReply { id, answer }));
    }

    fn unload(&mut self, out: &mut Vec<Output>) {
        for group in self.groups.values_mut() {
            group.classic.unload(|id, answer| out.push(Output::GroupReply { id, answer }));
        }
    }
}

impl Groups {
    fn take(&mut self, turn: &mut Turn<'_, '_, '_>, id: RequestId, request: GroupRequest) {
        let GroupRequest { group: name, caller, ask } = request;
        if name.is_empty() && !ask.allows_empty_group() {
            turn.answer(id, ask.refused(&name, ResponseError::InvalidGroupId));
            return;
        }
        let group = self.groups.get_mut(&name);
        match (ask, group) {
            (GroupAsk::Join(request), group) => {
                if let Err(error) = check_join(turn, &request, group.is_some()) {
                    turn.answer(id, classic::refused(&request.member_id, error));
                    return;
                }
                let group = self.groups.entry(name.clone()).or_default();
                match group.consumer.take_if(|consumer| consumer.is_empty()) {
                    // Nobody is left there: the group becomes a classic one.
                    Some(_) => turn.write(consumer::retired(&name).into(), Token::Noted),
                    None if group.consumer.is_some() => {
                        let error = ResponseError::InconsistentGroupProtocol;
                        turn.answer(id, classic::refused(&request.member_id, error));
                        return;
                    }
                    None => {}
                }
                group.classic.join(turn, &name, id, &caller, &request);
            }
            (GroupAsk::Sync(request), Some(group)) => group.classic.sync(turn, &name, id, &request),
            (GroupAsk::Heartbeat(request), Some(group)) => {
                let code = group.classic.heartbeat(turn, &request).err().map_or(0, |error| error.code());
                turn.answer(id, GroupAnswer::Heartbeat(code));
            }
            (GroupAsk::Leave(request), group) => {
                // Nobody is a member of a group that is not there.
                let mut none = Classic::default();
                group.map_or(&mut none, |group| &mut group.classic).leave(turn, &name, id, &request);
            }
            (ask @ GroupAsk::ConsumerHeartbeat(_), _) => {
                self.consumer_heartbeat(turn, &name, id, &caller, ask)
            }
            (ask @ GroupAsk::ConsumerDescribe, group) => {
                let consumer = group.and_then(|group| group.consumer.as_ref());
                let answer = match consumer {
                    Some(consumer) => {
                        let described = consumer.describe(&name, turn.scope.image, caller.version);
                        GroupAnswer::ConsumerDescribe(Box::new(described))
                    }
                    None => ask.refused(&name, ResponseError::GroupIdNotFound),
                };
                turn.answer(id, answer);
            }
            (GroupAsk::Describe, Some(group)) if group.consumer.is_none() => {
                turn.answer(id, GroupAnswer::Describe(Box::new(group.classic.describe(&name))));
            }
            (GroupAsk::Describe, _) => {
                turn.answer(id, GroupAnswer::Describe(Box::new(absent(&name, caller.version))));
            }
            (GroupAsk::Commit(request), _) => self.commit(turn, &name, id, &caller, request),
            (GroupAsk::TxnCommit(request), _) => self.commit_in_transaction(turn, &name, id, request),
            (GroupAsk::Fetch { wanted, require_stable }, group) => {
                let answer = commits::fetch(group.as_deref(), &wanted, require_stable);
                turn.answer(id, GroupAnswer::Fetch(answer));
            }
            (ask @ GroupAsk::Delete, Some(_)) => self.delete(turn, &name, id, ask),
            (GroupAsk::DeleteOffsets(request), Some(_)) => self.delete_offsets(turn, &name, id, request),
            (ask @ (GroupAsk::Sync(_) | GroupAsk::Heartbeat(_)), None) => {
                turn.answer(id, ask.refused(&name, ResponseError::UnknownMemberId));
            }
            (ask, _) => turn.answer(id, ask.refused(&name, ResponseError::GroupIdNotFound)),
        }
    }

    /// Every group, as ListGroups shows it.
    pub(in crate::core) fn list(&self) -> impl Iterator<Item = ListedGroup> {
        self.groups.iter().map(|(name, group)| {
            let (kind, state, protocol_type) = match &group.consumer {
                Some(consumer) => ("consumer", consumer.state(), classic::CONSUMER),
                None => {
                    let classic = &group.classic;
                    ("classic", classic.state().name(), classic.protocol_type().unwrap_or_default())
                }
            };
            ListedGroup::default()
                .with_group_id(GroupId(text(name.as_str())))
                .with_protocol_type(text(protocol_type))
                .with_group_state(text(state))
                .with_group_type(text(kind))
        })
    }

    /// A group that never came to anything, and has no offsets, is no group.
    fn forget_vacant(&mut self) {
        self.groups.retain(|_, group| {
            !group.classic.is_vacant() || group.consumer.is_some() || !group.offsets.is_empty()
        });
    }
}

/// What can be said of a JoinGroup before its group is looked at.
fn check_join(turn: &Turn<'_, '_, '_>, request: &JoinGroupRequest, there: bool) -> Result<(), ResponseError> {
    let session_ms = u64::try_from(request.session_timeout_ms).unwrap_or(0);
    let (least, most) =
        (turn.setting("group.min.session.timeout.ms"), turn.setting("group.max.session.timeout.ms"));
    if !(least..=most).contains(&session_ms) {
        return Err(ResponseError::InvalidSessionTimeout);
    }
    if !there && !request.member_id.is_empty() {
        return Err(ResponseError::UnknownMemberId);
    }
    Ok(())
}

/// A group that is not there: dead, or since version 6 an error (KIP-1043).
fn absent(name: &str, version: i16) -> DescribedGroup {
    let described =
        DescribedGroup::default().with_group_id(GroupId(text(name))).with_group_state(text("Dead"));
    if version < 6 {
        return described;
    }
    described
        .with_error_code(ResponseError::GroupIdNotFound.code())
        .with_error_message(Some(text(format!("Group {name} not found."))))
}
