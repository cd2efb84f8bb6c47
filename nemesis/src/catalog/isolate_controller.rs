//! `isolate-controller`: everybody loses the controller; brokers and clients go on.

use history::{FaultClass, PlannedFault};

use crate::cluster::{Cluster, FaultError};
use crate::shape::{Cuts, hit, to_controller};
use crate::spec::{Injected, Spec, resolve};

pub(crate) static SPEC: Spec = Spec {
    name: "isolate-controller",
    summary: "cut every broker off from the controller; brokers and clients go on",
    docs: "\
No broker reaches the controller; they keep each other and their clients, and go on as they were last told. The \
controller fences them one after the other, with nobody left to tell, and when they are back it elects among those \
it last knew in sync. With acks=all these have everything; with acks=1 what only the old leader had is lost, \
although nobody failed. It has bitten when brokers were fenced, so it lasts longer than their session.",
    class: FaultClass::IsolateController,
    duration_ms: |timings| timings.session_timeout_ms + 2000,
    nemesis: &Cuts(aim),
};

fn aim(fault: &PlannedFault, cluster: &dyn Cluster) -> Result<Injected, FaultError> {
    // The planned target only has to exist: a cluster without a leader is not yet worth breaking.
    resolve(fault.target, cluster)?;
    let nodes = cluster.nodes();
    let links = to_controller(&nodes);
    Ok(hit(cluster, nodes, links))
}
