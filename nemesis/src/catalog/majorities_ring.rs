//! `majorities-ring`: every broker sees a majority, and no two see the same.

use history::{FaultClass, PlannedFault};

use crate::cluster::{Cluster, End, FaultError, Link};
use crate::shape::{Cuts, at_least, between, hit, others};
use crate::spec::{Injected, Spec, resolve};

pub(crate) static SPEC: Spec = Spec {
    name: "majorities-ring",
    summary: "every broker sees a majority of the brokers, and no two see the same",
    docs: "\
The brokers stand in a ring whose order is drawn, and each reaches only its neighbours, as few as make a majority \
with it; everyone keeps the controller. No two see the same majority. Every leader keeps some followers and loses \
others, so that every ISR shrinks and none to the leader alone. Of three brokers everybody is everybody's \
neighbour: there the fault takes one of the two links of each pair, so that each broker can fetch from one other \
only, and each is fetched from by one other only. With four or six, opposite ones alone lose each other. Takes \
three brokers. It has bitten when an ISR shrank, so it lasts longer than replica.lag.time.max.ms.",
    class: FaultClass::PartialPartition,
    duration_ms: |timings| timings.replica_lag_ms + 1500,
    nemesis: &Cuts(aim),
};

fn aim(fault: &PlannedFault, cluster: &dyn Cluster) -> Result<Injected, FaultError> {
    let (leader, _) = resolve(fault.target, cluster)?;
    at_least(3, cluster)?;
    let mut ring = others(cluster, leader, fault);
    ring.push(leader);
    let size = ring.len();
    let mut links = Vec::new();
    if size == 3 {
        let next = |place: usize| End::Node(ring[(place + 1) % size]);
        links.extend((0..size).map(|place| Link { from: End::Node(ring[place]), to: next(place) }));
    } else {
        // A majority without the broker itself, on both sides of it.
        let reach = (size / 2).div_ceil(2);
        for (place, node) in ring.iter().enumerate() {
            for (ahead, other) in ring.iter().enumerate().skip(place + 1) {
                let apart = (ahead - place).min(size - (ahead - place));
                if apart > reach {
                    links.extend(between(&[*node], &[*other]));
                }
            }
        }
    }
    ring.sort_unstable();
    Ok(hit(cluster, ring, links))
}
