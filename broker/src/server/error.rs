//! Why a node could not start or had to stop.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;

use super::storage::StorageError;
use crate::core::settings::SettingError;

/// A node ended with an error.
#[derive(Debug, Error)]
pub enum ServeError {
    /// What was to be served could not be read.
    #[error("failed to read the node's specification: {0}")]
    Spec(String),
    /// The parent is another than the specification says, so nobody would stop this process.
    #[error("parent process is {found} instead of {expected} (start nodes with `highwater`)")]
    Orphan {
        /// Who it is.
        found: u32,
        /// Who it should be.
        expected: u32,
    },
    /// A setting is unknown or wrong.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// No such flaw.
    #[error("unknown flaw `{0}` (see `highwater list flaws`)")]
    Flaw(String),
    /// The port is taken, or the address not ours.
    #[error("failed to listen on `{address}`: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The files are not usable, or no longer.
    #[error("storage failed: {0}")]
    Storage(String),
    /// The system refused something else.
    #[error("failed to {doing}: {source}")]
    System {
        /// What.
        doing: &'static str,
        /// What it said.
        source: io::Error,
    },
}

impl From<StorageError> for ServeError {
    fn from(error: StorageError) -> Self {
        Self::Storage(error.to_string())
    }
}
