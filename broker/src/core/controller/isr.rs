//! AlterPartition: a leader proposes another ISR (KIP-497, KIP-841, KIP-903).

use super::super::message::{FromController, IsrMember, PartitionState};
use super::super::refusal::Refusal;
use super::super::types::PartitionKey;
use super::{Controller, election};

/// The fields of an AlterPartition.
pub(super) struct Proposal {
    pub(super) request: u64,
    pub(super) node: i32,
    pub(super) broker_epoch: i64,
    pub(super) key: PartitionKey,
    pub(super) leader_epoch: i32,
    pub(super) partition_epoch: i32,
    pub(super) isr: Vec<IsrMember>,
}

impl Controller {
    pub(super) fn alter_partition(&mut self, connection: u64, proposal: &Proposal) {
        let Proposal { request, node, broker_epoch, key, .. } = *proposal;
        let brokers = &self.snapshot.image.brokers;
        let current = brokers.get(&node).is_some_and(|known| known.epoch == broker_epoch);
        let result = match self.sessions.get_mut(&node).filter(|_| current) {
            // Sent on a connection that was held up, and overtaken by a later one: the leader may have acted
            // on the answer to that, so this one must not count any more. It gets no answer.
            Some(session) if request <= session.last_request => return,
            Some(session) => {
                session.last_request = request;
                self.decide(proposal)
            }
            None => Err(Refusal::StaleBrokerEpoch),
        };
        self.sends.push((connection, FromController::AlterPartition { request, key, result }));
    }

    fn decide(&mut self, proposal: &Proposal) -> Result<PartitionState, Refusal> {
        let image = &self.snapshot.image;
        let partition = image.partition(proposal.key).ok_or(Refusal::UnknownTopicId)?;
        if proposal.leader_epoch < partition.leader_epoch {
            return Err(Refusal::FencedLeaderEpoch);
        }
        if proposal.leader_epoch > partition.leader_epoch
            || proposal.partition_epoch > partition.partition_epoch
        {
            return Err(Refusal::NotController);
        }
        if proposal.node != partition.leader {
            return Err(Refusal::InvalidRequest);
        }
        if proposal.partition_epoch < partition.partition_epoch {
            return Err(Refusal::InvalidUpdateVersion);
        }
        let names = |node: i32| proposal.isr.iter().filter(|member| member.node == node).count();
        let sound =
            proposal.isr.iter().all(|one| partition.replicas.contains(&one.node) && names(one.node) == 1);
        if !sound || names(proposal.node) == 0 {
            return Err(Refusal::InvalidRequest);
        }
        let eligible = |member: &IsrMember| match image.brokers.get(&member.node) {
            Some(broker) => !broker.fenced && [-1, broker.epoch].contains(&member.broker_epoch),
            None => false,
        };
        if !proposal.isr.iter().all(eligible) {
            return Err(Refusal::IneligibleReplica);
        }
        let (before, rules) = (partition.clone(), self.rules_of(proposal.key));
        let mut next = before.clone();
        next.isr = proposal.isr.iter().map(|member| member.node).collect();
        let live = self.live();
        let next = election::settled(&before, next, &live, rules, None).unwrap_or(before);
        self.put(proposal.key, next);
        let state = self.snapshot.image.partition(proposal.key).ok_or(Refusal::UnknownTopicId)?;
        let answer = PartitionState {
            leader: state.leader,
            leader_epoch: state.leader_epoch,
            partition_epoch: state.partition_epoch,
            isr: state.isr.clone(),
        };
        Ok(answer)
    }
}
