//! Registration, heartbeats, fencing and unfencing (KIP-631).

use super::super::image::BrokerImage;
use super::super::message::FromController;
use super::super::refusal::Refusal;
use super::super::types::Uuid;
use super::{Controller, ControllerEvent, election};

/// What the controller knows of a broker's process; none of it is durable.
#[derive(Debug, Clone, Copy)]
pub(super) struct Session {
    heard_ms: u64,
    /// Number of the last AlterPartition heeded.
    pub(super) last_request: u64,
}

impl Session {
    pub(super) const fn new(now_ms: u64) -> Self {
        Self { heard_ms: now_ms, last_request: 0 }
    }
}

/// A process that asks for its broker id.
pub(super) struct Registration {
    pub(super) node: i32,
    pub(super) incarnation: Uuid,
    pub(super) address: (String, u16),
    /// Of its predecessor, if that one ended cleanly; else -1.
    pub(super) previous_epoch: i64,
}

impl Controller {
    fn has_session(&self, now_ms: u64, node: i32) -> bool {
        let timeout_ms = self.settings.number("broker.session.timeout.ms");
        self.sessions.get(&node).is_some_and(|session| now_ms < session.heard_ms + timeout_ms)
    }

    /// A new incarnation is refused while the old one's session lasts, so that leadership and ISR
    /// membership have gone from it before its successor, which may have lost records, is heard. The same
    /// incarnation may ask again.
    pub(super) fn register(&mut self, now_ms: u64, connection: u64, asks: Registration) {
        let Registration { node, incarnation, address, previous_epoch } = asks;
        self.expire_sessions(now_ms);
        let known = self.snapshot.image.brokers.get(&node);
        let broker_epoch = match known {
            Some(known) if known.incarnation == incarnation => known.epoch,
            Some(_) if self.has_session(now_ms, node) => {
                let reason = Refusal::DuplicateBrokerRegistration;
                self.sends.push((connection, FromController::RegistrationRefused { reason }));
                return;
            }
            _ => {
                let clean = known.is_none_or(|known| known.epoch == previous_epoch);
                // Its session has expired, so it was fenced, and the leader epochs of all it led have moved.
                self.change();
                let epoch = i64::try_from(self.snapshot.image.version).unwrap_or(i64::MAX);
                let (host, port) = address;
                let broker = BrokerImage { epoch, incarnation, host, port, fenced: true };
                self.snapshot.image.brokers.insert(node, broker);
                self.sessions.insert(node, Session::new(now_ms));
                if !clean {
                    let live = self.live();
                    self.change_partitions(|partition, rules| {
                        election::after_unclean_end(partition, node, &live, rules)
                    });
                }
                self.events.push(ControllerEvent::Registered { node, broker_epoch: epoch });
                epoch
            }
        };
        self.connections.insert(node, connection);
        let image = self.snapshot.image.clone();
        self.sends.push((connection, FromController::Registered { broker_epoch, image }));
    }

    pub(super) fn heartbeat(
        &mut self,
        now_ms: u64,
        connection: u64,
        node: i32,
        broker_epoch: i64,
        image_version: u64,
    ) {
        let current = self.snapshot.image.brokers.get(&node).is_some_and(|known| known.epoch == broker_epoch);
        if !current {
            let result = Err(Refusal::StaleBrokerEpoch);
            self.sends.push((connection, FromController::HeartbeatAck { broker_epoch, result }));
            return;
        }
        if let Some(session) = self.sessions.get_mut(&node) {
            session.heard_ms = now_ms;
        }
        self.connections.insert(node, connection);
        if image_version < self.snapshot.image.version {
            // What was pushed on an older connection may never have arrived.
            self.sends.push((connection, FromController::Image(self.snapshot.image.clone())));
        }
        self.expire_sessions(now_ms);
        // Caught up: it has at least the metadata in which it is registered. Without a session it is about to
        // end, and this was sent before it said so.
        if self.sessions.contains_key(&node) && image_version >= u64::try_from(broker_epoch).unwrap_or(0) {
            self.unfence(node);
        }
        let fenced = self.snapshot.image.brokers.get(&node).is_some_and(|known| known.fenced);
        self.sends.push((connection, FromController::HeartbeatAck { broker_epoch, result: Ok(fenced) }));
    }

    /// A broker is about to end: others lead from now on, and its successor need not wait for its session to
    /// expire, since what it has is on disk.
    pub(super) fn shut_down(&mut self, connection: u64, node: i32, broker_epoch: i64) {
        if self.snapshot.image.brokers.get(&node).is_some_and(|known| known.epoch == broker_epoch) {
            self.sessions.remove(&node);
            self.fence(node);
        }
        self.sends.push((connection, FromController::MayEnd { broker_epoch }));
    }

    /// Fences every broker that was not heard for too long, the one silent longest first.
    pub(super) fn expire_sessions(&mut self, now_ms: u64) {
        let lives = |node: i32| self.has_session(now_ms, node);
        let brokers = self.snapshot.image.brokers.iter();
        let mut expired: Vec<_> = brokers
            .filter(|(node, broker)| !broker.fenced && !lives(**node))
            .map(|(node, _)| (self.sessions.get(node).map_or(0, |session| session.heard_ms), *node))
            .collect();
        expired.sort_unstable();
        for (_, node) in expired {
            self.fence(node);
        }
    }

    fn fence(&mut self, node: i32) {
        if self.snapshot.image.brokers.get(&node).is_some_and(|broker| !broker.fenced) {
            self.set_fenced(node, true);
        }
        let live = self.live();
        self.change_partitions(|partition, rules| election::without(partition, node, &live, rules));
    }

    fn unfence(&mut self, node: i32) {
        if self.snapshot.image.brokers.get(&node).is_some_and(|broker| broker.fenced) {
            self.set_fenced(node, false);
            let live = self.live();
            self.change_partitions(|partition, rules| election::led_again(partition, &live, rules));
        }
    }

    fn set_fenced(&mut self, node: i32, fenced: bool) {
        if let Some(broker) = self.snapshot.image.brokers.get_mut(&node) {
            broker.fenced = fenced;
            self.change();
            self.events.push(ControllerEvent::Fenced { node, fenced });
        }
    }

    /// The brokers that may lead and replicate.
    pub(super) fn live(&self) -> Vec<i32> {
        let brokers = self.snapshot.image.brokers.iter();
        brokers.filter(|(_, broker)| !broker.fenced).map(|(node, _)| *node).collect()
    }
}
