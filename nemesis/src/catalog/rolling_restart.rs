//! `rolling-restart`: every broker is restarted in an orderly way, one after the other.

use std::time::Duration;

use history::{FaultClass, PlannedFault};

use crate::cluster::{Cluster, FaultError, Touched};
use crate::shape::{hit, others};
use crate::spec::{Injected, Nemesis, Spec, resolve};

/// How long a broker that came back may take to be in sync before the next one goes all the same.
const IN_SYNC_WITHIN: Duration = Duration::from_secs(5);

pub(crate) static SPEC: Spec = Spec {
    name: "rolling-restart",
    summary: "restart every broker in an orderly way, one after the other",
    docs: "\
Every broker in turn, the leader of a partition first and the others in an order that is drawn, is asked to end \
(SIGTERM), started again, and waited for until it is in sync wherever it has a replica, at most 5 s: an upgrade as \
everybody does it. With acks=all nothing may be lost and no partition need be without a leader for long; with \
acks=1 each handing over may lose what the old leader had alone. It has bitten when leadership moved.",
    class: FaultClass::RollingRestart,
    // What three brokers take.
    duration_ms: |_| 5000,
    nemesis: &RollingRestart,
};

struct RollingRestart;

impl Nemesis for RollingRestart {
    fn aim(&self, fault: &PlannedFault, cluster: &dyn Cluster) -> Result<Injected, FaultError> {
        let (leader, _) = resolve(fault.target, cluster)?;
        let mut nodes = vec![leader];
        nodes.extend(others(cluster, leader, fault));
        Ok(hit(cluster, nodes, Vec::new()))
    }

    fn inject(&self, _: &PlannedFault, aim: &Injected, cluster: &mut dyn Cluster) -> Result<(), FaultError> {
        for node in &aim.nodes {
            cluster.stop(&[*node])?;
            cluster.start(&[*node])?;
            // Who is late is no reason to stop half way: what comes of it is what the run is about.
            cluster.await_in_sync(*node, IN_SYNC_WITHIN)?;
        }
        Ok(())
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
