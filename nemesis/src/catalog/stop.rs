//! `stop`: the broker that leads a partition is stopped in an orderly way and started again later.

use history::{FaultClass, PlannedFault};

use crate::cluster::{Cluster, FaultError, Touched};
use crate::spec::{Injected, Nemesis, Spec, resolve};

pub(crate) static SPEC: Spec = Spec {
    name: "stop",
    summary: "stop a leader in an orderly way (SIGTERM), start it again later",
    docs: "\
The broker is asked to end (SIGTERM): the controller gives what it leads to others in sync, then it syncs its logs \
and ends, and is started again later. Records it had acknowledged alone (acks=1) are lost although everything went \
by the book: the new leader need not have them. It has bitten when a new leader epoch exists.",
    class: FaultClass::Stop,
    duration_ms: |_| 1500,
    nemesis: &Stop,
};

struct Stop;

impl Nemesis for Stop {
    fn aim(&self, fault: &PlannedFault, cluster: &dyn Cluster) -> Result<Injected, FaultError> {
        let (node, partitions) = resolve(fault.target, cluster)?;
        Ok(Injected { nodes: vec![node], partitions, ..Injected::default() })
    }

    fn inject(&self, _: &PlannedFault, aim: &Injected, cluster: &mut dyn Cluster) -> Result<(), FaultError> {
        cluster.stop(&aim.nodes)
    }

    fn verify(&self, aim: &Injected, cluster: &dyn Cluster) -> bool {
        aim.nodes.iter().all(|node| !cluster.is_running(*node))
    }

    fn heal(&self, aim: &Injected, cluster: &mut dyn Cluster) -> Result<Touched, FaultError> {
        cluster.start(&aim.nodes)
    }
}
