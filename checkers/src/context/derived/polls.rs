//! What the polls of a history from elsewhere show: which records were read, by which sort of operation, and
//! at which offsets. Sessions are walked side by side.

use history::{Contents, Delivery, Function, History, Nanos, Operation, Outcome, Partition, Session};

use super::At;
use super::facts::{Fact, Facts};
use crate::context::names::Names;
use crate::context::parallel;

/// Parts of the history walked side by side; few, because each keeps two bytes a record.
const PARTS: usize = 2;

/// What the polls of some sessions show.
pub(super) struct Polls {
    pub(super) facts: Facts,
    /// Records that a poll returned at the place they were acknowledged at.
    pub(super) confirmed: Vec<bool>,
    /// Other places at which polls returned records, by partition.
    pub(super) elsewhere: Vec<Vec<At>>,
    /// Deliveries that are not the run's, or damaged: session and index there.
    pub(super) strange: Vec<(usize, usize)>,
    pub(super) delivered: u64,
    /// When each partition was last polled by an operation that came back.
    pub(super) last_poll: Vec<Option<Nanos>>,
    /// When a process last polled that never said what it reads.
    pub(super) polled_all: Option<Nanos>,
    pub(super) polled: bool,
    pub(super) tells_rebalances: bool,
    /// The first invocation.
    pub(super) began: Nanos,
}

/// What all polls show of records that were acknowledged at these places.
pub(super) fn all(history: &History, names: &Names, acked_at: &[(u32, i64)]) -> Polls {
    let parts: Vec<usize> = (0..PARTS).collect();
    let walked = parallel::map(&parts, |part| {
        let mut polls = Polls::none(acked_at.len());
        let sessions = history.sessions.iter().enumerate().skip(*part).step_by(PARTS);
        for (number, session) in sessions.filter(|(_, session)| session.reads_log()) {
            polls.session(number, session, names, acked_at);
        }
        polls
    });
    let mut all = walked.into_iter().reduce(Polls::and).expect("there are parts");
    all.strange.sort_unstable();
    all
}

impl Polls {
    fn none(count: usize) -> Self {
        Self {
            facts: Facts::none(count),
            confirmed: vec![false; count],
            elsewhere: Vec::new(),
            strange: Vec::new(),
            delivered: 0,
            last_poll: Vec::new(),
            polled_all: None,
            polled: false,
            tells_rebalances: false,
            began: Nanos(u64::MAX),
        }
    }

    /// What two parts of the history show together.
    fn and(mut self, other: Self) -> Self {
        self.facts.and(&other.facts);
        self.confirmed.iter_mut().zip(&other.confirmed).for_each(|(one, other)| *one |= other);
        let partitions = self.elsewhere.len().max(other.elsewhere.len());
        self.elsewhere.resize_with(partitions, Vec::new);
        self.last_poll.resize(partitions, None);
        self.elsewhere.iter_mut().zip(other.elsewhere).for_each(|(one, other)| one.extend(other));
        self.last_poll.iter_mut().zip(other.last_poll).for_each(|(one, other)| *one = (*one).max(other));
        self.strange.extend(other.strange);
        self.delivered += other.delivered;
        self.polled_all = self.polled_all.max(other.polled_all);
        self.polled |= other.polled;
        self.tells_rebalances |= other.tells_rebalances;
        self.began = self.began.min(other.began);
        self
    }

    /// Takes in the polls of a session of this number.
    fn session(&mut self, number: usize, session: &Session, names: &Names, acked_at: &[(u32, i64)]) {
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
                if !self.delivery(&delivery, operation.outcome, names, acked_at) {
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
    fn delivery(
        &mut self,
        delivery: &Delivery,
        outcome: Outcome,
        names: &Names,
        acked_at: &[(u32, i64)],
    ) -> bool {
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
        if acked_at[record as usize] == (delivery.partition.0, delivery.offset.0) {
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
}

/// Whether an operation polls at all.
fn polls(operation: &Operation<'_>) -> bool {
    !operation.deliveries.is_empty() || operation.polls().next().is_some()
}
