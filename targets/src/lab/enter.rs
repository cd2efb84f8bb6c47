//! Going where a lab's addresses exist: into the network namespace of its clients, and back.

use std::fs::File;
use std::io;

/// This thread is in another network namespace, and whoever it starts; dropped, it is back.
#[derive(Debug)]
pub struct Entered {
    from: File,
}

impl Entered {
    /// Takes this thread into a namespace that `ip netns` knows.
    ///
    /// # Errors
    /// If there is none of that name, or we are not root.
    pub fn new(namespace: &str) -> io::Result<Self> {
        let from = File::open("/proc/thread-self/ns/net")?;
        let to = File::open(format!("/run/netns/{namespace}"))?;
        go(&to)?;
        Ok(Self { from })
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        // It was left for a moment only, and cannot have gone while we hold it.
        let _ = go(&self.from);
    }
}

#[cfg(target_os = "linux")]
fn go(namespace: &File) -> io::Result<()> {
    nix::sched::setns(namespace, nix::sched::CloneFlags::CLONE_NEWNET)?;
    Ok(())
}

/// Only Linux has network namespaces.
#[cfg(not(target_os = "linux"))]
fn go(_: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
