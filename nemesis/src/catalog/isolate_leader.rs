//! `isolate-leader`: the leader loses both directions to all other brokers *and to the controller*, and
//! keeps its clients, for longer than the broker session time-out + 2 s.

use history::{FaultClass, PlannedFault};

use crate::cluster::{Cluster, FaultError};
use crate::shape::{Cuts, between, others, to_controller};
use crate::spec::{Injected, Spec, resolve};

pub(crate) static SPEC: Spec = Spec {
    name: "isolate-leader",
    summary: "cut a leader off from all brokers and the controller; it keeps its clients",
    docs: "\
The leader loses both directions to all other brokers and to the controller, and keeps its clients, for longer \
than a broker session and 2 s. Nobody tells it that another leader was elected, so it goes on acknowledging what \
needs only itself: with acks=1 everything it acknowledges from the cut to the heal is lost, though no process \
ever died. If the controller stayed reachable the leader would shrink its ISR and keep leading; if the clients \
were cut off too there would be nothing to lose. With acks=all it can acknowledge nothing. It has bitten when a \
new leader epoch exists elsewhere while records were still sent to the old leader.",
    class: FaultClass::IsolateLeader,
    duration_ms: |timings| timings.session_timeout_ms + 2100,
    nemesis: &Cuts(aim),
};

fn aim(fault: &PlannedFault, cluster: &dyn Cluster) -> Result<Injected, FaultError> {
    let (node, partitions) = resolve(fault.target, cluster)?;
    let mut links = to_controller(&[node]);
    links.extend(between(&[node], &others(cluster, node, fault)));
    Ok(Injected { nodes: vec![node], partitions, links, ..Injected::default() })
}
