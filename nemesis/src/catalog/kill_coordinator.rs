//! `kill-coordinator`: the broker that coordinates the run's consumer group dies by SIGKILL and is started again.

use history::{FaultClass, FaultTarget, PlannedFault};

use super::kill::Kill;
use crate::cluster::{Cluster, FaultError, Touched};
use crate::spec::{Injected, Nemesis, Spec, resolve};

pub(crate) static SPEC: Spec = Spec {
    name: "kill-coordinator",
    summary: "SIGKILL the broker that coordinates the group, start it again later",
    docs: "\
The broker that leads the group's partition of `__consumer_offsets` dies by SIGKILL and is started again on the \
data it left. Another one reads the group and its offsets from its replica and goes on; members find it and go on \
committing, in the same generation if they are back in time. No committed offset may be forgotten. It has bitten \
when the group has another coordinator that took a commit, so the broker stays dead for longer than its session. Needs a workload whose \
consumers are a group.",
    class: FaultClass::KillCoordinator,
    duration_ms: |timings| timings.session_timeout_ms + 1500,
    nemesis: &KillCoordinator,
};

struct KillCoordinator;

impl Nemesis for KillCoordinator {
    fn aim(&self, _: &PlannedFault, cluster: &dyn Cluster) -> Result<Injected, FaultError> {
        let (node, partitions) = resolve(FaultTarget::Coordinator, cluster)?;
        Ok(Injected { nodes: vec![node], partitions, ..Injected::default() })
    }

    fn inject(
        &self,
        fault: &PlannedFault,
        aim: &Injected,
        cluster: &mut dyn Cluster,
    ) -> Result<(), FaultError> {
        Kill.inject(fault, aim, cluster)
    }

    fn verify(&self, aim: &Injected, cluster: &dyn Cluster) -> bool {
        Kill.verify(aim, cluster)
    }

    fn heal(&self, aim: &Injected, cluster: &mut dyn Cluster) -> Result<Touched, FaultError> {
        Kill.heal(aim, cluster)
    }
}
