//! ConsumerGroupHeartbeat: members join, tell what they hold, learn what is theirs, and leave (Apache Kafka,
//! `GroupMetadataManager.consumerGroupHeartbeat`).

use std::collections::BTreeMap;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::consumer_group_heartbeat_response::{Assignment, TopicPartitions};
use kafka_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};

use super::super::super::super::types::Uuid;
use super::super::super::Scope;
use super::super::request::{Caller, text};
use super::{AWAY, Assignor, Consumer, Member, MemberState, Share, hash, pattern};

/// Joins the group.
const JOINS: i32 = 0;
/// Leaves it for good.
const LEAVES: i32 = -1;

/// Why a heartbeat is refused, in code and words.
type Refused = (ResponseError, &'static str);

/// A heartbeat, and who it comes from.
pub(in super::super) struct Heartbeat<'a> {
    pub(in super::super) request: &'a ConsumerGroupHeartbeatRequest,
    pub(in super::super) caller: &'a Caller,
}

impl Heartbeat<'_> {
    /// Whether it asks to become a member.
    pub(in super::super) const fn joins(&self) -> bool {
        self.request.member_epoch == JOINS
    }

    /// What can be said without looking at a group.
    pub(in super::super) fn check(&self) -> Result<(), Refused> {
        let request = self.request;
        let invalid = |why| Err((ResponseError::InvalidRequest, why));
        let no_member = request.member_id.is_empty() && (self.caller.version > 0 || !self.joins());
        if request.group_id.is_empty() {
            return invalid("GroupId can't be empty.");
        }
        if no_member {
            return invalid("MemberId can't be empty.");
        }
        if request.instance_id.as_ref().is_some_and(|id| id.is_empty()) {
            return invalid("InstanceId can't be empty.");
        }
        if request.rack_id.as_ref().is_some_and(|id| id.is_empty()) {
            return invalid("RackId can't be empty.");
        }
        match request.member_epoch {
            JOINS => {
                if request.rebalance_timeout_ms == -1 {
                    return invalid("RebalanceTimeoutMs must be provided in first request.");
                }
                if request.topic_partitions.as_ref().is_none_or(|owned| !owned.is_empty()) {
                    return invalid("TopicPartitions must be empty when (re-)joining.");
                }
                if request.subscribed_topic_names.is_none() && request.subscribed_topic_regex.is_none() {
                    return invalid(
                        "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
                    );
                }
            }
            AWAY if request.instance_id.is_none() => {
                return invalid("InstanceId can't be null.");
            }
            ..AWAY => return invalid("MemberEpoch is invalid."),
            _ => {}
        }
        if request.server_assignor.as_deref().is_some_and(|name| Assignor::named(name).is_none()) {
            return Err((ResponseError::UnsupportedAssignor, "ServerAssignor is not supported."));
        }
        let regex = request.subscribed_topic_regex.as_deref().filter(|regex| !regex.is_empty());
        if regex.is_some_and(|regex| pattern(regex).is_none()) {
            let why = "SubscribedTopicRegex is not a valid regular expression.";
            return Err((ResponseError::InvalidRegularExpression, why));
        }
        Ok(())
    }

    fn owned(&self) -> Option<Share> {
        let owned = self.request.topic_partitions.as_ref()?;
        let of = |topic: Uuid, partitions: &[i32]| -> Vec<(Uuid, i32)> {
            partitions.iter().map(|partition| (topic, *partition)).collect()
        };
        Some(owned.iter().flat_map(|one| of(Uuid(one.topic_id.into_bytes()), &one.partitions)).collect())
    }
}

impl Consumer {
    /// Takes a heartbeat. On an error nothing has changed.
    pub(in super::super) fn heartbeat(
        &mut self,
        scope: Scope<'_>,
        heartbeat: &Heartbeat<'_>,
    ) -> Result<ConsumerGroupHeartbeatResponse, Refused> {
        let request = heartbeat.request;
        if [LEAVES, AWAY].contains(&request.member_epoch) {
            return self.leave(request);
        }
        let epoch = self.epoch;
        let id = self.enter(scope, heartbeat)?;
        let before = self.members.get(&id).map(|member| member.assigned.clone());
        self.describe_itself(scope, heartbeat, &id);
        if self.epoch > self.assignment_epoch || self.image_version != scope.image.version {
            self.divide(scope, epoch);
        }
        let owned = heartbeat.owned();
        self.reconcile(scope, &id, owned.as_ref());
        let Some(member) = self.members.get(&id) else {
            return Err((ResponseError::UnknownMemberId, "The member is gone."));
        };
        // All of it when asked in full: at the start, and after an error. Otherwise when it has changed.
        let full = request.rebalance_timeout_ms != -1
            && (request.subscribed_topic_names.is_some() || request.subscribed_topic_regex.is_some())
            && request.topic_partitions.is_some();
        let changed = heartbeat.joins() || full || before.as_ref() != Some(&member.assigned);
        let interval = scope.settings.number("group.consumer.heartbeat.interval.ms");
        Ok(ConsumerGroupHeartbeatResponse::default()
            .with_member_id(Some(text(id.as_str())))
            .with_member_epoch(member.epoch)
            .with_heartbeat_interval_ms(i32::try_from(interval).unwrap_or(i32::MAX))
            .with_assignment(changed.then(|| assignment(&member.assigned))))
    }

    /// Divides the partitions anew, if who reads what has changed since `epoch`. However much has, that is one
    /// step of the group's epoch.
    fn divide(&mut self, scope: Scope<'_>, epoch: i32) {
        let (subscriptions, topics) = self.subscriptions(scope.image);
        self.image_version = scope.image.version;
        let topics_hash = hash(&topics);
        if topics_hash != self.topics_hash {
            self.topics_hash = topics_hash;
            self.epoch += 1;
        }
        self.epoch = self.epoch.min(epoch + 1);
        if self.epoch > self.assignment_epoch {
            self.target = self.assignor().assign(&subscriptions, &topics, &self.target);
            self.assignment_epoch = self.epoch;
        }
    }

    /// Finds the member, or makes it one, and checks that it is who and when it says.
    fn enter(&mut self, scope: Scope<'_>, heartbeat: &Heartbeat<'_>) -> Result<String, Refused> {
        let Heartbeat { request, caller } = heartbeat;
        let joins = heartbeat.joins();
        let fresh = || uuid::Uuid::from_bytes(caller.fresh.0).to_string();
        let id = if request.member_id.is_empty() { fresh() } else { request.member_id.to_string() };
        let instance = request.instance_id.as_deref();
        let holder = instance.and_then(|instance| self.instances.get(instance).cloned());
        if joins {
            let most =
                usize::try_from(scope.settings.number("group.consumer.max.size")).unwrap_or(usize::MAX);
            match holder {
                Some(holder) if holder != id => {
                    // Only when the one before has said that it goes (KIP-848, static membership).
                    if self.members.get(&holder).is_some_and(|member| member.epoch != AWAY) {
                        let why = "Static member with this instance id is still in the group.";
                        return Err((ResponseError::UnreleasedInstanceId, why));
                    }
                    self.succeed(&holder, &id);
                }
                _ if self.members.contains_key(&id) => {}
                _ if self.members.len() >= most => {
                    return Err((
                        ResponseError::GroupMaxSizeReached,
                        "The consumer group has reached its maximum capacity.",
                    ));
                }
                _ => {
                    self.members.insert(id.clone(), Member::new(&id, instance));
                    self.epoch += 1;
                    if let Some(instance) = instance {
                        self.instances.insert(instance.to_owned(), id.clone());
                    }
                }
            }
            return Ok(id);
        }
        match (instance, holder) {
            (Some(_), None) => return Err((ResponseError::UnknownMemberId, "No such instance.")),
            (Some(_), Some(holder)) if holder != id => {
                return Err((ResponseError::FencedInstanceId, "The instance id is another member's now."));
            }
            _ => {}
        }
        let member =
            self.members.get(&id).ok_or((ResponseError::UnknownMemberId, "No such member in the group."))?;
        let epoch = request.member_epoch;
        let answer_was_lost = epoch == member.previous_epoch
            && heartbeat.owned().is_some_and(|owned| owned.is_subset(&member.assigned));
        if epoch != member.epoch && !answer_was_lost {
            let why = "The consumer group member has another member epoch. It must abandon all its partitions and rejoin.";
            return Err((ResponseError::FencedMemberEpoch, why));
        }
        Ok(id)
    }

    /// A restarted instance takes the place of the member that it was.
    fn succeed(&mut self, old: &str, new: &str) {
        let Some(mut member) = self.members.remove(old) else { return };
        member.id = new.to_owned();
        member.epoch = 0;
        member.previous_epoch = 0;
        if let Some(instance) = &member.instance {
            self.instances.insert(instance.clone(), new.to_owned());
        }
        if let Some(share) = self.target.remove(old) {
            self.target.insert(new.to_owned(), share);
        }
        // The new process holds nothing yet: whatever the old one was to let go of, it has.
        member.revoking.clear();
        member.revoke_deadline_ms = None;
        member.state = MemberState::Stable;
        self.members.insert(new.to_owned(), member);
    }

    /// What the heartbeat says of the member itself; another subscription is a change of the group.
    fn describe_itself(&mut self, scope: Scope<'_>, heartbeat: &Heartbeat<'_>, id: &str) {
        let Heartbeat { request, caller } = heartbeat;
        let session_ms = scope.settings.number("group.consumer.session.timeout.ms");
        let Some(member) = self.members.get_mut(id) else { return };
        let before = (member.topics.clone(), member.regex.clone(), member.assignor.clone());
        if heartbeat.joins() {
            // It holds nothing, and is told everything.
            member.epoch = 0;
            member.previous_epoch = 0;
            member.revoking.clear();
            member.revoke_deadline_ms = None;
            member.state = MemberState::Stable;
        }
        member.client_id.clone_from(&caller.client_id);
        member.client_host.clone_from(&caller.client_host);
        member.session_deadline_ms = scope.now_ms.saturating_add(session_ms);
        if let Some(rack) = &request.rack_id {
            member.rack = Some(rack.to_string());
        }
        if request.rebalance_timeout_ms != -1 {
            member.rebalance_ms = request.rebalance_timeout_ms;
        }
        if let Some(assignor) = &request.server_assignor {
            member.assignor = Some(assignor.to_string());
        }
        if let Some(names) = &request.subscribed_topic_names {
            member.topics = names.iter().map(|name| name.to_string()).collect();
        }
        if let Some(regex) = &request.subscribed_topic_regex {
            member.regex = Some(regex.to_string()).filter(|regex| !regex.is_empty());
        }
        if before != (member.topics.clone(), member.regex.clone(), member.assignor.clone()) {
            self.epoch += 1;
        }
    }

    /// The assignor that most members ask for.
    pub(super) fn assignor(&self) -> Assignor {
        let mut votes: BTreeMap<Assignor, usize> = BTreeMap::new();
        for member in self.members.values() {
            if let Some(assignor) = member.assignor.as_deref().and_then(Assignor::named) {
                *votes.entry(assignor).or_default() += 1;
            }
        }
        let most = votes.into_iter().rev().max_by_key(|(_, votes)| *votes);
        most.map_or(Assignor::ALL[0], |(assignor, _)| assignor)
    }

    fn leave(
        &mut self,
        request: &ConsumerGroupHeartbeatRequest,
    ) -> Result<ConsumerGroupHeartbeatResponse, Refused> {
        let id = request.member_id.as_str();
        if let Some(instance) = request.instance_id.as_deref() {
            match self.instances.get(instance) {
                None => return Err((ResponseError::UnknownMemberId, "No such instance.")),
                Some(holder) if holder != id => {
                    return Err((
                        ResponseError::FencedInstanceId,
                        "The instance id is another member's now.",
                    ));
                }
                Some(_) => {}
            }
        }
        let member = self.members.get_mut(id);
        let member = member.ok_or((ResponseError::UnknownMemberId, "No such member in the group."))?;
        if request.member_epoch == AWAY {
            // Its place is kept until its session ends.
            member.epoch = AWAY;
            member.revoking.clear();
            member.revoke_deadline_ms = None;
        } else {
            self.remove(id);
        }
        Ok(ConsumerGroupHeartbeatResponse::default()
            .with_member_id(Some(text(id)))
            .with_member_epoch(request.member_epoch))
    }
}

impl Member {
    /// One that is nowhere yet.
    pub(super) fn new(id: &str, instance: Option<&str>) -> Self {
        Self {
            id: id.to_owned(),
            instance: instance.map(ToOwned::to_owned),
            rack: None,
            client_id: String::new(),
            client_host: String::new(),
            topics: Default::default(),
            regex: None,
            rebalance_ms: 0,
            assignor: None,
            epoch: 0,
            previous_epoch: -1,
            state: MemberState::Stable,
            assigned: Share::new(),
            revoking: Share::new(),
            session_deadline_ms: u64::MAX,
            revoke_deadline_ms: None,
        }
    }
}

fn assignment(share: &Share) -> Assignment {
    let mut topics: BTreeMap<Uuid, Vec<i32>> = BTreeMap::new();
    share.iter().for_each(|(topic, partition)| topics.entry(*topic).or_default().push(*partition));
    let topic = |(topic, partitions): (Uuid, Vec<i32>)| {
        TopicPartitions::default().with_topic_id(uuid::Uuid::from_bytes(topic.0)).with_partitions(partitions)
    };
    Assignment::default().with_topic_partitions(topics.into_iter().map(topic).collect())
}
