//! The claim on a cluster of hosts: two commands that break one cluster know nothing of each other, so the second
//! is told who is at work. A lock of the system's, in the state folder: it ends with its process, however that
//! ends. Undoing never waits for it.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, Write};

use anyhow::{Context, bail};
use targets::nodes::ClusterFile;

use crate::state;

/// A file's name has at most 255 bytes.
const NAME_MAX: usize = 200;

/// A cluster that is this command's until this is dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    _file: File,
}

impl Claim {
    /// Claims the cluster for `what`, the words of a command.
    ///
    /// # Errors
    /// If another command has it, or the lock cannot be made.
    pub(crate) fn take(file: &ClusterFile, what: &str) -> anyhow::Result<Self> {
        // Another file may name the same cluster.
        let key = file.cluster_id.clone().unwrap_or_else(|| file.path.display().to_string());
        let name: String = key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let dir = state::folder().join("claims");
        let path = dir.join(&name[name.len().saturating_sub(NAME_MAX)..]);
        let failed = || format!("failed to claim the cluster with `{}`", path.display());
        fs::create_dir_all(&dir).with_context(failed)?;
        let open = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let mut lock = open.with_context(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut by = String::new();
                // Who holds it helps, and is not needed.
                let _ = lock.read_to_string(&mut by);
                let by = if by.is_empty() { "another command".to_owned() } else { by };
                bail!(
                    "{by} is at work on the cluster of `{}` (wait for its end, or stop it)",
                    file.path.display()
                );
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(failed),
        }
        let said = lock.set_len(0).and_then(|()| lock.rewind());
        said.and_then(|()| write!(lock, "process {} (highwater {what})", std::process::id()))
            .with_context(failed)?;
        Ok(Self { _file: lock })
    }
}
