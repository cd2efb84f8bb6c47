//! `pause`: the broker that leads a partition is stopped (SIGSTOP) and continued later.

use history::{FaultClass, PlannedFault};

use crate::cluster::{Cluster, FaultError, Touched};
use crate::spec::{Injected, Nemesis, Spec, resolve};

pub(crate) static SPEC: Spec = Spec {
    name: "pause",
    summary: "stop the broker that leads a partition (SIGSTOP), continue it later",
    docs: "\
A paused broker is a zombie: when it wakes it believes for a moment that it still leads, and finds requests in \
its sockets that were sent long ago. It has bitten when the controller fenced the broker, so the pause is longer \
than its session.",
    class: FaultClass::Pause,
    duration_ms: |timings| timings.session_timeout_ms + 1000,
    nemesis: &Pause,
};

struct Pause;

impl Nemesis for Pause {
    fn aim(&self, fault: &PlannedFault, cluster: &dyn Cluster) -> Result<Injected, FaultError> {
        let (node, partitions) = resolve(fault.target, cluster)?;
        Ok(Injected { nodes: vec![node], partitions, ..Injected::default() })
    }

    fn inject(&self, _: &PlannedFault, aim: &Injected, cluster: &mut dyn Cluster) -> Result<(), FaultError> {
        cluster.pause(&aim.nodes)
    }

    fn verify(&self, aim: &Injected, cluster: &dyn Cluster) -> bool {
        aim.nodes.iter().all(|node| !cluster.is_running(*node))
    }

    fn heal(&self, aim: &Injected, cluster: &mut dyn Cluster) -> Result<Touched, FaultError> {
        cluster.resume(&aim.nodes).map(|()| Touched::default())
    }
}
