//! Everything the checkers share, computed once: the final log, where each record lies in it, what was
//! promised under which settings, and who led when. Vectors indexed by partition, producer session and
//! sequence number, so that a check is a linear walk.

mod log;
mod sends;
mod settings;
mod stale;
mod timeline;

use history::event::{Phase, Role};
use history::{Contents, FENCE_PRODUCER, History, Nanos, Note, Offset, Partition, Send, Session, Tag, Told};

pub(crate) use log::{Entry, Log};
pub(crate) use sends::{Place, Producer, SendAt};
pub(crate) use stale::Stale;
pub(crate) use timeline::{FaultRun, LeaderChange, LeaderState, Timeline};

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
    /// The final log of each partition.
    pub(crate) logs: Vec<Log>,
    /// Copies beyond the first, in log order.
    pub(crate) extras: Vec<Extra>,
    /// Tags on corrupt records of the final log, as far as they can be trusted. Sorted.
    pub(crate) corrupt: Vec<Tag>,
    /// The sessions that followed the log during the run.
    pub(crate) readers: Vec<&'a Session>,
    /// What readers were given that the final log does not hold at that offset.
    pub(crate) stale: Vec<Stale>,
    pub(crate) timeline: Timeline<'a>,
    /// Why the history as such cannot be believed.
    pub(crate) damage: Vec<String>,
    /// Why the final log is not known; any of these keeps a guarantee from being held.
    pub(crate) doubts: Vec<String>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(history: &'a History) -> Self {
        let mut producers = sends::collect(history);
        let logs = log::collect(history, &producers);
        let extras = sends::place(&mut producers, &logs);
        let readers: Vec<&Session> = history.of(Role::Reader).collect();
        let stale = stale::collect(&readers, &logs);
        let timeline = Timeline::new(history, logs.len(), &producers);
        let (terms, assumed) = settings::read(history);
        let mut doubts = undrained(history, &logs, &timeline);
        doubts.extend(deleted(&producers, &logs));
        let mut corrupt: Vec<Tag> = logs
            .iter()
            .flat_map(|log| &log.entries)
            .filter(|entry| entry.contents == Contents::Corrupt)
            .filter_map(|entry| entry.tag)
            .collect();
        corrupt.sort_unstable();
        Self {
            history,
            terms,
            assumed,
            producers,
            logs,
            extras,
            corrupt,
            readers,
            stale,
            timeline,
            damage: damage(history),
            doubts,
        }
    }

    /// The send of a tag, if it was ever invoked.
    pub(crate) fn find(&self, tag: Tag) -> Option<SendAt> {
        sends::find(&self.producers, tag)
    }

    pub(crate) fn send(&self, at: SendAt) -> Send {
        self.producers[at.producer].send(at.send)
    }

    /// How often a tag lies in the final log.
    pub(crate) fn copies(&self, tag: Tag) -> u32 {
        self.find(tag).map_or(0, |at| self.producers[at.producer].places[at.send].copies)
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
        let mut given = vec![false; tags.len()];
        for tag in reader.deliveries().filter_map(|delivery| delivery.tag).filter(|_| !tags.is_empty()) {
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
            at_ms: at.and_then(|at| self.timeline.at_ms(at)),
            fault: at.and_then(|at| self.timeline.fault_at(at)),
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for send in self.history.sends() {
            counts.sent += 1;
            match send.told {
                Told::Acked => counts.acked += 1,
                Told::Sent => counts.unconfirmed += 1,
                Told::Failed => counts.failed += 1,
                Told::Nothing => counts.untold += 1,
            }
            counts.in_doubt += u64::from(send.outcome == history::Outcome::Unknown);
        }
        let ours = |entry: &&Entry| entry.contents != Contents::Foreign && entry.tag.is_some();
        counts.in_log = self.logs.iter().map(|log| log.entries.iter().filter(ours).count() as u64).sum();
        counts.delivered = self
            .readers
            .iter()
            .map(|reader| reader.deliveries().filter(|delivery| !is_fence(delivery.tag)).count() as u64)
            .sum();
        counts.leader_changes =
            self.timeline.changes.iter().filter(|change| change.fault.is_some()).count() as u64;
        counts.unplanned_leader_changes = self.timeline.changes.len() as u64 - counts.leader_changes;
        counts.retries = retries(self.history);
        counts
    }
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
    reader.notes.iter().any(|(_, note)| matches!(note, Note::ReaderStopped { caught_up: true }))
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
    let mut clocks = history.sessions.iter().map(|session| &session.clock);
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
        let mut sends = producers.iter().flat_map(Producer::sends);
        sends.any(|(send, place)| {
            place.copies == 0
                && send.told != Told::Failed
                && send.partition.is_none_or(|at| at == partition(index))
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
