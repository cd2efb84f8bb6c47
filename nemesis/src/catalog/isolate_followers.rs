//! `isolate-followers`: the followers of a partition lose its leader in both directions; everyone keeps
//! the controller, so the leader keeps leading and the ISR shrinks to it.

use history::{FaultClass, PlannedFault};

use crate::cluster::{Cluster, End, FaultError, Link, Touched};
use crate::spec::{Injected, Nemesis, Spec, resolve};

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
    nemesis: &IsolateFollowers,
};

struct IsolateFollowers;

impl Nemesis for IsolateFollowers {
    fn aim(&self, fault: &PlannedFault, cluster: &dyn Cluster) -> Result<Injected, FaultError> {
        let (node, partitions) = resolve(fault.target, cluster)?;
        let leader = End::Node(node);
        let others = cluster.nodes().into_iter().filter(|other| *other != node).map(End::Node);
        let links = others
            .flat_map(|other| [Link { from: other, to: leader }, Link { from: leader, to: other }])
            .collect();
        Ok(Injected { nodes: vec![node], partitions, links })
    }

    fn inject(
        &self,
        fault: &PlannedFault,
        aim: &Injected,
        cluster: &mut dyn Cluster,
    ) -> Result<(), FaultError> {
        cluster.cut(&aim.links, fault.manner)
    }

    fn verify(&self, aim: &Injected, cluster: &dyn Cluster) -> bool {
        aim.links.iter().all(|link| cluster.is_cut(*link))
    }

    fn heal(&self, aim: &Injected, cluster: &mut dyn Cluster) -> Result<Touched, FaultError> {
        cluster.heal(&aim.links)
    }
}
