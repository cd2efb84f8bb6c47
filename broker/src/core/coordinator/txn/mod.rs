//! The transaction coordinator: the transactional ids of one partition of `__transaction_state` (KIP-98), after
//! Apache Kafka's `TransactionCoordinator`.
//!
//! Every change is written first and true once the write is committed; until then the id answers
//! `CONCURRENT_TRANSACTIONS`. A decision to commit or abort is such a write (prepare), the client is answered
//! after it, and from then on nothing can change it: whoever coordinates the id goes on writing markers
//! ([`ending`]) until every partition has one, and then writes that too (complete).

mod ending;
mod records;
mod request;
mod state;

use std::collections::{BTreeMap, BTreeSet};

use super::super::errands::{Place, ProducerEpoch};
use super::super::io::Output;
use super::super::refusal::Refusal;
use super::super::types::RequestId;
use super::{Effects, InternalTopic, Machine, Replayed, Scope};
use ending::Flight;
pub(in crate::core) use request::TxnInput;
pub use request::{TxnAnswer, TxnAsk, TxnDescription, TxnListing, TxnRequest};
pub use state::TxnState;
use state::{End, Meta, Stop};

/// A transactional id in memory.
struct Txn {
    meta: Meta,
    /// A change of it is being written.
    moving: bool,
    /// Partitions whose marker is not known to be written.
    unmarked: BTreeSet<Place>,
    /// What leaders have been asked to write and have not answered.
    flights: BTreeMap<u64, Flight>,
    /// No marker is sent again before.
    not_before_ms: u64,
    /// The flaw `partial-commit` has struck.
    torn: bool,
}

impl Txn {
    const fn new(meta: Meta) -> Self {
        Self {
            meta,
            moving: false,
            unmarked: BTreeSet::new(),
            flights: BTreeMap::new(),
            not_before_ms: 0,
            torn: false,
        }
    }
}

/// The transactional ids of one partition.
#[derive(Default)]
pub(in crate::core) struct Transactions {
    ids: BTreeMap<String, Txn>,
    /// Those whose markers are being written.
    ending: BTreeSet<String>,
    /// Whose markers these are.
    flights: BTreeMap<u64, String>,
    last_flight: u64,
    commits: u64,
    /// When transactions that are open for too long are looked for next, and ids that nobody uses.
    time_out_ms: u64,
    expire_ms: u64,
}

/// A write of the coordinator that is under way.
pub(in crate::core) struct Token {
    transactional_id: String,
    /// The metadata once it is written; none removes the id.
    next: Option<Meta>,
    then: Then,
}

/// Who waits for a write.
#[derive(Clone, Copy)]
enum Then {
    Producer(RequestId),
    Places(RequestId, usize),
    /// A new producer, which must ask again once the transaction of the old one is over.
    Fenced(RequestId),
    Nobody,
}

impl Then {
    fn answer(self, result: Result<ProducerEpoch, Refusal>, out: &mut Vec<Output>) {
        let (id, answer) = match self {
            Self::Producer(id) => (id, TxnAnswer::Producer(result)),
            Self::Places(id, count) => (id, TxnAnswer::Places(vec![result.err(); count])),
            Self::Fenced(id) => {
                let refusal = result.err().unwrap_or(Refusal::ConcurrentTransactions);
                (id, TxnAnswer::Producer(Err(refusal)))
            }
            Self::Nobody => return,
        };
        out.push(Output::TransactionReply { id, answer });
    }
}

impl Machine for Transactions {
    type Request = TxnInput;
    type Token = Token;

    const TOPIC: InternalTopic = InternalTopic::TransactionState;

    fn refuse(id: RequestId, request: TxnInput, refusal: Refusal, out: &mut Vec<Output>) {
        // What a leader answers to a coordinator that is gone concerns nobody.
        if let TxnInput::Asked(request) = request {
            out.push(Output::TransactionReply { id, answer: request.ask.refused(refusal) });
        }
    }

    fn replay(&mut self, _scope: Scope<'_>, replayed: Replayed) {
        let Replayed::Entry { entry, .. } = replayed else { return };
        match records::read(entry) {
            Some((id, Some(meta))) => {
                self.ids.insert(id, Txn::new(meta));
            }
            Some((id, None)) => {
                self.ids.remove(&id);
            }
            None => {}
        }
    }

    /// What was decided before is carried out.
    fn loaded(&mut self, scope: Scope<'_>, effects: &mut Effects<'_, Token>) {
        let prepared = |(id, txn): (&String, &Txn)| txn.meta.state.is_prepared().then(|| id.clone());
        let prepared: Vec<String> = self.ids.iter().filter_map(prepared).collect();
        prepared.into_iter().for_each(|id| self.begin_ending(scope, id, effects));
    }

    fn handle(
        &mut self,
        scope: Scope<'_>,
        id: RequestId,
        request: TxnInput,
        effects: &mut Effects<'_, Token>,
    ) {
        let TxnRequest { transactional_id, ask } = match request {
            TxnInput::Asked(request) => request,
            TxnInput::Written { epoch, number, answer } => {
                if epoch == scope.epoch {
                    self.written(scope, number, answer, effects);
                }
                return;
            }
        };
        let answer = match ask {
            TxnAsk::Init { timeout_ms, expected, fresh } => {
                self.init(scope, (id, transactional_id), timeout_ms, expected, fresh, effects)
            }
            TxnAsk::Add { producer, places, verify_only: false } => {
                self.add(scope, id, transactional_id, producer, &places, effects)
            }
            TxnAsk::Add { producer, places, verify_only: true } => {
                let known = self.ids.get(&transactional_id);
                let verified = known
                    .ok_or(Refusal::InvalidProducerIdMapping)
                    .and_then(|txn| txn.meta.verify(producer, &places));
                Some(TxnAnswer::Places(verified.unwrap_or_else(|refusal| vec![Some(refusal); places.len()])))
            }
            TxnAsk::End { producer, committed, bump, fresh } => {
                let end = End { producer, committed, bump, fresh };
                self.end(scope, (id, transactional_id), end, effects)
            }
            TxnAsk::Describe => Some(TxnAnswer::Described(self.describe(&transactional_id))),
        };
        if let Some(answer) = answer {
            effects.out.push(Output::TransactionReply { id, answer });
        }
    }

    fn tick(&mut self, scope: Scope<'_>, effects: &mut Effects<'_, Token>) {
        self.drive(scope, effects);
        let every = |name| scope.now_ms + scope.settings.number(name);
        if scope.now_ms >= self.time_out_ms {
            self.time_out_ms = every("transaction.abort.timed.out.transaction.cleanup.interval.ms");
            self.time_out(scope, effects);
        }
        if scope.now_ms >= self.expire_ms {
            self.expire_ms = every("transaction.remove.expired.transaction.cleanup.interval.ms");
            self.expire(scope, effects);
        }
    }

    fn settled(
        &mut self,
        scope: Scope<'_>,
        token: Token,
        result: Result<i64, Refusal>,
        effects: &mut Effects<'_, Token>,
    ) {
        let Token { transactional_id, next, then } = token;
        let Some(txn) = self.ids.get_mut(&transactional_id) else { return };
        txn.moving = false;
        if let Err(refusal) = result {
            then.answer(Err(unwritten(refusal)), effects.out);
            return;
        }
        let Some(next) = next else {
            self.ids.remove(&transactional_id);
            return;
        };
        let told = next.told();
        txn.meta = next;
        then.answer(Ok(told), effects.out);
        if txn.meta.state.is_prepared() {
            self.begin_ending(scope, transactional_id, effects);
        } else {
            self.ending.remove(&transactional_id);
        }
    }

    fn overdue(&mut self, token: &Token, out: &mut Vec<Output>) {
        token.then.answer(Err(Refusal::CoordinatorNotAvailable), out);
    }

    fn unload(&mut self, _out: &mut Vec<Output>) {}
}

/// What a client is told of a write that failed (Apache Kafka, `TransactionStateManager`).
const fn unwritten(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::NotLeaderOrFollower => Refusal::NotCoordinator,
        _ => Refusal::CoordinatorNotAvailable,
    }
}

impl Transactions {
    /// Asks for a change to be written. Until it is, the id is moving.
    fn write(
        &mut self,
        scope: Scope<'_>,
        transactional_id: String,
        next: Option<Meta>,
        then: Then,
        effects: &mut Effects<'_, Token>,
    ) {
        let Some(txn) = self.ids.get_mut(&transactional_id) else { return };
        txn.moving = true;
        let entry = records::entry(&transactional_id, next.as_ref());
        let timeout_ms = scope.settings.number("request.timeout.ms");
        effects.write(vec![entry], Token { transactional_id, next, then }, timeout_ms);
    }

    fn init(
        &mut self,
        scope: Scope<'_>,
        (id, transactional_id): (RequestId, String),
        timeout_ms: i32,
        expected: Option<ProducerEpoch>,
        fresh: Option<i64>,
        effects: &mut Effects<'_, Token>,
    ) -> Option<TxnAnswer> {
        let refuse = |refusal| Some(TxnAnswer::Producer(Err(refusal)));
        let longest = scope.settings.number("transaction.max.timeout.ms");
        if u64::try_from(timeout_ms).is_ok_and(|timeout_ms| timeout_ms > longest) || timeout_ms <= 0 {
            return refuse(Refusal::InvalidTransactionTimeout);
        }
        if !self.ids.contains_key(&transactional_id) {
            let Some(fresh) = fresh else { return Some(TxnAnswer::NeedsProducerId) };
            let meta = Meta::new(fresh, timeout_ms, scope.wall_ms);
            self.ids.insert(transactional_id.clone(), Txn::new(meta));
        }
        let txn = self.ids.get(&transactional_id)?;
        if txn.moving {
            return refuse(Refusal::ConcurrentTransactions);
        }
        match txn.meta.init(timeout_ms, expected, fresh, scope.wall_ms) {
            Err(Stop::NeedsProducerId) => Some(TxnAnswer::NeedsProducerId),
            Err(Stop::Refused(refusal)) => refuse(refusal),
            Err(Stop::Done(producer)) => Some(TxnAnswer::Producer(Ok(producer))),
            Ok(_) if txn.meta.state == TxnState::Ongoing => {
                let next = txn.meta.fence(scope.wall_ms);
                self.write(scope, transactional_id, Some(next), Then::Fenced(id), effects);
                None
            }
            Ok(next) => {
                self.write(scope, transactional_id, Some(next), Then::Producer(id), effects);
                None
            }
        }
    }

    fn add(
        &mut self,
        scope: Scope<'_>,
        id: RequestId,
        transactional_id: String,
        producer: ProducerEpoch,
        places: &[Place],
        effects: &mut Effects<'_, Token>,
    ) -> Option<TxnAnswer> {
        let all = |refusal| Some(TxnAnswer::Places(vec![refusal; places.len()]));
        let Some(txn) = self.ids.get(&transactional_id) else {
            return all(Some(Refusal::InvalidProducerIdMapping));
        };
        match txn.meta.add(producer, places, scope.wall_ms) {
            Err(Stop::Done(_)) if !txn.moving => all(None),
            Ok(next) if !txn.moving => {
                self.write(scope, transactional_id, Some(next), Then::Places(id, places.len()), effects);
                None
            }
            Err(Stop::Refused(refusal)) => all(Some(refusal)),
            _ => all(Some(Refusal::ConcurrentTransactions)),
        }
    }

    fn end(
        &mut self,
        scope: Scope<'_>,
        (id, transactional_id): (RequestId, String),
        end: End,
        effects: &mut Effects<'_, Token>,
    ) -> Option<TxnAnswer> {
        let say = |result| Some(TxnAnswer::Producer(result));
        let Some(txn) = self.ids.get(&transactional_id) else {
            return say(Err(Refusal::InvalidProducerIdMapping));
        };
        match txn.meta.end(end, scope.wall_ms) {
            // A producer that is fenced anyway learns it at once.
            Err(Stop::Refused(refusal @ (Refusal::InvalidProducerIdMapping | Refusal::ProducerFenced))) => {
                say(Err(refusal))
            }
            _ if txn.moving => say(Err(Refusal::ConcurrentTransactions)),
            Err(Stop::NeedsProducerId) => Some(TxnAnswer::NeedsProducerId),
            Err(Stop::Refused(refusal)) => say(Err(refusal)),
            Err(Stop::Done(producer)) => say(Ok(producer)),
            Ok(next) => {
                self.write(scope, transactional_id, Some(next), Then::Producer(id), effects);
                None
            }
        }
    }

    fn describe(&self, transactional_id: &str) -> Result<TxnDescription, Refusal> {
        let meta = &self.ids.get(transactional_id).ok_or(Refusal::TransactionalIdNotFound)?.meta;
        Ok(TxnDescription {
            state: meta.state,
            producer: meta.producer,
            timeout_ms: meta.timeout_ms,
            started_ms: meta.started_ms,
            places: meta.places.iter().cloned().collect(),
        })
    }

    /// Every transactional id, in a line.
    pub(in crate::core) fn list(&self) -> impl Iterator<Item = TxnListing> {
        self.ids.iter().map(|(id, txn)| TxnListing {
            transactional_id: id.clone(),
            producer_id: txn.meta.producer.0,
            state: txn.meta.state,
            started_ms: txn.meta.started_ms,
        })
    }

    /// Aborts transactions that have been open for longer than their producer asked for. Its epoch is raised
    /// with that, so that whatever it still sends is refused.
    fn time_out(&mut self, scope: Scope<'_>, effects: &mut Effects<'_, Token>) {
        let late = |(id, txn): (&String, &Txn)| {
            let meta = &txn.meta;
            let deadline_ms = meta.started_ms.saturating_add(i64::from(meta.timeout_ms));
            let late = meta.state == TxnState::Ongoing && !txn.moving && deadline_ms < scope.wall_ms;
            late.then(|| (id.clone(), meta.fence(scope.wall_ms)))
        };
        let late: Vec<_> = self.ids.iter().filter_map(late).collect();
        for (id, next) in late {
            self.write(scope, id, Some(next), Then::Nobody, effects);
        }
    }

    /// Forgets ids that nobody has used for `transactional.id.expiration.ms`.
    fn expire(&mut self, scope: Scope<'_>, effects: &mut Effects<'_, Token>) {
        let age = scope.settings.number("transactional.id.expiration.ms");
        let before_ms = scope.wall_ms.saturating_sub(i64::try_from(age).unwrap_or(i64::MAX));
        let idle = |(id, txn): (&String, &Txn)| {
            let over = [TxnState::Empty, TxnState::CompleteCommit, TxnState::CompleteAbort];
            let idle = over.contains(&txn.meta.state) && !txn.moving && txn.meta.updated_ms <= before_ms;
            idle.then(|| id.clone())
        };
        let idle: Vec<String> = self.ids.iter().filter_map(idle).collect();
        idle.into_iter().for_each(|id| self.write(scope, id, None, Then::Nobody, effects));
    }
}
