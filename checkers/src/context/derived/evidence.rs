//! Walks the operations and gathers what they show: which records took effect, which were read, and at
//! which offsets.

use history::{History, Nanos, Offset, Operation, Outcome, Session};

use super::At;
use super::facts::{Fact, Facts};
use super::polls::{self, Polls};
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
    /// Partitions that records were acknowledged in.
    partitions: usize,
    /// Other places at which polls returned records, by partition.
    elsewhere: Vec<Vec<At>>,
    /// Deliveries that are not the run's, or damaged: session and index there.
    pub(super) strange: Vec<(usize, usize)>,
    pub(super) delivered: u64,
    pub(super) last_poll: Vec<Option<Nanos>>,
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
        confirmed: Vec::new(),
        partitions: 0,
        elsewhere: Vec::new(),
        strange: Vec::new(),
        delivered: 0,
        last_poll: Vec::new(),
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
    evidence.take(polls::all(history, names, &evidence.acked_at));
    let atomic = read_committed && history.imported.as_ref().is_none_or(|imported| imported.transactions);
    for session in unsure {
        evidence.proven(session, names, atomic);
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
                    self.partitions = self.partitions.max(partition.0 as usize + 1);
                    self.acked_at[record as usize] = (partition.0, offset.0);
                }
            }
        }
        unsure
    }

    /// Takes in what the polls show.
    fn take(&mut self, polls: Polls) {
        let partitions = self.partitions.max(polls.elsewhere.len());
        (self.elsewhere, self.last_poll) = (polls.elsewhere, polls.last_poll);
        self.elsewhere.resize_with(partitions, Vec::new);
        self.last_poll.resize(partitions, None);
        for last in &mut self.last_poll {
            *last = (*last).max(polls.polled_all);
        }
        self.facts.and(&polls.facts);
        self.confirmed = polls.confirmed;
        (self.strange, self.delivered) = (polls.strange, polls.delivered);
        (self.polled, self.tells_rebalances) = (polls.polled, polls.tells_rebalances);
        self.began = self.began.min(polls.began);
    }

    /// A transaction of unknown outcome of which something was read has taken effect as a whole.
    fn proven(&mut self, session: &Session, names: &Names, atomic: bool) {
        let mut sends = session.sends();
        let unknown = |operation: &Operation<'_>| operation.outcome == Outcome::Unknown;
        for operation in session.operations().filter(unknown) {
            let sent = sends.seek(operation.sends.clone());
            let sent: Vec<u32> = sent.filter_map(|send| names.number(send.tag)).collect();
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
