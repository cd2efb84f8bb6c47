//! OffsetCommit, OffsetFetch and OffsetDelete: positions of groups. A partition that does not exist is told so
//! here; all else is the coordinator's.

use std::collections::HashMap;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponseTopic,
};
use kafka_protocol::messages::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse, OffsetFetchRequest,
    OffsetFetchResponse, TopicName,
};

use super::groups::Asker;
use super::{named, ready};
use crate::core::{GroupAnswer, GroupAsk};
use crate::server::connection::{Answer, Closed};

const UNKNOWN: ResponseError = ResponseError::UnknownTopicOrPartition;

/// Answers OffsetCommit.
pub(super) fn commit(asker: Asker<'_>) -> Result<Answer, Closed> {
    let request: OffsetCommitRequest = asker.head.body()?;
    let asked: Vec<(TopicName, Vec<i32>)> = request
        .topics
        .iter()
        .map(|topic| (topic.name.clone(), topic.partitions.iter().map(|one| one.partition_index).collect()))
        .collect();
    let image = asker.host.image();
    let mut known = request;
    for topic in &mut known.topics {
        let name = topic.name.clone();
        topic.partitions.retain(|one| named(&image, &name, one.partition_index).is_some());
    }
    known.topics.retain(|topic| !topic.partitions.is_empty());
    if known.topics.is_empty() && !asked.is_empty() {
        return ready(&asker.head, &commit_response(asked, &HashMap::new()));
    }
    let group = known.group_id.clone();
    Ok(asker.one(&group, GroupAsk::Commit(known), |_, answer| {
        let GroupAnswer::Commit(response) = answer else { return None };
        let codes = response.topics.into_iter().flat_map(|topic| {
            let name = topic.name;
            let code = move |one: OffsetCommitResponsePartition| {
                ((name.clone(), one.partition_index), one.error_code)
            };
            topic.partitions.into_iter().map(code)
        });
        Some(commit_response(asked, &codes.collect()))
    }))
}

type Codes = HashMap<(TopicName, i32), i16>;

/// In the request's order; what the coordinator was not asked about does not exist.
fn commit_response(asked: Vec<(TopicName, Vec<i32>)>, codes: &Codes) -> OffsetCommitResponse {
    let topics = asked.into_iter().map(|(name, partitions)| {
        let partition = |index: i32| {
            let code = codes.get(&(name.clone(), index)).copied().unwrap_or(UNKNOWN.code());
            OffsetCommitResponsePartition::default().with_partition_index(index).with_error_code(code)
        };
        let partitions = partitions.into_iter().map(partition).collect();
        OffsetCommitResponseTopic::default().with_name(name).with_partitions(partitions)
    });
    OffsetCommitResponse::default().with_topics(topics.collect())
}

/// Answers OffsetFetch: several groups since version 8, one before.
pub(super) fn fetch(asker: &Asker<'_>) -> Result<Answer, Closed> {
    let request: OffsetFetchRequest = asker.head.body()?;
    let require_stable = request.require_stable;
    let head = asker.head.clone();
    if head.version >= 8 {
        let ask = |wanted: OffsetFetchRequestGroup| {
            asker.ask(&wanted.group_id.clone(), GroupAsk::Fetch { wanted, require_stable })
        };
        let asked: Vec<_> = request.groups.into_iter().map(ask).collect();
        return Ok(Box::pin(async move {
            let mut groups = Vec::with_capacity(asked.len());
            for answer in asked {
                if let GroupAnswer::Fetch(group) = answer.await? {
                    groups.push(group);
                }
            }
            Ok(Some(head.answer(&OffsetFetchResponse::default().with_groups(groups))?))
        }));
    }
    // A null list (since version 2) means all offsets.
    let topics: Option<Vec<OffsetFetchRequestTopics>> = request.topics.map(|topics| {
        let topic = |topic: kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic| {
            OffsetFetchRequestTopics::default()
                .with_name(topic.name)
                .with_partition_indexes(topic.partition_indexes)
        };
        topics.into_iter().map(topic).collect()
    });
    let wanted = OffsetFetchRequestGroup::default()
        .with_group_id(request.group_id.clone())
        .with_topics(topics.clone())
        .with_member_epoch(-1);
    let answer = asker.ask(&request.group_id, GroupAsk::Fetch { wanted, require_stable });
    Ok(Box::pin(async move {
        let GroupAnswer::Fetch(group) = answer.await? else { return Err(Closed::Ending) };
        Ok(Some(head.answer(&single(head.version, group, topics.unwrap_or_default()))?))
    }))
}

/// The answer of the versions that know one group only.
fn single(
    version: i16,
    group: OffsetFetchResponseGroup,
    asked: Vec<OffsetFetchRequestTopics>,
) -> OffsetFetchResponse {
    if group.error_code != 0 && version < 2 {
        // There is no error of the whole.
        let topics = asked.into_iter().map(|topic| {
            let refused = |index| {
                OffsetFetchResponsePartition::default()
                    .with_partition_index(index)
                    .with_committed_offset(-1)
                    .with_metadata(Some(Default::default()))
                    .with_error_code(group.error_code)
            };
            OffsetFetchResponseTopic::default()
                .with_name(topic.name)
                .with_partitions(topic.partition_indexes.into_iter().map(refused).collect())
        });
        return OffsetFetchResponse::default().with_topics(topics.collect());
    }
    let topics = group.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(|one| {
            OffsetFetchResponsePartition::default()
                .with_partition_index(one.partition_index)
                .with_committed_offset(one.committed_offset)
                .with_committed_leader_epoch(if version >= 5 { one.committed_leader_epoch } else { -1 })
                .with_metadata(one.metadata)
                .with_error_code(one.error_code)
        });
        OffsetFetchResponseTopic::default().with_name(topic.name).with_partitions(partitions.collect())
    });
    OffsetFetchResponse::default().with_error_code(group.error_code).with_topics(topics.collect())
}

/// Answers OffsetDelete.
pub(super) fn delete(asker: Asker<'_>) -> Result<Answer, Closed> {
    let request: OffsetDeleteRequest = asker.head.body()?;
    let asked: Vec<(TopicName, Vec<i32>)> = request
        .topics
        .iter()
        .map(|topic| (topic.name.clone(), topic.partitions.iter().map(|one| one.partition_index).collect()))
        .collect();
    let image = asker.host.image();
    let mut known = request;
    for topic in &mut known.topics {
        let name = topic.name.clone();
        topic.partitions.retain(|one| named(&image, &name, one.partition_index).is_some());
    }
    known.topics.retain(|topic| !topic.partitions.is_empty());
    let group = known.group_id.clone();
    Ok(asker.one(&group, GroupAsk::DeleteOffsets(known), |_, answer| {
        let GroupAnswer::DeleteOffsets(response) = answer else { return None };
        if response.error_code != 0 {
            return Some(response);
        }
        let codes: Codes = response
            .topics
            .into_iter()
            .flat_map(|topic| {
                let name = topic.name;
                topic
                    .partitions
                    .into_iter()
                    .map(move |one| ((name.clone(), one.partition_index), one.error_code))
            })
            .collect();
        let topics = asked.into_iter().map(|(name, partitions)| {
            let partition = |index: i32| {
                let code = codes.get(&(name.clone(), index)).copied().unwrap_or(UNKNOWN.code());
                OffsetDeleteResponsePartition::default().with_partition_index(index).with_error_code(code)
            };
            let partitions = partitions.into_iter().map(partition).collect();
            OffsetDeleteResponseTopic::default().with_name(name).with_partitions(partitions)
        });
        Some(OffsetDeleteResponse::default().with_topics(topics.collect()))
    }))
}
