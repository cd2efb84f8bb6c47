//! The child's half of supervision: a child dies with the process that started it.

/// The child may be without the runner that started it.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The starter died before the child could bind itself to it.
    #[error("parent `{told}` is gone (this process belongs to `{found}` now)")]
    Orphan {
        /// The process id the child was told.
        told: u32,
        /// Its parent now.
        found: u32,
    },
    /// The kernel refused.
    #[error("failed to ask for death with the parent")]
    Kernel(#[source] std::io::Error),
}

/// Binds this process to its parent: when the parent's spawning thread ends, this process gets SIGKILL,
/// even while it is stopped. To be called first thing in a child.
///
/// # Errors
/// If the parent is not the one the child was told, which means it died in between: exit.
pub fn die_with_parent(parent: u32) -> Result<(), GuardError> {
    // Elsewhere the end of stdin has to do, which a stopped child sees only when it is continued.
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)
        .map_err(|errno| GuardError::Kernel(errno.into()))?;
    // Only after that: a parent that dies from here on takes this process with it.
    let found = std::os::unix::process::parent_id();
    if found == parent { Ok(()) } else { Err(GuardError::Orphan { told: parent, found }) }
}
