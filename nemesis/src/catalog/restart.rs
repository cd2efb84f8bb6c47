//! `restart`: the broker that leads a partition dies by SIGKILL and is started again at once.

use history::{FaultClass, PlannedFault};

use crate::cluster::{Cluster, FaultError, Touched};
use crate::spec::{Injected, Nemesis, Spec, resolve};

pub(crate) static SPEC: Spec = Spec {
    name: "restart",
    summary: "SIGKILL the broker that leads a partition, start it again at once",
    docs: "\
The broker dies by SIGKILL and is started again at once on the data it left, long before anybody could miss it. It \
must not take up what it led as if nothing had happened: its new incarnation is not let in before the session of \
the old one is over, and others lead by then (KIP-903). Loses what kill loses. It has bitten when a new leader \
epoch exists, so the next fault waits for longer than a session.",
    class: FaultClass::Kill,
    duration_ms: |timings| timings.session_timeout_ms + 1000,
    nemesis: &Restart,
};

struct Restart;

impl Nemesis for Restart {
    fn aim(&self, fault: &PlannedFault, cluster: &dyn Cluster) -> Result<Injected, FaultError> {
        let (node, partitions) = resolve(fault.target, cluster)?;
        Ok(Injected { nodes: vec![node], partitions, ..Injected::default() })
    }

    fn inject(&self, _: &PlannedFault, aim: &Injected, cluster: &mut dyn Cluster) -> Result<(), FaultError> {
        cluster.kill(&aim.nodes)?;
        cluster.start(&aim.nodes).map(drop)
    }

    fn runs_through(&self) -> bool {
        true
    }

    fn verify(&self, aim: &Injected, cluster: &dyn Cluster) -> bool {
        aim.nodes.iter().all(|node| cluster.is_running(*node))
    }

    fn heal(&self, aim: &Injected, cluster: &mut dyn Cluster) -> Result<Touched, FaultError> {
        cluster.start(&aim.nodes)
    }
}
