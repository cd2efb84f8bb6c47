//! `bridge`: two halves of the brokers that lose each other, and one broker that both still see.

use history::{FaultClass, PlannedFault};

use crate::cluster::{Cluster, FaultError};
use crate::shape::{Cuts, at_least, between, hit, others};
use crate::spec::{Injected, Spec, resolve};

pub(crate) static SPEC: Spec = Spec {
    name: "bridge",
    summary: "cut the brokers into two halves that both see one broker and the controller",
    docs: "\
The brokers but one fall into two halves that do not reach each other, the leader of a partition in one of them; \
who is on which side is drawn. The one left over and the controller see everybody. Leadership stays where it is, \
and followers in the other half fall out of the ISR; what they miss, the bridge may have, and must hand on only \
as its leader says. Takes three brokers. It has bitten when an ISR shrank, so it lasts longer than \
replica.lag.time.max.ms.",
    class: FaultClass::PartialPartition,
    duration_ms: |timings| timings.replica_lag_ms + 1500,
    nemesis: &Cuts(aim),
};

fn aim(fault: &PlannedFault, cluster: &dyn Cluster) -> Result<Injected, FaultError> {
    let (leader, _) = resolve(fault.target, cluster)?;
    at_least(3, cluster)?;
    let mut rest = others(cluster, leader, fault);
    // The bridge is the one that is in no half.
    rest.pop();
    let theirs = rest.split_off(rest.len() / 2);
    let mut ours = rest;
    ours.push(leader);
    let links = between(&ours, &theirs);
    let mut nodes = [ours, theirs].concat();
    nodes.sort_unstable();
    Ok(hit(cluster, nodes, links))
}
