//! Faults in the words every room shares: nemeses inject them, checkers read them in the plan.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::event::Role;
use crate::ids::{NodeId, Partition};
use crate::view::worker_name;

/// What a fault may do to the cluster. The guarantees are stated over these classes (the fault envelope
/// of a plan), never over a nemesis's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultClass {
    /// A broker process dies by SIGKILL; what it wrote to the page cache stays.
    Kill,
    /// A broker process is stopped (SIGSTOP) and later continued.
    Pause,
    /// A leader is cut off from all other brokers and the controller, and keeps its clients.
    IsolateLeader,
    /// The followers lose the leader; everyone keeps the controller.
    IsolateFollowers,
    /// A broker loses its power: it dies, and what it had not synced is gone.
    PowerFailure,
    /// Every broker loses its power at once.
    PowerFailureAll,
    /// A broker ends in an orderly way, after others lead what it led, and is started again later.
    Stop,
    /// Every broker is ended in an orderly way and started again, one after the other.
    RollingRestart,
    /// A minority of the brokers is cut off from the others and the controller, and keeps its clients.
    IsolateMinority,
    /// A leader no longer hears the other brokers and the controller, or is no longer heard by them; it keeps
    /// its clients.
    IsolateOneWay,
    /// Some pairs of brokers lose each other; everyone keeps the controller.
    PartialPartition,
    /// Clients lose a leader; brokers lose nobody.
    IsolateClients,
    /// A leader's answers to its clients are lost, though it has done what they asked.
    DropResponses,
    /// Bytes between brokers come late.
    SlowLinks,
    /// Few bytes a second pass between brokers.
    NarrowLinks,
    /// Bytes between clients and a leader come late.
    SlowClients,
    /// Every broker loses the controller, and keeps the others and its clients.
    IsolateController,
    /// A producing application dies by SIGKILL; what it had not handed to a broker is gone. Another session of it
    /// goes on later.
    KillProducer,
    /// A producing application is stopped (SIGSTOP) and later continued.
    PauseProducer,
    /// A reading application dies by SIGKILL; another session of it reads later.
    KillReader,
    /// Replicas of a partition are moved to other brokers, dropped, or put into another order, and back later.
    ReassignReplicas,
    /// A partition is given to its preferred leader, after another one was made that where it led already.
    PreferredElection,
    /// Partitions without a leader are given to replicas that are out of sync.
    UncleanElection,
    /// The topic gets more partitions.
    AddPartitions,
    /// A setting of the topic is changed, and changed back later.
    AlterTopicConfigs,
    /// The broker that coordinates the run's consumer group dies by SIGKILL.
    KillCoordinator,
    /// The broker that coordinates the run's consumer group is cut off from all other brokers and the controller, and
    /// keeps its clients.
    IsolateCoordinator,
    /// A member of the run's consumer group dies by SIGKILL; another session of it joins later.
    KillMember,
    /// A member of the run's consumer group is stopped (SIGSTOP) for longer than its session, and continued.
    PauseMember,
    /// Members of the run's consumer group are killed, or leave, and join again in quick succession.
    RebalanceStorm,
    /// A broker's disk has no room left; the broker gives it up, and ends.
    DiskFull,
    /// A broker's file system turns read-only: it ends, and what it had not synced is gone.
    ReadOnlyDisk,
    /// A broker's disk takes few bytes a second.
    SlowDisk,
    /// A broker that was stopped in an orderly way comes back with the end of a log cut off.
    TruncateLog,
    /// A broker that was stopped in an orderly way comes back with a bit of a log turned.
    FlipBit,
    /// A broker dies and comes back with the logs it had some time before.
    StaleDisk,
    /// A broker's host forgets what it had read or written: it is on the disk alone.
    DropCache,
    /// A broker's clock jumps, and back later.
    ClockBump,
    /// A broker's clock runs fast or slow.
    ClockSkew,
    /// A broker's clock jumps to and fro.
    ClockStrobe,
    /// Packets between brokers are lost.
    LossyLinks,
    /// Packets between brokers overtake each other.
    ReorderPackets,
    /// Packets between brokers arrive twice.
    DuplicatePackets,
    /// Packets between brokers have a bit turned.
    CorruptPackets,
}

impl FaultClass {
    /// Whether the fault can move leadership to another broker.
    #[must_use]
    pub const fn moves_leadership(self) -> bool {
        match self {
            Self::Kill
            | Self::Pause
            | Self::IsolateLeader
            | Self::PowerFailure
            | Self::PowerFailureAll
            | Self::Stop
            | Self::RollingRestart
            | Self::IsolateMinority
            | Self::IsolateOneWay
            | Self::IsolateController
            | Self::ReassignReplicas
            | Self::PreferredElection
            | Self::UncleanElection
            | Self::KillCoordinator
            | Self::IsolateCoordinator
            | Self::DiskFull
            | Self::ReadOnlyDisk
            | Self::SlowDisk
            | Self::TruncateLog
            | Self::FlipBit
            | Self::StaleDisk
            | Self::ClockBump
            | Self::ClockSkew
            | Self::ClockStrobe => true,
            Self::IsolateFollowers
            | Self::PartialPartition
            | Self::IsolateClients
            | Self::DropResponses
            | Self::SlowClients
            | Self::SlowLinks
            | Self::NarrowLinks
            | Self::KillProducer
            | Self::PauseProducer
            | Self::KillReader
            | Self::AddPartitions
            | Self::AlterTopicConfigs
            | Self::KillMember
            | Self::PauseMember
            | Self::RebalanceStorm
            | Self::DropCache
            | Self::LossyLinks
            | Self::ReorderPackets
            | Self::DuplicatePackets
            | Self::CorruptPackets => false,
        }
    }

    /// The applications that the fault hits instead of brokers, if it does: the brokers and every link between
    /// them and others are whole.
    #[must_use]
    pub const fn applications(self) -> Option<Role> {
        match self {
            Self::KillProducer | Self::PauseProducer => Some(Role::Producer),
            Self::KillReader => Some(Role::Reader),
            Self::KillMember | Self::PauseMember | Self::RebalanceStorm => Some(Role::Member),
            Self::Kill
            | Self::Pause
            | Self::IsolateLeader
            | Self::IsolateFollowers
            | Self::PowerFailure
            | Self::PowerFailureAll
            | Self::Stop
            | Self::RollingRestart
            | Self::IsolateMinority
            | Self::IsolateOneWay
            | Self::PartialPartition
            | Self::IsolateClients
            | Self::DropResponses
            | Self::SlowClients
            | Self::SlowLinks
            | Self::NarrowLinks
            | Self::IsolateController
            | Self::ReassignReplicas
            | Self::PreferredElection
            | Self::UncleanElection
            | Self::AddPartitions
            | Self::AlterTopicConfigs
            | Self::KillCoordinator
            | Self::IsolateCoordinator
            | Self::DiskFull
            | Self::ReadOnlyDisk
            | Self::SlowDisk
            | Self::TruncateLog
            | Self::FlipBit
            | Self::StaleDisk
            | Self::DropCache
            | Self::ClockBump
            | Self::ClockSkew
            | Self::ClockStrobe
            | Self::LossyLinks
            | Self::ReorderPackets
            | Self::DuplicatePackets
            | Self::CorruptPackets => None,
        }
    }

    /// Whether the fault hits every broker, whomever it is aimed at.
    #[must_use]
    pub const fn hits_everyone(self) -> bool {
        match self {
            Self::PowerFailureAll
            | Self::RollingRestart
            | Self::IsolateController
            | Self::SlowLinks
            | Self::NarrowLinks
            | Self::LossyLinks
            | Self::ReorderPackets
            | Self::DuplicatePackets
            | Self::CorruptPackets => true,
            Self::Kill
            | Self::Pause
            | Self::IsolateLeader
            | Self::IsolateFollowers
            | Self::PowerFailure
            | Self::Stop
            | Self::IsolateMinority
            | Self::IsolateOneWay
            | Self::PartialPartition
            | Self::IsolateClients
            | Self::DropResponses
            | Self::SlowClients
            | Self::KillProducer
            | Self::PauseProducer
            | Self::KillReader
            | Self::ReassignReplicas
            | Self::PreferredElection
            | Self::UncleanElection
            | Self::AddPartitions
            | Self::AlterTopicConfigs
            | Self::KillCoordinator
            | Self::IsolateCoordinator
            | Self::KillMember
            | Self::PauseMember
            | Self::RebalanceStorm
            | Self::DiskFull
            | Self::ReadOnlyDisk
            | Self::SlowDisk
            | Self::TruncateLog
            | Self::FlipBit
            | Self::StaleDisk
            | Self::DropCache
            | Self::ClockBump
            | Self::ClockSkew
            | Self::ClockStrobe => false,
        }
    }

    /// Whether the fault disturbs clients' links alone: brokers lose nothing and nobody.
    #[must_use]
    pub const fn is_of_clients(self) -> bool {
        matches!(self, Self::IsolateClients | Self::DropResponses | Self::SlowClients)
    }

    /// Whether the fault is a request to the cluster about the topic under test, as an administrator makes it: it
    /// needs no host, and brokers, links and applications stay whole.
    #[must_use]
    pub const fn is_administrative(self) -> bool {
        matches!(
            self,
            Self::ReassignReplicas
                | Self::PreferredElection
                | Self::UncleanElection
                | Self::AddPartitions
                | Self::AlterTopicConfigs
        )
    }

    /// Whether such a request is about the topic as a whole, and not about one partition.
    #[must_use]
    pub const fn is_of_the_whole_topic(self) -> bool {
        matches!(self, Self::UncleanElection | Self::AddPartitions | Self::AlterTopicConfigs)
    }

    /// Whether the fault leaves brokers and the links between them whole: it hits clients' links or applications,
    /// or asks the cluster for something.
    #[must_use]
    pub const fn spares_brokers(self) -> bool {
        self.is_of_clients() || self.applications().is_some() || self.is_administrative()
    }

    /// Whether the fault ends an application, so that another session of it follows.
    #[must_use]
    pub const fn ends_applications(self) -> bool {
        matches!(self, Self::KillProducer | Self::KillReader | Self::KillMember | Self::RebalanceStorm)
    }

    /// Whether the fault is one of the run's consumer group: without one there is nobody to hit.
    #[must_use]
    pub const fn is_of_groups(self) -> bool {
        matches!(
            self,
            Self::KillCoordinator
                | Self::IsolateCoordinator
                | Self::KillMember
                | Self::PauseMember
                | Self::RebalanceStorm
        )
    }

    /// Whether the fault takes what a broker had not synced: with the power, or because the file system no longer
    /// lets it get to the disk.
    #[must_use]
    pub const fn loses_power(self) -> bool {
        matches!(self, Self::PowerFailure | Self::PowerFailureAll | Self::ReadOnlyDisk)
    }

    /// Whether the fault takes or damages what a broker had on its disk, synced or not.
    #[must_use]
    pub const fn damages_disk(self) -> bool {
        matches!(self, Self::TruncateLog | Self::FlipBit | Self::StaleDisk)
    }

    /// Whether the fault makes a broker's time of day wrong.
    #[must_use]
    pub const fn moves_clock(self) -> bool {
        matches!(self, Self::ClockBump | Self::ClockSkew | Self::ClockStrobe)
    }
}

impl fmt::Display for FaultClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::IsolateLeader => "isolate-leader",
            Self::IsolateFollowers => "isolate-followers",
            Self::PowerFailure => "power-failure",
            Self::PowerFailureAll => "power-failure-all",
            Self::Stop => "stop",
            Self::RollingRestart => "rolling-restart",
            Self::IsolateMinority => "isolate-minority",
            Self::IsolateOneWay => "isolate-one-way",
            Self::PartialPartition => "partial-partition",
            Self::IsolateClients => "isolate-clients",
            Self::DropResponses => "drop-responses",
            Self::SlowClients => "slow-clients",
            Self::SlowLinks => "slow-links",
            Self::NarrowLinks => "narrow-links",
            Self::IsolateController => "isolate-controller",
            Self::KillProducer => "kill-producer",
            Self::PauseProducer => "pause-producer",
            Self::KillReader => "kill-reader",
            Self::ReassignReplicas => "reassign-replicas",
            Self::PreferredElection => "preferred-election",
            Self::UncleanElection => "unclean-election",
            Self::AddPartitions => "add-partitions",
            Self::AlterTopicConfigs => "alter-topic-configs",
            Self::KillCoordinator => "kill-coordinator",
            Self::IsolateCoordinator => "isolate-coordinator",
            Self::KillMember => "kill-member",
            Self::PauseMember => "pause-member",
            Self::RebalanceStorm => "rebalance-storm",
            Self::DiskFull => "disk-full",
            Self::ReadOnlyDisk => "read-only-disk",
            Self::SlowDisk => "slow-disk",
            Self::TruncateLog => "truncate-log",
            Self::FlipBit => "flip-bit",
            Self::StaleDisk => "stale-disk",
            Self::DropCache => "drop-cache",
            Self::ClockBump => "clock-bump",
            Self::ClockSkew => "clock-skew",
            Self::ClockStrobe => "clock-strobe",
            Self::LossyLinks => "lossy-links",
            Self::ReorderPackets => "reorder-packets",
            Self::DuplicatePackets => "duplicate-packets",
            Self::CorruptPackets => "corrupt-packets",
        })
    }
}

/// Whom a fault hits; resolved against the cluster at the moment of injection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultTarget {
    /// The broker that leads this partition then; for requests to the cluster, the partition.
    LeaderOf(Partition),
    /// This broker.
    Node(NodeId),
    /// One of the applications that faults of its class hit, chosen by the fault's draw.
    Application,
    /// The topic under test.
    Topic,
    /// The broker that coordinates the run's consumer group then.
    Coordinator,
}

/// An application under test, whatever session of it is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Application {
    /// What it is for.
    pub role: Role,
    /// Its number among those of its role, from 0.
    pub index: u32,
}

impl fmt::Display for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&worker_name(self.role, self.index, 0))
    }
}

/// What becomes of bytes in flight when a link is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Manner {
    /// They are held back and delivered after healing, as TCP does.
    Held,
    /// The connections are reset (RST).
    Reset,
}

/// One fault of the plan's schedule, every value drawn from the seed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFault {
    /// Number within the plan, from 1.
    pub id: u32,
    /// The nemesis that injects it, by its catalog name.
    pub nemesis: String,
    /// What it may do.
    pub class: FaultClass,
    /// When to inject it, in milliseconds after the load began.
    pub at_ms: u64,
    /// How long it lasts, in milliseconds.
    pub duration_ms: u64,
    /// Whom it hits.
    pub target: FaultTarget,
    /// How links are cut (ignored by faults that cut none).
    pub manner: Manner,
    /// What a fault with more than one shape draws its shape from: a direction, who is on which side.
    #[serde(default)]
    pub draw: u32,
}
