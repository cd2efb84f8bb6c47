//! `isolate-clients`: clients lose a leader; the brokers lose nobody.

use history::{FaultClass, PlannedFault};

use crate::cluster::{Cluster, End, FaultError, Link};
use crate::shape::Cuts;
use crate::spec::{Injected, Spec, resolve};

pub(crate) static SPEC: Spec = Spec {
    name: "isolate-clients",
    summary: "cut all clients off from a leader; the brokers are whole and see each other",
    docs: "\
No client reaches the leader of a partition, and the cluster has no reason to elect another: writes and reads of \
what it leads wait, or are given up, until the cut is healed. Requests under way may arrive then, long after they \
were given up, so that producers without idempotence may write twice; nothing acknowledged may be lost, with \
acks=1 neither. Only where the clients' links run through the proxy: not on a cluster that is kept up. It has \
bitten when records for its partitions had to wait.",
    class: FaultClass::IsolateClients,
    duration_ms: |_| 2500,
    nemesis: &Cuts(aim),
};

/// The only link of the fault is that of clients.
pub(super) fn aim(fault: &PlannedFault, cluster: &dyn Cluster) -> Result<Injected, FaultError> {
    let (node, partitions) = resolve(fault.target, cluster)?;
    let links = vec![Link { from: End::Clients, to: End::Node(node) }];
    Ok(Injected { nodes: vec![node], partitions, links, ..Injected::default() })
}
