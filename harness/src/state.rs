//! What outlives a process on this machine, above all the undo journal.

use std::path::PathBuf;

use history::clock;
use nemesis::journal::{Journal, JournalError};

/// `HIGHWATER_STATE`, else where the XDG base directories say state is kept.
pub(crate) fn folder() -> PathBuf {
    let named = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    named("HIGHWATER_STATE").unwrap_or_else(|| {
        named("XDG_STATE_HOME")
            .or_else(|| named("HOME").map(|home| home.join(".local/state")))
            .unwrap_or_else(|| PathBuf::from("/var/tmp"))
            .join("highwater")
    })
}

/// Where the lab is.
pub(crate) fn lab() -> PathBuf {
    folder().join("lab")
}

/// Where fetched things are kept.
pub(crate) fn cache() -> PathBuf {
    folder().join("cache")
}

/// The journal of faults that may be in force.
pub(crate) fn journal() -> Result<Journal, JournalError> {
    Journal::open(folder().join("open"))
}

/// A word that no other fault of this machine has: when, and by whom.
pub(crate) fn unique() -> String {
    format!("{:x}x{:x}", clock::now().0 / 1000, std::process::id())
}

/// Where `HIGHWATER_KAFKA_HOME` says that Apache Kafka is.
pub(crate) fn kafka_home() -> Option<PathBuf> {
    std::env::var_os("HIGHWATER_KAFKA_HOME").filter(|value| !value.is_empty()).map(PathBuf::from)
}
