//! `unclean-election`: partitions that nobody leads are given to replicas that are out of sync.

use std::time::Duration;

use history::{FaultClass, Partition, PlannedFault};

use crate::administrator::{Change, Election, SHOWS_WITHIN, View, of};
use crate::cluster::{Cluster, FaultError, Touched};
use crate::spec::{Injected, Nemesis, Spec};

pub(crate) static SPEC: Spec = Spec {
    name: "unclean-election",
    summary: "have partitions that nobody leads given to replicas out of sync",
    docs: "\
The cluster is asked (ElectLeaders, KIP-460) for an unclean election of every partition of the topic that has no \
leader: operators do that who would rather have records lost than a partition stand still, whatever \
unclean.leader.election.enable says. It takes other faults beside it that leave a partition without a leader, and \
waits for one as long as it lasts: `isolate-followers@1s+4s,kill@4s+6s,unclean-election@6s+1s`. Without any it does \
nothing, and the run proves nothing. Acknowledged records may then be lost, with acks=all too. It has bitten when a \
partition without a leader got one. There is nothing to undo. It is about the topic of the run alone, needs no host \
and works on every target.",
    class: FaultClass::UncleanElection,
    duration_ms: |_| 500,
    nemesis: &UncleanElection,
};

struct UncleanElection;

fn leaderless(view: &View) -> Vec<Partition> {
    let nobody = view.placements.iter().filter(|placement| placement.leader.is_none());
    nobody.map(|placement| placement.partition).collect()
}

impl Nemesis for UncleanElection {
    fn aim(&self, fault: &PlannedFault, cluster: &dyn Cluster) -> Result<Injected, FaultError> {
        let within = Duration::from_millis(fault.duration_ms);
        let view = of(cluster)?.await_view(&|view| !leaderless(view).is_empty(), within)?;
        let leaderless = leaderless(&view);
        if leaderless.is_empty() {
            return Err(FaultError::EveryoneLed);
        }
        let changes = leaderless.iter().map(|partition| Change::Leader { partition: *partition, to: None });
        let changes = changes.collect();
        Ok(Injected::changing(leaderless, changes))
    }

    fn inject(&self, _: &PlannedFault, aim: &Injected, cluster: &mut dyn Cluster) -> Result<(), FaultError> {
        of(cluster)?.elect(Election::Unclean, &aim.partitions)
    }

    fn runs_through(&self) -> bool {
        true
    }

    fn verify(&self, aim: &Injected, cluster: &dyn Cluster) -> bool {
        // Of several, one may have no replica that lives.
        let led = |view: &View| {
            let mut hit = aim.partitions.iter().filter_map(|partition| view.placement(*partition));
            hit.any(|placement| placement.leader.is_some())
        };
        let view = of(cluster).and_then(|administrator| administrator.await_view(&led, SHOWS_WITHIN));
        view.is_ok_and(|view| led(&view))
    }

    fn heal(&self, _: &Injected, _: &mut dyn Cluster) -> Result<Touched, FaultError> {
        Ok(Touched::default())
    }
}
