//! What nemeses of links have in common: who is on which side, the links between two sides, and faults that
//! do nothing but cut or impair them.

use history::{NodeId, Partition, PlannedFault};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::cluster::{Cluster, End, FaultError, Link, Touched};
use crate::impairment::Impairment;
use crate::spec::{Injected, Nemesis};

/// Decides whom a fault hits.
type Aim = fn(&PlannedFault, &dyn Cluster) -> Result<Injected, FaultError>;

/// Cuts the links it aims at.
pub(crate) struct Cuts(pub(crate) Aim);

impl Nemesis for Cuts {
    fn aim(&self, fault: &PlannedFault, cluster: &dyn Cluster) -> Result<Injected, FaultError> {
        self.0(fault, cluster)
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

/// Impairs the links it aims at, each in its way.
pub(crate) struct Impairs {
    pub(crate) aim: Aim,
    pub(crate) how: fn(&PlannedFault, &Injected, Link) -> Impairment,
}

impl Nemesis for Impairs {
    fn aim(&self, fault: &PlannedFault, cluster: &dyn Cluster) -> Result<Injected, FaultError> {
        (self.aim)(fault, cluster)
    }

    fn inject(
        &self,
        fault: &PlannedFault,
        aim: &Injected,
        cluster: &mut dyn Cluster,
    ) -> Result<(), FaultError> {
        let mut alike: Vec<(Impairment, Vec<Link>)> = Vec::new();
        for link in &aim.links {
            let how = (self.how)(fault, aim, *link);
            match alike.iter_mut().find(|(other, _)| *other == how) {
                Some((_, links)) => links.push(*link),
                None => alike.push((how, vec![*link])),
            }
        }
        // A host is told once what becomes of all its links.
        alike.into_iter().try_for_each(|(how, links)| cluster.impair(&links, how))
    }

    fn verify(&self, aim: &Injected, cluster: &dyn Cluster) -> bool {
        aim.links.iter().all(|link| cluster.is_cut(*link))
    }

    fn heal(&self, aim: &Injected, cluster: &mut dyn Cluster) -> Result<Touched, FaultError> {
        cluster.heal(&aim.links)
    }
}

/// The links between two sides, both ways.
pub(crate) fn between(some: &[NodeId], others: &[NodeId]) -> Vec<Link> {
    let pairs = some.iter().flat_map(|&one| others.iter().map(move |&other| (one, other)));
    pairs
        .flat_map(|(one, other)| {
            let (one, other) = (End::Node(one), End::Node(other));
            [Link { from: one, to: other }, Link { from: other, to: one }]
        })
        .collect()
}

/// The links between all these brokers.
pub(crate) fn among(nodes: &[NodeId]) -> Vec<Link> {
    let pairs = nodes.iter().enumerate().map(|(place, node)| between(&[*node], &nodes[place + 1..]));
    pairs.flatten().collect()
}

/// The links over which these brokers reach the controller.
pub(crate) fn to_controller(nodes: &[NodeId]) -> Vec<Link> {
    nodes.iter().map(|&node| Link { from: End::Node(node), to: End::Controller }).collect()
}

/// A fault of these nodes and links, and the partitions the nodes lead now.
pub(crate) fn hit(cluster: &dyn Cluster, nodes: Vec<NodeId>, links: Vec<Link>) -> Injected {
    let led =
        |partition: &Partition| cluster.leader(*partition).is_some_and(|leader| nodes.contains(&leader));
    let partitions = cluster.partitions().into_iter().filter(led).collect();
    Injected { nodes, partitions, links, ..Injected::default() }
}

/// The other brokers, in the order that a fault draws.
pub(crate) fn others(cluster: &dyn Cluster, node: NodeId, fault: &PlannedFault) -> Vec<NodeId> {
    let mut others: Vec<_> = cluster.nodes().into_iter().filter(|other| *other != node).collect();
    others.shuffle(&mut ChaCha8Rng::seed_from_u64(u64::from(fault.draw)));
    others
}

/// Refuses a cluster of fewer brokers.
pub(crate) fn at_least(needs: usize, cluster: &dyn Cluster) -> Result<(), FaultError> {
    let has = cluster.nodes().len();
    if has < needs { Err(FaultError::TooFew { has, needs }) } else { Ok(()) }
}
