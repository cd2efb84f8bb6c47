//! `kill`: the broker that leads a partition dies by SIGKILL and is started again on the data it left.

use history::{FaultClass, PlannedFault};

use crate::cluster::{Cluster, FaultError, Touched};
use crate::spec::{Injected, Nemesis, Spec, resolve};

pub(crate) static SPEC: Spec = Spec {
    name: "kill",
    summary: "SIGKILL the broker that leads a partition, start it again later",
    docs: "\
The broker dies by SIGKILL and is started again on the data it left. What it wrote to the page cache stays, so \
with one replica nothing acknowledged may be lost; with several, records it had acknowledged alone (acks=1) are \
lost when another broker takes over. It has bitten when a new leader epoch exists, so the broker stays dead for \
longer than its session.",
    class: FaultClass::Kill,
    duration_ms: |timings| timings.session_timeout_ms + 700,
    nemesis: &Kill,
};

/// Kills the nodes it aims at; healing starts them again.
pub(super) struct Kill;

impl Nemesis for Kill {
    fn aim(&self, fault: &PlannedFault, cluster: &dyn Cluster) -> Result<Injected, FaultError> {
        let (node, partitions) = resolve(fault.target, cluster)?;
        Ok(Injected { nodes: vec![node], partitions, ..Injected::default() })
    }

    fn inject(&self, _: &PlannedFault, aim: &Injected, cluster: &mut dyn Cluster) -> Result<(), FaultError> {
        cluster.kill(&aim.nodes)
    }

    fn verify(&self, aim: &Injected, cluster: &dyn Cluster) -> bool {
        aim.nodes.iter().all(|node| !cluster.is_running(*node))
    }

    fn heal(&self, aim: &Injected, cluster: &mut dyn Cluster) -> Result<Touched, FaultError> {
        cluster.start(&aim.nodes)
    }
}
