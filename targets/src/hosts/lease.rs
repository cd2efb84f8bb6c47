//! Renews the leases of the faults in force, so that hosts wait for their undo only as long as somebody lives
//! who will ask for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use nemesis::journal;
use nemesis::node::Node;

/// Renewals that may fail before the lease is over.
const SPARE: u32 = 4;

/// A host whose leases are renewed while it has faults.
pub(super) struct Leased {
    pub(super) node: Arc<dyn Node>,
    pub(super) state_dir: String,
    /// How many faults it has.
    pub(super) open: Arc<AtomicU64>,
}

/// Renews leases while it lives.
pub(super) struct Lease {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Lease {
    /// Starts renewing what `prefix` tags.
    pub(super) fn start(hosts: Vec<Leased>, prefix: String, lease_s: u32) -> std::io::Result<Self> {
        let (stop, stopped) = channel();
        let every = Duration::from_secs(u64::from((lease_s / SPARE).max(1)));
        let thread = std::thread::Builder::new().name("leases".to_owned()).spawn(move || {
            let mut tick = 0;
            while matches!(stopped.recv_timeout(every), Err(RecvTimeoutError::Timeout)) {
                tick += 1;
                for host in hosts.iter().filter(|host| host.open.load(Ordering::Relaxed) > 0) {
                    // A host that cannot be told heals itself, which is what the lease is for.
                    let _ = journal::renew(host.node.as_ref(), &host.state_dir, &prefix, tick);
                }
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // It only renews; there is nothing to hear of a panic.
            let _ = thread.join();
        }
    }
}
