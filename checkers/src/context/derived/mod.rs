//! What an imported history shows of its logs, which nobody drained: every record's offset as it was
//! acknowledged or polled, one record for each offset, and what became of each send.
//!
//! Evidence are the offsets of sends that must have taken effect and polls of every outcome. Logs are
//! sorted runs of what is known, never as long as their highest offset; an offset without a record is a
//! hole and nothing more. Where evidence disagrees one record is taken for the true one, so that a conflict
//! or a second copy is told as that and as nothing else.

mod conflicts;
mod evidence;
mod facts;
mod fates;
mod polls;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use history::event::Role;
use history::{Delivery, History, ImportFormat, Nanos, Offset, Partition, Session, Tag};

pub(crate) use conflicts::Conflict;
pub(crate) use facts::Fact;
use facts::Facts;

use super::log::{self, Log};
use super::names::Names;
use super::sends::Producer;

/// What is known of an imported history's records.
#[derive(Debug)]
pub(crate) struct Derived {
    names: Arc<Names>,
    facts: Facts,
    /// Offsets at which several records were acknowledged or polled, in order.
    pub(crate) conflicts: Vec<Conflict>,
    /// Polled records that are not the run's, or damaged: session and index there.
    strange: Vec<(usize, usize)>,
    /// Where they are. Sorted.
    strange_at: Vec<(Partition, Offset)>,
    /// Records that polls returned, of whatever outcome.
    pub(crate) delivered: u64,
    /// When each partition was last polled by an operation that came back, wherever it stood.
    last_poll: Vec<Option<Nanos>>,
    /// Somebody polled and it came back.
    pub(crate) polled: bool,
    /// Operations say which partitions a rebalance moved.
    pub(crate) tells_rebalances: bool,
    /// The first invocation.
    pub(crate) began: Nanos,
}

/// Whether a history came from elsewhere, so that its logs must be derived.
pub(crate) fn is_foreign(history: &History) -> bool {
    let drained = history.of(Role::Drain).next().is_some();
    let foreign =
        history.imported.as_ref().is_some_and(|imported| imported.format != ImportFormat::JsonLines);
    !drained && (foreign || history.of(Role::Client).next().is_some())
}

/// Derives the logs of a foreign history and puts them into `logs`.
pub(super) fn collect(
    history: &History,
    producers: &[Producer<'_>],
    names: &Arc<Names>,
    logs: &mut Vec<Log>,
    read_committed: bool,
) -> Derived {
    let count = producers.iter().map(Producer::len).sum();
    let mut evidence = evidence::gather(history, producers, names, count, read_committed);
    let mut places = evidence.places();
    log::extend(logs, places.len(), history, names);
    let conflicts = conflicts::settle(history, names, &mut places, &mut evidence.facts);
    let mut strangers = strangers(history, &evidence.strange, places.len());
    let mut strange_at = Vec::new();
    for ((log, own), strangers) in logs.iter_mut().zip(places).zip(&mut strangers) {
        strangers.sort_by_key(|delivery| delivery.offset);
        strangers.dedup_by_key(|delivery| delivery.offset);
        for stranger in strangers.iter() {
            // Something else was given in its place: what that was is a finding of its own.
            if let Ok(held) = own.binary_search_by_key(&stranger.offset, |at| at.offset) {
                evidence.facts.learn(own[held].record, Fact::Doubtful);
            }
        }
        strange_at.extend(strangers.iter().map(|stranger| (stranger.partition, stranger.offset)));
        log.fill(own.into_iter().map(|at| (at.offset, at.record)), strangers);
    }
    Derived {
        conflicts,
        strange: evidence.strange,
        strange_at,
        delivered: evidence.delivered,
        last_poll: evidence.last_poll,
        polled: evidence.polled,
        tells_rebalances: evidence.tells_rebalances,
        began: evidence.began,
        facts: evidence.facts,
        names: names.clone(),
    }
}

/// The strange deliveries by partition.
fn strangers(history: &History, strange: &[(usize, usize)], partitions: usize) -> Vec<Vec<Delivery>> {
    let mut strangers = vec![Vec::new(); partitions];
    for (session, index) in strange {
        let delivery = history.sessions[*session].delivery(*index);
        strangers[delivery.partition.0 as usize].push(delivery);
    }
    strangers
}

impl Derived {
    /// Why nobody can say whether anything held.
    pub(super) fn doubts(&self, logs: &[Log]) -> Vec<String> {
        if !self.facts.any(Fact::Acked) {
            let what =
                if self.facts.is_empty() { "the history has no send" } else { "no send was acknowledged" };
            return vec![format!("{what}, so there is nothing that could be lost")];
        }
        let mut doubts = Vec::new();
        if !self.polled {
            doubts.push("no poll came back, so nobody knows what the log holds".to_owned());
        } else if logs.iter().any(|log| log.deletes)
            && self.facts.with_without(Fact::Acked, Fact::ReadOk).next().is_some()
        {
            doubts.push(
                "retention or compaction may have deleted acknowledged records that no poll returned: their \
                 absence proves nothing (raise `retention.ms`, set `cleanup.policy=delete`)"
                    .to_owned(),
            );
        }
        doubts
    }

    /// Whether any record whose operation failed was returned by a poll that came back.
    pub(crate) fn failed_and_read(&self) -> bool {
        self.facts.any_both(Fact::Failed, Fact::ReadOk)
    }

    /// Whether something is known of a record.
    pub(crate) fn knows(&self, tag: Tag, fact: Fact) -> bool {
        self.names.number(tag).is_some_and(|record| self.facts.has(record, fact))
    }

    /// Whether a reader must be given this record: it took effect, and nothing else is wrong with it.
    pub(crate) fn is_due(&self, tag: Tag) -> bool {
        self.names.number(tag).is_some_and(|record| {
            let has = |fact| self.facts.has(record, fact);
            (has(Fact::Committed) || (has(Fact::Read) && !has(Fact::Failed)))
                && !has(Fact::Lost)
                && !has(Fact::Doubtful)
        })
    }

    /// Whether the place of this record may be held against its readers and its sender: it has one only.
    pub(crate) fn is_certain(&self, tag: Tag) -> bool {
        self.names.number(tag).is_some_and(|record| !self.facts.has(record, Fact::Doubtful))
    }

    /// Polled records that are not the run's, or damaged, with the session and the index there.
    pub(crate) fn strange<'h>(
        &self,
        history: &'h History,
    ) -> impl Iterator<Item = (&'h Session, usize, Delivery)> + use<'h, '_> {
        self.strange.iter().map(|(session, index)| {
            let session = &history.sessions[*session];
            (session, *index, session.delivery(*index))
        })
    }

    /// When a partition was last polled by an operation that came back.
    pub(crate) fn last_poll(&self, partition: Partition) -> Option<Nanos> {
        self.last_poll.get(partition.0 as usize).copied().flatten()
    }
}

/// A record at an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct At {
    offset: Offset,
    record: u32,
}
