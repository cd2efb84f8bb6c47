//! `disk-full`: the disk of the broker that leads a partition has no room left.

use history::FaultClass;

use crate::affliction::{Affliction, Afflicts};
use crate::spec::Spec;

pub(crate) static SPEC: Spec = Spec {
    name: "disk-full",
    summary: "fill the disk of the broker that leads a partition, until it gives up",
    docs: "\
The disk of the broker takes no byte more. Kafka gives a log directory up at the first write that fails, and \
ends if it has no other; its followers take over when its session expires. What it has acknowledged is on its \
disk or in its page cache, and found again once there is room and it is started: nothing may be lost that a \
SIGKILL would not lose. It has bitten when the broker was fenced, or a partition it led got a new epoch.",
    class: FaultClass::DiskFull,
    duration_ms: |timings| timings.session_timeout_ms + 700,
    nemesis: &Afflicts(|_, _| Affliction::DiskFull),
};
