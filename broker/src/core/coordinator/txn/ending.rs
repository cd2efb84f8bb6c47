//! From a decision to its end: markers to the leaders of every partition, again and again until each has
//! confirmed, and then the record that says so.

use std::collections::{BTreeMap, BTreeSet};

use wire::marker::Marker;

use super::super::super::errands::{Errand, MarkerOrder, PeerAnswer, PeerRequest, Place};
use super::super::super::image::NO_LEADER;
use super::super::super::io::Output;
use super::super::super::refusal::Refusal;
use super::super::super::types::PartitionKey;
use super::super::{Effects, Scope};
use super::state::TxnState;
use super::{Then, Token, Transactions};
use crate::flaws::Flaw;

/// Wait before a marker that was not written is sent again, in milliseconds.
const BACKOFF_MS: u64 = 50;

/// Markers of one transaction that a leader was asked to write.
pub(super) struct Flight {
    leader: i32,
    places: Vec<Place>,
    deadline_ms: u64,
}

/// Whether a leader's refusal means that there is nothing left to do in a partition. Of a newer producer epoch
/// or coordinator: then somebody else has ended this transaction there. All else is worth another try.
fn is_final(refusal: Refusal) -> bool {
    matches!(refusal, Refusal::InvalidProducerEpoch | Refusal::TransactionCoordinatorFenced)
}

impl Transactions {
    /// A decision is written; markers come next.
    pub(super) fn begin_ending(
        &mut self,
        scope: Scope<'_>,
        transactional_id: String,
        effects: &mut Effects<'_, Token>,
    ) {
        let Some(txn) = self.ids.get_mut(&transactional_id) else { return };
        txn.unmarked = txn.meta.places.clone();
        txn.not_before_ms = 0;
        txn.torn = false;
        if txn.meta.state == TxnState::PrepareCommit && txn.unmarked.len() > 1 {
            self.commits += 1;
            txn.torn = scope.flaw == Some(Flaw::PartialCommit) && Flaw::PartialCommit.hits(self.commits);
        }
        self.ending.insert(transactional_id.clone());
        self.carry_on(scope, &transactional_id, effects);
    }

    /// Sends what must be sent again, for every decision.
    pub(super) fn drive(&mut self, scope: Scope<'_>, effects: &mut Effects<'_, Token>) {
        let ending: Vec<String> = self.ending.iter().cloned().collect();
        ending.into_iter().for_each(|id| self.carry_on(scope, &id, effects));
    }

    fn carry_on(&mut self, scope: Scope<'_>, transactional_id: &str, effects: &mut Effects<'_, Token>) {
        let Some(txn) = self.ids.get_mut(transactional_id) else { return };
        // A leader that does not answer, or does not lead any more, is not waited for.
        txn.flights.retain(|number, flight| {
            let leads = |place| leader_of(scope, place) == Some(flight.leader);
            let waited = flight.deadline_ms > scope.now_ms && flight.places.iter().any(leads);
            if !waited {
                self.flights.remove(number);
            }
            waited
        });
        // A topic that is gone has nothing left to end.
        txn.unmarked.retain(|place| leader_of(scope, place).is_some());
        if txn.unmarked.is_empty() {
            if !txn.moving {
                let next = txn.meta.complete(scope.wall_ms);
                self.write(scope, transactional_id.to_owned(), Some(next), Then::Nobody, effects);
            }
            return;
        }
        if scope.now_ms < txn.not_before_ms {
            return;
        }
        let flying: BTreeSet<&Place> = txn.flights.values().flat_map(|flight| &flight.places).collect();
        let mut by_leader: BTreeMap<i32, Vec<Place>> = BTreeMap::new();
        for place in txn.unmarked.iter().filter(|place| !flying.contains(place)) {
            let leader = leader_of(scope, place).unwrap_or(NO_LEADER);
            if leader != NO_LEADER {
                by_leader.entry(leader).or_default().push(place.clone());
            }
        }
        let committed = txn.meta.state == TxnState::PrepareCommit;
        let marker = Marker { committed, coordinator_epoch: scope.epoch };
        let producer = txn.meta.producer;
        let victim = txn.meta.places.last().filter(|_| txn.torn).cloned();
        let deadline_ms = scope.now_ms + scope.settings.number("request.timeout.ms");
        for (leader, places) in by_leader {
            let (odd, even): (Vec<_>, Vec<_>) =
                places.iter().cloned().partition(|place| victim.as_ref() == Some(place));
            let opposite = Marker { committed: !committed, ..marker };
            // The victim is the last place of all, so the order of the answer is that of the flight.
            let orders = [(marker, even), (opposite, odd)]
                .into_iter()
                .filter(|(_, places)| !places.is_empty())
                .map(|(marker, places)| MarkerOrder { producer, marker, places });
            let request = PeerRequest::WriteMarkers(orders.collect());
            self.last_flight += 1;
            let number = self.last_flight;
            self.flights.insert(number, transactional_id.to_owned());
            txn.flights.insert(number, Flight { leader, places, deadline_ms });
            let errand = Errand::Markers { shard: scope.partition, epoch: scope.epoch, number };
            effects.out.push(Output::AskPeer { to: leader, errand, request });
        }
    }

    /// A leader has answered, or will not.
    pub(super) fn written(
        &mut self,
        scope: Scope<'_>,
        number: u64,
        answer: Option<PeerAnswer>,
        effects: &mut Effects<'_, Token>,
    ) {
        let Some(transactional_id) = self.flights.remove(&number) else { return };
        let Some(txn) = self.ids.get_mut(&transactional_id) else { return };
        let Some(flight) = txn.flights.remove(&number) else { return };
        let results = answer.unwrap_or_default();
        for (place, result) in flight.places.iter().zip(results) {
            if result.is_none_or(is_final) {
                txn.unmarked.remove(place);
            }
        }
        if flight.places.iter().any(|place| txn.unmarked.contains(place)) {
            txn.not_before_ms = scope.now_ms + BACKOFF_MS;
        }
        self.carry_on(scope, &transactional_id, effects);
    }
}

/// Who leads a partition, or [`NO_LEADER`]; `None` if there is no such partition.
fn leader_of(scope: Scope<'_>, (topic, partition): &Place) -> Option<i32> {
    let topic = scope.image.topics.get(topic)?.id;
    let key = PartitionKey { topic, partition: *partition };
    scope.image.partition(key).map(|partition| partition.leader)
}
