//! What strangers may cost a node: connections, memory for requests that are being read or worked on, and time
//! spent on senders that stall. Whatever they send, the node neither grows without bound nor runs out of files,
//! of which its own logs need some.

use std::sync::Arc;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Requests below this size cost nothing: heartbeats and the fetches of followers must get through while
/// produce requests wait for those very fetches.
pub(super) const SMALL: usize = 64 << 10;
/// Bytes of larger requests that a node works on at a time; a single one larger still gets through alone.
const BUDGET: usize = 256 << 20;
/// The unit of the budget, which a semaphore counts in 32 bits.
const UNIT: usize = 1 << 10;
/// Files a node keeps for itself: logs, listeners, connections to the others.
const OWN_FILES: u64 = 512;
/// Where the system says nothing of a limit.
const MANY: usize = 10_000;

/// A connection that has begun a request must go on with it within this time.
pub(super) const STALL: Duration = Duration::from_secs(30);
/// A connection on which nothing happens is closed (`connections.max.idle.ms`).
pub(super) const IDLE: Duration = Duration::from_secs(600);
/// Most bytes of a fetch (`fetch.max.bytes`).
pub(super) const FETCH_BYTES: u32 = 57_671_680;

/// The limits of one node.
pub(super) struct Limits {
    connections: Arc<Semaphore>,
    requests: Arc<Semaphore>,
}

/// Leave to be connected, or to hold a request in memory; dropping it gives it back.
pub(super) type Leave = OwnedSemaphorePermit;

impl Limits {
    /// As many connections as the system has files for, after asking it for as many as it gives.
    pub(super) fn new() -> Self {
        let files = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, hard)| {
            if setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() { hard } else { soft }
        });
        let strangers = usize::try_from(files.saturating_sub(OWN_FILES).max(files / 2)).unwrap_or(MANY);
        Self {
            connections: Arc::new(Semaphore::new(strangers.min(Semaphore::MAX_PERMITS))),
            requests: Arc::new(Semaphore::new(BUDGET / UNIT)),
        }
    }

    /// Leave for one more connection, if there is room.
    pub(super) fn connect(&self) -> Option<Leave> {
        Arc::clone(&self.connections).try_acquire_owned().ok()
    }

    /// Leave to hold a request of this size, once there is room; `None` is needed for a small one.
    pub(super) async fn hold(&self, bytes: usize) -> Option<Leave> {
        if bytes < SMALL {
            return None;
        }
        let units = u32::try_from(bytes.min(BUDGET).div_ceil(UNIT)).unwrap_or(u32::MAX);
        // It is never closed.
        Arc::clone(&self.requests).acquire_many_owned(units).await.ok()
    }
}
