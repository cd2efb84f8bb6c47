//! `stale-disk`: a broker dies and comes back with the logs it had some time before.

use history::FaultClass;

use crate::affliction::{Affliction, Afflicts};
use crate::spec::Spec;

pub(crate) static SPEC: Spec = Spec {
    name: "stale-disk",
    summary: "bring a broker back with the logs it had some seconds before",
    docs: "\
The broker that leads a partition is asked to end, a copy of its logs is put away, and it is started again; some \
seconds later it dies by SIGKILL and comes back with that copy, as from a snapshot of its volume or a backup. \
The metadata of the cluster is not turned back: a controller that forgets whom it has voted for is another \
matter. With one replica everything since the copy is lost. With several the others have it, and a broker that \
is out of the ISR is not elected before it has caught up. It has bitten when bytes were missing from the copy.",
    class: FaultClass::StaleDisk,
    duration_ms: |_| 2500,
    nemesis: &Afflicts(|_, _| Affliction::StaleDisk),
};
