//! Faults of real hosts: what each is, and the shell that puts it in force, undoes it, and reads the state
//! back. Everything is text made here and run elsewhere, so that a plan can be printed before anything is
//! touched, and a host can heal itself when nobody else does.

mod clock;
mod disk;
mod fault;
mod files;
mod network;
mod process;
mod shape;
mod slow;
mod snapshot;
mod spec;

pub use fault::{Direction, HostFault, Kind, LogName, Peer};
pub use spec::{HostSpec, Service};

/// A fault as shell scripts. Each is complete in itself, and `undo` and `gone` may run any number of times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Procedure {
    /// Puts it in force; exits non-zero where it cannot, for the caller to undo what is half done, and 78 where
    /// it has refused before it touched anything.
    pub apply: String,
    /// Undoes it; does nothing where there is nothing to undo.
    pub undo: String,
    /// Exits 0 if the mechanism is in force.
    pub in_force: String,
    /// Exits 0 if nothing of it is left, reading the state back.
    pub gone: String,
}

/// The scripts of a fault on a host; `id` tags what it makes there.
#[must_use]
pub fn procedure(fault: &HostFault, host: &HostSpec, id: &str) -> Procedure {
    match fault {
        HostFault::Kill => process::kill(host, id),
        HostFault::Stop => process::stop(host),
        HostFault::Pause => process::pause(host, id),
        HostFault::Restart => process::restart(host),
        HostFault::Cut { peers, direction, reset } => network::cut(host, id, peers, *direction, *reset),
        HostFault::Loss { peers, percent } => network::loss(host, id, peers, *percent),
        HostFault::Delay { peers, ms, jitter_ms, or_kbit } => {
            shape::delay(host, peers, *ms, *jitter_ms, *or_kbit)
        }
        HostFault::Reorder { peers, percent, ms } => shape::reorder(host, peers, *percent, *ms),
        HostFault::Duplicate { peers, percent } => shape::duplicate(host, peers, *percent),
        HostFault::Corrupt { peers, percent } => shape::corrupt(host, peers, *percent),
        HostFault::Bandwidth { peers, kbit } => shape::bandwidth(host, peers, *kbit),
        HostFault::DropCache => disk::drop_cache(),
        HostFault::PowerFailure => disk::power_failure(host, id),
        HostFault::SlowDisk { kib } => slow::disk(host, id, *kib),
        HostFault::DiskFull => disk::full(host, id),
        HostFault::ReadOnly => disk::read_only(host, id),
        HostFault::TruncateLog { log, bytes } => files::truncate(host, id, log.as_ref(), *bytes),
        HostFault::FlipBit { log, seed, stays } => files::flip_bit(host, id, log.as_ref(), *seed, *stays),
        HostFault::Snapshot => snapshot::take(host, id),
        HostFault::RestoreSnapshot { keep_metadata } => snapshot::restore(host, id, *keep_metadata),
        HostFault::ClockBump { ms } => clock::bump(host, id, *ms),
        HostFault::ClockSkew { ppm } => clock::skew(host, id, *ppm),
        HostFault::ClockStrobe { ms, period_ms } => clock::strobe(host, id, *ms, *period_ms),
    }
}

/// What our chains begin with, and the handle of our qdiscs.
pub(crate) const NETWORK_TAGS: (&str, &str) = (network::CHAIN, shape::HANDLE);

/// The faults whose qdisc that is.
pub(crate) const SHAPING: [&str; 5] = ["delay", "reorder", "duplicate", "corrupt", "bandwidth"];

/// Starts the broker of a host unless it runs, and waits until its process is there.
#[must_use]
pub fn start_script(host: &HostSpec) -> String {
    format!("{}hw_start\n", host.functions())
}

/// How many of so many brokers may be down at once where nobody asked for more; of a pair or a single one, one.
#[must_use]
pub fn minority(brokers: usize) -> usize {
    (brokers.saturating_sub(1) / 2).max(1)
}

/// Exits 0 if the broker of a host runs and is not stopped.
#[must_use]
pub fn running_script(host: &HostSpec) -> String {
    format!("{}p=$(hw_pid)\n[ -n \"$p\" ] && ! grep -q '^State:.[Tt]' /proc/$p/status\n", host.functions())
}

/// Writes the id of the broker's process; nothing if it does not run.
#[must_use]
pub fn pid_script(host: &HostSpec) -> String {
    format!("{}hw_pid\n", host.functions())
}

/// Writes the mount point of the data directory; fails, and says why, where it is not one that faults of disks may
/// be tried on.
#[must_use]
pub fn mount_script(host: &HostSpec) -> String {
    format!("{}hw_mount\n", host.mount_functions())
}
