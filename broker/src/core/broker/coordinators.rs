//! The broker's side of the coordinators: lends them the logs, and carries on with what they append.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::list_groups_response::ListedGroup;

use super::super::coordinator::{
    GroupRequest, Groups, Host, InternalTopic, Machine, Shards, Transactions, TxnInput, TxnListing,
    TxnRequest,
};
use super::super::errands::PeerAnswer;
use super::super::image::ClusterImage;
use super::super::io::Output;
use super::super::refusal::Refusal;
use super::super::types::{PartitionKey, RequestId};
use super::Broker;

/// Every coordinator on this broker.
#[derive(Default)]
pub(super) struct Coordinators {
    pub(super) groups: Shards<Groups>,
    pub(super) transactions: Shards<Transactions>,
}

impl Broker {
    /// Runs coordinators, and advances the partitions that they append to.
    pub(super) fn coordinate(
        &mut self,
        now_ms: u64,
        out: &mut Vec<Output>,
        act: impl FnOnce(&mut Coordinators, &mut Host<'_>, &mut Vec<Output>),
    ) {
        let mut coordinators = std::mem::take(&mut self.coordinators);
        let cluster = Arc::clone(&self.image);
        let mut appended = BTreeSet::new();
        act(&mut coordinators, &mut self.host(now_ms, &cluster, &mut appended), out);
        self.coordinators = coordinators;
        for key in appended {
            self.touched.insert(key);
            self.advance(now_ms, key, out);
        }
    }

    fn host<'a>(
        &'a mut self,
        now_ms: u64,
        cluster: &'a ClusterImage,
        appended: &'a mut BTreeSet<PartitionKey>,
    ) -> Host<'a> {
        Host {
            ctx: self.context(now_ms, cluster),
            wall_ms: self.wall_ms(now_ms),
            settings: &self.settings,
            replicas: &mut self.replicas,
            appended,
        }
    }

    /// The groups that this broker coordinates, and whether some of them are not known yet because their
    /// coordinator is still reading its log.
    #[must_use]
    pub fn groups(&self) -> (Vec<ListedGroup>, bool) {
        let (machines, loading) = self.coordinators.groups.loaded();
        (machines.flat_map(Groups::list).collect(), loading)
    }

    /// Tells coordinators what has been committed, as long as that brings something new.
    pub(super) fn settle_coordinators(&mut self, now_ms: u64, out: &mut Vec<Output>) {
        let mut more = true;
        while more {
            more = false;
            self.coordinate(now_ms, out, |coordinators, host, out| {
                coordinators.groups.settle(host, out);
                coordinators.transactions.settle(host, out);
                // With a leader alone in the ISR an append is committed at once.
                more = !host.appended.is_empty();
            });
        }
    }

    /// Lets every coordinator know the time.
    pub(super) fn tick_coordinators(&mut self, now_ms: u64, out: &mut Vec<Output>) {
        self.coordinate(now_ms, out, |coordinators, host, out| {
            coordinators.groups.tick(host, out);
            coordinators.transactions.tick(host, out);
        });
    }

    /// Begins and ends coordinators after a change of leaders.
    pub(super) fn move_coordinators(&mut self, now_ms: u64, out: &mut Vec<Output>) {
        self.coordinate(now_ms, out, |coordinators, host, out| {
            coordinators.groups.follow_leadership(host, out);
            coordinators.transactions.follow_leadership(host, out);
        });
    }

    /// What a coordinator has asked to read has come. Whose it is not passes it over.
    pub(super) fn read_coordinator_log(
        &mut self,
        now_ms: u64,
        key: PartitionKey,
        leader_epoch: i32,
        to: i64,
        bytes: Bytes,
        out: &mut Vec<Output>,
    ) {
        self.coordinate(now_ms, out, |coordinators, host, out| {
            coordinators.groups.read(host, key, leader_epoch, to, bytes.clone(), out);
            coordinators.transactions.read(host, key, leader_epoch, to, bytes, out);
        });
    }

    pub(super) fn ask_group(
        &mut self,
        now_ms: u64,
        id: RequestId,
        request: GroupRequest,
        out: &mut Vec<Output>,
    ) {
        let key = InternalTopic::ConsumerOffsets.partition_of(&self.image, &request.group);
        self.coordinate(now_ms, out, |coordinators, host, out| {
            coordinators.groups.handle(host, key, id, request, out);
        });
    }

    pub(super) fn refuse_group(
        &self,
        id: RequestId,
        request: GroupRequest,
        refusal: Refusal,
        out: &mut Vec<Output>,
    ) {
        Groups::refuse(id, request, refusal, out);
    }

    pub(super) fn ask_transaction(
        &mut self,
        now_ms: u64,
        id: RequestId,
        request: TxnRequest,
        out: &mut Vec<Output>,
    ) {
        let key = InternalTopic::TransactionState.partition_of(&self.image, &request.transactional_id);
        self.coordinate(now_ms, out, |coordinators, host, out| {
            coordinators.transactions.handle(host, key, id, TxnInput::Asked(request), out);
        });
    }

    /// A leader has answered one of our coordinators.
    pub(super) fn hear_of_markers(
        &mut self,
        now_ms: u64,
        shard: PartitionKey,
        epoch: i32,
        number: u64,
        answer: Option<PeerAnswer>,
        out: &mut Vec<Output>,
    ) {
        let input = TxnInput::Written { epoch, number, answer };
        self.coordinate(now_ms, out, |coordinators, host, out| {
            // Nobody is answered, so no request is named.
            coordinators.transactions.handle(host, Some(shard), RequestId(0), input, out);
        });
    }

    /// Every transactional id coordinated here, and whether some coordinators are still being loaded
    /// (ListTransactions, KIP-664).
    #[must_use]
    pub fn transactions(&self) -> (Vec<TxnListing>, bool) {
        let (machines, loading) = self.coordinators.transactions.loaded();
        (machines.flat_map(Transactions::list).collect(), loading)
    }
}
