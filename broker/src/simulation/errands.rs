//! What the brokers of a world ask each other about transactions, and what producers ask coordinators.

use std::collections::{BTreeMap, BTreeSet};

use wire::batch::PATCHED;

use super::{CLIENTS, Channel};
use super::{Message, World};
use crate::core::*;

/// The connections for markers and for all else. Messages of one arrive in order.
const MARKERS: u64 = u64::MAX;
const OTHERS: u64 = u64::MAX - 1;

/// Who has asked whom what, without an answer yet.
#[derive(Default)]
pub(super) struct Errands {
    /// Asker, its process, whom, what.
    owed: BTreeSet<(i32, u8, i32, Errand)>,
    /// Requests that a broker serves for one of these.
    serving: BTreeMap<RequestId, (i32, u8, Errand)>,
}

impl World {
    pub(super) fn ask_peer(&mut self, id: i32, to: i32, errand: Errand, request: PeerRequest) {
        if to == NO_LEADER {
            self.reads.push_back((id, Input::PeerAnswer { errand, answer: None }));
            return;
        }
        self.errands.owed.insert((id, self.nodes[&id].processes, to, errand));
        let line = if matches!(request, PeerRequest::WriteMarkers(_)) { MARKERS } else { OTHERS };
        self.send((id, to, line), Message::Ask(errand, request));
    }

    /// Delivers everything but what is said about markers.
    pub fn settle_without_markers(&mut self) {
        for _ in 0..10_000 {
            let open = self.open_channels().into_iter().find(|channel| channel.2 != MARKERS);
            let Some(channel) = open else { return };
            self.deliver(channel);
        }
        panic!("messages never end");
    }

    /// A question has arrived.
    pub(super) fn serve_peer(&mut self, channel: Channel, errand: Errand, request: PeerRequest) {
        let (from, to, _) = channel;
        if !self.is_up(to) {
            self.fail_errands(|asker, asked| (asker, asked) == (from, to));
            return;
        }
        let id = RequestId(self.number());
        self.errands.serving.insert(id, (from, self.nodes[&from].processes, errand));
        let input = match request {
            PeerRequest::WriteMarkers(orders) => Input::WriteMarkers { id, orders },
            PeerRequest::AddPartitions { transactional_id, producer, places, verify_only } => {
                let ask = TxnAsk::Add { producer, places, verify_only };
                Input::Transaction { id, request: TxnRequest { transactional_id, ask } }
            }
        };
        self.step(to, input);
    }

    /// Takes the answer to a question of a broker, if it was one.
    pub(super) fn answer_peer(&mut self, node: i32, id: RequestId, answer: &PeerAnswer) -> bool {
        let Some((asker, process, errand)) = self.errands.serving.remove(&id) else { return false };
        if self.nodes[&asker].processes == process {
            let line = if matches!(errand, Errand::Markers { .. }) { MARKERS } else { OTHERS };
            self.send((node, asker, line), Message::Answered(errand, answer.clone()));
        }
        true
    }

    /// An answer has arrived.
    pub(super) fn hear_peer(&mut self, channel: Channel, errand: Errand, answer: PeerAnswer) {
        let (from, to, _) = channel;
        let owed = (to, self.nodes[&to].processes, from, errand);
        if self.errands.owed.remove(&owed) && self.is_up(to) {
            self.step(to, Input::PeerAnswer { errand, answer: Some(answer) });
        }
    }

    /// Whatever these have asked each other will not be answered. It may arrive all the same.
    pub(super) fn fail_errands(&mut self, between: impl Fn(i32, i32) -> bool) {
        let lost: Vec<_> = self
            .errands
            .owed
            .iter()
            .copied()
            .filter(|(asker, _, asked, _)| between(*asker, *asked))
            .collect();
        for owed in lost {
            let (asker, process, _, errand) = owed;
            if self.errands.owed.remove(&owed) && self.is_up(asker) && self.nodes[&asker].processes == process
            {
                self.step(asker, Input::PeerAnswer { errand, answer: None });
            }
        }
    }

    pub(super) fn forget_errands(&mut self, id: i32) {
        self.errands.owed.retain(|(asker, ..)| *asker != id);
        self.errands.serving.retain(|_, (asker, ..)| *asker != id);
    }

    // ----- clients -----

    /// Creates an internal topic of four partitions.
    pub fn create_internal(&mut self, topic: InternalTopic) {
        let mut id = [9; 16];
        id[0] = topic as u8;
        let brokers = i16::try_from(self.nodes().len()).expect("few");
        let topic = NewTopic {
            name: topic.name().to_owned(),
            id: Uuid(id),
            partitions: 4,
            replication_factor: brokers,
            configs: super::strings(&[("min.insync.replicas", if brokers > 1 { "2" } else { "1" })]),
            assignments: Vec::new(),
            validate_only: false,
        };
        let message = ToController::Admin { request: 1, op: AdminOp::CreateTopic(topic) };
        self.control(ControllerInput::Message { connection: 0, message });
        self.run(100);
    }

    /// Who coordinates a transactional id.
    pub fn txn_coordinator(&self, id: &str) -> i32 {
        let image = &self.controller.snapshot().image;
        let key = InternalTopic::TransactionState.partition_of(image, id).expect("the topic is there");
        image.partition(key).expect("a partition").leader
    }

    /// Sends a request to the coordinator of a transactional id; it arrives with the next delivery.
    pub fn send_transaction(&mut self, node: i32, id: &str, ask: TxnAsk) -> RequestId {
        let request = RequestId(self.number());
        let asked = TxnRequest { transactional_id: id.to_owned(), ask };
        self.send((CLIENTS, node, request.0), Message::Transaction(request, asked));
        request
    }

    /// Asks, and lets everything settle that needs no time.
    pub fn ask_transaction(&mut self, id: &str, ask: TxnAsk) -> Option<TxnAnswer> {
        let node = self.txn_coordinator(id);
        let request = self.send_transaction(node, id, ask);
        self.settle();
        self.txn_answers.get(&request).cloned()
    }

    /// Markers in a replica's log: offset, producer, epoch, whether it committed.
    pub fn markers(&self, node: i32, key: PartitionKey) -> Vec<(i64, i64, i16, bool)> {
        let log = self.nodes[&node].disk.get(&key).map(Vec::as_slice).unwrap_or_default();
        let marker = |batch: &Batch| {
            let info = batch.info;
            Some((info.base_offset, info.producer_id, info.producer_epoch, info.marker?.committed))
        };
        log.iter().filter(|batch| batch.bytes.len() > PATCHED).filter_map(marker).collect()
    }
}
