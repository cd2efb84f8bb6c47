//! `isolate-followers`: the followers of a partition lose its leader in both directions; everyone keeps
//! the controller, so the leader keeps leading and the ISR shrinks to it.

use history::{FaultClass, PlannedFault};

use crate::cluster::{Cluster, FaultError};
use crate::shape::{Cuts, between, others};
use crate::spec::{Injected, Spec, resolve};

pub(crate) static SPEC: Spec = Spec {
    name: "isolate-followers",
    summary: "cut a leader's followers off from it; everyone keeps the controller",
    docs: "\
The followers of a partition lose its leader in both directions and everyone keeps the controller, so the \
leader keeps leading and the ISR shrinks to it. With min.insync.replicas=2 writes with acks=all stop; with 1 \
they go on, and live on one broker only. It has bitten when the ISR shrank, so it lasts longer than \
replica.lag.time.max.ms.",
    class: FaultClass::IsolateFollowers,
    duration_ms: |timings| timings.replica_lag_ms + 1500,
    nemesis: &Cuts(aim),
};

fn aim(fault: &PlannedFault, cluster: &dyn Cluster) -> Result<Injected, FaultError> {
    let (node, partitions) = resolve(fault.target, cluster)?;
    let links = between(&[node], &others(cluster, node, fault));
    Ok(Injected { nodes: vec![node], partitions, links, ..Injected::default() })
}
