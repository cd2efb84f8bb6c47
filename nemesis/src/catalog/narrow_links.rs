//! `narrow-links`: few bytes a second pass between brokers.

use history::FaultClass;

use super::slow_links::aim;
use crate::impairment::Impairment;
use crate::shape::Impairs;
use crate::spec::Spec;

/// Less than what the default load has to replicate over each link.
const BYTES_PER_SECOND: u64 = 16 * 1024;

pub(crate) static SPEC: Spec = Spec {
    name: "narrow-links",
    summary: "16 KiB a second in each direction of every link between brokers",
    docs: "\
Every link between two brokers carries 16 KiB a second in each direction and no more; clients and the controller \
are as near as ever. Followers fall behind a leader that gets more than that, and out of the ISR in the end: with \
acks=all and min.insync.replicas=2 writes slow down and stop, with less they go on without the followers. Nothing \
may be lost. Takes two brokers. It has bitten when bytes had to wait for their turn.",
    class: FaultClass::NarrowLinks,
    duration_ms: |timings| timings.replica_lag_ms + 1500,
    nemesis: &Impairs { aim, how: |_, _, _| Impairment::Narrow { bytes_per_second: BYTES_PER_SECOND } },
};
