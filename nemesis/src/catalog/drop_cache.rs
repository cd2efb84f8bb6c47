//! `drop-cache`: the host of the broker that leads a partition forgets what it has in its page cache.

use history::FaultClass;

use crate::affliction::{Affliction, Afflicts};
use crate::spec::Spec;

pub(crate) static SPEC: Spec = Spec {
    name: "drop-cache",
    summary: "drop the page cache of the host of the broker that leads a partition",
    docs: "\
Everything that is on the disk too leaves the memory of the host, so that readers who are behind wait for the \
disk; what was not written back stays, and nothing may be lost. On hosts alone: the page cache is the machine's. \
It has bitten when cached bytes became fewer.",
    class: FaultClass::DropCache,
    duration_ms: |_| 500,
    nemesis: &Afflicts(|_, _| Affliction::DropCache),
};
