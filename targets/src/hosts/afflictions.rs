//! What a host does that puts its broker under something: which of its faults, and what is done last.

use history::Partition;
use nemesis::Affliction;
use nemesis::host::{HostFault, LogName};

/// The fault that it begins with.
pub(super) fn fault(affliction: &Affliction, topic: &str) -> HostFault {
    let log = |partition: &Partition| Some(LogName { topic: topic.to_owned(), partition: partition.0 });
    match affliction {
        Affliction::DiskFull => HostFault::DiskFull,
        Affliction::ReadOnlyDisk => HostFault::ReadOnly,
        Affliction::SlowDisk { kib } => HostFault::SlowDisk { kib: *kib },
        Affliction::TruncateLog { partition, bytes } => {
            HostFault::TruncateLog { log: log(partition), bytes: *bytes }
        }
        Affliction::FlipBit { partition, seed } => {
            HostFault::FlipBit { log: log(partition), seed: *seed, stays: true }
        }
        Affliction::StaleDisk => HostFault::Snapshot,
        Affliction::DropCache => HostFault::DropCache,
        Affliction::ClockBump { ms } => HostFault::ClockBump { ms: *ms },
        Affliction::ClockSkew { ppm } => HostFault::ClockSkew { ppm: *ppm },
        Affliction::ClockStrobe { ms, period_ms } => {
            HostFault::ClockStrobe { ms: *ms, period_ms: *period_ms }
        }
    }
}

/// What is done to a node that is under it just before it ends.
pub(super) fn last_act(affliction: &Affliction) -> Option<HostFault> {
    (*affliction == Affliction::StaleDisk).then_some(HostFault::RestoreSnapshot { keep_metadata: true })
}

/// Whether the broker was down for a moment, and is up again as soon as it is in force.
pub(super) const fn comes_back(affliction: &Affliction) -> bool {
    matches!(affliction, Affliction::TruncateLog { .. } | Affliction::FlipBit { .. } | Affliction::StaleDisk)
}
