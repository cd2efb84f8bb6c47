//! Components and shortest cycles against brute force on small random graphs.

use super::Relation::{ReadWrite, WriteRead, WriteWrite};
use super::*;
use crate::testing::Rng;

const ALL: Relations = Relations::of(&[WriteWrite, WriteRead, ReadWrite]);

fn random(rng: &mut Rng) -> Graph {
    let nodes = 2 + u32::try_from(rng.below(6)).expect("few");
    let mut edges = Vec::new();
    for _ in 0..rng.below(14) {
        let node = |rng: &mut Rng| u32::try_from(rng.below(nodes as usize)).expect("few");
        let (from, to) = (node(rng), node(rng));
        if from != to {
            edges.push((from, to, [WriteWrite, WriteRead, ReadWrite][rng.below(3)]));
        }
    }
    Graph::new(nodes, nodes, &edges)
}

/// Whether a walk leads from one node to another, by closure.
fn reaches(graph: &Graph, relations: Relations) -> Vec<Vec<bool>> {
    let count = graph.nodes() as usize;
    let mut reach = vec![vec![false; count]; count];
    for node in 0..graph.nodes() {
        for edge in graph.edges(node).iter().filter(|edge| relations.has(edge.relation)) {
            reach[node as usize][edge.to as usize] = true;
        }
    }
    for middle in 0..count {
        for from in 0..count {
            for to in 0..count {
                reach[from][to] |= reach[from][middle] && reach[middle][to];
            }
        }
    }
    reach
}

/// The length of the shortest closed walk that uses the wanted relations, by trying all up to a length.
fn by_force(graph: &Graph, wanted: Wanted) -> Option<usize> {
    // A closed walk through one edge and another need not be longer than twice the nodes.
    let most = 2 * graph.nodes() as usize;
    let count = graph.nodes();
    (0..count).filter_map(|start| walk(graph, wanted, start, most)).min()
}

fn walk(graph: &Graph, wanted: Wanted, start: u32, most: usize) -> Option<usize> {
    let mut states = vec![(start, false, wanted.also.is_none())];
    for length in 1..=most {
        let mut next = Vec::new();
        for (node, through, also) in states {
            for edge in graph.edges(node).iter().filter(|edge| wanted.relations.has(edge.relation)) {
                let through = through || edge.relation == wanted.through;
                let also = also || wanted.also == Some(edge.relation);
                if edge.to == start && through && also {
                    return Some(length);
                }
                next.push((edge.to, through, also));
            }
        }
        next.sort_unstable();
        next.dedup();
        states = next;
    }
    None
}

#[test]
fn components_and_shortest_cycles_are_those_of_brute_force() {
    let mut rng = Rng(7);
    let (mut cyclic, mut mixed) = (0, 0);
    for round in 0..4000 {
        let graph = random(&mut rng);
        let reach = reaches(&graph, ALL);
        let found = components(&graph, ALL);
        for a in 0..graph.nodes() {
            for b in 0..graph.nodes() {
                let together = found.iter().any(|members| members.contains(&a) && members.contains(&b));
                let (a, b) = (a as usize, b as usize);
                assert_eq!(together, reach[a][b] && reach[b][a], "round {round}");
            }
        }
        cyclic += usize::from(!found.is_empty());
        for wanted in [
            Wanted { relations: ALL, through: WriteWrite, also: None },
            Wanted { relations: ALL, through: WriteRead, also: Some(WriteWrite) },
        ] {
            let shortest = found.iter().filter_map(|members| shortest_cycle(&graph, members, wanted));
            let shortest = shortest.map(|cycle| check(&graph, &cycle, wanted)).min();
            assert_eq!(shortest, by_force(&graph, wanted), "round {round} {wanted:?}: {graph:?}");
            mixed += usize::from(wanted.also.is_some() && shortest.is_some());
        }
    }
    assert!(cyclic > 1000 && mixed > 500, "{cyclic} {mixed}");
}

/// Holds a cycle against the graph; its length.
fn check(graph: &Graph, cycle: &[(u32, Relation)], wanted: Wanted) -> usize {
    for (index, (node, relation)) in cycle.iter().enumerate() {
        let (to, _) = cycle[(index + 1) % cycle.len()];
        assert!(graph.edges(*node).contains(&Edge { to, relation: *relation }), "{cycle:?} in {graph:?}");
    }
    let has = |wanted: Relation| cycle.iter().any(|(_, relation)| *relation == wanted);
    assert!(has(wanted.through) && wanted.also.is_none_or(has));
    cycle.len()
}

#[test]
fn a_long_chain_needs_no_stack() {
    let nodes = 300_000;
    let mut edges: Vec<_> = (1..nodes).map(|node| (node - 1, node, WriteWrite)).collect();
    assert!(components(&Graph::new(nodes, nodes, &edges), ALL).is_empty());
    edges.push((nodes - 1, 0, WriteRead));
    let graph = Graph::new(nodes, nodes, &edges);
    let found = components(&graph, ALL);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].len(), nodes as usize);
    let wanted = Wanted { relations: ALL, through: WriteRead, also: Some(WriteWrite) };
    let cycle = shortest_cycle(&graph, &found[0], wanted).expect("there is one");
    assert_eq!(cycle.len(), nodes as usize);
}

#[test]
fn points_in_time_cost_nothing() {
    // 0 → t3 → t4 → 1 → 0 has two operations, 0 → 2 → 1 → 0 three.
    let edges = [
        (0, 3, ReadWrite),
        (3, 4, ReadWrite),
        (4, 1, ReadWrite),
        (1, 0, WriteWrite),
        (0, 2, WriteRead),
        (2, 1, WriteRead),
    ];
    let graph = Graph::new(5, 3, &edges);
    let members = &components(&graph, ALL)[0];
    let wanted = Wanted { relations: ALL, through: WriteWrite, also: None };
    let cycle = shortest_cycle(&graph, members, wanted).expect("there is one");
    assert_eq!(cycle.iter().map(|(node, _)| *node).collect::<Vec<_>>(), [1, 0, 3, 4]);
}

#[test]
fn a_picture_is_well_formed_whatever_the_names() {
    let arrow = |name: &str| Arrow {
        name: name.to_owned(),
        detail: "a < b & \"c\"\u{1}".to_owned(),
        why: "ww <&>".to_owned(),
    };
    let svg = picture("g0: <two>", &[arrow("T1"), arrow("T2")]);
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert_eq!(svg.matches("marker-end").count(), 2);
    assert!(svg.contains("a &lt; b &amp; &quot;c&quot; ") && svg.contains("g0: &lt;two&gt;"), "{svg}");
}
