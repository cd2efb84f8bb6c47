//! What outlives a process on this machine: the undo journal, and whose turn it is on a cluster.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use history::clock;
use nemesis::journal::{Journal, JournalError};
use nix::fcntl::{Flock, FlockArg};
use targets::nodes::ClusterFile;

use crate::cli::Failure;
use crate::exit::Exit;

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

/// A file's name has at most 255 bytes.
const NAME_MAX: usize = 200;

/// The turn of one command on one cluster. It ends with the command, however that ends.
#[derive(Debug)]
pub(crate) struct ClusterLock {
    _file: Flock<File>,
}

impl ClusterLock {
    /// Takes the turn for `what`; a command that finds it taken says by whom.
    pub(crate) fn take(file: &ClusterFile, what: &str) -> Result<Self, Failure> {
        let key = file.cluster_id.clone().unwrap_or_else(|| file.path.display().to_string());
        let name: String = key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let name = &name[name.len().saturating_sub(NAME_MAX)..];
        let path = folder().join("locks").join(format!("{name}.lock"));
        let failed = || format!("failed to take lock `{}`", path.display());
        fs::create_dir_all(folder().join("locks")).with_context(failed)?;
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut turn = match Flock::lock(open.with_context(failed)?, FlockArg::LockExclusiveNonblock) {
            Ok(turn) => turn,
            Err((mut held, nix::errno::Errno::EWOULDBLOCK)) => {
                let mut by = String::new();
                // Who has just taken it may not have said so yet.
                let _ = held.read_to_string(&mut by);
                let by = if by.trim().is_empty() { "another command" } else { by.trim() };
                let error = anyhow!("cluster `{key}` is being worked on by {by} (wait for it, or end it)");
                return Err(Failure::new(Exit::Unreachable, error));
            }
            Err((_, errno)) => return Err(anyhow!(errno).context(failed()).into()),
        };
        let said = format!("process {}: highwater {what}\n", std::process::id());
        turn.set_len(0)
            .and_then(|()| turn.rewind())
            .and_then(|()| turn.write_all(said.as_bytes()))
            .with_context(failed)?;
        Ok(Self { _file: turn })
    }
}
