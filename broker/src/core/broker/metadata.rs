//! The broker's side of the controller: registration, heartbeats, new metadata, and the ISR of what it
//! leads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::image::{ClusterImage, NO_LEADER};
use super::super::io::{BrokerEvent, Output, RecoveredLog};
use super::super::leader::Pending;
use super::super::log::Log;
use super::super::message::{FromController, IsrMember, PartitionState, ToController};
use super::super::refusal::Refusal;
use super::super::replica::{Replica, Role};
use super::super::types::PartitionKey;
use super::{Broker, release};

impl Broker {
    /// Registers, or says that this process is alive.
    pub(super) fn contact_controller(&mut self, now_ms: u64, out: &mut Vec<Output>) {
        self.heard_by_controller_ms = Some(now_ms);
        let node = self.config.node;
        out.push(Output::ToController(match self.epoch {
            Some(broker_epoch) => {
                ToController::Heartbeat { node, broker_epoch, image_version: self.image.version }
            }
            None => ToController::Register {
                node,
                incarnation: self.config.incarnation,
                host: self.config.host.clone(),
                port: self.config.port,
                previous_epoch: self.config.previous_epoch,
            },
        }));
    }

    pub(super) fn hear_controller(&mut self, now_ms: u64, message: FromController, out: &mut Vec<Output>) {
        match message {
            FromController::Registered { broker_epoch, image } => {
                self.epoch = Some(broker_epoch);
                out.push(Output::Event(BrokerEvent::Registered { broker_epoch }));
                self.adopt(now_ms, image, out);
                // At once: the heartbeat shows that the metadata is here, which is what unfences.
                self.contact_controller(now_ms, out);
            }
            FromController::RegistrationRefused { reason } => {
                out.push(Output::Event(BrokerEvent::RegistrationRefused { reason }));
            }
            FromController::HeartbeatAck { broker_epoch, result } => {
                if result.is_err() && self.epoch == Some(broker_epoch) {
                    self.epoch = None;
                }
            }
            FromController::Image(image) => self.adopt(now_ms, image, out),
            FromController::AlterPartition { request, key, result } => {
                self.hear_isr(now_ms, request, key, result, out);
            }
            FromController::MayEnd { broker_epoch } => {
                if self.epoch == Some(broker_epoch) {
                    out.push(Output::Event(BrokerEvent::MayEnd));
                }
            }
            // The server's own business.
            FromController::Admin { .. } => {}
        }
    }

    /// Takes newer metadata, if it is about this incarnation: what an older one led is not ours to lead.
    pub(super) fn adopt(&mut self, now_ms: u64, image: ClusterImage, out: &mut Vec<Output>) {
        let node = self.config.node;
        let ours = image.brokers.get(&node).filter(|broker| Some(broker.epoch) == self.epoch);
        let Some(fenced) = ours.map(|broker| broker.fenced) else { return };
        if image.version <= self.image.version {
            return;
        }
        if self.image.brokers.get(&node).map(|broker| broker.fenced) != Some(fenced) {
            out.push(Output::Event(BrokerEvent::Fenced(fenced)));
        }
        for (&other, broker) in &image.brokers {
            if self.image.brokers.get(&other).is_none_or(|known| known.epoch != broker.epoch) {
                self.fetchers.forget(other);
            }
        }
        let image = Arc::new(image);
        self.image = Arc::clone(&image);
        self.settings = image.settings(&self.config.settings, node);
        self.lag_ms = self.settings.number("replica.lag.time.max.ms");
        let ctx = self.context(now_ms, &image);
        let mut gone: BTreeSet<_> = self.replicas.keys().copied().collect();
        let mut follows: BTreeMap<i32, BTreeSet<PartitionKey>> = BTreeMap::new();
        for (name, topic) in &image.topics {
            for (partition, state) in (0..).zip(&topic.partitions) {
                if !state.replicas.contains(&node) {
                    continue;
                }
                let key = PartitionKey { topic: topic.id, partition };
                gone.remove(&key);
                let replica = self.replicas.entry(key).or_insert_with(|| {
                    out.push(Output::OpenLog { key, topic: name.clone() });
                    Replica::new(key, Log::recovered(RecoveredLog::empty(key), ctx.flaw), 0)
                });
                let settings = &self.settings;
                // More than there are replicas can never be in sync.
                replica.min_isr = settings
                    .topic_number(&topic.configs, "min.insync.replicas")
                    .min(state.target().len() as u64);
                replica.max_batch_bytes = settings.topic_number(&topic.configs, "max.message.bytes");
                let before = (replica.leader_epoch, replica.high_watermark);
                let released = replica.assign(ctx, state, out);
                if before != (replica.leader_epoch, replica.high_watermark) {
                    self.touched.insert(key);
                }
                if let Role::Follower(follower) = &replica.role
                    && follower.leader != NO_LEADER
                {
                    follows.entry(follower.leader).or_default().insert(key);
                }
                release(&mut self.produces, released, out);
            }
        }
        for key in gone {
            if let Some(mut replica) = self.replicas.remove(&key) {
                release(&mut self.produces, replica.abandon_waiters(), out);
                self.touched.insert(key);
                out.push(Output::DeleteLog { key });
            }
        }
        self.fetchers.follow(follows);
        self.move_coordinators(now_ms, out);
    }

    pub(super) fn hear_isr(
        &mut self,
        now_ms: u64,
        request: u64,
        key: PartitionKey,
        result: Result<PartitionState, Refusal>,
        out: &mut Vec<Output>,
    ) {
        let cluster = Arc::clone(&self.image);
        let ctx = self.context(now_ms, &cluster);
        let Some(replica) = self.replicas.get_mut(&key) else { return };
        let (leader_epoch, partition_epoch) = (replica.leader_epoch, replica.partition_epoch);
        let Role::Leader(leader) = &mut replica.role else { return };
        match result {
            Ok(state) => {
                if state.leader_epoch == leader_epoch && state.partition_epoch > partition_epoch {
                    replica.partition_epoch = state.partition_epoch;
                    let released = replica.adopt_isr(ctx, &state.isr, out);
                    release(&mut self.produces, released, out);
                    self.touched.insert(key);
                }
            }
            Err(reason) => {
                let Some(pending) = leader.pending.as_mut().filter(|pending| pending.request == request)
                else {
                    return;
                };
                out.push(Output::Event(BrokerEvent::IsrRefused { key, reason }));
                match reason {
                    // Decided against, and no older copy of the request can be accepted any more: the
                    // confirmed ISR stands. All else may have been decided differently meanwhile.
                    Refusal::IneligibleReplica => leader.pending = None,
                    Refusal::FencedLeaderEpoch | Refusal::InvalidUpdateVersion => pending.superseded = true,
                    _ => {}
                }
            }
        }
    }

    /// A leader's upkeep: out with those that lag, on with what waits for others, again what got no answer.
    pub(super) fn tend(&mut self, now_ms: u64, key: PartitionKey, out: &mut Vec<Output>) {
        let cluster = Arc::clone(&self.image);
        let ctx = self.context(now_ms, &cluster);
        let Some(replica) = self.replicas.get_mut(&key) else { return };
        let Role::Leader(leader) = &replica.role else { return };
        let retry = leader.pending.as_ref().and_then(|pending| {
            let due = !pending.superseded && now_ms >= pending.sent_ms + self.heartbeat_ms;
            due.then(|| pending.isr.clone())
        });
        let shrunk = || leader.shrunk(ctx.me, replica.log.end(), now_ms, self.lag_ms);
        let members = |isr: Vec<i32>| leader.members(ctx.me, self.epoch.unwrap_or(-1), &isr);
        if let Some(isr) = retry.or_else(|| shrunk().map(members)) {
            self.propose(now_ms, key, isr, out);
        }
        self.advance(now_ms, key, out);
    }

    pub(super) fn propose(
        &mut self,
        now_ms: u64,
        key: PartitionKey,
        isr: Vec<IsrMember>,
        out: &mut Vec<Output>,
    ) {
        let (node, Some(broker_epoch)) = (self.config.node, self.epoch) else { return };
        let Some(replica) = self.replicas.get_mut(&key) else { return };
        let Role::Leader(leader) = &mut replica.role else { return };
        self.last_request += 1;
        let request = self.last_request;
        out.push(Output::ToController(ToController::AlterPartition {
            request,
            node,
            broker_epoch,
            key,
            leader_epoch: replica.leader_epoch,
            partition_epoch: replica.partition_epoch,
            isr: isr.clone(),
        }));
        leader.pending = Some(Pending { request, sent_ms: now_ms, superseded: false, isr });
    }
}
