//! `power-failure-all`: every broker loses its power at once.

use history::{FaultClass, PlannedFault};

use super::power_failure::PowerFailure;
use crate::cluster::{Cluster, FaultError, Touched};
use crate::spec::{Injected, Nemesis, Spec, resolve};

pub(crate) static SPEC: Spec = Spec {
    name: "power-failure-all",
    summary: "cut the power of every broker at once: acks=all is replication in memory",
    docs: "\
Every broker dies by SIGKILL at once and comes back with what it had synced. Acknowledged by all in-sync \
replicas means in the memory of all of them, so acks=all alone loses everything since the last sync; \
flush.messages=1 does not. The controller is outside the fault domain. It has bitten when bytes were cut, or, \
where flush.messages=1 leaves none to cut, when another epoch began.",
    class: FaultClass::PowerFailureAll,
    duration_ms: |timings| timings.session_timeout_ms + 700,
    nemesis: &Everywhere(PowerFailure { torn: false }),
};

struct Everywhere(PowerFailure);

impl Nemesis for Everywhere {
    fn aim(&self, fault: &PlannedFault, cluster: &dyn Cluster) -> Result<Injected, FaultError> {
        // The planned target only has to exist: a cluster without a leader is not yet worth breaking.
        resolve(fault.target, cluster)?;
        Ok(Injected { nodes: cluster.nodes(), partitions: cluster.partitions(), ..Injected::default() })
    }

    fn inject(
        &self,
        fault: &PlannedFault,
        aim: &Injected,
        cluster: &mut dyn Cluster,
    ) -> Result<(), FaultError> {
        self.0.inject(fault, aim, cluster)
    }

    fn verify(&self, aim: &Injected, cluster: &dyn Cluster) -> bool {
        self.0.verify(aim, cluster)
    }

    fn heal(&self, aim: &Injected, cluster: &mut dyn Cluster) -> Result<Touched, FaultError> {
        self.0.heal(aim, cluster)
    }
}
