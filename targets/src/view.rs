//! The cluster as its controller decided it, for the topic under test.

use std::collections::{BTreeMap, BTreeSet};

use history::{Nanos, NodeId, Note, Partition};

/// A partition as the controller last decided it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionView {
    /// When it was decided.
    pub at: Nanos,
    /// Who leads; `None` is nobody.
    pub leader: Option<NodeId>,
    /// Leader epoch.
    pub epoch: i32,
    /// In-sync replicas.
    pub isr: Vec<NodeId>,
    /// All replicas.
    pub replicas: Vec<NodeId>,
}

impl PartitionView {
    /// As the history records it.
    pub(crate) fn note(&self, partition: Partition) -> Note {
        Note::PartitionState {
            partition,
            leader: self.leader,
            epoch: self.epoch,
            isr: self.isr.clone(),
            replicas: self.replicas.clone(),
        }
    }

    /// It has a leader, and every replica is in sync and alive.
    fn is_whole(&self, fenced: &BTreeSet<NodeId>) -> bool {
        // The news that a broker is fenced comes before what that means for its partitions.
        let in_sync = |replica| self.isr.contains(replica) && !fenced.contains(replica);
        self.leader.is_some() && self.replicas.iter().all(in_sync)
    }
}

/// The cluster as its controller sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClusterView {
    /// The partitions of the topic under test.
    pub partitions: BTreeMap<Partition, PartitionView>,
    /// The brokers that are fenced.
    pub fenced: BTreeSet<NodeId>,
}

impl ClusterView {
    /// Whether every partition of the topic under test has a leader and all its replicas in sync, none of
    /// them fenced; not before the topic exists.
    #[must_use]
    pub fn isr_full(&self) -> bool {
        !self.partitions.is_empty()
            && self.partitions.values().all(|partition| partition.is_whole(&self.fenced))
    }
}
