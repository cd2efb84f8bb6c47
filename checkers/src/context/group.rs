//! The run's consumer group: who owned which partition from when to when as far as its members were told, what they
//! processed together, and how far the group went.

use history::{History, Nanos, Offset, Operation, Outcome, Partition, Role, Session, Tag};

use super::log::Log;
use super::{MAX_EXAMPLES, is_fence};

/// A partition in one member's hands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tenure<'a> {
    pub(crate) member: &'a Session,
    pub(crate) partition: Partition,
    /// When it was told that it is its, at the latest.
    pub(crate) from: Nanos,
    /// When it was told to give it up; never, if it died before.
    pub(crate) until: Option<Nanos>,
    /// When its member last put anything on record: it lived until then.
    pub(crate) last_seen: Nanos,
}

impl Tenure<'_> {
    /// Whether it was in force at a time, as far as its member knew.
    pub(crate) fn covers(&self, at: Nanos) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

/// A record that members processed again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Again<'a> {
    pub(crate) partition: Partition,
    pub(crate) offset: Offset,
    pub(crate) tag: Option<Tag>,
    pub(crate) by: &'a Session,
    pub(crate) at: Nanos,
}

/// Everything about the run's group.
#[derive(Debug)]
pub(crate) struct Group<'a> {
    /// Its members' sessions, in order of index and session.
    pub(crate) members: Vec<&'a Session>,
    /// In order of member and time.
    pub(crate) tenures: Vec<Tenure<'a>>,
    /// By partition, the offset before which everything was processed or committed by somebody.
    pub(crate) reached: Vec<i64>,
    /// How often something was processed that had been processed before.
    pub(crate) again: u64,
    /// The first of them.
    pub(crate) examples: Vec<Again<'a>>,
    /// By partition and position in its log, whether somebody processed what is there.
    given: Vec<Vec<u64>>,
}

/// The group of a history; `None` if nobody was a member of one.
pub(super) fn collect<'a>(history: &'a History, logs: &[Log]) -> Option<Group<'a>> {
    let members: Vec<&Session> = history.of(Role::Member).collect();
    if members.is_empty() {
        return None;
    }
    let mut group = Group {
        tenures: members.iter().flat_map(|member| tenures(member)).collect(),
        reached: vec![0; logs.len()],
        again: 0,
        examples: Vec::new(),
        given: logs.iter().map(|log| vec![0; log.entries.len().div_ceil(64)]).collect(),
        members: Vec::new(),
    };
    for member in &members {
        group.walk(member, logs);
    }
    group.members = members;
    Some(group)
}

impl<'a> Group<'a> {
    fn walk(&mut self, member: &'a Session, logs: &[Log]) {
        let mut hints = vec![0; logs.len()];
        for delivery in member.deliveries() {
            let at = delivery.partition.0 as usize;
            let Some(log) = logs.get(at) else { continue };
            self.reached[at] = self.reached[at].max(delivery.offset.0.saturating_add(1));
            let Some(position) = log.locate(delivery.offset, &mut hints[at]) else { continue };
            let (word, bit) = (&mut self.given[at][position / 64], 1 << (position % 64));
            if *word & bit != 0 && !is_fence(delivery.tag) {
                self.again += 1;
                if self.examples.len() < MAX_EXAMPLES {
                    let (partition, offset, tag) = (delivery.partition, delivery.offset, delivery.tag);
                    self.examples.push(Again { partition, offset, tag, by: member, at: delivery.returned });
                }
            }
            *word |= bit;
        }
        for operation in member.recorded().filter(|operation| operation.outcome == Outcome::Ok) {
            let Some(detail) = operation.detail else { continue };
            for (partition, offset) in detail.committed.iter().chain(&detail.fetched) {
                if let Some(reached) = self.reached.get_mut(partition.0 as usize) {
                    *reached = offset.0.max(*reached);
                }
            }
        }
    }

    /// Positions of a partition's log before the offset that the group reached, at which nobody processed anything.
    pub(crate) fn passed(&self, partition: usize, log: &Log) -> impl Iterator<Item = usize> {
        let until =
            self.reached.get(partition).map_or(0, |reached| log.entries.position_from(Offset(*reached)));
        let given = self.given.get(partition).map_or(&[][..], Vec::as_slice);
        let open = (0..until.div_ceil(64)).filter(|word| given.get(*word) != Some(&u64::MAX));
        open.flat_map(move |word| {
            let given = given.get(word).copied().unwrap_or(0);
            (word * 64..((word + 1) * 64).min(until))
                .filter(move |position| given & (1 << (position % 64)) == 0)
        })
    }

    /// Whether somebody processed what is at a position of a partition's log.
    pub(crate) fn is_given(&self, partition: Partition, position: usize) -> bool {
        let words = self.given.get(partition.0 as usize);
        words
            .and_then(|words| words.get(position / 64))
            .is_some_and(|word| word & (1 << (position % 64)) != 0)
    }

    /// The sessions of each partition's owners, as often as it was given to one, in order of time.
    pub(crate) fn owners(&self, partition: Partition) -> Vec<Tenure<'a>> {
        let mut owners: Vec<_> =
            self.tenures.iter().copied().filter(|tenure| tenure.partition == partition).collect();
        owners.sort_by_key(|tenure| tenure.from);
        owners
    }
}

/// What a member was given, from its operations.
fn tenures(member: &Session) -> Vec<Tenure<'_>> {
    let mut tenures: Vec<Tenure<'_>> = Vec::new();
    let noted = member.notes.iter().map(|(at, _)| *at).max();
    let given = member.deliveries().map(|delivery| delivery.returned).max();
    let ended_last = member.recorded().map(|operation| ended(&operation)).max();
    let last_seen = [noted, given, ended_last].into_iter().flatten().max().unwrap_or_default();
    for (operation, detail) in
        member.recorded().filter_map(|operation| Some((operation.clone(), operation.detail?)))
    {
        for tenure in tenures.iter_mut().filter(|tenure| tenure.until.is_none()) {
            if detail.revoked.contains(&tenure.partition) {
                tenure.until = Some(operation.invoked);
            }
        }
        let from = ended(&operation);
        tenures.extend(detail.assigned.iter().map(|&partition| Tenure {
            member,
            partition,
            from,
            until: None,
            last_seen,
        }));
    }
    tenures
}

fn ended(operation: &Operation<'_>) -> Nanos {
    operation.completed.unwrap_or(operation.invoked)
}
