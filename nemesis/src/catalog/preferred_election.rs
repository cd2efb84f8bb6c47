//! `preferred-election`: leadership of a partition is given to another replica by an election, and back later.

use history::{FaultClass, PlannedFault};

use crate::administrator::{Change, Election, aimed_at, as_wanted, give_back, of, rearrange};
use crate::cluster::{Cluster, FaultError, Touched};
use crate::spec::{Injected, Nemesis, Spec};

pub(crate) static SPEC: Spec = Spec {
    name: "preferred-election",
    summary: "have a partition's preferred leader elected under load, another one if it leads",
    docs: "\
The cluster is asked (ElectLeaders, KIP-460) to give a partition to its preferred leader, as operators do after \
maintenance. Where that one leads already, another replica in sync is made the preferred one before (the order of the \
replicas changes, not the replicas); healing restores the order and elects again. With acks=all nothing may be lost; \
with acks=1 the old leader takes with it what it had alone. It has bitten when leadership moved. It is about the \
topic of the run alone, needs no host and works on every target.",
    class: FaultClass::PreferredElection,
    duration_ms: |_| 1000,
    nemesis: &PreferredElection,
};

struct PreferredElection;

impl Nemesis for PreferredElection {
    fn aim(&self, fault: &PlannedFault, cluster: &dyn Cluster) -> Result<Injected, FaultError> {
        let (_, placement) = aimed_at(fault, of(cluster)?)?;
        let partition = placement.partition;
        let leader = placement.leader.ok_or(FaultError::NoLeader(partition))?;
        let preferred = placement.replicas.first().copied().filter(|preferred| *preferred != leader);
        let other = placement.replicas.iter().copied().filter(|node| *node != leader);
        let mut fit = preferred.into_iter().chain(other).filter(|node| placement.isr.contains(node));
        let to = fit.next().ok_or_else(|| FaultError::Administration {
            action: "have another leader elected",
            reason: format!("partition {partition} has no other replica in sync (raise replication.factor)"),
        })?;
        let mut changes = Vec::new();
        if placement.replicas.first() != Some(&to) {
            let from = placement.replicas;
            let others = from.iter().copied().filter(|node| *node != to);
            let order = std::iter::once(to).chain(others).collect();
            changes.push(Change::Replicas { partition, from, to: order });
        }
        changes.push(Change::Leader { partition, to: Some(to) });
        Ok(Injected::changing(vec![partition], changes))
    }

    fn inject(&self, _: &PlannedFault, aim: &Injected, cluster: &mut dyn Cluster) -> Result<(), FaultError> {
        let administrator = of(cluster)?;
        for change in &aim.changes {
            if let Change::Replicas { partition, to, .. } = change {
                rearrange(*partition, to, administrator)?;
            }
        }
        administrator.elect(Election::Preferred, &aim.partitions)
    }

    fn verify(&self, aim: &Injected, cluster: &dyn Cluster) -> bool {
        of(cluster).and_then(|administrator| as_wanted(&aim.changes, administrator)).unwrap_or(false)
    }

    fn heal(&self, aim: &Injected, cluster: &mut dyn Cluster) -> Result<Touched, FaultError> {
        let administrator = of(cluster)?;
        if aim.changes.iter().any(|change| matches!(change, Change::Replicas { .. })) {
            give_back(&aim.changes, administrator)?;
            // Who cannot lead just now is elected when the cluster balances its leaders: nothing is left to undo.
            let _ = administrator.elect(Election::Preferred, &aim.partitions);
        }
        Ok(Touched::default())
    }
}
