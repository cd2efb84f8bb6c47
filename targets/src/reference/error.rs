//! How a reference cluster fails.

use std::io;
use std::path::PathBuf;

use crate::process::SpawnError;
use crate::proxy::ProxyError;

/// The reference cluster could not be started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// A cluster needs a broker.
    #[error("failed to start a cluster of no nodes (ask for one at least)")]
    NoNodes,
    /// A folder cannot be made.
    #[error("failed to create `{path}`")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The link proxy failed.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// A thread cannot be had.
    #[error("failed to start the thread that watches the cluster")]
    Thread(#[source] io::Error),
    /// A process cannot be spawned.
    #[error("failed to start {node}")]
    Spawn {
        /// The node.
        node: String,
        /// Why.
        #[source]
        source: SpawnError,
    },
    /// A node ended before it was ready.
    #[error("failed to start {node}: {how} before it was ready (see {log})", log = log.display())]
    Died {
        /// The node.
        node: String,
        /// How it ended, with its reason if it gave one.
        how: String,
        /// Its log.
        log: PathBuf,
    },
    /// A node did not come up in time.
    #[error("failed to start {node}: not {state} within {within_ms} ms (see {log})", log = log.display())]
    Late {
        /// The node.
        node: String,
        /// What it should have been.
        state: &'static str,
        /// How long it was given.
        within_ms: u64,
        /// Its log.
        log: PathBuf,
    },
    /// Nodes did not exit when asked to, and were killed.
    #[error("failed to stop {} in an orderly way: killed after {within_ms} ms (see the node logs)", nodes.join(", "))]
    Stubborn {
        /// The nodes.
        nodes: Vec<String>,
        /// How long they were given.
        within_ms: u64,
    },
}
