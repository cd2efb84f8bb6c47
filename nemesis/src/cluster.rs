//! What a target must offer to be broken.

use std::fmt;

use history::{Manner, NodeId, Partition};

/// One end of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// A broker.
    Node(NodeId),
    /// The controller.
    Controller,
    /// Every client.
    Clients,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => write!(f, "node {node}"),
            Self::Controller => f.write_str("controller"),
            Self::Clients => f.write_str("clients"),
        }
    }
}

/// A directed link: connections opened by `from` to `to`. Cutting it stops both directions of these
/// connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link {
    /// Who connects.
    pub from: End,
    /// Who listens.
    pub to: End,
}

/// What a cut touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Touched {
    /// Connections open at the cut or opened during it.
    pub connections: u64,
    /// Bytes held back or thrown away.
    pub bytes: u64,
}

/// A fault could not be injected, verified or healed.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    /// The partition has no leader to hit.
    #[error("partition `{0}` has no leader")]
    NoLeader(Partition),
    /// The cluster has no such node.
    #[error("there is no node `{0}`")]
    NoNode(NodeId),
    /// The target cannot do this.
    #[error("failed to {action} {what}")]
    Target {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        what: String,
        /// What went wrong.
        #[source]
        source: std::io::Error,
    },
}

/// A cluster whose nodes and links can be broken and mended. Every verb is idempotent: healing what is
/// whole does nothing.
pub trait Cluster {
    /// Its brokers.
    fn nodes(&self) -> Vec<NodeId>;
    /// Who leads a partition of the topic under test, as the controller says.
    fn leader(&self, partition: Partition) -> Option<NodeId>;
    /// The partitions of the topic under test.
    fn partitions(&self) -> Vec<Partition>;
    /// Ends a broker by SIGKILL and waits until it is gone.
    ///
    /// # Errors
    /// If there is no such node or the signal cannot be sent.
    fn kill(&mut self, node: NodeId) -> Result<(), FaultError>;
    /// Starts a broker that was killed, on the data it left.
    ///
    /// # Errors
    /// If it does not come up.
    fn start(&mut self, node: NodeId) -> Result<(), FaultError>;
    /// Cuts the files of a broker that was killed back to what it had made durable, as a power failure does,
    /// and returns the bytes that are gone. With `torn`, half of what was not durable has got to the disk, its
    /// end in pieces.
    ///
    /// # Errors
    /// If the broker lives or its files cannot be cut.
    fn lose_unsynced(&mut self, node: NodeId, torn: bool) -> Result<u64, FaultError>;
    /// Stops a broker (SIGSTOP).
    ///
    /// # Errors
    /// If there is no such node or the signal cannot be sent.
    fn pause(&mut self, node: NodeId) -> Result<(), FaultError>;
    /// Continues a stopped broker (SIGCONT).
    ///
    /// # Errors
    /// If there is no such node or the signal cannot be sent.
    fn resume(&mut self, node: NodeId) -> Result<(), FaultError>;
    /// Whether a broker's process exists and is neither stopped nor dead.
    fn is_running(&self, node: NodeId) -> bool;
    /// Cuts links.
    ///
    /// # Errors
    /// If the target cannot cut one of them.
    fn cut(&mut self, links: &[Link], manner: Manner) -> Result<(), FaultError>;
    /// Mends links and tells what the cut touched.
    ///
    /// # Errors
    /// If the target cannot mend one of them.
    fn heal(&mut self, links: &[Link]) -> Result<Touched, FaultError>;
    /// Whether a link is cut.
    fn is_cut(&self, link: Link) -> bool;
}
