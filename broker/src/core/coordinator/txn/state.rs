//! One transactional id: what is written down of it, and every way from one state to the next, after Apache
//! Kafka's `TransactionMetadata` and `TransactionCoordinator`. Nothing here changes anything: a transition is
//! the metadata as it will be once it is written.

use std::collections::BTreeSet;
use std::fmt;

use super::super::super::errands::{Place, ProducerEpoch};
use super::super::super::refusal::Refusal;

/// Where a transactional id stands. The discriminant is Kafka's on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i8)]
pub enum TxnState {
    /// It has a producer and no transaction.
    Empty = 0,
    /// A transaction is open.
    Ongoing = 1,
    /// It will commit, whatever happens; markers are being written.
    PrepareCommit = 2,
    /// It will abort, whatever happens; markers are being written.
    PrepareAbort = 3,
    /// It has committed, and every partition knows.
    CompleteCommit = 4,
    /// It has aborted, and every partition knows.
    CompleteAbort = 5,
    /// The transactional id has expired.
    Dead = 6,
    /// A new producer takes over while a transaction of the old one is open.
    PrepareEpochFence = 7,
}

impl TxnState {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Empty,
        Self::Ongoing,
        Self::PrepareCommit,
        Self::PrepareAbort,
        Self::CompleteCommit,
        Self::CompleteAbort,
        Self::Dead,
        Self::PrepareEpochFence,
    ];

    pub(super) fn of_code(code: i8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| *state as i8 == code)
    }

    /// Whether markers are being written.
    pub(super) const fn is_prepared(self) -> bool {
        matches!(self, Self::PrepareCommit | Self::PrepareAbort)
    }

    const fn decided(committed: bool) -> Self {
        if committed { Self::PrepareCommit } else { Self::PrepareAbort }
    }
}

impl fmt::Display for TxnState {
    /// Kafka's name for it, as its tools print it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What is written down of a transactional id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) producer: ProducerEpoch,
    /// The id before the last rotation; -1 without one.
    pub(super) previous_id: i64,
    /// The id after the transaction that is being ended, if the epochs of this one are used up; else -1.
    pub(super) next_id: i64,
    /// The epoch before the last bump that the producer itself asked for; -1 if another took over. Not on disk,
    /// as in Kafka: a retry across a change of the coordinator is fenced.
    pub(super) last_epoch: i16,
    pub(super) timeout_ms: i32,
    pub(super) state: TxnState,
    pub(super) places: BTreeSet<Place>,
    /// Time of day, ms since 1970.
    pub(super) updated_ms: i64,
    /// Time of day of the beginning of the transaction; -1 without one.
    pub(super) started_ms: i64,
    /// The transaction version of its client: 2 bumps the epoch with every transaction (KIP-890).
    pub(super) client_version: i16,
}

/// The last epoch a client is given; the one above is for fencing.
const LAST_EPOCH: i16 = i16::MAX - 1;

/// Why there is no transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    Refused(Refusal),
    /// It was made already; this is where it led.
    Done(ProducerEpoch),
    /// It takes a producer id that nobody has.
    NeedsProducerId,
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// How a producer ends its transaction.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    pub(super) producer: ProducerEpoch,
    /// Or aborted.
    pub(super) committed: bool,
    /// Raise the epoch with it.
    pub(super) bump: bool,
    /// A producer id nobody has.
    pub(super) fresh: Option<i64>,
}

impl Meta {
    /// A transactional id that nobody has used: its first producer gets epoch 0.
    pub(super) const fn new(producer_id: i64, timeout_ms: i32, wall_ms: i64) -> Self {
        Self {
            producer: (producer_id, -1),
            previous_id: -1,
            next_id: -1,
            last_epoch: -1,
            timeout_ms,
            state: TxnState::Empty,
            places: BTreeSet::new(),
            updated_ms: wall_ms,
            started_ms: -1,
            client_version: 0,
        }
    }

    const fn is_exhausted(&self) -> bool {
        self.producer.1 >= LAST_EPOCH
    }

    /// A producer begins (again): its epoch is raised, which fences the one before. `expected` is who it says it
    /// is; without it, it has no past (KIP-360).
    pub(super) fn init(
        &self,
        timeout_ms: i32,
        expected: Option<ProducerEpoch>,
        fresh: Option<i64>,
        wall_ms: i64,
    ) -> Result<Self, Stop> {
        let (id, epoch) = self.producer;
        let known = |(its_id, its_epoch): ProducerEpoch| {
            epoch == -1 || its_id == id || its_id == self.previous_id && its_epoch >= LAST_EPOCH
        };
        if !expected.is_none_or(known) {
            return Err(Refusal::ProducerFenced.into());
        }
        if self.state.is_prepared() {
            return Err(Refusal::ConcurrentTransactions.into());
        }
        let expected = expected.map(|(_, epoch)| epoch);
        let rotates = self.is_exhausted() && expected.is_none_or(|expected| expected == epoch);
        let (producer, previous_id, last_epoch) = if rotates {
            let fresh = fresh.ok_or(Stop::NeedsProducerId)?;
            ((fresh, 0), id, expected.map_or(-1, |_| epoch))
        } else {
            let (epoch, last_epoch) = match expected {
                None => (epoch + 1, -1),
                Some(expected) if epoch == -1 || expected == epoch => (epoch + 1, epoch),
                // The same call again; nobody else has begun since, or the last epoch would be gone.
                Some(expected) if expected == self.last_epoch => (epoch, self.last_epoch),
                Some(_) => return Err(Refusal::ProducerFenced.into()),
            };
            ((id, epoch), self.previous_id, last_epoch)
        };
        Ok(Self {
            producer,
            previous_id,
            next_id: -1,
            last_epoch,
            timeout_ms,
            state: TxnState::Empty,
            places: BTreeSet::new(),
            updated_ms: wall_ms,
            started_ms: -1,
            client_version: self.client_version,
        })
    }

    /// Partitions join the transaction, which begins with the first of them. `Done`: they are in it already.
    pub(super) fn add(&self, producer: ProducerEpoch, places: &[Place], wall_ms: i64) -> Result<Self, Stop> {
        self.check(producer)?;
        if self.state.is_prepared() {
            return Err(Refusal::ConcurrentTransactions.into());
        }
        let ongoing = self.state == TxnState::Ongoing;
        if ongoing && places.iter().all(|place| self.places.contains(place)) {
            return Err(Stop::Done(self.producer));
        }
        let before = if ongoing { self.places.clone() } else { BTreeSet::new() };
        Ok(Self {
            state: TxnState::Ongoing,
            places: before.into_iter().chain(places.iter().cloned()).collect(),
            updated_ms: wall_ms,
            started_ms: if ongoing { self.started_ms } else { wall_ms },
            ..self.clone()
        })
    }

    /// Whether these partitions are part of the producer's open transaction (KIP-890).
    pub(super) fn verify(
        &self,
        producer: ProducerEpoch,
        places: &[Place],
    ) -> Result<Vec<Option<Refusal>>, Refusal> {
        self.check(producer)?;
        if self.state.is_prepared() {
            return Err(Refusal::ConcurrentTransactions);
        }
        let open = self.state == TxnState::Ongoing;
        let said = |place| (!open || !self.places.contains(place)).then_some(Refusal::TransactionAbortable);
        Ok(places.iter().map(said).collect())
    }

    fn check(&self, (id, epoch): ProducerEpoch) -> Result<(), Refusal> {
        if id != self.producer.0 {
            return Err(Refusal::InvalidProducerIdMapping);
        }
        if epoch != self.producer.1 { Err(Refusal::ProducerFenced) } else { Ok(()) }
    }

    /// The producer commits or aborts. With `bump` (transaction version 2) its epoch goes up with it, which
    /// makes a repeated call recognisable, and an abort of nothing is an abort too.
    pub(super) fn end(
        &self,
        End { producer, committed, bump, fresh }: End,
        wall_ms: i64,
    ) -> Result<Self, Stop> {
        let (id, epoch) = self.producer;
        let again = bump
            && (producer.0 == id && producer.1.checked_add(1) == Some(epoch)
                || producer.0 == self.previous_id && producer.1 == LAST_EPOCH && epoch == 0);
        if !again {
            self.check(producer)?;
        }
        let invalid = Err(Refusal::InvalidTxnState.into());
        let already = |decided: bool| match (decided == committed, bump) {
            (true, false) => Err(Stop::Done(self.producer)),
            (true, true) if again => Err(Stop::Done(self.producer)),
            _ => invalid.clone(),
        };
        let empty = match self.state {
            TxnState::Ongoing if again => return Err(Refusal::ProducerFenced.into()),
            TxnState::Ongoing => false,
            TxnState::PrepareCommit | TxnState::PrepareAbort => {
                let same = (self.state == TxnState::PrepareCommit) == committed;
                let waits = same && (again || !bump);
                let refusal = if waits { Refusal::ConcurrentTransactions } else { Refusal::InvalidTxnState };
                return Err(refusal.into());
            }
            // Nothing was added since: under version 2 a fresh abort is still taken.
            TxnState::CompleteCommit | TxnState::CompleteAbort if bump && !again && !committed => true,
            TxnState::CompleteCommit => return already(true),
            TxnState::CompleteAbort => return already(false),
            TxnState::Empty if bump && !again && !committed => true,
            TxnState::Empty | TxnState::Dead | TxnState::PrepareEpochFence => return invalid,
        };
        let next_id = if bump && self.is_exhausted() { fresh.ok_or(Stop::NeedsProducerId)? } else { -1 };
        let places = if empty { BTreeSet::new() } else { self.places.clone() };
        Ok(Self {
            producer: if bump { (id, epoch + 1) } else { self.producer },
            last_epoch: if bump { epoch } else { self.last_epoch },
            next_id,
            state: TxnState::decided(committed),
            places,
            updated_ms: wall_ms,
            started_ms: if empty { wall_ms } else { self.started_ms },
            client_version: if bump { 2 } else { self.client_version.min(1) },
            ..self.clone()
        })
    }

    /// The coordinator aborts on its own: a new producer takes over, or time is up. The raised epoch is never
    /// given to anyone; it keeps the old producer from adding to what is being aborted.
    pub(super) fn fence(&self, wall_ms: i64) -> Self {
        let (id, epoch) = self.producer;
        Self {
            producer: (id, epoch.saturating_add(1)),
            last_epoch: -1,
            next_id: -1,
            state: TxnState::PrepareAbort,
            updated_ms: wall_ms,
            ..self.clone()
        }
    }

    /// Every marker is written.
    pub(super) fn complete(&self, wall_ms: i64) -> Self {
        let committed = self.state == TxnState::PrepareCommit;
        let rotated = self.next_id >= 0;
        Self {
            producer: if rotated { (self.next_id, 0) } else { self.producer },
            previous_id: if rotated { self.producer.0 } else { self.previous_id },
            next_id: -1,
            state: if committed { TxnState::CompleteCommit } else { TxnState::CompleteAbort },
            places: BTreeSet::new(),
            updated_ms: wall_ms,
            ..self.clone()
        }
    }

    /// The producer as its client knows it while the transaction is being ended.
    pub(super) const fn told(&self) -> ProducerEpoch {
        if self.next_id >= 0 { (self.next_id, 0) } else { self.producer }
    }
}

#[cfg(test)]
mod tests;
