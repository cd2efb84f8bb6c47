//! The controller: who is registered, who lives, who leads, who is in sync.
//!
//! One state machine without a quorum: it stands outside the fault domain by default. Its metadata is a
//! snapshot that it hands out whole with every change: [`ControllerOutput::Persist`] comes before every
//! message and event that rests on it.

mod admin;
mod configs;
mod election;
mod isr;
mod reassign;
mod session;

use std::collections::BTreeMap;

use super::image::{MetadataSnapshot, PartitionImage, TopicImage};
use super::message::{FromController, ToController};
use super::settings::Settings;
use super::types::PartitionKey;
use election::Rules;
use session::Session;

/// What a controller is told once.
#[derive(Debug, Clone)]
pub struct ControllerConfig {
    /// The cluster's name; the one in a recovered snapshot wins.
    pub cluster_id: String,
    /// Effective broker settings (those that concern the controller).
    pub settings: Settings,
}

/// What happens to a controller. `connection` is a number of the server's, never used again after
/// [`ControllerInput::Disconnected`].
#[derive(Debug, Clone)]
pub enum ControllerInput {
    /// Time passed; due at least every 20 ms, after every message that has arrived before.
    Tick,
    /// A broker spoke.
    Message {
        /// On this connection.
        connection: u64,
        /// What it said.
        message: ToController,
    },
    /// A connection is gone.
    Disconnected {
        /// This one.
        connection: u64,
    },
}

/// What a controller wants done, in this order.
#[derive(Debug, Clone)]
pub enum ControllerOutput {
    /// Replace the durable metadata; all that follows must wait for it.
    Persist(MetadataSnapshot),
    /// Send to a broker.
    Send {
        /// On this connection; if it is gone, drop the message.
        connection: u64,
        /// What to say.
        message: FromController,
    },
    /// Tell the starter.
    Event(ControllerEvent),
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControllerEvent {
    /// A partition was created or changed.
    Partition {
        /// Its topic's name.
        topic: String,
        /// Its number.
        partition: i32,
        /// What it is now.
        state: PartitionImage,
    },
    /// A topic was deleted.
    Deleted {
        /// Its name.
        topic: String,
    },
    /// A broker is registered, and fenced until it has the metadata.
    Registered {
        /// The broker.
        node: i32,
        /// Under this epoch.
        broker_epoch: i64,
    },
    /// A broker was fenced (`true`) or unfenced.
    Fenced {
        /// The broker.
        node: i32,
        /// Its new state.
        fenced: bool,
    },
}

/// The state machine of the controller.
pub struct Controller {
    settings: Settings,
    snapshot: MetadataSnapshot,
    sessions: BTreeMap<i32, Session>,
    /// Where each broker was last heard.
    connections: BTreeMap<i32, u64>,
    /// When leaders were last brought back to their preferred replicas.
    balanced_ms: u64,
    /// The snapshot has changed in this step (its version has been raised once already).
    changed: bool,
    sends: Vec<(u64, FromController)>,
    events: Vec<ControllerEvent>,
}

impl Controller {
    /// A controller that starts, or starts again: then every broker has a fresh session, since nobody
    /// knows how long ago it was heard.
    #[must_use]
    pub fn new(config: ControllerConfig, recovered: Option<MetadataSnapshot>, now_ms: u64) -> Self {
        let mut snapshot = recovered.unwrap_or_default();
        if snapshot.image.cluster_id.is_empty() {
            snapshot.image.cluster_id = config.cluster_id;
        }
        let sessions = snapshot.image.brokers.keys().map(|node| (*node, Session::new(now_ms))).collect();
        Self {
            settings: config.settings,
            snapshot,
            sessions,
            connections: BTreeMap::new(),
            balanced_ms: now_ms,
            changed: false,
            sends: Vec::new(),
            events: Vec::new(),
        }
    }

    /// The metadata as it stands.
    #[must_use]
    pub const fn snapshot(&self) -> &MetadataSnapshot {
        &self.snapshot
    }

    /// Takes one event and says what is to be done, in order. `now_ms` is monotonic.
    pub fn step(&mut self, now_ms: u64, input: ControllerInput, out: &mut Vec<ControllerOutput>) {
        match input {
            ControllerInput::Tick => {
                self.expire_sessions(now_ms);
                self.balance_if_due(now_ms);
            }
            ControllerInput::Disconnected { connection } => {
                self.connections.retain(|_, known| *known != connection);
            }
            ControllerInput::Message { connection, message } => match message {
                ToController::Register { node, incarnation, host, port, previous_epoch } => {
                    let address = (host, port);
                    let asks = session::Registration { node, incarnation, address, previous_epoch };
                    self.register(now_ms, connection, asks);
                }
                ToController::ShutDown { node, broker_epoch } => {
                    self.shut_down(connection, node, broker_epoch);
                }
                ToController::Heartbeat { node, broker_epoch, image_version } => {
                    self.heartbeat(now_ms, connection, node, broker_epoch, image_version);
                }
                ToController::AlterPartition {
                    request,
                    node,
                    broker_epoch,
                    key,
                    leader_epoch,
                    partition_epoch,
                    isr,
                } => {
                    let proposal = isr::Proposal {
                        request,
                        node,
                        broker_epoch,
                        key,
                        leader_epoch,
                        partition_epoch,
                        isr,
                    };
                    self.alter_partition(connection, &proposal);
                }
                ToController::Admin { request, op } => {
                    let result = self.administer(op);
                    self.sends.push((connection, FromController::Admin { request, result }));
                }
            },
        }
        self.flush(out);
    }

    /// Persist first, then tell: the starter, every broker the new metadata, and at last the answers, so
    /// that who gets one has the metadata it speaks of.
    fn flush(&mut self, out: &mut Vec<ControllerOutput>) {
        if std::mem::take(&mut self.changed) {
            out.push(ControllerOutput::Persist(self.snapshot.clone()));
            out.extend(self.events.drain(..).map(ControllerOutput::Event));
            let image = || FromController::Image(self.snapshot.image.clone());
            let send = |&connection: &u64| ControllerOutput::Send { connection, message: image() };
            out.extend(self.connections.values().map(send));
        }
        let send = |(connection, message)| ControllerOutput::Send { connection, message };
        out.extend(self.sends.drain(..).map(send));
    }

    /// The snapshot is about to change, or has just changed.
    fn change(&mut self) {
        if !self.changed {
            self.changed = true;
            self.snapshot.image.version += 1;
        }
    }

    fn partition_mut(&mut self, key: PartitionKey) -> Option<(&str, &mut PartitionImage)> {
        let (name, topic) = self.snapshot.image.topics.iter_mut().find(|(_, topic)| topic.id == key.topic)?;
        let partition = topic.partitions.get_mut(usize::try_from(key.partition).ok()?)?;
        Some((name.as_str(), partition))
    }

    /// What the settings say about the leaders of a partition; the strictest if it is unknown.
    fn rules_of(&self, key: PartitionKey) -> Rules {
        let topic = self.snapshot.image.topic(key.topic);
        topic.map_or(Rules { unclean: false, elr: false, min_isr: 1 }, |(_, topic)| {
            rules(&self.effective(), topic)
        })
    }

    fn balance_if_due(&mut self, now_ms: u64) {
        let every_ms = self.settings.number("leader.imbalance.check.interval.seconds").saturating_mul(1_000);
        if now_ms >= self.balanced_ms.saturating_add(every_ms) {
            self.balanced_ms = now_ms;
            if self.settings.get("auto.leader.rebalance.enable") == "true" {
                self.balance();
            }
        }
    }

    /// Changes every partition that `change` has something new for.
    fn change_partitions(&mut self, change: impl Fn(&PartitionImage, Rules) -> Option<PartitionImage>) {
        let settings = self.effective();
        let Self { snapshot, events, .. } = self;
        let mut any = false;
        for (name, topic) in &mut snapshot.image.topics {
            let rules = rules(&settings, topic);
            for (number, partition) in (0..).zip(&mut topic.partitions) {
                if let Some(mut state) = change(partition, rules) {
                    state.partition_epoch = partition.partition_epoch + 1;
                    partition.clone_from(&state);
                    events.push(ControllerEvent::Partition { topic: name.clone(), partition: number, state });
                    any = true;
                }
            }
        }
        if any {
            self.change();
        }
    }
}

fn rules(settings: &Settings, topic: &TopicImage) -> Rules {
    Rules {
        unclean: settings.topic(&topic.configs, "unclean.leader.election.enable") == "true",
        elr: settings.number("eligible.leader.replicas.version") > 0,
        min_isr: usize::try_from(settings.topic_number(&topic.configs, "min.insync.replicas"))
            .unwrap_or(usize::MAX),
    }
}
