//! What a nemesis is.

use history::{Application, FaultClass, FaultTarget, NodeId, Partition, PlannedFault};

use crate::CATALOG;
use crate::administrator::Change;
use crate::affliction::Affliction;
use crate::cluster::{Cluster, FaultError, Link, Touched};
use crate::schedule::Timings;

/// One nemesis of the catalog.
pub struct Spec {
    /// Its name, kebab-case.
    pub name: &'static str,
    /// What it does, in at most 79 columns.
    pub summary: &'static str,
    /// How it works, when it has bitten, and what it may cost.
    pub docs: &'static str,
    /// What its faults may do to the cluster.
    pub class: FaultClass,
    /// The shortest fault that can bite, in milliseconds, given the cluster's time-outs.
    pub duration_ms: fn(&Timings) -> u64,
    /// Injects, verifies and heals.
    pub nemesis: &'static dyn Nemesis,
}

/// What a fault hit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Injected {
    /// The nodes.
    pub nodes: Vec<NodeId>,
    /// The partitions they led when it began, or that the cluster was asked to change.
    pub partitions: Vec<Partition>,
    /// The links that were cut or impaired.
    pub links: Vec<Link>,
    /// The applications.
    pub applications: Vec<Application>,
    /// What the cluster was asked to change, with what was there before.
    pub changes: Vec<Change>,
    /// What the nodes are under, where the fault is not one of processes or links.
    pub affliction: Option<Affliction>,
}

/// A kind of fault.
pub trait Nemesis: Sync {
    /// Decides whom the fault hits, without touching anything.
    ///
    /// # Errors
    /// If there is nobody to hit.
    fn aim(&self, fault: &PlannedFault, cluster: &dyn Cluster) -> Result<Injected, FaultError>;

    /// Puts the fault in force. After an error the caller heals what may be half done.
    ///
    /// # Errors
    /// If the target cannot do it.
    fn inject(
        &self,
        fault: &PlannedFault,
        aim: &Injected,
        cluster: &mut dyn Cluster,
    ) -> Result<(), FaultError>;

    /// Whether the mechanism is in force: the process gone or stopped, the links cut. Whether it *bit* is
    /// judged later, from the history.
    fn verify(&self, aim: &Injected, cluster: &dyn Cluster) -> bool;

    /// Whether injecting carries the whole fault through, so that nothing is in force afterwards; its planned
    /// length is then the time it may take, and verifying tells that it went well.
    fn runs_through(&self) -> bool {
        false
    }

    /// Undoes the fault; undoing what was never done does nothing.
    ///
    /// # Errors
    /// If something may still be broken.
    fn heal(&self, aim: &Injected, cluster: &mut dyn Cluster) -> Result<Touched, FaultError>;
}

/// The nemesis of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Spec> {
    CATALOG.iter().copied().find(|spec| spec.name == name)
}

/// The node a planned fault means right now, and the partitions it leads.
pub(crate) fn resolve(
    target: FaultTarget,
    cluster: &dyn Cluster,
) -> Result<(NodeId, Vec<Partition>), FaultError> {
    let node = match target {
        FaultTarget::LeaderOf(partition) => {
            cluster.leader(partition).ok_or(FaultError::NoLeader(partition))?
        }
        FaultTarget::Node(node) => node,
        FaultTarget::Coordinator => cluster.coordinator().ok_or(FaultError::NoCoordinator)?,
        FaultTarget::Application | FaultTarget::Topic => return Err(FaultError::NoBroker),
    };
    if !cluster.nodes().contains(&node) {
        return Err(FaultError::NoNode(node));
    }
    let led = cluster.partitions().into_iter().filter(|partition| cluster.leader(*partition) == Some(node));
    Ok((node, led.collect()))
}
