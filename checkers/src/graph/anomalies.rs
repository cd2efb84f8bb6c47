//! The classes of cycle (Adya 1999, Elle VLDB'20): each found where no plainer class explains it already.

use super::Relation::{self, Process, ReadWrite, RealTime, WriteRead, WriteWrite};
use super::dependencies::Dependencies;
use super::{Graph, Relations, Wanted, components, shortest_cycle};

/// A class of cycle, the plainest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// Write-read edges alone: each read what the other wrote.
    G1c,
    /// Write-write edges alone: their writes interleave.
    G0,
    /// Write-write and write-read edges.
    WwG1c,
    /// With an anti-dependency: a read that did not see a write.
    G2,
    /// Only against the order of a process or of real time.
    RealTime,
}

/// One cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cycle {
    pub(crate) class: Class,
    /// All its edges that records tell are of one partition.
    pub(crate) one_partition: bool,
    /// Transactions in the same knot.
    pub(crate) knot: usize,
    /// `(transaction, why it comes before the next)`, the last before the first.
    pub(crate) steps: Vec<(u32, Relation)>,
}

/// Finds a shortest cycle in every knot of every class. `anti_dependencies_in_time` also combines
/// anti-dependencies with real time, which is meaningful only where every read reaches the end.
pub(crate) fn cycles(dependencies: &Dependencies, anti_dependencies_in_time: bool) -> Vec<Cycle> {
    let mut found = Vec::new();
    for members in dependencies.entangled() {
        let graph = dependencies.graph(&members);
        in_group(dependencies, &graph, &members, anti_dependencies_in_time, &mut found);
    }
    found.sort_by_key(|cycle| (cycle.class, cycle.steps.len()));
    found
}

/// What a cycle of a class must pass, in order of preference: an edge, and perhaps another.
type Through = &'static [(Relation, Option<Relation>)];

fn in_group(
    dependencies: &Dependencies,
    graph: &Graph,
    members: &[u32],
    anti_dependencies_in_time: bool,
    found: &mut Vec<Cycle>,
) {
    // Nodes in a knot of a plainer class.
    let mut explained = vec![false; graph.nodes() as usize];
    let in_time = if anti_dependencies_in_time {
        Relations::of(&[WriteWrite, WriteRead, ReadWrite, Process, RealTime])
    } else {
        Relations::of(&[WriteWrite, WriteRead, Process, RealTime])
    };
    let classes: [(Class, Relations, Through); 5] = [
        (Class::G1c, Relations::of(&[WriteRead]), &[(WriteRead, None)]),
        (Class::G0, Relations::of(&[WriteWrite]), &[(WriteWrite, None)]),
        (Class::WwG1c, Relations::of(&[WriteWrite, WriteRead]), &[(WriteRead, Some(WriteWrite))]),
        (Class::G2, Relations::of(&[WriteWrite, WriteRead, ReadWrite]), &[(ReadWrite, None)]),
        (Class::RealTime, in_time, &[(Process, None), (RealTime, None)]),
    ];
    for (class, relations, wanted) in classes {
        for knot in components(graph, relations) {
            if class > Class::G0 && knot.iter().any(|node| explained[*node as usize]) {
                continue;
            }
            let steps = wanted.iter().filter_map(|(through, also)| {
                let wanted = Wanted { relations, through: *through, also: *also };
                Some(without_moments(graph, members, &shortest_cycle(graph, &knot, wanted)?))
            });
            // Across partitions rather than within one, which other checks see too.
            let steps = steps.map(|steps| (one_partition(dependencies, &steps), steps));
            let Some((one_partition, steps)) = steps.min_by_key(|(one_partition, _)| *one_partition) else {
                continue;
            };
            knot.iter().for_each(|node| explained[*node as usize] = true);
            let operations = knot.iter().filter(|node| **node < graph.operations).count();
            found.push(Cycle { class, one_partition, knot: operations, steps });
        }
    }
}

/// The cycle's transactions by their numbers in the history.
fn without_moments(graph: &Graph, members: &[u32], cycle: &[(u32, Relation)]) -> Vec<(u32, Relation)> {
    let operations = cycle.iter().filter(|(node, _)| *node < graph.operations);
    operations.map(|(node, relation)| (members[*node as usize], *relation)).collect()
}

fn one_partition(dependencies: &Dependencies, steps: &[(u32, Relation)]) -> bool {
    let mut partitions = steps.iter().enumerate().filter_map(|(at, (from, relation))| {
        let (to, _) = steps[(at + 1) % steps.len()];
        dependencies.because(*from, to, *relation).map(|because| because.partition)
    });
    let first = partitions.next();
    partitions.all(|partition| Some(partition) == first)
}
