//! What a run breaks: the reference cluster, hosts, or the links of clients to a cluster that nobody may break.

use std::io;
use std::path::Path;

use history::{Nanos, Note};
use nemesis::Cluster;
use targets::causes::with_causes;
use targets::front::FrontCluster;
use targets::hosts::HostCluster;
use targets::reference::ReferenceCluster;

/// A cluster that a run can break and follow.
pub(crate) trait Breakable: Cluster + Send {
    /// What happened since the last call, for the history, with its time.
    fn events(&self) -> Vec<(Nanos, Note)>;
    /// Whether every partition under test has a leader and all its replicas in sync.
    fn isr_full(&self) -> bool;
    /// Why the run cannot go on, if it cannot.
    fn failure(&self) -> Option<String>;
    /// Whether it takes time to recover that the schedule does not know, so that the next fault has to wait.
    fn is_slow(&self) -> bool;
    /// Puts what the brokers logged into `dir`, unless it is there already; complaints, if any.
    fn keep_logs(&self, _dir: &Path) -> Vec<String> {
        Vec::new()
    }
    /// Ends what was started, and mends what was broken.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

impl Breakable for ReferenceCluster {
    fn events(&self) -> Vec<(Nanos, Note)> {
        Self::events(self)
    }
    fn isr_full(&self) -> bool {
        Self::isr_full(self)
    }
    fn failure(&self) -> Option<String> {
        self.controller_failure().map(|failure| format!("the controller {failure}"))
    }
    fn is_slow(&self) -> bool {
        false
    }
    fn finish(self: Box<Self>) -> io::Result<()> {
        self.shutdown().map_err(|error| io::Error::other(with_causes(&error)))
    }
}

impl Breakable for HostCluster {
    fn events(&self) -> Vec<(Nanos, Note)> {
        Self::events(self)
    }
    fn isr_full(&self) -> bool {
        Self::isr_full(self)
    }
    fn failure(&self) -> Option<String> {
        None
    }
    fn is_slow(&self) -> bool {
        true
    }
    fn keep_logs(&self, dir: &Path) -> Vec<String> {
        Self::keep_logs(self, dir)
    }
    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.undo_all().map(drop).map_err(|error| io::Error::other(with_causes(&error)))
    }
}

impl Breakable for FrontCluster {
    fn events(&self) -> Vec<(Nanos, Note)> {
        Self::events(self)
    }
    fn isr_full(&self) -> bool {
        self.cluster_view().isr_full()
    }
    fn failure(&self) -> Option<String> {
        None
    }
    fn is_slow(&self) -> bool {
        false
    }
    fn finish(self: Box<Self>) -> io::Result<()> {
        // Its ports and connections go with it.
        Ok(())
    }
}

/// Whether every broker runs; a healed cluster is an invariant, not a hope.
pub(crate) fn all_running(cluster: &dyn Breakable) -> bool {
    cluster.nodes().into_iter().all(|node| cluster.is_running(node))
}
