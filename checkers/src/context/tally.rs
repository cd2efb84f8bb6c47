//! What one walk over a producer session's sends tells: counts, places, latencies.

use hdrhistogram::Histogram;
use history::{Nanos, Offset, Outcome, Send, Session, Tag, Told};

/// Latencies are recorded in microseconds, up to an hour.
const LONGEST_US: u64 = 3_600_000_000;

/// Sends to one partition.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ByPartition {
    pub(crate) tried: u64,
    pub(crate) confirmed: u64,
    /// The lowest offset that was reported.
    pub(crate) lowest: Option<Offset>,
}

/// The counts of one producer session, or of several.
#[derive(Debug, Clone)]
pub(crate) struct Tally {
    pub(crate) sent: u64,
    pub(crate) acked: u64,
    pub(crate) unconfirmed: u64,
    pub(crate) failed: u64,
    pub(crate) untold: u64,
    pub(crate) in_doubt: u64,
    pub(crate) partitions: Vec<ByPartition>,
    /// From the time the schedule wanted a record sent to its report, of confirmed records, microseconds.
    pub(crate) latency: Histogram<u64>,
    /// Confirmed records whose report came during the load.
    pub(crate) during: u64,
    pub(crate) first_invoked: Option<Nanos>,
    pub(crate) last_completed: Option<Nanos>,
}

/// Confirmed as far as the producer's settings confirm anything.
pub(crate) fn is_confirmed(send: &Send) -> bool {
    matches!(send.told, Told::Acked | Told::Sent)
}

/// A session's tally, a byte for each of its sends, and what order they are in.
pub(super) struct Walk {
    pub(super) tally: Tally,
    pub(super) states: Vec<super::sends::State>,
    pub(super) first: Option<Tag>,
    /// Each sequence number is the one before it plus one.
    pub(super) usual: bool,
}

/// Walks over a session; the load lasted `from..=until`, as far as that is known.
pub(super) fn walk(session: &Session, from: Option<Nanos>, until: Option<Nanos>) -> Walk {
    let first = session.sends().next().map(|send| send.tag);
    let mut walk = Walk {
        tally: Tally::default(),
        states: Vec::with_capacity(session.send_count()),
        first,
        usual: true,
    };
    let mut expected = first;
    let load = from.unwrap_or_default()..=until.unwrap_or(Nanos(u64::MAX));
    for send in session.sends() {
        walk.usual &= Some(send.tag) == expected;
        expected = Some(Tag { seq: send.tag.seq.wrapping_add(1), ..send.tag });
        walk.states.push(super::sends::State::new(send.told, send.outcome));
        walk.tally.add(&send, |at| load.contains(&at));
    }
    walk
}

impl Default for Tally {
    fn default() -> Self {
        let latency = Histogram::new_with_bounds(1, LONGEST_US, 3).expect("the bounds are valid");
        Self {
            sent: 0,
            acked: 0,
            unconfirmed: 0,
            failed: 0,
            untold: 0,
            in_doubt: 0,
            partitions: Vec::new(),
            latency,
            during: 0,
            first_invoked: None,
            last_completed: None,
        }
    }
}

impl Tally {
    fn add(&mut self, send: &Send, in_load: impl Fn(Nanos) -> bool) {
        self.sent += 1;
        match send.told {
            Told::Acked => self.acked += 1,
            Told::Sent => self.unconfirmed += 1,
            Told::Failed => self.failed += 1,
            Told::Nothing => self.untold += 1,
        }
        self.in_doubt += u64::from(send.outcome == Outcome::Unknown);
        self.first_invoked = preferred(self.first_invoked, Some(send.invoked), Ord::min);
        self.last_completed = preferred(self.last_completed, send.completed, Ord::max);
        let confirmed = is_confirmed(send);
        if let Some(partition) = send.partition {
            let index = partition.0 as usize;
            if index >= self.partitions.len() {
                self.partitions.resize(index + 1, ByPartition::default());
            }
            let of = &mut self.partitions[index];
            of.tried += 1;
            of.confirmed += u64::from(confirmed);
            of.lowest = preferred(of.lowest, send.offset, Ord::min);
        }
        if let Some(completed) = send.completed.filter(|_| confirmed) {
            self.latency.saturating_record(completed.since(send.intended) / 1_000);
            self.during += u64::from(in_load(completed));
        }
    }

    /// Adds another session's.
    pub(super) fn merge(&mut self, other: &Self) {
        self.sent += other.sent;
        self.acked += other.acked;
        self.unconfirmed += other.unconfirmed;
        self.failed += other.failed;
        self.untold += other.untold;
        self.in_doubt += other.in_doubt;
        self.during += other.during;
        self.latency.add(&other.latency).expect("the bounds are the same");
        self.first_invoked = preferred(self.first_invoked, other.first_invoked, Ord::min);
        self.last_completed = preferred(self.last_completed, other.last_completed, Ord::max);
        let partitions = self.partitions.len().max(other.partitions.len());
        self.partitions.resize(partitions, ByPartition::default());
        for (of, others) in self.partitions.iter_mut().zip(&other.partitions) {
            of.tried += others.tried;
            of.confirmed += others.confirmed;
            of.lowest = preferred(of.lowest, others.lowest, Ord::min);
        }
    }
}

/// The one of two that `choose` prefers, as far as there are two.
fn preferred<T: Copy>(one: Option<T>, other: Option<T>, choose: fn(T, T) -> T) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(choose(one, other)),
        (one, other) => one.or(other),
    }
}
