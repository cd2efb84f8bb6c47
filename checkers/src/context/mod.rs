//! Everything the checkers share, computed once: the final log, where each record lies in it, what was
//! promised under which settings, and who led when. Vectors indexed by partition, producer session and
//! sequence number, so that a check is a linear walk.

pub(crate) mod derived;
mod group;
mod involved;
mod log;
mod names;
pub(crate) mod parallel;
mod reads;
mod sends;
mod settings;
mod sinks;
mod stale;
mod tally;
mod timeline;

use std::sync::Arc;

use history::event::{Phase, Role};
use history::{
    FENCE_PRODUCER, FaultClass, History, Nanos, Note, Offset, Partition, Send, Session, Tag, Told,
};

pub(crate) use derived::{Derived, Fact};
pub(crate) use group::{Again, Group, Tenure};
pub(crate) use involved::involved;
pub(crate) use log::{Entry, Log};
pub(crate) use reads::Reads;
pub(crate) use sends::{Place, Producer, SendAt};
pub(crate) use sinks::{Row, read_back};
pub(crate) use stale::Stale;
pub(crate) use tally::{Tally, is_confirmed};
pub(crate) use timeline::{FaultRun, LeaderChange, LeaderState, Timeline};

use names::Names;

use crate::Witness;
use crate::guarantees::Terms;
use crate::judgement::Counts;

/// Witnesses kept per finding; the count stays exact.
pub(crate) const MAX_EXAMPLES: usize = 10;

/// A record's second or later place in the final log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extra {
    pub(crate) tag: Tag,
    pub(crate) partition: Partition,
    pub(crate) offset: Offset,
}

/// What every checker is given.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) history: &'a History,
    /// The inputs of every rule.
    pub(crate) terms: Terms,
    /// Settings nobody told, as `name=value`.
    pub(crate) assumed: Vec<String>,
    /// Producer sessions, ordered by producer and session.
    pub(crate) producers: Vec<Producer<'a>>,
    /// Their counts, all together.
    pub(crate) tally: Tally,
    names: Arc<Names>,
    /// The final log of each partition.
    pub(crate) logs: Vec<Log>,
    /// What is known of the records of a history from elsewhere, which nobody drained.
    pub(crate) derived: Option<Derived>,
    /// Copies beyond the first, in log order.
    pub(crate) extras: Vec<Extra>,
    /// Tags on corrupt records of the final log, as far as they can be trusted. Sorted.
    pub(crate) corrupt: Vec<Tag>,
    /// The sessions that followed the log during the run, members of its group among them.
    pub(crate) readers: Vec<Reads<'a>>,
    /// The sessions that read the final log.
    pub(crate) drains: Vec<Reads<'a>>,
    /// What readers were given that the final log does not hold at that offset.
    pub(crate) stale: Vec<Stale>,
    /// The run's consumer group, if it had one.
    pub(crate) group: Option<Group<'a>>,
    /// What applications left in sinks: the session that counts of each.
    pub(crate) sinks: Vec<&'a Session>,
    pub(crate) timeline: Timeline<'a>,
    /// Why the history as such cannot be believed.
    pub(crate) damage: Vec<String>,
    /// Why the final log is not known; any of these keeps a guarantee from being held.
    pub(crate) doubts: Vec<String>,
    /// Why nobody knows what sinks hold.
    pub(crate) sink_doubts: Vec<String>,
    counts: Counts,
}

impl<'a> Context<'a> {
    pub(crate) fn new(history: &'a History) -> Self {
        let (from, until) = timeline::load(&timeline::phases(history));
        let (mut producers, names) = sends::collect(history, from, until);
        let names = Arc::new(names);
        let mut tally = Tally::default();
        producers.iter().for_each(|producer| tally.merge(&producer.tally));
        let partitions = of_the_run(history).max(tally.partitions.len());
        let mut logs = log::collect(history, &names, partitions);
        let (terms, assumed) = settings::read(history);
        let mut derived = derived::is_foreign(history)
            .then(|| derived::collect(history, &producers, &names, &mut logs, terms.read_committed));
        let extras = sends::place(&mut producers, &names, &logs);
        if let Some(derived) = &mut derived {
            derived.decide(history, &producers, &logs, &extras);
        }
        let followers = || history.of(Role::Reader).chain(history.of(Role::Member));
        let sessions: Vec<&Session> = followers().chain(history.of(Role::Drain)).collect();
        let mut readers = reads::collect(&sessions, &producers, &names, &logs);
        let named = readers.iter().map(|reads| reads.partitions).max().unwrap_or(0);
        log::extend(&mut logs, named, history, &names);
        let drains = readers.split_off(followers().count());
        let stale = stale::collect(&readers, &logs);
        let group = group::collect(history, &logs);
        let timeline = Timeline::new(history, logs.len(), &producers);
        let mut doubts = match &derived {
            Some(derived) => derived.doubts(&logs),
            None => undrained(history, &logs, &timeline),
        };
        doubts.extend(deleted(&producers, &logs));
        let sinks = sinks::collect(history);
        let sink_doubts = sinks::doubts(&sinks, settings::effects(history));
        let mut corrupt: Vec<Tag> = logs.iter().flat_map(Log::corrupt).collect();
        corrupt.sort_unstable();
        let mut counts = counts(history, &tally, &logs, &readers, &timeline);
        counts.delivered += derived.as_ref().map_or(0, |derived| derived.delivered);
        Self {
            history,
            terms,
            assumed,
            producers,
            tally,
            names,
            logs,
            derived,
            extras,
            corrupt,
            readers,
            drains,
            stale,
            group,
            sinks,
            timeline,
            damage: damage(history),
            doubts,
            sink_doubts,
            counts,
        }
    }

    /// The send of a tag, if it was ever invoked.
    pub(crate) fn find(&self, tag: Tag) -> Option<SendAt> {
        sends::find(&self.names, tag)
    }

    pub(crate) fn send(&self, at: SendAt) -> Send {
        self.producers[at.producer].send(at.send)
    }

    /// How often a tag lies in the final log; 3 is three times or more.
    pub(crate) fn copies(&self, tag: Tag) -> u32 {
        self.find(tag).map_or(0, |at| self.producers[at.producer].copies(at.send))
    }

    /// Whether a record's place in a log derived from elsewhere proves nothing: it is at several offsets, it
    /// shares one, or it is gone.
    pub(crate) fn is_doubtful(&self, tag: Tag) -> bool {
        self.derived
            .as_ref()
            .is_some_and(|derived| derived.knows(tag, Fact::Doubtful) || derived.knows(tag, Fact::Lost))
    }

    /// Where the first copy of a tag lies in the final log.
    pub(crate) fn place_of(&self, tag: Tag) -> Option<Place> {
        let at = self.find(tag)?;
        Some(self.producers[at.producer].place(at.send)).filter(|place| place.copies > 0)
    }

    pub(crate) fn log(&self, partition: Partition) -> Option<&Log> {
        self.logs.get(partition.0 as usize)
    }

    /// Whether the absence of a record from the log proves anything: its partition was read to the fence,
    /// and nothing was allowed to delete it.
    pub(crate) fn absence_counts(&self, send: &Send) -> bool {
        match send.partition {
            Some(partition) => self.log(partition).is_some_and(|log| log.shows_absence(send.offset)),
            // It may lie anywhere.
            None => !self.logs.is_empty() && self.logs.iter().all(|log| log.shows_absence(None)),
        }
    }

    /// Every log that was read to its fence, with its partition.
    pub(crate) fn drained(&self) -> impl Iterator<Item = (Partition, &Log)> {
        self.logs
            .iter()
            .enumerate()
            .filter(|(_, log)| log.complete)
            .map(|(index, log)| (partition(index), log))
    }

    /// Which of these records a reader was never given, at whatever offset. Sorted.
    pub(crate) fn never_given(reader: &Session, mut tags: Vec<Tag>) -> Vec<Tag> {
        tags.sort_unstable();
        tags.dedup();
        if tags.is_empty() {
            return tags;
        }
        let mut given = vec![false; tags.len()];
        for tag in reader.deliveries().filter_map(|delivery| delivery.tag) {
            if let Ok(index) = tags.binary_search(&tag) {
                given[index] = true;
            }
        }
        let mut given = given.into_iter();
        tags.retain(|_| !given.next().unwrap_or(false));
        tags
    }

    /// A witness with its time and the fault in force then.
    pub(crate) fn witness(
        &self,
        text: String,
        tag: Option<Tag>,
        partition: Option<Partition>,
        offset: Option<Offset>,
        at: Option<Nanos>,
    ) -> Witness {
        Witness {
            text,
            tag,
            partition,
            offset,
            at_ms: at.and_then(|at| self.at_ms(at)),
            fault: at.and_then(|at| self.timeline.fault_at(at)),
            operations: Vec::new(),
        }
    }

    /// Milliseconds after the load began; in a history from elsewhere, after its first operation.
    fn at_ms(&self, at: Nanos) -> Option<u64> {
        let began = self.derived.as_ref().map(|derived| derived.began);
        self.timeline.at_ms(at).or_else(|| began.map(|began| at.since(began) / 1_000_000))
    }

    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }
}

fn counts(
    history: &History,
    tally: &Tally,
    logs: &[Log],
    readers: &[Reads<'_>],
    timeline: &Timeline<'_>,
) -> Counts {
    let leader_changes = timeline.changes.iter().filter(|change| change.fault.is_some()).count() as u64;
    Counts {
        sent: tally.sent,
        acked: tally.acked,
        unconfirmed: tally.unconfirmed,
        failed: tally.failed,
        untold: tally.untold,
        in_doubt: tally.in_doubt,
        in_log: logs.iter().map(Log::ours).sum(),
        delivered: readers.iter().map(|reads| reads.delivered).sum(),
        leader_changes,
        unplanned_leader_changes: timeline.changes.len() as u64 - leader_changes,
        retries: retries(history),
    }
}

/// How many partitions are the run's: those of its plan, and those that it had added. A topic that was there before
/// may have others, which are nobody's business.
pub(crate) fn of_the_run(history: &History) -> usize {
    let planned = history.plan.load.partitions as usize;
    if history.plan.schedule.iter().all(|fault| fault.class != FaultClass::AddPartitions) {
        return planned;
    }
    let told = history.notes().filter_map(|(_, _, note)| match note {
        Note::PartitionState { partition, .. } => Some(partition.0 as usize + 1),
        _ => None,
    });
    told.max().unwrap_or(0).max(planned)
}

/// Produce requests retried, over all producer sessions (each tells a running total).
pub(crate) fn retries(history: &History) -> u64 {
    let total = |session: &Session| {
        let totals = session.notes.iter().filter_map(|(_, note)| match note {
            Note::Retries { total } => Some(*total),
            _ => None,
        });
        totals.max().unwrap_or(0)
    };
    history.of(Role::Producer).map(total).sum()
}

/// The partition at an index.
pub(crate) fn partition(index: usize) -> Partition {
    Partition(u32::try_from(index).expect("a topic has fewer than 2^32 partitions"))
}

/// Whether a reader was given until the fences, and read them all.
pub(crate) fn caught_up(reader: &Session) -> bool {
    // What a group caught up with its members were given together.
    let whole = reader.role != Role::Member;
    whole && reader.notes.iter().any(|(_, note)| matches!(note, Note::ReaderStopped { caught_up: true }))
}

/// Fence records end a drain; they are not the workload's.
pub(crate) fn is_fence(tag: Option<Tag>) -> bool {
    tag.is_some_and(|tag| tag.producer == FENCE_PRODUCER)
}

/// What keeps the history as such from being believed.
fn damage(history: &History) -> Vec<String> {
    let mut doubts: Vec<String> = history
        .damage
        .iter()
        .map(|damage| {
            format!("the history is damaged: {} at byte {}: {}", damage.file, damage.at, damage.what)
        })
        .collect();
    // Clocks that were measured against the run's compare with it, as far as they may be off.
    // A sink's rows are counted, and their times compared with nothing.
    let unmeasured = history.log_sessions().map(|session| &session.clock);
    let mut clocks = unmeasured.filter(|clock| clock.error_ns.is_none());
    if let Some(first) = clocks.next()
        && clocks.any(|clock| clock != first)
    {
        doubts
            .push("the sessions were stamped by different clocks, so their times do not compare".to_owned());
    }
    doubts
}

/// Partitions whose final log is not known.
fn undrained(history: &History, logs: &[Log], timeline: &Timeline<'_>) -> Vec<String> {
    if history.of(Role::Drain).next().is_none() {
        return vec!["the history ends before the drain, so nobody knows what the log holds".to_owned()];
    }
    let cut = if timeline.entered(Phase::End).is_some() { "" } else { ", where the history ends" };
    let incomplete = logs.iter().enumerate().filter(|(_, log)| !log.complete);
    incomplete
        .map(|(index, _)| {
            format!("partition {index} was not drained to its fence{cut}: its records cannot be judged")
        })
        .collect()
}

/// Partitions whose settings may explain that records are absent.
fn deleted(producers: &[Producer<'_>], logs: &[Log]) -> Vec<String> {
    let absent = |index: usize| {
        producers.iter().any(|producer| {
            let mut gone = (0..producer.len())
                .filter(|&rank| producer.copies(rank) == 0 && producer.told(rank) != Told::Failed);
            gone.any(|rank| producer.send(rank).partition.is_none_or(|at| at == partition(index)))
        })
    };
    logs.iter()
        .enumerate()
        .filter(|(index, log)| log.deletes && absent(*index))
        .map(|(index, _)| {
            format!(
                "retention or compaction may have deleted records of partition {index} during the run: their \
                 absence proves nothing (raise `retention.ms`, set `cleanup.policy=delete`)"
            )
        })
        .collect()
}
