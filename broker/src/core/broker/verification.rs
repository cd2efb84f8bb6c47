//! Records of a transaction wait here until its coordinator has confirmed that it includes the partition
//! (KIP-890). So a batch that was delayed beyond the end of its transaction cannot open one that nobody ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::batch::BatchInfo;
use super::super::coordinator::{GroupAsk, GroupRequest, InternalTopic};
use super::super::errands::{Errand, PeerAnswer, PeerRequest, Place, ProducerEpoch};
use super::super::io::{Output, ProduceRequest, TxnManner};
use super::super::refusal::Refusal;
use super::super::replica::Role;
use super::super::types::{PartitionKey, RequestId};
use super::Broker;

/// What was true of a partition when the question was asked. If it still is when the answer comes, so is the
/// answer: no marker has come in between, and nobody else has led.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Guard {
    leader_epoch: i32,
    last_marker: i64,
}

enum Waiting {
    Produce(ProduceRequest),
    Commit { id: RequestId, request: Box<GroupRequest> },
}

/// Whose transaction is in question, and what its client understands.
struct Claim {
    transactional_id: String,
    producer: ProducerEpoch,
    manner: TxnManner,
}

struct Held {
    deadline_ms: u64,
    claim: Claim,
    asked: Vec<(PartitionKey, Guard)>,
    waiting: Waiting,
}

/// Requests whose transaction is being verified.
#[derive(Default)]
pub(super) struct Verifications {
    held: BTreeMap<u64, Held>,
    last: u64,
    /// The lowest sequence number that has asked to open a transaction. A producer that is not known here may
    /// start anywhere, but not with its second batch while the first one is being sent again.
    lowest: BTreeMap<(PartitionKey, ProducerEpoch), i32>,
}

impl Verifications {
    /// The producer's transaction has ended in a partition.
    pub(super) fn ended(&mut self, key: PartitionKey, producer: ProducerEpoch) {
        self.lowest.remove(&(key, producer));
    }
}

/// What verification has found out: partitions that may be appended to, and refusals.
pub(super) type Verdicts = BTreeMap<PartitionKey, Result<(), Refusal>>;

impl Broker {
    /// Holds a produce request back if a partition of it must be verified first; else gives it back.
    pub(super) fn hold_produce(
        &mut self,
        now_ms: u64,
        request: ProduceRequest,
        out: &mut Vec<Output>,
    ) -> Option<ProduceRequest> {
        let Some((transactional_id, manner)) = request.transaction.clone() else { return Some(request) };
        let cluster = Arc::clone(&self.image);
        let ctx = self.context(now_ms, &cluster);
        let unverified = |partition: &&super::super::io::ProducePartition| {
            let replica = self.replicas.get(&partition.key);
            replica.is_some_and(|replica| replica.must_be_verified(ctx, &partition.batch.info))
        };
        let producer_of = |info: &BatchInfo| (info.producer_id, info.producer_epoch);
        let mut wanted = request.partitions.iter().filter(unverified).peekable();
        let Some(producer) = wanted.peek().map(|first| producer_of(&first.batch.info)) else {
            return Some(request);
        };
        // A request speaks for one producer; what another wrote stays unverified, and is refused.
        let mut keys = Vec::new();
        for partition in wanted.filter(|partition| producer_of(&partition.batch.info) == producer) {
            keys.push(partition.key);
            let sequence = partition.batch.info.base_sequence;
            let lowest = self.verifications.lowest.entry((partition.key, producer)).or_insert(sequence);
            *lowest = sequence.min(*lowest);
        }
        let deadline_ms = now_ms + request.timeout_ms;
        let waiting = Waiting::Produce(request);
        let claim = Claim { transactional_id, producer, manner };
        self.verify(claim, keys, deadline_ms, waiting, out);
        None
    }

    /// The same for offsets that are committed in a transaction. `None` if it is held back, or answered.
    pub(super) fn hold_commit(
        &mut self,
        now_ms: u64,
        id: RequestId,
        request: GroupRequest,
        out: &mut Vec<Output>,
    ) -> Option<GroupRequest> {
        let (GroupAsk::TxnCommit(commit), true) = (&request.ask, self.verifies()) else {
            return Some(request);
        };
        let producer = (commit.producer_id.0, commit.producer_epoch);
        let key = InternalTopic::ConsumerOffsets.partition_of(&self.image, &request.group);
        let replica = key.and_then(|key| Some((key, self.replicas.get(&key)?)));
        let Some((key, replica)) = replica else { return Some(request) };
        if self.has_open(key, producer) || !matches!(replica.role, Role::Leader(_)) {
            return Some(request);
        }
        let transactional_id = commit.transactional_id.to_string();
        let implicit = self.settings.number("transaction.version") >= 2;
        let manner = match request.caller.version {
            5.. if implicit => TxnManner::Implicit,
            4.. => TxnManner::Abortable,
            _ => TxnManner::Plain,
        };
        let deadline_ms = now_ms + self.settings.number("offsets.commit.timeout.ms");
        let waiting = Waiting::Commit { id, request: Box::new(request) };
        let claim = Claim { transactional_id, producer, manner };
        self.verify(claim, vec![key], deadline_ms, waiting, out);
        None
    }

    fn verify(
        &mut self,
        claim: Claim,
        keys: Vec<PartitionKey>,
        deadline_ms: u64,
        waiting: Waiting,
        out: &mut Vec<Output>,
    ) {
        let places: Vec<Place> = keys
            .iter()
            .filter_map(|key| Some((self.image.topic(key.topic)?.0.to_owned(), key.partition)))
            .collect();
        let asked = keys.into_iter().map(|key| (key, self.guard(key, claim.producer.0))).collect();
        self.verifications.last += 1;
        let number = self.verifications.last;
        let coordinator = InternalTopic::TransactionState
            .partition_of(&self.image, &claim.transactional_id)
            .and_then(|key| self.image.partition(key))
            .map_or(super::super::NO_LEADER, |partition| partition.leader);
        out.push(Output::AskPeer {
            to: coordinator,
            errand: Errand::Verify(number),
            request: PeerRequest::AddPartitions {
                transactional_id: claim.transactional_id.clone(),
                producer: claim.producer,
                places,
                verify_only: claim.manner != TxnManner::Implicit,
            },
        });
        self.verifications.held.insert(number, Held { deadline_ms, claim, asked, waiting });
    }

    fn has_open(&self, key: PartitionKey, producer: ProducerEpoch) -> bool {
        let replica = self.replicas.get(&key);
        replica.is_some_and(|replica| replica.log.producers().has_open(producer.0, producer.1))
    }

    fn guard(&self, key: PartitionKey, producer_id: i64) -> Guard {
        self.replicas.get(&key).map_or(Guard { leader_epoch: -1, last_marker: -1 }, |replica| Guard {
            leader_epoch: replica.leader_epoch,
            last_marker: replica.log.producers().last_marker(producer_id),
        })
    }

    /// The coordinator has answered, or will not.
    pub(super) fn verified(
        &mut self,
        now_ms: u64,
        number: u64,
        answer: Option<PeerAnswer>,
        out: &mut Vec<Output>,
    ) {
        let Some(held) = self.verifications.held.remove(&number) else { return };
        let mut results = answer.unwrap_or_default().into_iter();
        let mut verdicts = Verdicts::new();
        for (key, guard) in held.asked {
            let said = results.next().unwrap_or(Some(Refusal::CoordinatorNotAvailable));
            let verdict = match said {
                None if self.guard(key, held.claim.producer.0) == guard => Ok(()),
                // The transaction has ended meanwhile.
                None => Err(Refusal::InvalidTxnState),
                Some(refusal) => Err(translate(refusal, held.claim.manner)),
            };
            verdicts.insert(key, verdict);
        }
        match held.waiting {
            Waiting::Produce(request) => {
                for partition in &request.partitions {
                    let key = partition.key;
                    let lowest = self.verifications.lowest.get(&(key, held.claim.producer));
                    if verdicts.get(&key) == Some(&Ok(()))
                        && lowest.is_some_and(|lowest| *lowest < partition.batch.info.base_sequence)
                        && !self.has_open(key, held.claim.producer)
                    {
                        verdicts.insert(key, Err(Refusal::OutOfOrderSequenceNumber));
                    }
                }
                self.produce(now_ms, request, &verdicts, out);
                for key in verdicts.into_keys() {
                    if self.has_open(key, held.claim.producer) {
                        self.verifications.ended(key, held.claim.producer);
                    }
                }
            }
            Waiting::Commit { id, request } => {
                let refusal = verdicts.into_values().find_map(Result::err).map(|refusal| match refusal {
                    // What a group's coordinator says when it cannot say more.
                    Refusal::NotEnoughReplicas => Refusal::CoordinatorLoadInProgress,
                    refusal => refusal,
                });
                match refusal {
                    Some(refusal) => self.refuse_group(id, *request, refusal, out),
                    None => self.ask_group(now_ms, id, *request, out),
                }
            }
        }
    }

    /// Refuses what has waited for too long.
    pub(super) fn expire_verifications(&mut self, now_ms: u64, out: &mut Vec<Output>) {
        let late = |(number, held): (&u64, &Held)| (held.deadline_ms <= now_ms).then_some(*number);
        let late: BTreeSet<u64> = self.verifications.held.iter().filter_map(late).collect();
        late.into_iter().for_each(|number| self.verified(now_ms, number, None, out));
    }
}

/// What a coordinator says, in words that the client's version of Produce knows and takes the right way
/// (Apache Kafka, `AddPartitionsToTxnManager` and `ReplicaManager.handleProduceAppend`).
fn translate(refusal: Refusal, manner: TxnManner) -> Refusal {
    match refusal {
        Refusal::CoordinatorNotAvailable | Refusal::CoordinatorLoadInProgress | Refusal::NotCoordinator => {
            Refusal::NotEnoughReplicas
        }
        Refusal::ConcurrentTransactions if manner != TxnManner::Implicit => Refusal::NotEnoughReplicas,
        Refusal::TransactionAbortable if manner == TxnManner::Plain => Refusal::InvalidTxnState,
        Refusal::ProducerFenced => Refusal::InvalidProducerEpoch,
        refusal => refusal,
    }
}
