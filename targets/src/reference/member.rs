//! The processes of a cluster: their names, files and identity.

use std::fmt;
use std::path::{Path, PathBuf};

use history::NodeId;

/// A process of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Member {
    Controller,
    Node(NodeId),
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Controller => f.write_str("controller"),
            Self::Node(node) => write!(f, "node {node}"),
        }
    }
}

impl Member {
    /// Its name as a child process, its data folder and the stem of its log.
    pub(super) fn slug(self) -> String {
        self.to_string().replace(' ', "-")
    }

    pub(super) fn log(self, logs: &Path) -> PathBuf {
        logs.join(format!("{}.log", self.slug()))
    }

    pub(super) fn data(self, data: &Path) -> PathBuf {
        data.join(self.slug())
    }
}
