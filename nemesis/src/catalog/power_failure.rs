//! `power-failure`: the broker that leads a partition loses its power.

use history::{FaultClass, PlannedFault};

use crate::cluster::{Cluster, FaultError, Touched};
use crate::spec::{Injected, Nemesis, Spec, resolve};

pub(crate) static SPEC: Spec = Spec {
    name: "power-failure",
    summary: "cut the power of the broker that leads a partition: unsynced bytes are gone",
    docs: "\
The broker dies by SIGKILL, and before it is started again every file is cut back to what it had synced: Kafka \
acknowledges what is in the page cache, and syncs when a segment is full or flush.messages says so. With one \
replica everything since the last sync is lost; with several in-sync ones the others have it, until the one that \
comes back empty is elected. It has bitten when bytes were cut, or, where flush.messages=1 leaves none to cut, \
when another epoch began.",
    class: FaultClass::PowerFailure,
    duration_ms: |timings| timings.session_timeout_ms + 700,
    nemesis: &PowerFailure { torn: false },
};

/// Also the nemeses that differ in what is torn.
pub(super) struct PowerFailure {
    /// Half of what was not synced got to the disk, its end in pieces.
    pub(super) torn: bool,
}

impl Nemesis for PowerFailure {
    fn aim(&self, fault: &PlannedFault, cluster: &dyn Cluster) -> Result<Injected, FaultError> {
        let (node, partitions) = resolve(fault.target, cluster)?;
        Ok(Injected { nodes: vec![node], partitions, ..Injected::default() })
    }

    fn inject(&self, _: &PlannedFault, aim: &Injected, cluster: &mut dyn Cluster) -> Result<(), FaultError> {
        cluster.power_off(&aim.nodes, self.torn)
    }

    fn verify(&self, aim: &Injected, cluster: &dyn Cluster) -> bool {
        aim.nodes.iter().all(|node| !cluster.is_running(*node))
    }

    fn heal(&self, aim: &Injected, cluster: &mut dyn Cluster) -> Result<Touched, FaultError> {
        cluster.start(&aim.nodes)
    }
}
