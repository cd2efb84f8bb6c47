//! Offsets are committed, in transactions and without, fetched, and deleted.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{
    OffsetCommitRequest, OffsetDeleteRequest, OffsetDeleteResponse, TopicName, TxnOffsetCommitRequest,
};

use super::super::super::refusal::Refusal;
use super::super::super::types::RequestId;
use super::super::{Entry, Write};
use super::offsets::{Committed, Place};
use super::request::{commit_answer, text, txn_commit_answer};
use super::turn::{Turn, write_error};
use super::{Caller, Consumer, Group, GroupAnswer, GroupAsk, Groups, Removal, Token, consumer, records};
use crate::flaws::Flaw;

/// A commit on its way to the log.
pub(in crate::core) struct Commit {
    group: String,
    id: RequestId,
    ask: GroupAsk,
    /// An error, or what is being written, by place in the request's order.
    outcomes: Vec<Result<(Place, Committed), ResponseError>>,
    producer_id: Option<i64>,
}

impl Commit {
    /// What to say of it when it takes too long: whether it will be committed is not known.
    pub(super) fn late(&self, error: ResponseError) -> Option<(RequestId, GroupAnswer)> {
        Some((self.id, self.answer(Some(error))))
    }

    fn answer(&self, error: Option<ResponseError>) -> GroupAnswer {
        let code = |place: usize| match &self.outcomes[place] {
            Err(error) => error.code(),
            Ok(_) => error.map_or(0, |error| error.code()),
        };
        match &self.ask {
            GroupAsk::TxnCommit(request) => GroupAnswer::TxnCommit(txn_commit_answer(request, code)),
            GroupAsk::Commit(request) => GroupAnswer::Commit(commit_answer(request, code)),
            other => other.refused(&self.group, ResponseError::InvalidRequest),
        }
    }

    fn accepted(&self) -> impl Iterator<Item = &(Place, Committed)> {
        self.outcomes.iter().filter_map(|outcome| outcome.as_ref().ok())
    }
}

/// What a request says of one partition.
struct Asked<'a> {
    topic: &'a TopicName,
    partition: i32,
    offset: i64,
    leader_epoch: i32,
    metadata: Option<&'a str>,
}

impl Groups {
    pub(super) fn commit(
        &mut self,
        turn: &mut Turn<'_, '_, '_>,
        name: &str,
        id: RequestId,
        caller: &Caller,
        request: OffsetCommitRequest,
    ) {
        let (member, generation) = (request.member_id.as_str(), request.generation_id_or_member_epoch);
        let result = match self.groups.get_mut(name) {
            Some(group) => {
                let instance = request.group_instance_id.as_deref();
                match &group.consumer {
                    Some(consumer) => consumer.validate_commit(member, generation, caller.version, false),
                    None => {
                        let valid = group.classic.validate_commit(member, instance, generation, false);
                        valid.map(|()| group.classic.committed(turn, member))
                    }
                }
            }
            // Offsets may be committed without a group; that makes one which has nothing else.
            None if generation < 0 => Ok(()),
            None if caller.version >= 9 => Err(ResponseError::GroupIdNotFound),
            None => Err(ResponseError::IllegalGeneration),
        };
        if let Err(error) = result {
            turn.answer(id, GroupAsk::Commit(request).refused(name, error));
            return;
        }
        let expire_ms = match request.retention_time_ms {
            ..0 => None,
            // Versions 2 to 4: the client says how long.
            kept => Some(turn.scope.wall_ms.saturating_add(kept)),
        };
        let asked = request.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|partition| Asked {
                topic: &topic.name,
                partition: partition.partition_index,
                offset: partition.committed_offset,
                leader_epoch: partition.committed_leader_epoch,
                metadata: partition.committed_metadata.as_deref(),
            })
        });
        let outcomes = asked.map(|asked| accept(turn, &asked, expire_ms)).collect();
        let ask = GroupAsk::Commit(request);
        let commit = Commit { group: name.to_owned(), id, ask, outcomes, producer_id: None };
        self.write_commit(turn, commit, None);
    }

    /// Offsets that count once a transaction commits. From now on, and until it ends, they are pending.
    pub(super) fn commit_in_transaction(
        &mut self,
        turn: &mut Turn<'_, '_, '_>,
        name: &str,
        id: RequestId,
        request: TxnOffsetCommitRequest,
    ) {
        let result = match self.groups.get(name) {
            Some(Group { consumer: Some(consumer), .. }) => {
                consumer.validate_commit(&request.member_id, request.generation_id, 0, true)
            }
            Some(group) => group.classic.validate_commit(
                &request.member_id,
                request.group_instance_id.as_deref(),
                request.generation_id,
                true,
            ),
            None if request.generation_id < 0 => Ok(()),
            None => Err(ResponseError::IllegalGeneration),
        };
        if let Err(error) = result {
            turn.answer(id, GroupAsk::TxnCommit(request).refused(name, error));
            return;
        }
        let asked = request.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|partition| Asked {
                topic: &topic.name,
                partition: partition.partition_index,
                offset: partition.committed_offset,
                leader_epoch: partition.committed_leader_epoch,
                metadata: partition.committed_metadata.as_deref(),
            })
        });
        let outcomes: Vec<_> = asked.map(|asked| accept(turn, &asked, None)).collect();
        let producer = (request.producer_id.0, request.producer_epoch);
        let ask = GroupAsk::TxnCommit(request);
        let commit = Commit { group: name.to_owned(), id, ask, outcomes, producer_id: Some(producer.0) };
        let group = self.groups.entry(name.to_owned()).or_default();
        group.offsets.announce(producer.0, commit.accepted().map(|(place, _)| place.clone()));
        self.write_commit(turn, commit, Some(producer));
    }

    fn write_commit(&mut self, turn: &mut Turn<'_, '_, '_>, commit: Commit, producer: Option<(i64, i16)>) {
        let entries: Vec<Entry> = commit
            .accepted()
            .map(|(place, kept)| records::offset(&commit.group, place, Some(kept)))
            .collect();
        if entries.is_empty() {
            turn.answer(commit.id, commit.answer(None));
            return;
        }
        self.commits += 1;
        if turn
            .scope
            .flaw
            .is_some_and(|flaw| flaw == Flaw::CommitAcknowledgedAndForgotten && flaw.hits(self.commits))
        {
            turn.answer(commit.id, commit.answer(None));
            return;
        }
        let timeout_ms = turn.setting("offsets.commit.timeout.ms");
        let token = Token::Commit(Box::new(commit));
        turn.effects.writes.push(Write { entries, producer, token, timeout_ms });
    }

    /// A commit is settled.
    pub(super) fn committed(
        &mut self,
        turn: &mut Turn<'_, '_, '_>,
        commit: Commit,
        result: Result<i64, Refusal>,
    ) {
        let error = match result {
            Ok(_) => None,
            Err(Refusal::MessageTooLarge) => Some(ResponseError::InvalidCommitOffsetSize),
            Err(refusal) => Some(write_error(refusal)),
        };
        turn.answer(commit.id, commit.answer(error));
        let producer_id = commit.producer_id;
        match result {
            Ok(end) => {
                let offsets = &mut self.groups.entry(commit.group).or_default().offsets;
                for (place, committed) in commit.outcomes.into_iter().flatten() {
                    match producer_id {
                        Some(producer_id) => offsets.pend(producer_id, place, committed, end),
                        None => offsets.commit(place, committed, end),
                    }
                }
            }
            Err(_) => {
                if let (Some(producer_id), Some(group)) = (producer_id, self.groups.get_mut(&commit.group)) {
                    group.offsets.withdraw(producer_id, commit.accepted().map(|(place, _)| place));
                }
            }
        }
    }

    /// DeleteGroups.
    pub(super) fn delete(&mut self, turn: &mut Turn<'_, '_, '_>, name: &str, id: RequestId, ask: GroupAsk) {
        let Some(group) = self.groups.get(name) else { return };
        if let Err(error) = group.validate_delete() {
            turn.answer(id, ask.refused(name, error));
            return;
        }
        let places: Vec<Place> = group.offsets.iter().map(|(place, _)| place.clone()).collect();
        let mut entries: Vec<Entry> = places.iter().map(|place| records::offset(name, place, None)).collect();
        entries.extend(group.tombstones(name));
        let answer = Some((id, ask, GroupAnswer::Delete(0)));
        let removal = Removal { group: name.to_owned(), places, whole: true, answer };
        turn.write(entries, Token::Removal(Box::new(removal)));
    }

    /// OffsetDelete (KIP-496): not of topics that the group reads.
    pub(super) fn delete_offsets(
        &mut self,
        turn: &mut Turn<'_, '_, '_>,
        name: &str,
        id: RequestId,
        request: OffsetDeleteRequest,
    ) {
        let Some(group) = self.groups.get(name) else { return };
        if let Err(error) = group.validate_delete_offsets() {
            turn.answer(id, GroupAsk::DeleteOffsets(request).refused(name, error));
            return;
        }
        let mut places = Vec::new();
        let topics = request.topics.iter().map(|topic| {
            let reads = group.subscribes(&topic.name);
            let partitions = topic.partitions.iter().map(|partition| {
                let place = (topic.name.to_string(), partition.partition_index);
                if !reads && group.offsets.get(&place).is_some() {
                    places.push(place);
                }
                let code = if reads { ResponseError::GroupSubscribedToTopic.code() } else { 0 };
                OffsetDeleteResponsePartition::default()
                    .with_partition_index(partition.partition_index)
                    .with_error_code(code)
            });
            OffsetDeleteResponseTopic::default()
                .with_name(topic.name.clone())
                .with_partitions(partitions.collect())
        });
        let answer = OffsetDeleteResponse::default().with_topics(topics.collect());
        let answer = (id, GroupAsk::DeleteOffsets(request), GroupAnswer::DeleteOffsets(answer));
        let entries = places.iter().map(|place| records::offset(name, place, None)).collect();
        let removal = Removal { group: name.to_owned(), places, whole: false, answer: Some(answer) };
        turn.write(entries, Token::Removal(Box::new(removal)));
    }

    /// Tombstones are settled.
    pub(super) fn removed(
        &mut self,
        turn: &mut Turn<'_, '_, '_>,
        removal: Removal,
        error: Option<ResponseError>,
    ) {
        let Removal { group: name, places, whole, answer } = removal;
        if let Some((id, ask, answer)) = answer {
            turn.answer(id, error.map_or(answer, |error| ask.refused(&name, error)));
        }
        let Some(group) = self.groups.get_mut(&name).filter(|_| error.is_none()) else { return };
        places.iter().for_each(|place| group.offsets.remove(place));
        // Somebody may have joined since, and has been told that there is such a group.
        if whole && group.is_deserted() && group.offsets.is_empty() {
            self.groups.remove(&name);
        }
    }
}

impl Group {
    /// Nobody is there, and nobody on the way.
    pub(super) fn is_deserted(&self) -> bool {
        self.classic.is_deserted() && self.consumer.as_ref().is_none_or(Consumer::is_empty)
    }

    /// Whether it is known that somebody in it reads a topic.
    fn subscribes(&self, topic: &str) -> bool {
        match &self.consumer {
            Some(consumer) => consumer.subscribes(topic),
            None => self.classic.subscribes(topic),
        }
    }

    fn validate_delete(&self) -> Result<(), ResponseError> {
        match &self.consumer {
            Some(consumer) if !consumer.is_empty() => Err(ResponseError::NonEmptyGroup),
            _ => self.classic.validate_delete(),
        }
    }

    fn validate_delete_offsets(&self) -> Result<(), ResponseError> {
        // Which topics a consumer group reads is always known.
        if self.consumer.is_some() { Ok(()) } else { self.classic.validate_delete_offsets() }
    }

    /// What removes an empty group from the log.
    pub(super) fn tombstones(&self, name: &str) -> Vec<Entry> {
        match &self.consumer {
            Some(_) => consumer::retired(name).into(),
            None => vec![records::group(name, None)],
        }
    }
}

/// What is to be written for one partition, if anything.
fn accept(
    turn: &Turn<'_, '_, '_>,
    asked: &Asked<'_>,
    expire_ms: Option<i64>,
) -> Result<(Place, Committed), ResponseError> {
    let metadata = asked.metadata.unwrap_or_default();
    if metadata.len() as u64 > turn.setting("offset.metadata.max.bytes") {
        return Err(ResponseError::OffsetMetadataTooLarge);
    }
    let committed = Committed {
        offset: asked.offset,
        leader_epoch: asked.leader_epoch,
        metadata: metadata.to_owned(),
        commit_ms: turn.scope.wall_ms,
        expire_ms,
    };
    Ok(((asked.topic.to_string(), asked.partition), committed))
}

/// OffsetFetch: what is committed, and nothing of what is about to be.
pub(super) fn fetch(
    group: Option<&Group>,
    wanted: &OffsetFetchRequestGroup,
    require_stable: bool,
) -> OffsetFetchResponseGroup {
    let member = wanted.member_id.as_deref();
    let consumer = group.and_then(|group| group.consumer.as_ref());
    if let Some(Err(error)) = consumer.map(|consumer| consumer.validate_fetch(member, wanted.member_epoch)) {
        return OffsetFetchResponseGroup::default()
            .with_group_id(wanted.group_id.clone())
            .with_error_code(error.code());
    }
    let one = |place: &Place| {
        let out = OffsetFetchResponsePartitions::default().with_partition_index(place.1);
        let unstable = require_stable && group.is_some_and(|group| group.offsets.is_pending(place));
        let committed = group.and_then(|group| group.offsets.get(place)).filter(|_| !unstable);
        let code = if unstable { ResponseError::UnstableOffsetCommit.code() } else { 0 };
        match committed {
            Some(committed) => out
                .with_committed_offset(committed.offset)
                .with_committed_leader_epoch(committed.leader_epoch)
                .with_metadata(Some(text(committed.metadata.as_str()))),
            None => out
                .with_committed_offset(-1)
                .with_committed_leader_epoch(-1)
                .with_metadata(Some(text("")))
                .with_error_code(code),
        }
    };
    let topic = |name: TopicName, partitions: Vec<_>| {
        OffsetFetchResponseTopics::default().with_name(name).with_partitions(partitions)
    };
    let topics = match &wanted.topics {
        Some(topics) => topics
            .iter()
            .map(|asked| {
                let place = |index: &i32| one(&(asked.name.to_string(), *index));
                topic(asked.name.clone(), asked.partition_indexes.iter().map(place).collect())
            })
            .collect(),
        None => {
            let mut topics: Vec<OffsetFetchResponseTopics> = Vec::new();
            for (place, _) in group.into_iter().flat_map(|group| group.offsets.iter()) {
                match topics.last_mut().filter(|last| last.name.as_str() == place.0) {
                    Some(last) => last.partitions.push(one(place)),
                    None => topics.push(topic(TopicName(text(place.0.as_str())), vec![one(place)])),
                }
            }
            topics
        }
    };
    OffsetFetchResponseGroup::default().with_group_id(wanted.group_id.clone()).with_topics(topics)
}
