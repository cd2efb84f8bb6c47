//! `read-only-disk`: the file system of the broker that leads a partition turns read-only.

use history::FaultClass;

use crate::affliction::{Affliction, Afflicts};
use crate::spec::Spec;

pub(crate) static SPEC: Spec = Spec {
    name: "read-only-disk",
    summary: "turn the file system of the broker that leads a partition read-only",
    docs: "\
The kernel does that when a disk returns errors. Every write of the broker fails, so that it gives its log \
directory up and ends; and what it had not synced never gets to the disk, as at a power failure. It comes back \
when the file system was checked and mounted again. With one replica everything since the last sync is lost; \
several in-sync ones have it, as long as only one of them goes. It has bitten when bytes were gone, or, where \
flush.messages=1 leaves none, when another epoch began.",
    class: FaultClass::ReadOnlyDisk,
    duration_ms: |timings| timings.session_timeout_ms + 700,
    nemesis: &Afflicts(|_, _| Affliction::ReadOnlyDisk),
};
