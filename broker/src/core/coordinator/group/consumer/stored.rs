//! A consumer group as it is written down, in Kafka's own schemas (`ConsumerGroup*Key/Value.json` in Apache
//! Kafka's `group-coordinator`): what changed between two states of it, and back.

use std::collections::BTreeMap;

use super::super::super::super::types::Uuid;
use super::super::super::{Entry, Reader, Writer};
use super::{Consumer, Member, MemberState, Share};

const GROUP: i16 = 3;
const MEMBER: i16 = 5;
const TARGET_EPOCH: i16 = 6;
const TARGET: i16 = 7;
const CURRENT: i16 = 8;

/// One record, understood; no value is a tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum StoredConsumer {
    Group(Option<(i32, i64)>),
    Member(String, Option<Box<Subscription>>),
    TargetEpoch(Option<i32>),
    Target(String, Option<Share>),
    Current(String, Option<Current>),
}

/// What a member wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Subscription {
    instance: Option<String>,
    rack: Option<String>,
    client_id: String,
    client_host: String,
    topics: Vec<String>,
    regex: Option<String>,
    rebalance_ms: i32,
    assignor: Option<String>,
}

/// Where a member is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Current {
    epoch: i32,
    previous_epoch: i32,
    state: i8,
    assigned: Share,
    revoking: Share,
}

fn key(kind: i16, group: &str, member: Option<&str>) -> Writer {
    let key = Writer::new(kind).text(group);
    match member {
        Some(member) => key.text(member),
        None => key,
    }
}

fn entry(kind: i16, group: &str, member: Option<&str>, value: Option<Writer>) -> Entry {
    Entry { key: key(kind, group, member).done(), value: value.map(Writer::done) }
}

fn share(mut out: Writer, share: &Share) -> Writer {
    let mut topics: BTreeMap<Uuid, Vec<i32>> = BTreeMap::new();
    share.iter().for_each(|(topic, partition)| topics.entry(*topic).or_default().push(*partition));
    out = out.length(Some(topics.len()));
    for (topic, partitions) in topics {
        out = out.uuid(topic).length(Some(partitions.len()));
        out = partitions.into_iter().fold(out, Writer::i32).no_tags();
    }
    out
}

fn subscription(member: &Member) -> Writer {
    let out = Writer::new(0)
        .compact_text(member.instance.as_deref())
        .compact_text(member.rack.as_deref())
        .compact_text(Some(&member.client_id))
        .compact_text(Some(&member.client_host))
        .length(Some(member.topics.len()));
    member
        .topics
        .iter()
        .fold(out, |out, topic| out.compact_text(Some(topic)))
        .compact_text(member.regex.as_deref())
        .i32(member.rebalance_ms)
        .compact_text(member.assignor.as_deref())
        .no_tags()
}

fn current(member: &Member) -> Writer {
    let state = match member.state {
        MemberState::Stable => 0,
        MemberState::Unrevoked => 1,
        MemberState::Unreleased => 2,
    };
    let out = Writer::new(0).i32(member.epoch).i32(member.previous_epoch).i8(state);
    share(share(out, &member.assigned), &member.revoking).no_tags()
}

fn tombstones(group: &str, member: &str) -> [Entry; 3] {
    [CURRENT, TARGET, MEMBER].map(|kind| entry(kind, group, Some(member), None))
}

/// Tombstones of a group that has no members any more.
pub(in super::super) fn retired(group: &str) -> [Entry; 2] {
    [TARGET_EPOCH, GROUP].map(|kind| entry(kind, group, None, None))
}

impl Consumer {
    /// The records that lead from one state of a group to this one.
    pub(in super::super) fn changes(&self, group: &str, before: Option<&Self>) -> Vec<Entry> {
        let none = Self::default();
        let old = before.unwrap_or(&none);
        let mut out: Vec<Entry> = Vec::new();
        for id in old.members.keys().filter(|id| !self.members.contains_key(*id)) {
            out.extend(tombstones(group, id));
        }
        for (id, member) in &self.members {
            let value = subscription(member).done();
            if old.members.get(id).is_none_or(|known| subscription(known).done() != value) {
                out.push(Entry { key: key(MEMBER, group, Some(id)).done(), value: Some(value) });
            }
        }
        if before.is_none() || (old.epoch, old.topics_hash) != (self.epoch, self.topics_hash) {
            // One tagged field: number 0, eight bytes.
            let tags = |out: Writer| out.i8(1).i8(0).i8(8).i64(self.topics_hash);
            out.push(entry(GROUP, group, None, Some(tags(Writer::new(0).i32(self.epoch)))));
        }
        for (id, target) in &self.target {
            if old.target.get(id) != Some(target) {
                let value = share(Writer::new(0), target).no_tags();
                out.push(entry(TARGET, group, Some(id), Some(value)));
            }
        }
        if before.is_none() || old.assignment_epoch != self.assignment_epoch {
            let value = Writer::new(0).i32(self.assignment_epoch).no_tags();
            out.push(entry(TARGET_EPOCH, group, None, Some(value)));
        }
        for (id, member) in &self.members {
            let value = current(member).done();
            if old.members.get(id).is_none_or(|known| current(known).done() != value) {
                out.push(Entry { key: key(CURRENT, group, Some(id)).done(), value: Some(value) });
            }
        }
        out
    }

    /// Takes what the log says of it.
    pub(in super::super) fn restore(&mut self, stored: StoredConsumer) {
        match stored {
            StoredConsumer::Group(Some((epoch, topics_hash))) => {
                (self.epoch, self.topics_hash) = (epoch, topics_hash);
            }
            StoredConsumer::TargetEpoch(Some(epoch)) => self.assignment_epoch = epoch,
            StoredConsumer::Target(id, Some(share)) => {
                self.target.insert(id, share);
            }
            StoredConsumer::Target(id, None) => {
                self.target.remove(&id);
            }
            StoredConsumer::Member(id, None) => {
                let gone = self.members.remove(&id);
                if let Some(instance) = gone.and_then(|member| member.instance)
                    && self.instances.get(&instance) == Some(&id)
                {
                    self.instances.remove(&instance);
                }
            }
            StoredConsumer::Member(id, Some(wants)) => {
                let member = self
                    .members
                    .entry(id.clone())
                    .or_insert_with(|| Member::new(&id, wants.instance.as_deref()));
                member.instance = wants.instance;
                member.rack = wants.rack;
                member.client_id = wants.client_id;
                member.client_host = wants.client_host;
                member.topics = wants.topics.into_iter().collect();
                member.regex = wants.regex;
                member.rebalance_ms = wants.rebalance_ms;
                member.assignor = wants.assignor;
                if let Some(instance) = member.instance.clone() {
                    self.instances.insert(instance, id);
                }
            }
            StoredConsumer::Current(id, Some(is)) => {
                if let Some(member) = self.members.get_mut(&id) {
                    member.epoch = is.epoch;
                    member.previous_epoch = is.previous_epoch;
                    member.state = match is.state {
                        1 => MemberState::Unrevoked,
                        2 => MemberState::Unreleased,
                        _ => MemberState::Stable,
                    };
                    member.assigned = is.assigned;
                    member.revoking = is.revoking;
                }
            }
            StoredConsumer::Current(id, None) => {
                if let Some(member) = self.members.get_mut(&id) {
                    member.epoch = 0;
                    member.assigned.clear();
                    member.revoking.clear();
                }
            }
            StoredConsumer::Group(None) | StoredConsumer::TargetEpoch(None) => {}
        }
    }

    /// Every session starts anew at a new coordinator.
    pub(in super::super) fn restored(&mut self, now_ms: u64, session_ms: u64) {
        for member in self.members.values_mut() {
            member.session_deadline_ms = now_ms.saturating_add(session_ms);
            let patience_ms = u64::try_from(member.rebalance_ms).unwrap_or(0);
            let revokes = member.state == MemberState::Unrevoked;
            member.revoke_deadline_ms = revokes.then(|| now_ms.saturating_add(patience_ms));
        }
    }
}

/// What a record says, and of which group; `None` if it is of another kind.
pub(in super::super) fn read(entry: &Entry) -> Option<(String, StoredConsumer)> {
    let mut key = Reader::new(entry.key.clone());
    let kind = key.i16()?;
    if ![GROUP, MEMBER, TARGET_EPOCH, TARGET, CURRENT].contains(&kind) {
        return None;
    }
    let group = key.text()?;
    let mut value = match &entry.value {
        Some(value) => {
            let mut value = Reader::new(value.clone());
            value.i16().filter(|version| *version == 0)?;
            Some(value)
        }
        None => None,
    };
    let stored = match kind {
        GROUP => StoredConsumer::Group(match &mut value {
            Some(value) => Some((value.i32()?, topics_hash(value)?)),
            None => None,
        }),
        TARGET_EPOCH => StoredConsumer::TargetEpoch(match &mut value {
            Some(value) => Some(value.i32()?),
            None => None,
        }),
        TARGET => StoredConsumer::Target(
            key.text()?,
            match &mut value {
                Some(value) => Some(read_share(value)?),
                None => None,
            },
        ),
        CURRENT => StoredConsumer::Current(
            key.text()?,
            match &mut value {
                Some(value) => Some(Current {
                    epoch: value.i32()?,
                    previous_epoch: value.i32()?,
                    state: value.i8()?,
                    assigned: read_share(value)?,
                    revoking: read_share(value)?,
                }),
                None => None,
            },
        ),
        _ => StoredConsumer::Member(
            key.text()?,
            match &mut value {
                Some(value) => Some(Box::new(read_subscription(value)?)),
                None => None,
            },
        ),
    };
    Some((group, stored))
}

/// The one tagged field that is known; 0 where it is absent.
fn topics_hash(value: &mut Reader) -> Option<i64> {
    if (value.i8()?, value.i8(), value.i8()) == (1, Some(0), Some(8)) { value.i64() } else { Some(0) }
}

fn read_share(value: &mut Reader) -> Option<Share> {
    let mut share = Share::new();
    for _ in 0..value.length()?.unwrap_or(0) {
        let topic = value.uuid()?;
        for _ in 0..value.length()?.unwrap_or(0) {
            share.insert((topic, value.i32()?));
        }
        value.skip_tags()?;
    }
    Some(share)
}

fn read_subscription(value: &mut Reader) -> Option<Subscription> {
    let (instance, rack) = (value.compact_text()?, value.compact_text()?);
    let (client_id, client_host) = (value.compact_text()??, value.compact_text()??);
    let mut topics = Vec::new();
    for _ in 0..value.length()?.unwrap_or(0) {
        topics.push(value.compact_text()??);
    }
    Some(Subscription {
        instance,
        rack,
        client_id,
        client_host,
        topics,
        regex: value.compact_text()?,
        rebalance_ms: value.i32()?,
        assignor: value.compact_text()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consumer() -> Consumer {
        let mut consumer = Consumer { epoch: 3, assignment_epoch: 2, topics_hash: -7, ..Consumer::default() };
        let mut member = Member::new("m1", Some("i1"));
        member.client_id = "c".to_owned();
        member.client_host = "/127.0.0.1".to_owned();
        member.topics = ["a".to_owned(), "b".to_owned()].into();
        member.regex = Some("x.*".to_owned());
        member.rebalance_ms = 500;
        member.epoch = 2;
        member.state = MemberState::Unrevoked;
        member.assigned = [(Uuid([1; 16]), 0), (Uuid([1; 16]), 200), (Uuid([2; 16]), 1)].into();
        member.revoking = [(Uuid([2; 16]), 0)].into();
        consumer.target.insert("m1".to_owned(), member.assigned.clone());
        consumer.instances.insert("i1".to_owned(), "m1".to_owned());
        consumer.members.insert("m1".to_owned(), member);
        consumer
    }

    fn restored(entries: &[Entry]) -> Consumer {
        let mut out = Consumer::default();
        for entry in entries {
            let (group, stored) = read(entry).expect("known");
            assert_eq!(group, "g");
            out.restore(stored);
        }
        out
    }

    #[test]
    fn what_is_written_is_read_back() {
        let written = consumer();
        assert_eq!(restored(&written.changes("g", None)), written);
        assert_eq!(written.changes("g", Some(&written)), []);
    }

    #[test]
    fn only_what_changed_is_written_and_a_member_that_left_is_gone() {
        let before = consumer();
        let mut after = before.clone();
        after.remove("m1");
        let changes = after.changes("g", Some(&before));
        assert_eq!(changes.len(), 4, "three tombstones and the group's epoch");
        let all: Vec<Entry> = before.changes("g", None).into_iter().chain(changes).collect();
        assert_eq!(restored(&all), after);
    }
}
