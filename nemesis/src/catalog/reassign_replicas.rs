//! `reassign-replicas`: a partition gets other replicas, or another order of them, and its own back later.

use history::{FaultClass, NodeId, PlannedFault};

use crate::administrator::{Change, Placement, aimed_at, as_wanted, give_back, of, rearrange};
use crate::cluster::{Cluster, FaultError, Touched};
use crate::spec::{Injected, Nemesis, Spec};

pub(crate) static SPEC: Spec = Spec {
    name: "reassign-replicas",
    summary: "move a partition's replicas to other brokers under load, and back later",
    docs: "\
The cluster is asked (AlterPartitionReassignments, KIP-455) to move one replica of a partition to a broker that has \
none, both drawn. Where every broker has one, another replica becomes the preferred leader, and of three or more \
the first is dropped, leader or not. Healing asks for the replicas as they were, in their order, and waits until \
nothing is being moved and all are in sync. With acks=all nothing may be lost; with acks=1 a leader that is moved \
away takes with it what it had alone. It has bitten when the replicas changed. It is about the topic of the run \
alone, needs no host and works on every target.",
    class: FaultClass::ReassignReplicas,
    duration_ms: |_| 1500,
    nemesis: &ReassignReplicas,
};

struct ReassignReplicas;

/// The replicas that a partition is to have.
fn elsewhere(placement: &Placement, brokers: &[NodeId], draw: u32) -> Result<Vec<NodeId>, FaultError> {
    let mut replicas = placement.replicas.clone();
    let spare: Vec<_> = brokers.iter().copied().filter(|broker| !replicas.contains(broker)).collect();
    let draw = draw as usize;
    match (spare.len(), replicas.len()) {
        (_, 0) => return Err(FaultError::NoLeader(placement.partition)),
        (0, 1) => return Err(FaultError::TooFew { has: 1, needs: 2 }),
        (0, 2) => replicas.rotate_left(1),
        (0, _) => drop(replicas.remove(0)),
        (spares, count) => replicas[draw / spares % count] = spare[draw % spares],
    }
    Ok(replicas)
}

impl Nemesis for ReassignReplicas {
    fn aim(&self, fault: &PlannedFault, cluster: &dyn Cluster) -> Result<Injected, FaultError> {
        let (view, placement) = aimed_at(fault, of(cluster)?)?;
        let to = elsewhere(&placement, &view.brokers, fault.draw)?;
        let Placement { partition, replicas: from, .. } = placement;
        Ok(Injected::changing(vec![partition], vec![Change::Replicas { partition, from, to }]))
    }

    fn inject(&self, _: &PlannedFault, aim: &Injected, cluster: &mut dyn Cluster) -> Result<(), FaultError> {
        let administrator = of(cluster)?;
        for change in &aim.changes {
            if let Change::Replicas { partition, to, .. } = change {
                // Who is late is no failure: whether it came about is seen next.
                rearrange(*partition, to, administrator)?;
            }
        }
        Ok(())
    }

    fn verify(&self, aim: &Injected, cluster: &dyn Cluster) -> bool {
        of(cluster).and_then(|administrator| as_wanted(&aim.changes, administrator)).unwrap_or(false)
    }

    fn heal(&self, aim: &Injected, cluster: &mut dyn Cluster) -> Result<Touched, FaultError> {
        give_back(&aim.changes, of(cluster)?)?;
        Ok(Touched::default())
    }
}

#[cfg(test)]
mod tests {
    use history::Partition;

    use super::*;

    fn moved(replicas: &[i32], brokers: i32, draw: u32) -> Result<Vec<i32>, String> {
        let replicas: Vec<NodeId> = replicas.iter().copied().map(NodeId).collect();
        let placement =
            Placement { partition: Partition(0), leader: Some(NodeId(1)), isr: replicas.clone(), replicas };
        let brokers: Vec<NodeId> = (1..=brokers).map(NodeId).collect();
        let to = elsewhere(&placement, &brokers, draw).map_err(|error| error.to_string())?;
        Ok(to.into_iter().map(|node| node.0).collect())
    }

    #[test]
    fn a_replica_moves_where_there_is_room_and_else_the_first_gives_way() {
        let drawn: Vec<_> = (0..4).map(|draw| moved(&[1, 2], 4, draw).expect("room")).collect();
        assert_eq!(drawn, [vec![3, 2], vec![4, 2], vec![1, 3], vec![1, 4]]);
        assert_eq!(moved(&[1], 3, 0), Ok(vec![2]));
        assert_eq!(moved(&[2, 3, 1], 3, 7), Ok(vec![3, 1]));
        assert_eq!(moved(&[2, 1], 2, 7), Ok(vec![1, 2]));
        assert!(moved(&[1], 1, 0).is_err_and(|error| error.contains("needs 2")));
    }
}
