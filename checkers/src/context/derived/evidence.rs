//! Walks the operations and gathers what they show: which records took effect, which were read, and at
//! which offsets.

use history::{Contents, Delivery, Function, History, Nanos, Offset, Operation, Outcome, Partition, Session};

use super::At;
use super::facts::{Fact, Facts};
use crate::context::names::Names;
use crate::context::sends::Producer;

/// No offset is known.
const NOWHERE: (u32, i64) = (u32::MAX, 0);

/// What the operations show.
pub(super) struct Evidence {
    pub(super) facts: Facts,
    /// The place each record was acknowledged at.
    acked_at: Vec<(u32, i64)>,
    /// Records that a poll returned at that place.
    confirmed: Vec<bool>,
    /// Other places at which polls returned records, by partition.
    elsewhere: Vec<Vec<At>>,
    /// Deliveries that are not the run's, or damaged: session and index there.
    pub(super) strange: Vec<(usize, usize)>,
    pub(super) delivered: u64,
    pub(super) last_poll: Vec<Option<Nanos>>,
    /// When a process last polled that never said what it reads.
    polled_all: Option<Nanos>,
    pub(super) polled: bool,
    pub(super) tells_rebalances: bool,
    pub(super) began: Nanos,
}

pub(super) fn gather(
    history: &History,
    producers: &[Producer<'_>],
    names: &Names,
    count: usize,
    read_committed: bool,
) -> Evidence {
    let mut evidence = Evidence {
        facts: Facts::none(count),
        acked_at: vec![NOWHERE; count],
        confirmed: vec![false; count],
        elsewhere: Vec::new(),
        strange: Vec::new(),
        delivered: 0,
        last_poll: Vec::new(),
        polled_all: None,
        polled: false,
        tells_rebalances: false,
        began: Nanos(u64::MAX),
    };
    let mut unsure = Vec::new();
    for session in
        producers.iter().map(|producer| producer.session).filter(|session| session.send_count() > 0)
    {
        if evidence.sends(session, names) {
            unsure.push(session);
        }
    }
    for (index, session) in history.sessions.iter().enumerate() {
        evidence.polls(index, session, names);
    }
    let atomic = read_committed && history.imported.as_ref().is_none_or(|imported| imported.transactions);
    for session in unsure {
        evidence.proven(session, names, atomic);
    }
    for last in &mut evidence.last_poll {
        *last = (*last).max(evidence.polled_all);
    }
    if evidence.began == Nanos(u64::MAX) {
        evidence.began = Nanos(0);
    }
    evidence
}

impl Evidence {
    /// Whether there were sends of unknown outcome.
    fn sends(&mut self, session: &Session, names: &Names) -> bool {
        let mut unsure = false;
        let mut sends = session.sends();
        for operation in session.operations() {
            self.began = self.began.min(operation.invoked);
            for send in sends.by_ref().take(operation.sends.len()) {
                let Some(record) = names.number(send.tag) else { continue };
                match operation.outcome {
                    Outcome::Ok => {
                        self.facts.learn(record, Fact::Acked);
                        self.facts.learn(record, Fact::Committed);
                    }
                    Outcome::Fail => self.facts.learn(record, Fact::Failed),
                    Outcome::Unknown => unsure = true,
                }
                if operation.outcome != Outcome::Fail
                    && let (Some(partition), Some(offset)) = (send.partition, send.offset)
                {
                    self.grow(partition.0);
                    self.acked_at[record as usize] = (partition.0, offset.0);
                }
            }
        }
        unsure
    }

    fn polls(&mut self, number: usize, session: &Session, names: &Names) {
        let mut deliveries = session.deliveries().enumerate();
        // What it reads, as far as it says so, and when it last did.
        let mut reads: Option<&[Partition]> = None;
        let mut polled: Option<Nanos> = None;
        for operation in session.operations() {
            self.began = self.began.min(operation.invoked);
            let detail = operation.detail;
            self.tells_rebalances |= detail.is_some_and(|detail| !detail.rebalanced.is_empty());
            let takes = matches!(operation.function, Function::Assign | Function::Subscribe);
            if takes && operation.outcome != Outcome::Fail {
                self.polled(reads, polled.take());
                reads = detail.map(|detail| &detail.partitions[..]);
            }
            if operation.outcome == Outcome::Ok && polls(&operation) {
                polled = polled.max(Some(operation.invoked));
            }
            for (index, delivery) in deliveries.by_ref().take(operation.deliveries.len()) {
                self.delivered += 1;
                if !self.delivery(&delivery, operation.outcome, names) {
                    self.strange.push((number, index));
                }
            }
        }
        self.polled(reads, polled);
    }

    /// Notes a poll that came back, of what is said to be read; of everything if nothing is said.
    fn polled(&mut self, reads: Option<&[Partition]>, at: Option<Nanos>) {
        self.polled_all = if reads.is_none() { self.polled_all.max(at) } else { self.polled_all };
        for partition in reads.into_iter().flatten() {
            self.grow(partition.0);
            let last = &mut self.last_poll[partition.0 as usize];
            *last = (*last).max(at);
        }
        self.polled |= at.is_some();
    }

    /// Makes room for a partition.
    fn grow(&mut self, partition: u32) {
        let count = partition as usize + 1;
        if self.elsewhere.len() < count {
            self.elsewhere.resize_with(count, Vec::new);
            self.last_poll.resize(count, None);
        }
    }

    /// Takes one delivery in; `false` if it is none of the run's records.
    fn delivery(&mut self, delivery: &Delivery, outcome: Outcome, names: &Names) -> bool {
        self.grow(delivery.partition.0);
        let intact = delivery.tag.filter(|_| delivery.contents == Contents::Intact);
        let Some(record) = intact.and_then(|tag| names.number(tag)) else {
            return false;
        };
        self.facts.learn(record, Fact::Read);
        match outcome {
            Outcome::Ok => self.facts.learn(record, Fact::ReadOk),
            Outcome::Unknown => self.facts.learn(record, Fact::ReadUnsure),
            Outcome::Fail => {}
        }
        if self.acked_at[record as usize] == (delivery.partition.0, delivery.offset.0) {
            self.confirmed[record as usize] = true;
        } else {
            let at = At { offset: delivery.offset, record };
            let known = &mut self.elsewhere[delivery.partition.0 as usize];
            // Several readers get the same batches one after another.
            if known.last() != Some(&at) {
                known.push(at);
            }
        }
        true
    }

    /// A transaction of unknown outcome of which something was read has taken effect as a whole.
    fn proven(&mut self, session: &Session, names: &Names, atomic: bool) {
        let mut sends = session.sends();
        for operation in session.operations() {
            let count = operation.sends.len();
            let mut sent = sends.by_ref().take(count);
            if operation.outcome != Outcome::Unknown || count == 0 {
                sent.for_each(drop);
                continue;
            }
            let sent: Vec<u32> = sent.by_ref().filter_map(|send| names.number(send.tag)).collect();
            let read: Vec<u32> =
                sent.iter().copied().filter(|record| self.facts.has(*record, Fact::ReadOk)).collect();
            let proven = if atomic && !read.is_empty() { sent } else { read };
            for record in proven {
                self.facts.learn(record, Fact::Committed);
            }
        }
    }

    /// Every known place by partition, in order of offset, each record once at each.
    pub(super) fn places(&mut self) -> Vec<Vec<At>> {
        let mut places = std::mem::take(&mut self.elsewhere);
        for (record, (partition, offset)) in (0_u32..).zip(std::mem::take(&mut self.acked_at)) {
            let counts = self.facts.has(record, Fact::Committed) || self.confirmed[record as usize];
            if counts && let Some(places) = places.get_mut(partition as usize) {
                places.push(At { offset: Offset(offset), record });
            }
        }
        self.confirmed = Vec::new();
        for places in &mut places {
            places.sort();
            places.dedup();
        }
        places
    }
}

/// Whether an operation polls at all.
fn polls(operation: &Operation<'_>) -> bool {
    !operation.deliveries.is_empty() || operation.polls().next().is_some()
}
