//! `isolate-minority`: a minority of the brokers, with a leader in it, loses the majority and the controller.

use history::{FaultClass, PlannedFault};

use crate::cluster::{Cluster, FaultError};
use crate::shape::{Cuts, between, hit, others, to_controller};
use crate::spec::{Injected, Spec, resolve};

pub(crate) static SPEC: Spec = Spec {
    name: "isolate-minority",
    summary: "cut a minority of brokers off from the majority; both sides keep their clients",
    docs: "\
As many brokers as a minority has, the leader of a partition among them and the others drawn, lose the majority \
and the controller, and keep each other and their clients. The majority elects; the minority goes on for as long \
as nobody tells it otherwise. With acks=1 what it acknowledges is lost on healing; with acks=all it can \
acknowledge only what all in-sync replicas have, and it cannot shrink the ISR without the controller. Of three \
brokers the minority is one, and this is isolate-leader. It has bitten when a new leader epoch exists elsewhere \
while records were still sent to the old leaders.",
    class: FaultClass::IsolateMinority,
    duration_ms: |timings| timings.session_timeout_ms + 2100,
    nemesis: &Cuts(aim),
};

fn aim(fault: &PlannedFault, cluster: &dyn Cluster) -> Result<Injected, FaultError> {
    let (leader, _) = resolve(fault.target, cluster)?;
    let mut majority = others(cluster, leader, fault);
    // Besides the leader.
    let minority = (cluster.nodes().len().saturating_sub(1) / 2).saturating_sub(1);
    let mut nodes: Vec<_> = majority.drain(..minority).collect();
    nodes.push(leader);
    nodes.sort_unstable();
    let mut links = to_controller(&nodes);
    links.extend(between(&nodes, &majority));
    Ok(hit(cluster, nodes, links))
}
