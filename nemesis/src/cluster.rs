//! What a target must offer to be broken.

use std::fmt;
use std::time::Duration;

use history::{Application, Manner, NodeId, Partition};

use crate::administrator::Administrator;
use crate::affliction::Affliction;
use crate::applications::Applications;
use crate::impairment::Impairment;

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

/// What a fault of links touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Touched {
    /// Connections open when it began or opened during it.
    pub connections: u64,
    /// Bytes held back, thrown away, delayed, or made to wait for their turn.
    pub bytes: u64,
}

/// A fault could not be injected, verified or healed.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    /// The partition has no leader to hit.
    #[error("partition `{0}` has no leader")]
    NoLeader(Partition),
    /// The run has no consumer group, or nobody coordinates it just now.
    #[error("nobody coordinates the run's group (does it have one, as `--workload group`?)")]
    NoCoordinator,
    /// The cluster has no such node.
    #[error("there is no node `{0}`")]
    NoNode(NodeId),
    /// The fault is aimed at a broker, and its target is none.
    #[error("the fault hits a broker, and its target is none")]
    NoBroker,
    /// The fault is about a partition, and there is none like that.
    #[error("the topic has no such partition")]
    NoPartition,
    /// Only a partition without a leader can be led by an unclean election.
    #[error(
        "every partition has a leader, so that none can be given to a replica out of sync (take every in-sync \
         replica out first, as `isolate-followers@1s+4s,kill@4s+6s,unclean-election@6s+1s` does)"
    )]
    EveryoneLed,
    /// The cluster did not do what it was asked for.
    #[error("failed to {action}: {reason}")]
    Administration {
        /// What was asked for, as a verb and what with.
        action: &'static str,
        /// What kept it from it.
        reason: String,
    },
    /// None of these applications is running, so that none can be hit.
    #[error("no {0} is running any more (raise --records, or hit fewer at once)")]
    NoApplication(&'static str),
    /// The application is not there, or not in a state that this can be done in.
    #[error("failed to {action} `{application}`: {reason}")]
    Application {
        /// What was tried, as a verb.
        action: &'static str,
        /// On whom.
        application: Application,
        /// What kept it from it.
        reason: String,
    },
    /// The fault has no shape in so small a cluster.
    #[error(
        "the cluster has {has} brokers, and this fault needs {needs} (start more, or choose another nemesis)"
    )]
    TooFew {
        /// Brokers there are.
        has: usize,
        /// Brokers it takes.
        needs: usize,
    },
    /// This kind of target has no such verb.
    #[error("{target} cannot {action} (choose another nemesis or target)")]
    Unsupported {
        /// The target.
        target: &'static str,
        /// What was asked for, as a verb.
        action: &'static str,
    },
    /// The target failed to do it.
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
    /// Who coordinates the run's consumer group; `None` if it has none, or nobody does.
    fn coordinator(&self) -> Option<NodeId> {
        None
    }
    /// Ends brokers by SIGKILL and waits until they are gone.
    ///
    /// # Errors
    /// If there is no such node or the signal cannot be sent.
    fn kill(&mut self, nodes: &[NodeId]) -> Result<(), FaultError>;
    /// Cuts the power of brokers: they die by SIGKILL, and whatever they had not made durable is gone before they
    /// are started again. With `torn`, half of it has got to the disk, its end in pieces.
    ///
    /// # Errors
    /// If there is no such node, or the target cannot do it.
    fn power_off(&mut self, nodes: &[NodeId], torn: bool) -> Result<(), FaultError>;
    /// Starts brokers that were killed or had their power cut, on the data they left, and tells the bytes that
    /// went with the power.
    ///
    /// # Errors
    /// If one does not come up.
    fn start(&mut self, nodes: &[NodeId]) -> Result<Touched, FaultError>;
    /// Stops brokers (SIGSTOP).
    ///
    /// # Errors
    /// If there is no such node or the signal cannot be sent.
    fn pause(&mut self, nodes: &[NodeId]) -> Result<(), FaultError>;
    /// Continues stopped brokers (SIGCONT).
    ///
    /// # Errors
    /// If there is no such node or the signal cannot be sent.
    fn resume(&mut self, nodes: &[NodeId]) -> Result<(), FaultError>;
    /// Asks brokers to end in an orderly way (SIGTERM), one after the other, and waits until they are gone. What
    /// they led is led by others by then, where others are in sync.
    ///
    /// # Errors
    /// If there is no such node, or one does not end.
    fn stop(&mut self, _: &[NodeId]) -> Result<(), FaultError> {
        Err(FaultError::Unsupported { target: "this target", action: "stop brokers in an orderly way" })
    }
    /// Waits, at most so long, until a broker is in sync wherever it has a replica; whether it is.
    ///
    /// # Errors
    /// If there is no such node, or the target cannot tell.
    fn await_in_sync(&mut self, _: NodeId, _: Duration) -> Result<bool, FaultError> {
        Err(FaultError::Unsupported { target: "this target", action: "tell whether a broker is in sync" })
    }
    /// Whether a broker's process exists and is neither stopped nor dead.
    fn is_running(&self, node: NodeId) -> bool;
    /// Cuts links.
    ///
    /// # Errors
    /// If the target cannot cut one of them.
    fn cut(&mut self, links: &[Link], manner: Manner) -> Result<(), FaultError>;
    /// Impairs links that are whole, or impaired like that already.
    ///
    /// # Errors
    /// If the target cannot impair one of them.
    fn impair(&mut self, _: &[Link], _: Impairment) -> Result<(), FaultError> {
        Err(FaultError::Unsupported { target: "this target", action: "impair links that it does not cut" })
    }
    /// Mends links and tells what their fault touched.
    ///
    /// # Errors
    /// If the target cannot mend one of them.
    fn heal(&mut self, links: &[Link]) -> Result<Touched, FaultError>;
    /// Whether a link is cut or impaired.
    fn is_cut(&self, link: Link) -> bool;
    /// Who changes the topic under test, where there is a run with one.
    fn administrator(&self) -> Option<&dyn Administrator> {
        None
    }
    /// Puts nodes, not their links, under something: their disk, their files, their clock.
    ///
    /// # Errors
    /// If there is no such node, or the target cannot do it; some may be under it by then.
    fn afflict(&mut self, _: &[NodeId], affliction: &Affliction) -> Result<(), FaultError> {
        Err(FaultError::Unsupported { target: "this target", action: affliction.verb() })
    }
    /// Ends that, with the brokers serving afterwards that it has taken down, and tells what it took.
    ///
    /// # Errors
    /// If something may still be in force.
    fn relieve(&mut self, _: &[NodeId], _: &Affliction) -> Result<Touched, FaultError> {
        Ok(Touched::default())
    }
    /// Whether a node is under it.
    fn is_afflicted(&self, _: NodeId, _: &Affliction) -> bool {
        false
    }
    /// How what was asked for since the last call was carried out, where there is more than one way, and what was
    /// seen of it: a few words each.
    fn take_words(&mut self) -> Vec<String> {
        Vec::new()
    }
    /// The applications that use it, where they can be broken too.
    fn applications(&self) -> Option<&dyn Applications> {
        None
    }
}
