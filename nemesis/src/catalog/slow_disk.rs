//! `slow-disk`: the disk of the broker that leads a partition does few bytes a second.

use history::FaultClass;

use crate::affliction::{Affliction, Afflicts};
use crate::spec::Spec;

/// Less than what the default load has to write on each broker.
const KIB_PER_SECOND: u32 = 32;

pub(crate) static SPEC: Spec = Spec {
    name: "slow-disk",
    summary: "32 KiB a second for the disk of the broker that leads a partition",
    docs: "\
The disk of the broker does 32 KiB a second. The broker waits for it, its followers and clients wait for the \
broker; it may fall out of the ISR, or be taken for dead. Nothing may be lost that a SIGKILL would not lose. By \
cgroup v2 io.max on hosts; cgroup v1 throttles reads and what the broker itself syncs, so that with few of these \
it may be hard to see. It has bitten when bytes had to wait for their turn.",
    class: FaultClass::SlowDisk,
    duration_ms: |timings| timings.replica_lag_ms + 1500,
    nemesis: &Afflicts(|_, _| Affliction::SlowDisk { kib: KIB_PER_SECOND }),
};
