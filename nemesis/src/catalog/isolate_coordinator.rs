//! `isolate-coordinator`: the broker that coordinates the run's consumer group loses all other brokers and the
//! controller, and keeps its clients.

use history::{FaultClass, FaultTarget, PlannedFault};

use crate::cluster::{Cluster, FaultError};
use crate::shape::{Cuts, between, others, to_controller};
use crate::spec::{Injected, Spec, resolve};

pub(crate) static SPEC: Spec = Spec {
    name: "isolate-coordinator",
    summary: "cut the group's coordinator off from brokers; it keeps its clients",
    docs: "\
The broker that leads the group's partition of `__consumer_offsets` loses both directions to all other brokers and \
to the controller, and keeps its clients, for longer than a broker session and 2 s. Another one coordinates the \
group, and nobody tells the old one: members that stay with it hear heartbeats answered and can commit nothing, \
since a commit needs the in-sync replicas, and it may tell offsets of the past to whoever asks. What was committed \
may be told late and not be forgotten. It has bitten when the group had another coordinator during the cut. Needs \
a workload whose consumers are a group.",
    class: FaultClass::IsolateCoordinator,
    duration_ms: |timings| timings.session_timeout_ms + 2600,
    nemesis: &Cuts(aim),
};

fn aim(fault: &PlannedFault, cluster: &dyn Cluster) -> Result<Injected, FaultError> {
    let (node, partitions) = resolve(FaultTarget::Coordinator, cluster)?;
    let mut links = to_controller(&[node]);
    links.extend(between(&[node], &others(cluster, node, fault)));
    Ok(Injected { nodes: vec![node], partitions, links, ..Injected::default() })
}
