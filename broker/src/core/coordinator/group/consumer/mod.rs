//! A consumer group of the next generation (KIP-848): the coordinator divides the partitions, and takes every
//! member to its share at its own pace.
//!
//! Three numbers tell how far things are. The **group epoch** grows with every change of who reads what; the
//! **assignment epoch** is the group epoch that the target assignment was made for; a **member epoch** is the
//! assignment epoch that the member has arrived at. A partition has one owner at most: it is given to somebody
//! only when whoever had it has confirmed that it has let go, or is out.

mod assignor;
mod describe;
mod heartbeat;
mod reconcile;
mod stored;

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::error::ResponseError;
use regex::{Regex, RegexBuilder};

use super::super::super::image::ClusterImage;
use super::super::super::types::Uuid;
use assignor::Assignor;
pub(super) use heartbeat::Heartbeat;
pub(super) use stored::{StoredConsumer, read, retired};

/// Partitions, by their topic's id.
pub(super) type Share = BTreeSet<(Uuid, i32)>;

/// The epoch of a static member that is away and will be back.
const AWAY: i32 = -2;

/// Where a member stands on its way to the target assignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MemberState {
    /// It has all that it shall have.
    Stable,
    /// It has been asked to let go of something.
    Unrevoked,
    /// Something it shall have is still somebody else's.
    Unreleased,
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Member {
    id: String,
    instance: Option<String>,
    rack: Option<String>,
    client_id: String,
    client_host: String,
    topics: BTreeSet<String>,
    regex: Option<String>,
    rebalance_ms: i32,
    assignor: Option<String>,
    epoch: i32,
    /// Its epoch before the last change: the answer that told it may have been lost.
    previous_epoch: i32,
    state: MemberState,
    /// What it may read.
    assigned: Share,
    /// What it has been asked to let go of, and may still hold.
    revoking: Share,
    session_deadline_ms: u64,
    /// Until when it must have let go.
    revoke_deadline_ms: Option<u64>,
}

/// The topics that a group reads: their ids and their numbers of partitions.
type Topics = BTreeMap<String, (Uuid, i32)>;

/// FNV-1a over names, ids and numbers. It is only ever compared with itself, but is written down.
fn hash(topics: &Topics) -> i64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for (name, (id, partitions)) in topics {
        add(name.as_bytes());
        add(&id.0);
        add(&partitions.to_be_bytes());
    }
    hash.cast_signed()
}

/// A consumer group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Consumer {
    epoch: i32,
    assignment_epoch: i32,
    members: BTreeMap<String, Member>,
    /// Instance to member.
    instances: BTreeMap<String, String>,
    target: BTreeMap<String, Share>,
    /// Tells whether the topics are as they were when the group epoch was last raised.
    topics_hash: i64,
    /// Version of the metadata that was looked at last. Not written down: a new coordinator looks again.
    image_version: u64,
}

impl Member {
    fn is_over(&self, now_ms: u64) -> bool {
        self.session_deadline_ms <= now_ms
            || self.revoke_deadline_ms.is_some_and(|deadline_ms| deadline_ms <= now_ms)
    }

    /// Whether it reads a topic. A pattern has to match the whole name; one that is none matches nothing.
    fn reads(&self, topic: &str, pattern: Option<&Regex>) -> bool {
        self.topics.contains(topic) || pattern.is_some_and(|pattern| pattern.is_match(topic))
    }
}

/// A subscription by pattern, which has to match a whole name (RE2, as both sides understand it).
fn pattern(regex: &str) -> Option<Regex> {
    // Room for any honest pattern, and not for one that is to cost memory.
    RegexBuilder::new(&format!("^(?:{regex})$")).size_limit(1 << 20).build().ok()
}

impl Consumer {
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Kafka's name of the state.
    pub(super) fn state(&self) -> &'static str {
        let arrived =
            |member: &Member| member.state == MemberState::Stable && member.epoch == self.assignment_epoch;
        if self.members.is_empty() {
            "Empty"
        } else if self.epoch > self.assignment_epoch {
            "Assigning"
        } else if self.members.values().all(|member| member.epoch == AWAY || arrived(member)) {
            "Stable"
        } else {
            "Reconciling"
        }
    }

    /// Whether anybody reads a topic.
    pub(super) fn subscribes(&self, topic: &str) -> bool {
        self.members.values().any(|member| {
            let pattern = member.regex.as_deref().and_then(pattern);
            member.reads(topic, pattern.as_ref())
        })
    }

    /// Which topics of the metadata each member reads.
    fn subscriptions(&self, image: &ClusterImage) -> (BTreeMap<String, BTreeSet<Uuid>>, Topics) {
        let mut topics = Topics::new();
        let mut subscriptions = BTreeMap::new();
        // Members share patterns, and compiling one costs more than matching it.
        let patterns: BTreeMap<&str, Option<Regex>> = self
            .members
            .values()
            .filter_map(|member| member.regex.as_deref())
            .map(|regex| (regex, pattern(regex)))
            .collect();
        for member in self.members.values() {
            let pattern = member.regex.as_deref().and_then(|regex| patterns.get(regex)?.as_ref());
            let mut read = BTreeSet::new();
            let by_name = member.topics.iter().filter_map(|name| image.topics.get_key_value(name));
            let by_pattern =
                image.topics.iter().filter(|(name, _)| pattern.is_some_and(|pattern| pattern.is_match(name)));
            for (name, topic) in by_name.chain(by_pattern) {
                let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
                topics.insert(name.clone(), (topic.id, count));
                read.insert(topic.id);
            }
            subscriptions.insert(member.id.clone(), read);
        }
        (subscriptions, topics)
    }

    /// Whether offsets may be committed by this member at this epoch (Apache Kafka,
    /// `ConsumerGroup.validateOffsetCommit`).
    pub(super) fn validate_commit(
        &self,
        member: &str,
        epoch: i32,
        version: i16,
        transactional: bool,
    ) -> Result<(), ResponseError> {
        if epoch < 0 && self.members.is_empty() {
            return Ok(());
        }
        if transactional && member.is_empty() && epoch < 0 {
            return Ok(());
        }
        let known = self.members.get(member).ok_or(ResponseError::UnknownMemberId)?;
        if !transactional && version < 9 {
            // Older versions have no word for what may be wrong with an epoch.
            return Err(ResponseError::UnsupportedVersion);
        }
        match (known.epoch == epoch, transactional) {
            (true, _) => Ok(()),
            (false, false) => Err(ResponseError::StaleMemberEpoch),
            (false, true) => Err(ResponseError::IllegalGeneration),
        }
    }

    /// Whether offsets may be fetched by this member at this epoch; nobody in particular always may.
    pub(super) fn validate_fetch(&self, member: Option<&str>, epoch: i32) -> Result<(), ResponseError> {
        let member = match member {
            None if epoch < 0 => return Ok(()),
            member => member.unwrap_or_default(),
        };
        let known = self.members.get(member).ok_or(ResponseError::UnknownMemberId)?;
        if known.epoch == epoch { Ok(()) } else { Err(ResponseError::StaleMemberEpoch) }
    }

    /// Removes a member, and lets the group be divided anew.
    fn remove(&mut self, member: &str) {
        let Some(gone) = self.members.remove(member) else { return };
        self.target.remove(member);
        if let Some(instance) = gone.instance
            && self.instances.get(&instance).is_some_and(|known| known == member)
        {
            self.instances.remove(&instance);
        }
        self.epoch += 1;
    }

    /// Whether anybody's time is up.
    pub(super) fn is_due(&self, now_ms: u64) -> bool {
        self.members.values().any(|member| member.is_over(now_ms))
    }

    /// Removes whose session is over, and who was asked to let go and has not.
    pub(super) fn expire(&mut self, now_ms: u64) {
        let over = self.members.values().filter(|member| member.is_over(now_ms));
        let gone: Vec<String> = over.map(|member| member.id.clone()).collect();
        gone.iter().for_each(|member| self.remove(member));
    }
}
