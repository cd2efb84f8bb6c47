//! `slow-links`: bytes between brokers come late.

use history::{FaultClass, PlannedFault};

use crate::cluster::{Cluster, FaultError, Link};
use crate::impairment::Impairment;
use crate::shape::{Impairs, among, at_least, hit};
use crate::spec::{Injected, Spec, resolve};

/// Every byte is late by so much.
const AT_LEAST_MS: u64 = 100;
/// And by up to so much more: together well below the short profile's replica.lag.time.max.ms.
const JITTER_MS: u64 = 150;

pub(crate) static SPEC: Spec = Spec {
    name: "slow-links",
    summary: "100 to 250 ms of delay on every link between brokers",
    docs: "\
Everything that brokers send each other comes 100 to 250 ms late, in order, the delay of each chunk drawn from the \
seed; clients and the controller are as near as ever. With acks=all every acknowledgement waits for followers that \
are far away; with acks=1 none does, and more of what is acknowledged is on the leader alone. Nothing may be lost. \
Takes two brokers. It has bitten when bytes were late.",
    class: FaultClass::SlowLinks,
    duration_ms: |_| 2500,
    nemesis: &Impairs { aim, how: late },
};

/// The delay of these links and of others that are slow.
pub(super) fn late(fault: &PlannedFault, _: &Injected, _: Link) -> Impairment {
    Impairment::Delay { at_least_ms: AT_LEAST_MS, jitter_ms: JITTER_MS, seed: u64::from(fault.draw) }
}

/// Every link between brokers.
pub(super) fn aim(fault: &PlannedFault, cluster: &dyn Cluster) -> Result<Injected, FaultError> {
    // The planned target only has to exist: a cluster without a leader is not yet worth breaking.
    resolve(fault.target, cluster)?;
    at_least(2, cluster)?;
    let nodes = cluster.nodes();
    let links = among(&nodes);
    Ok(hit(cluster, nodes, links))
}
