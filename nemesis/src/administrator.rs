//! The administrator of the topic under test: what an operator asks a cluster for while applications work, and
//! what a fault has changed that way.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use history::{FaultTarget, NodeId, Partition, PlannedFault};

use crate::cluster::{Cluster, FaultError};
use crate::spec::Injected;

/// Where a partition is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// The partition.
    pub partition: Partition,
    /// Who leads, if anybody.
    pub leader: Option<NodeId>,
    /// The in-sync replicas.
    pub isr: Vec<NodeId>,
    /// Its replicas, the preferred leader first.
    pub replicas: Vec<NodeId>,
}

/// How a leader is chosen (KIP-460).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Election {
    /// The first replica, if it is in sync.
    Preferred,
    /// Any replica that lives, where nobody leads.
    Unclean,
}

/// The topic under test as a broker tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The brokers that are there.
    pub brokers: Vec<NodeId>,
    /// Every partition, in order of its number.
    pub placements: Vec<Placement>,
}

impl View {
    /// Where a partition is, if there is one like that.
    #[must_use]
    pub fn placement(&self, partition: Partition) -> Option<&Placement> {
        self.placements.iter().find(|placement| placement.partition == partition)
    }
}

/// Asks the cluster for changes of the topic under test, and of nothing else. Somebody else carries them out, so
/// that every verb is a request. What was granted may take a while to show, and a broker may lag behind another.
pub trait Administrator {
    /// Waits, at most so long, until the topic is as it should be, and tells how it was last.
    ///
    /// # Errors
    /// If nobody tells.
    fn await_view(&self, fits: &dyn Fn(&View) -> bool, within: Duration) -> Result<View, FaultError>;
    /// Has a partition moved to these replicas, the preferred leader first (KIP-455).
    ///
    /// # Errors
    /// If the cluster refuses.
    fn reassign(&self, partition: Partition, replicas: &[NodeId]) -> Result<(), FaultError>;
    /// Has leaders elected (KIP-460).
    ///
    /// # Errors
    /// If the cluster refuses it for all of these partitions.
    fn elect(&self, election: Election, partitions: &[Partition]) -> Result<(), FaultError>;
    /// Has partitions added until there are so many.
    ///
    /// # Errors
    /// If the cluster refuses.
    fn add_partitions(&self, total: u32) -> Result<(), FaultError>;
    /// Every setting of the topic as it is in force, by Kafka's names.
    ///
    /// # Errors
    /// If nobody tells.
    fn settings(&self) -> Result<BTreeMap<String, String>, FaultError>;
    /// The settings that are the topic's own, and neither a broker's nor a default.
    ///
    /// # Errors
    /// If nobody tells.
    fn own_settings(&self) -> Result<BTreeMap<String, String>, FaultError>;
    /// Changes a setting of the topic, or (`None`) gives up what it has of its own; the others stay as they are.
    ///
    /// # Errors
    /// If the cluster refuses.
    fn alter(&self, name: &str, value: Option<&str>) -> Result<(), FaultError>;
    /// Waits, at most so long, until a setting of the topic has this value; whether it has.
    ///
    /// # Errors
    /// If nobody tells.
    fn await_setting(&self, name: &str, value: &str, within: Duration) -> Result<bool, FaultError>;
}

/// What a request changes, with what was there before: all that its undo needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Other replicas, or another order of them.
    Replicas {
        /// Of this partition.
        partition: Partition,
        /// As they were.
        from: Vec<NodeId>,
        /// As they are to be.
        to: Vec<NodeId>,
    },
    /// Another leader.
    Leader {
        /// Of this partition.
        partition: Partition,
        /// The one that is to lead; `None` is whoever lives.
        to: Option<NodeId>,
    },
    /// More partitions.
    Partitions {
        /// So many there were.
        from: u32,
        /// So many there are to be.
        to: u32,
    },
    /// Another value of a setting.
    Setting {
        /// Its name.
        name: String,
        /// The value that was in force.
        before: String,
        /// The topic's own value, if it had one.
        own: Option<String>,
        /// The value that is to be.
        to: String,
    },
}

impl Change {
    /// The way back of a change of replicas; others have none to be waited for.
    fn undone(&self) -> Self {
        match self.clone() {
            Self::Replicas { partition, from, to } => Self::Replicas { partition, from: to, to: from },
            other => other,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |nodes: &[NodeId]| nodes.iter().map(NodeId::to_string).collect::<Vec<_>>().join(",");
        match self {
            Self::Replicas { partition, from, to } => {
                write!(f, "partition {partition} from replicas {} to {}", list(from), list(to))
            }
            Self::Leader { partition, to: Some(leader) } => {
                write!(f, "partition {partition} to leader {leader}")
            }
            Self::Leader { partition, to: None } => write!(f, "partition {partition} to whoever lives"),
            Self::Partitions { from, to } => write!(f, "from {from} partitions to {to}"),
            Self::Setting { name, before, to, .. } => write!(f, "`{name}` from {before} to {to}"),
        }
    }
}

impl Injected {
    /// What is changed by asking for it.
    pub(crate) fn changing(partitions: Vec<Partition>, changes: Vec<Change>) -> Self {
        Self { partitions, changes, ..Self::default() }
    }

    /// Takes over what a fault that is over first would give back, where this one has gone on from its change; whether
    /// it has.
    pub fn inherit(&mut self, change: &Change) -> bool {
        let Change::Replicas { partition: of, from: first, to: then } = change else { return false };
        self.changes.iter_mut().any(|own| match own {
            Change::Replicas { partition, from, .. } if partition == of && from == then => {
                from.clone_from(first);
                true
            }
            _ => false,
        })
    }
}

/// The administrator of a cluster.
pub(crate) fn of(cluster: &dyn Cluster) -> Result<&dyn Administrator, FaultError> {
    let unsupported =
        FaultError::Unsupported { target: "a cluster without a run", action: "change the topic of one" };
    cluster.administrator().ok_or(unsupported)
}

/// What was granted must show within this, by whichever broker is asked.
pub(crate) const SHOWS_WITHIN: Duration = Duration::from_secs(5);
/// What was changed back must show within this; longer, since a broker that another fault has cut off may be asked.
/// Also how long replicas may take to be copied and in sync: a little data, and slow machines.
pub(crate) const SETTLED_WITHIN: Duration = Duration::from_secs(20);

/// The topic as it is now.
pub(crate) fn view(administrator: &dyn Administrator) -> Result<View, FaultError> {
    administrator.await_view(&|_| true, Duration::ZERO)
}

/// The topic as it is now, and the partition that a fault is about.
pub(crate) fn aimed_at(
    fault: &PlannedFault,
    administrator: &dyn Administrator,
) -> Result<(View, Placement), FaultError> {
    let FaultTarget::LeaderOf(partition) = fault.target else { return Err(FaultError::NoPartition) };
    let view = view(administrator)?;
    let placement = view.placement(partition).cloned().ok_or(FaultError::NoPartition)?;
    Ok((view, placement))
}

/// Whether every partition gets to have the replicas, in their order, and the leader that it is to have.
pub(crate) fn as_wanted(changes: &[Change], administrator: &dyn Administrator) -> Result<bool, FaultError> {
    let wanted = |view: &View| {
        changes.iter().all(|change| match change {
            Change::Replicas { partition, to, .. } => {
                view.placement(*partition).is_some_and(|placement| placement.replicas == *to)
            }
            Change::Leader { partition, to: Some(to) } => {
                view.placement(*partition).is_some_and(|placement| placement.leader == Some(*to))
            }
            _ => true,
        })
    };
    Ok(wanted(&administrator.await_view(&wanted, SHOWS_WITHIN)?))
}

/// Has a partition moved to these replicas, and waits until it has them, all in sync; whether it has. Where a broker
/// is gone that has one, or is to have one, there is nothing to wait for: the cluster goes on once it is back.
pub(crate) fn rearrange(
    partition: Partition,
    replicas: &[NodeId],
    administrator: &dyn Administrator,
) -> Result<bool, FaultError> {
    administrator.reassign(partition, replicas)?;
    let settled = |view: &View| {
        view.placement(partition).is_some_and(|placement| {
            placement.replicas == replicas && replicas.iter().all(|node| placement.isr.contains(node))
        })
    };
    let gone = |view: &View| !replicas.iter().all(|node| view.brokers.contains(node));
    let last = administrator.await_view(&|view| settled(view) || gone(view), SETTLED_WITHIN)?;
    Ok(settled(&last) || gone(&last))
}

/// Gives every partition back the replicas that it had, in their order, and waits for them to be in sync. Who has them
/// and is late with that has been given back all the same: whether the partition serves is seen afterwards.
pub(crate) fn give_back(changes: &[Change], administrator: &dyn Administrator) -> Result<(), FaultError> {
    for change in changes {
        if let Change::Replicas { partition, from, .. } = change
            && !rearrange(*partition, from, administrator)?
            && !as_wanted(&[change.undone()], administrator)?
        {
            return Err(FaultError::Administration {
                action: "give partitions of the topic back their replicas",
                reason: format!("partition {partition} has not got them in time"),
            });
        }
    }
    Ok(())
}
