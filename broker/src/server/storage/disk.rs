//! What the disk is said to be: whole, full, read-only or slow. A node is told on its control line, and answers its
//! own writes as the kernel would; what it does about the error is what it would do about a real one. Files
//! themselves are not touched, so that no root is needed and no other node suffers.

use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use wire::node::DiskState;

use super::{Doing, StorageError};

/// One write waits at most this long, so that a broker that waits for its disk can still be asked to end.
const LONGEST: Duration = Duration::from_millis(500);

/// The disk of a node.
#[derive(Debug)]
pub(super) struct Disk {
    state: DiskState,
    /// Bytes that had to wait since it became slow.
    slowed: u64,
}

impl Disk {
    pub(super) const fn whole() -> Self {
        Self { state: DiskState::Whole, slowed: 0 }
    }

    /// It is like that from now on; returns the bytes that had to wait until now.
    pub(super) fn set(&mut self, state: DiskState) -> u64 {
        self.state = state;
        std::mem::take(&mut self.slowed)
    }

    /// Whether nothing that is written reaches it, or is ever synced.
    pub(super) const fn is_read_only(&self) -> bool {
        matches!(self.state, DiskState::ReadOnly)
    }

    /// Before something is changed that takes no room.
    ///
    /// # Errors
    /// EROFS.
    pub(super) fn change(&self, doing: &'static str, path: &Path) -> Result<(), StorageError> {
        if self.is_read_only() { refuse(Errno::EROFS).doing(doing, path) } else { Ok(()) }
    }

    /// Before so many bytes are written. Waits for a slow disk, and the node with it: to a process that is in a
    /// write call nothing else happens either.
    ///
    /// # Errors
    /// ENOSPC, EROFS.
    pub(super) fn write(
        &mut self,
        bytes: usize,
        doing: &'static str,
        path: &Path,
    ) -> Result<(), StorageError> {
        match self.state {
            DiskState::Whole => Ok(()),
            DiskState::Full => refuse(Errno::ENOSPC).doing(doing, path),
            DiskState::ReadOnly => refuse(Errno::EROFS).doing(doing, path),
            DiskState::Slow { kib } => {
                let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
                self.slowed += bytes;
                let nanos = bytes.saturating_mul(1_000_000_000 / 1024) / u64::from(kib.max(1));
                thread::sleep(Duration::from_nanos(nanos).min(LONGEST));
                Ok(())
            }
        }
    }
}

fn refuse(error: Errno) -> io::Result<()> {
    Err(error.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_are_answered_as_by_a_real_disk() {
        let path = Path::new("log");
        let mut disk = Disk::whole();
        disk.write(9, "append to", path).expect("whole");
        disk.set(DiskState::Full);
        let full = disk.write(9, "append to", path).expect_err("full").to_string();
        assert!(full.starts_with("failed to append to `log`: ") && full.contains("os error 28"), "{full}");
        disk.change("truncate", path).expect("what takes no room can be done");
        disk.set(DiskState::ReadOnly);
        let read_only = disk.change("truncate", path).expect_err("read-only").to_string();
        assert!(read_only.contains("os error 30") && disk.is_read_only(), "{read_only}");
        disk.write(0, "create", path).expect_err("read-only");
        disk.set(DiskState::Slow { kib: 64 << 10 });
        disk.write(1000, "append to", path).expect("slow");
        disk.write(24, "append to", path).expect("slow");
        assert_eq!(disk.set(DiskState::Whole), 1024, "what had to wait");
        assert_eq!(disk.set(DiskState::Whole), 0);
    }
}
