//! Which acknowledged records of a foreign history are gone, and which were merely never read.
//!
//! Lost is what took effect and was passed by: a poll that came back returned a later offset of the
//! partition, and none that came back returned the record. The same holds of an offset at or beyond the end
//! of the log, where the history tells one that was asked for after the acknowledgement. Polls themselves
//! never show where a log ends: they are stale by design.

use history::{History, Nanos, Note, Offset, Outcome, Partition, Send, Tag, Told};

use super::facts::Fact;
use super::{Derived, Log};
use crate::context::Extra;
use crate::context::sends::{Place, Producer};

/// What the history tells of each partition beside its records.
struct Bounds {
    /// The last offset of which an operation that came back was given the first copy.
    read: Vec<Option<Offset>>,
    /// The first such offset.
    first: Vec<Option<Offset>>,
    /// Log start and end as asked for, and when.
    ends: Vec<Option<(Nanos, Offset, Offset)>>,
}

impl Derived {
    /// Marks what is lost, and what has several places.
    pub(in crate::context) fn decide(
        &mut self,
        history: &History,
        producers: &[Producer<'_>],
        logs: &[Log],
        extras: &[Extra],
    ) {
        for extra in extras {
            if let Some(record) = self.names.number(extra.tag) {
                self.facts.learn(record, Fact::Doubtful);
            }
        }
        let bounds = self.bounds(history, producers, logs);
        let latest = starts_at_latest(history);
        let subscribes = history.imported.as_ref().is_some_and(|imported| imported.subscribes);
        let last_copy = |tag: Tag| {
            let copies = extras.iter().filter(|extra| extra.tag == tag).map(|extra| extra.offset);
            copies.max()
        };
        let unread: Vec<u32> = self.facts.with_without(Fact::Committed, Fact::ReadOk).collect();
        for record in unread {
            let (producer, rank) = self.names.split(record);
            let (send, place) = (producers[producer].send(rank), producers[producer].place(rank));
            let handled = subscribes && self.facts.has(record, Fact::ReadUnsure);
            let copy = if place.copies > 1 { last_copy(send.tag) } else { None };
            let lost = at(&send, place).filter(|_| !handled).is_some_and(|(partition, offset)| {
                let offset = copy.map_or(offset, |copy| offset.max(copy));
                let log = logs.get(partition.0 as usize);
                log.is_some_and(|log| !log.deletes)
                    && !self.is_held_by_a_stranger(partition, offset)
                    && bounds.pass(&send, partition, offset, latest)
            });
            if lost {
                self.facts.learn(record, Fact::Lost);
            }
        }
    }

    /// Records that took effect and that no poll which came back returned: producer session and rank there.
    pub(crate) fn unread(&self) -> impl Iterator<Item = (usize, usize)> {
        self.facts.with_without(Fact::Committed, Fact::ReadOk).map(|record| self.names.split(record))
    }

    fn bounds(&self, history: &History, producers: &[Producer<'_>], logs: &[Log]) -> Bounds {
        // The first copy of a record that was read.
        let read = |log: &Log, position: usize| {
            let record = log.number(position).filter(|record| self.facts.has(*record, Fact::ReadOk))?;
            let offset = log.entries.offset(position);
            let copy = self.facts.has(record, Fact::Doubtful) && {
                let (producer, rank) = self.names.split(record);
                producers[producer].place(rank).offset != offset
            };
            (!copy).then_some(offset)
        };
        let ends = |log: &Log| {
            let positions = 0..log.entries.len();
            (positions.clone().find_map(|at| read(log, at)), positions.rev().find_map(|at| read(log, at)))
        };
        let (first, read) = logs.iter().map(ends).unzip();
        let mut bounds = Bounds { first, read, ends: vec![None; logs.len()] };
        for (_, at, note) in history.notes() {
            if let Note::Watermarks { partition, start, end } = note
                && let Some(known) = bounds.ends.get_mut(partition.0 as usize)
                && known.is_none_or(|(before, ..)| before <= at)
            {
                *known = Some((at, *start, *end));
            }
        }
        bounds
    }

    /// Whether something that is not the run's, or damaged, was read there: a finding of its own.
    fn is_held_by_a_stranger(&self, partition: Partition, offset: Offset) -> bool {
        self.strange_at.binary_search(&(partition, offset)).is_ok()
    }

    /// Whether an acknowledged record was never read though it is not known to be lost.
    pub(crate) fn is_unseen(&self, history: &History, send: &Send, log: Option<&Log>, place: Place) -> bool {
        let Some(record) = self.names.number(send.tag) else { return false };
        let has = |fact| self.facts.has(record, fact);
        let subscribes = history.imported.as_ref().is_some_and(|imported| imported.subscribes);
        let excused = match (log, at(send, place)) {
            (Some(log), Some((partition, offset))) => {
                log.deletes || self.is_held_by_a_stranger(partition, offset)
            }
            _ => false,
        };
        has(Fact::Acked)
            && send.outcome == Outcome::Ok
            && send.told == Told::Acked
            && !has(Fact::ReadOk)
            && !has(Fact::Lost)
            && !(subscribes && has(Fact::ReadUnsure))
            && !excused
    }
}

impl Bounds {
    /// Whether an offset that took effect and was never read must be gone.
    fn pass(&self, send: &Send, partition: Partition, offset: Offset, latest: bool) -> bool {
        let index = partition.0 as usize;
        let (start, ended) = match self.ends[index] {
            Some((asked, start, end)) => {
                (Some(start), send.completed.is_some_and(|acked| acked < asked) && offset >= end)
            }
            None => (None, false),
        };
        let passed = self.read[index].is_some_and(|read| offset <= read);
        // Who begins at the latest offset was never to be given what lies before.
        let begun = !latest || self.first[index].is_some_and(|first| offset > first);
        let there = start.is_none_or(|start| offset >= start);
        there && (ended || (passed && begun))
    }
}

/// Where a record is, else where it was acknowledged.
fn at(send: &Send, place: Place) -> Option<(Partition, Offset)> {
    if place.copies > 0 { Some((place.partition, place.offset)) } else { send.partition.zip(send.offset) }
}

/// Whether readers without a position begin with what comes next.
fn starts_at_latest(history: &History) -> bool {
    let cell = &history.plan.cell;
    let reset = cell.librdkafka.get("auto.offset.reset").or_else(|| cell.consumer.get("auto.offset.reset"));
    reset.is_some_and(|reset| matches!(reset.as_str(), "latest" | "largest" | "end"))
}
