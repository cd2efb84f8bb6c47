//! `isolate-leader`: the leader loses both directions to all other brokers *and to the controller*, and
//! keeps its clients, for longer than the broker session time-out + 2 s.

use history::{FaultClass, PlannedFault};

use crate::cluster::{Cluster, End, FaultError, Link, Touched};
use crate::spec::{Injected, Nemesis, Spec, resolve};

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
    nemesis: &IsolateLeader,
};

struct IsolateLeader;

impl Nemesis for IsolateLeader {
    fn aim(&self, fault: &PlannedFault, cluster: &dyn Cluster) -> Result<Injected, FaultError> {
        let (node, partitions) = resolve(fault.target, cluster)?;
        let leader = End::Node(node);
        let mut links = vec![Link { from: leader, to: End::Controller }];
        for other in cluster.nodes().into_iter().filter(|other| *other != node).map(End::Node) {
            links.push(Link { from: leader, to: other });
            links.push(Link { from: other, to: leader });
        }
        Ok(Injected { nodes: vec![node], partitions, links })
    }

    fn inject(
        &self,
        fault: &PlannedFault,
        aim: &Injected,
        cluster: &mut dyn Cluster,
    ) -> Result<(), FaultError> {
        cluster.cut(&aim.links, fault.manner)
    }

    fn verify(&self, aim: &Injected, cluster: &dyn Cluster) -> bool {
        aim.links.iter().all(|link| cluster.is_cut(*link))
    }

    fn heal(&self, aim: &Injected, cluster: &mut dyn Cluster) -> Result<Touched, FaultError> {
        cluster.heal(&aim.links)
    }
}
