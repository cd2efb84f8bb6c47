//! What a configuration promises, per guarantee: one rule each, a small pure function over [`Terms`], with
//! its reason and its source in [`Cause`]. The page behind it is the project's table of guarantees.

mod advice;
mod cause;
mod commits;
mod damage;
mod effects;
mod groups;
mod loss;
mod repeats;
mod table;
#[cfg(test)]
mod tests;
mod time;
mod transactions;

use std::collections::BTreeSet;

use history::{FaultClass, PlannedFault};

pub(crate) use advice::advice;
pub use cause::Cause;
pub use effects::Effects;
pub use groups::{Commits, GroupTerms};
pub use table::GUARANTEES;
pub(crate) use table::{
    ABORTED_READS, ACKNOWLEDGED_LOSS, ATOMICITY, AVAILABILITY, BATCHES, CLIENT_LOSS, COMMITS, DUPLICATES,
    EFFECT_DUPLICATES, EFFECT_LOSS, END_OFFSETS, FENCING, ISOLATION, OFFSETS, ORDER, OWNERSHIP, PHANTOMS,
    READING, REAL_TIME, REDELIVERY, SERIALIZABILITY, SILENT_LOSS, UNCONFIRMED_LOSS, UNSEEN, VISIBILITY,
};

use crate::Expectation;

/// Who must have a record before the producer is told so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Acks {
    /// Nobody (`acks=0`).
    None,
    /// The leader (`acks=1`).
    Leader,
    /// Every in-sync replica (`acks=all`).
    All,
}

/// What the plan's faults may do, whatever they happened to do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Envelope {
    /// The classes of fault planned.
    pub classes: BTreeSet<FaultClass>,
    /// Faults that take a broker out of its partitions' leadership, one broker each.
    pub outages: usize,
    /// Faults that can shrink an ISR to its leader alone while the leader lives.
    pub shrinks: usize,
    /// Brokers that lose their power, each time one does; several at once count as two at least.
    pub blackouts: usize,
    /// Brokers whose disk is taken from or damaged behind their back.
    pub damages: usize,
    /// Nobody tells which faults there were: a history from elsewhere.
    pub unknown: bool,
}

impl Envelope {
    /// Of a history that tells of no fault and may have had any of the processes and the network.
    #[must_use]
    pub fn unknown() -> Self {
        let classes =
            [FaultClass::Kill, FaultClass::Pause, FaultClass::IsolateLeader, FaultClass::IsolateFollowers];
        let mut envelope = Self { unknown: true, ..Self::default() };
        classes.into_iter().for_each(|class| envelope.add(class));
        envelope
    }

    /// The envelope of a schedule on a cluster of so many brokers (0 where nobody knows).
    #[must_use]
    pub fn of(schedule: &[PlannedFault], nodes: u32) -> Self {
        let mut envelope = Self::default();
        for fault in schedule {
            envelope.add(fault.class);
            // A minority of several brokers goes at once; of three or four it is one.
            envelope.outages += usize::from(fault.class == FaultClass::IsolateMinority && nodes > 4);
        }
        envelope
    }

    /// Adds one fault. Every class must be placed here before any rule can speak of it: the rules below
    /// hold for process and network faults, which leave what was written in the page cache, unless they say otherwise.
    pub fn add(&mut self, class: FaultClass) {
        self.classes.insert(class);
        match class {
            FaultClass::Kill
            | FaultClass::Pause
            | FaultClass::IsolateLeader
            | FaultClass::Stop
            | FaultClass::IsolateMinority
            | FaultClass::KillCoordinator
            | FaultClass::IsolateCoordinator
            // It gives up, and comes back with all that it had confirmed.
            | FaultClass::DiskFull => self.outages += 1,
            // Followers that are cut off, late or slow leave the ISR while their leader stays.
            FaultClass::IsolateFollowers
            | FaultClass::PartialPartition
            | FaultClass::SlowLinks
            | FaultClass::NarrowLinks
            | FaultClass::LossyLinks
            | FaultClass::ReorderPackets
            | FaultClass::DuplicatePackets
            | FaultClass::CorruptPackets => self.shrinks += 1,
            // The leader may drop its followers from the ISR first, and then be taken for dead itself.
            FaultClass::IsolateOneWay => {
                self.outages += 1;
                self.shrinks += 1;
            }
            // The same of a leader that waits for its disk, or measures its followers by a clock that is wrong.
            FaultClass::SlowDisk
            | FaultClass::ClockBump
            | FaultClass::ClockSkew
            | FaultClass::ClockStrobe => {
                self.outages += 1;
                self.shrinks += 1;
            }
            // The next broker goes when the one before is late to be in sync again; without the controller all
            // are taken for dead at once.
            FaultClass::RollingRestart | FaultClass::IsolateController => self.outages += 2,
            // The brokers are whole.
            FaultClass::IsolateClients
            | FaultClass::DropResponses
            | FaultClass::SlowClients
            | FaultClass::KillProducer
            | FaultClass::PauseProducer
            | FaultClass::KillReader
            | FaultClass::KillMember
            | FaultClass::PauseMember
            | FaultClass::RebalanceStorm
            | FaultClass::DropCache => {}
            // Brokers are whole, and who is dropped or moved leaves its place to others in sync; an unclean election
            // needs a partition that other faults have left without a leader.
            FaultClass::ReassignReplicas
            | FaultClass::PreferredElection
            | FaultClass::UncleanElection
            | FaultClass::AddPartitions
            | FaultClass::AlterTopicConfigs => {}
            FaultClass::TruncateLog | FaultClass::FlipBit | FaultClass::StaleDisk => {
                self.outages += 1;
                self.damages += 1;
            }
            // What its file system does not take any more is gone when it is mounted again.
            FaultClass::PowerFailure | FaultClass::ReadOnlyDisk => {
                self.outages += 1;
                self.blackouts += 1;
            }
            FaultClass::PowerFailureAll => {
                self.outages += 2;
                self.blackouts += 2;
            }
        }
    }

    /// Whether what a broker had not synced can be gone.
    #[must_use]
    pub fn loses_power(&self) -> bool {
        self.blackouts > 0
    }

    /// Whether one broker loses its power, once, and nothing else is planned that can shrink an ISR before it
    /// is back in: the others then have everything that was acknowledged.
    #[must_use]
    pub fn is_one_blackout(&self) -> bool {
        self.blackouts == 1 && self.outages == 1 && self.shrinks == 0
    }

    /// Whether one broker's disk is damaged, once, and nothing else is planned that can shrink an ISR or end a
    /// leader: the others have everything that was acknowledged, and lead.
    #[must_use]
    pub fn is_one_damage(&self) -> bool {
        self.damages == 1 && self.outages == 1 && self.shrinks == 0
    }

    /// Whether a replica may go on with a log that is wrong in the middle and not only short: what it is sent lands
    /// behind the damage, and nobody mends it.
    #[must_use]
    pub fn leaves_damage(&self) -> bool {
        self.classes.contains(&FaultClass::TruncateLog) || self.classes.contains(&FaultClass::FlipBit)
    }

    /// Whether leadership can move to another broker.
    #[must_use]
    pub fn moves_leadership(&self) -> bool {
        self.classes.iter().any(|class| class.moves_leadership())
    }

    /// Whether a planned fault may let a request of a client or a coordinator arrive long after it was given
    /// up: a pause, a cut or a slow link holds it back, an end of the process drops it with its connection, and
    /// a lost answer or controller delays none. A history from elsewhere tells of none, and is held to what
    /// holds without.
    #[must_use]
    pub fn delays_requests(&self) -> bool {
        let held_back = |class: &FaultClass| match class {
            FaultClass::Pause
            | FaultClass::IsolateLeader
            | FaultClass::IsolateFollowers
            | FaultClass::IsolateMinority
            | FaultClass::IsolateOneWay
            | FaultClass::PartialPartition
            | FaultClass::IsolateClients
            | FaultClass::SlowClients
            | FaultClass::SlowLinks
            | FaultClass::NarrowLinks
            | FaultClass::PauseProducer
            | FaultClass::IsolateCoordinator
            | FaultClass::PauseMember
            | FaultClass::SlowDisk
            | FaultClass::LossyLinks
            | FaultClass::ReorderPackets
            | FaultClass::DuplicatePackets
            | FaultClass::CorruptPackets
            // A time-out by a wrong clock comes before what it timed out.
            | FaultClass::ClockBump
            | FaultClass::ClockSkew
            | FaultClass::ClockStrobe => true,
            FaultClass::Kill
            | FaultClass::PowerFailure
            | FaultClass::PowerFailureAll
            | FaultClass::Stop
            | FaultClass::RollingRestart
            | FaultClass::DropResponses
            | FaultClass::IsolateController
            | FaultClass::KillProducer
            | FaultClass::KillReader
            | FaultClass::ReassignReplicas
            | FaultClass::PreferredElection
            | FaultClass::UncleanElection
            | FaultClass::AddPartitions
            | FaultClass::AlterTopicConfigs
            | FaultClass::KillCoordinator
            | FaultClass::KillMember
            | FaultClass::RebalanceStorm
            | FaultClass::DiskFull
            | FaultClass::ReadOnlyDisk
            | FaultClass::TruncateLog
            | FaultClass::FlipBit
            | FaultClass::StaleDisk
            | FaultClass::DropCache => false,
        };
        !self.unknown && self.classes.iter().any(held_back)
    }

    /// Whether replicas are moved, so that a lone one has a companion for a while, and then another place.
    #[must_use]
    pub fn moves_replicas(&self) -> bool {
        self.classes.contains(&FaultClass::ReassignReplicas)
    }

    /// Whether an unclean election is asked for, whatever the topic's settings say.
    #[must_use]
    pub fn asks_for_unclean_election(&self) -> bool {
        self.classes.contains(&FaultClass::UncleanElection)
    }

    /// Whether every in-sync replica can be out at once, so that an unclean election has to choose among
    /// the others. One outage leaves the rest of a full ISR; a second may come before the first is back
    /// in it, and one after a shrink takes the last member.
    #[must_use]
    pub fn can_empty_isr(&self) -> bool {
        self.outages > 1 || (self.outages > 0 && self.shrinks > 0)
    }
}

/// The inputs of every rule: effective settings and the fault envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// `acks`.
    pub acks: Acks,
    /// `min.insync.replicas`.
    pub min_isr: u32,
    /// `replication.factor`.
    pub replicas: u32,
    /// `unclean.leader.election.enable`.
    pub unclean: bool,
    /// Leadership may go back to a preferred replica by itself (`auto.leader.rebalance.enable`).
    pub rebalances: bool,
    /// `enable.idempotence`.
    pub idempotent: bool,
    /// `flush.messages=1`: what is acknowledged is durable on every replica that confirmed it.
    pub flush_each: bool,
    /// `retries` is more than 0.
    pub retry: bool,
    /// No client counted a retry or raised an error: nothing shows that anything was sent twice.
    pub undisturbed: bool,
    /// A client gave up records because their time was over (`delivery.timeout.ms`).
    pub gave_up: bool,
    /// `isolation.level=read_committed` for every reader.
    pub read_committed: bool,
    /// Something was done in transactions.
    pub transactional: bool,
    /// The user says that the target promises strict serializability (`strict-serializable=true`), which
    /// Kafka does not.
    pub strict_serializable: bool,
    /// Consumers committed offsets.
    pub commits: bool,
    /// The consumers were members of a group.
    pub group: Option<GroupTerms>,
    /// A sink was read back.
    pub sinks: bool,
    /// How often each record takes effect there, if anybody says so (`effects=…`).
    pub effects: Option<Effects>,
    /// What may go wrong.
    pub envelope: Envelope,
}

impl Terms {
    /// Whether a replica may lead, and be read from, whose log was damaged behind its back.
    #[must_use]
    pub fn damage_may_lead(&self) -> bool {
        let alone = self.replicas <= 1 || self.min_isr <= 1;
        // By request too: a preferred election, a reassignment.
        let moved = |class: &FaultClass| class.moves_leadership() && !class.damages_disk();
        let leads_again = self.rebalances || self.envelope.classes.iter().any(moved);
        self.envelope.leaves_damage() && (alone || leads_again || !self.envelope.is_one_damage())
    }
}

/// What a rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Promise {
    /// What must, may or need not hold.
    pub expectation: Expectation,
    /// Why.
    pub cause: Cause,
}

impl Promise {
    const fn must_hold(cause: Cause) -> Self {
        Self { expectation: Expectation::MustHold, cause }
    }

    const fn may_break(cause: Cause) -> Self {
        Self { expectation: Expectation::MayBreak, cause }
    }

    const fn none(cause: Cause) -> Self {
        Self { expectation: Expectation::NoGuarantee, cause }
    }

    /// Whether a break would be a bug.
    #[must_use]
    pub fn is_must_hold(self) -> bool {
        self.expectation == Expectation::MustHold
    }
}

/// One guarantee: its name, what it means, and the rule that says when it is given.
#[derive(Debug)]
pub struct Guarantee {
    /// Its name, kebab-case.
    pub name: &'static str,
    /// What it means, in a user's words.
    pub promise: &'static str,
    /// The rule; `None` where the guarantee says nothing about such a configuration.
    pub rule: fn(&Terms) -> Option<Promise>,
    /// It is judged on the drained log, so that nobody can say without one.
    pub needs_log: bool,
}
