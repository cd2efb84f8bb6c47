//! What is asked of a running cluster over its control socket, and what it answers: a line of JSON each.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Version of the answers.
pub(crate) const VERSION: u32 = 1;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Request {
    /// Put a fault in force.
    Apply {
        /// The nemesis, by its catalog name.
        fault: String,
        /// Whom it hits.
        target: Target,
        /// How long, in milliseconds; `None` is until it is undone.
        for_ms: Option<u64>,
    },
    /// Undo faults.
    Undo(Which),
    /// Tell what is in force.
    Status,
}

/// Whom a fault is to hit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Target {
    /// This broker.
    Node(i32),
    /// The leader of a partition.
    Partition(String, u32),
    /// The broker that leads most partitions of those no fault has hit.
    Busiest,
}

/// Which faults are to be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Which {
    /// All.
    All,
    /// The one applied last.
    Last,
    /// This one.
    Fault(u32),
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answer {
    /// The fault is in force.
    Applied(InForce),
    /// These are undone.
    Undone(Vec<Undone>),
    /// How things stand.
    Status(Status),
    /// What was asked cannot be; nothing was touched.
    Refused(String),
    /// It could not be done, and nothing is broken by it.
    Failed(String),
    /// It could not be done, and something may still be broken.
    Unhealed(String),
}

/// A fault in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InForce {
    /// Its number, from 1, in this life of the cluster.
    pub(crate) id: u32,
    /// The nemesis.
    pub(crate) fault: String,
    /// The brokers it hits.
    pub(crate) nodes: Vec<i32>,
    /// The partitions they led when it began, as `TOPIC/P`.
    pub(crate) partitions: Vec<String>,
    /// How long it has lasted, in milliseconds.
    pub(crate) since_ms: u64,
    /// When it heals by itself, in milliseconds from now; `None` is never.
    pub(crate) left_ms: Option<u64>,
    /// Why it could not be undone when that was tried.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) unhealed: Option<String>,
}

/// A fault that was undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Undone {
    /// Its number.
    pub(crate) id: u32,
    /// The nemesis.
    pub(crate) fault: String,
    /// The brokers it hit.
    pub(crate) nodes: Vec<i32>,
    /// Connections that a cut touched.
    pub(crate) connections: u64,
    /// Bytes that were held back by a cut or lost with the power.
    pub(crate) bytes: u64,
}

/// How things stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Status {
    /// Format version.
    pub(crate) schema_version: u32,
    /// The addresses for clients.
    pub(crate) bootstrap: String,
    /// Every broker.
    pub(crate) nodes: Vec<NodeStatus>,
    /// What is in force, the oldest first.
    pub(crate) faults: Vec<InForce>,
}

/// How a broker does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NodeStatus {
    /// Its id.
    pub(crate) node: i32,
    /// Its process is there and not stopped.
    pub(crate) running: bool,
    /// The controller has fenced it.
    pub(crate) fenced: bool,
}

impl fmt::Display for InForce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fault {}: {} of {}", self.id, self.fault, named(&self.nodes))?;
        match self.left_ms {
            Some(ms) => write!(f, ", heals in {:.1} s", seconds(ms))?,
            None => f.write_str(", until it is undone")?,
        }
        match &self.unhealed {
            Some(reason) => write!(f, "; failed to undo it: {reason}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Undone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fault {} undone: {} of {}", self.id, self.fault, named(&self.nodes))?;
        match (self.connections, self.bytes) {
            (0, 0) => Ok(()),
            (0, bytes) => write!(f, "; {bytes} unsynced bytes are gone"),
            (connections, bytes) => write!(f, "; {connections} connections and {bytes} bytes were held up"),
        }
    }
}

fn named(nodes: &[i32]) -> String {
    let ids: Vec<_> = nodes.iter().map(i32::to_string).collect();
    format!("{} {}", if ids.len() == 1 { "node" } else { "nodes" }, ids.join(", "))
}

/// For people: tenths of a second are enough.
pub(crate) fn seconds(ms: u64) -> f64 {
    Duration::from_millis(ms).as_secs_f64()
}
