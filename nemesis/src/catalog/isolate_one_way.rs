//! `isolate-one-way`: a leader and everybody else but its clients, of whom only one side hears the other.

use history::{FaultClass, PlannedFault};

use crate::cluster::{Cluster, End, FaultError, Link};
use crate::impairment::{Direction, Impairment};
use crate::shape::{Impairs, between, others, to_controller};
use crate::spec::{Injected, Spec, resolve};

pub(crate) static SPEC: Spec = Spec {
    name: "isolate-one-way",
    summary: "brokers and controller hear a leader no more, or it them; it keeps its clients",
    docs: "\
Bytes between a leader and the other brokers and the controller pass in one direction only, which is drawn: either \
nobody hears the leader while it hears them, or it hears nobody while they hear it. Connections can be opened all \
the same, so that what still passes passes for as long as the fault lasts. A leader that nobody hears is fenced \
and replaced, and does not know; one that hears nobody may be told to shrink an ISR, or be fenced, without \
learning of it. With acks=1 what it acknowledges alone is lost when another takes over. It has bitten when a \
partition it led got a new leader epoch elsewhere, or its ISR shrank.",
    class: FaultClass::IsolateOneWay,
    duration_ms: |timings| timings.session_timeout_ms.max(timings.replica_lag_ms) + 2500,
    nemesis: &Impairs { aim, how },
};

fn aim(fault: &PlannedFault, cluster: &dyn Cluster) -> Result<Injected, FaultError> {
    let (node, partitions) = resolve(fault.target, cluster)?;
    let mut links = to_controller(&[node]);
    links.extend(between(&[node], &others(cluster, node, fault)));
    Ok(Injected { nodes: vec![node], partitions, links, ..Injected::default() })
}

/// What the leader says are the requests of connections it opened and the answers on others.
fn how(fault: &PlannedFault, aim: &Injected, link: Link) -> Impairment {
    let from_leader = aim.nodes.iter().any(|node| link.from == End::Node(*node));
    let said = if from_leader { Direction::Requests } else { Direction::Answers };
    let leader_is_mute = fault.draw.is_multiple_of(2);
    Impairment::Hold(if leader_is_mute { said } else { said.reverse() })
}
