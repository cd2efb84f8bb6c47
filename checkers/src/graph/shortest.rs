//! A shortest cycle of a wanted kind inside one strongly connected component: breadth first from an edge
//! that the cycle must have back to where that edge began.

use std::collections::VecDeque;

use super::{Edge, Graph, Relation, Relations};

/// Steps of search spent on one component; beyond them the shortest cycle found so far is taken. Big
/// components hold short cycles nearly everywhere, so that this costs nothing in practice.
const BUDGET: usize = 4_000_000;

/// Which cycles count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// Edges that may be used.
    pub(crate) relations: Relations,
    /// At least one edge of this.
    pub(crate) through: Relation,
    /// And one of this.
    pub(crate) also: Option<Relation>,
}

/// The cycle with the fewest operations, as `(node, relation to the next)`, the last leading to the first.
/// `members` is a sorted component of at least the edges wanted. `None` if it has no such cycle.
pub(crate) fn shortest_cycle(graph: &Graph, members: &[u32], wanted: Wanted) -> Option<Vec<(u32, Relation)>> {
    let inside = |edge: &Edge| members.binary_search(&edge.to).is_ok();
    let holds = |relation: Relation| {
        let mut edges = members.iter().flat_map(|node| graph.edges(*node)).filter(|edge| inside(edge));
        edges.any(|edge| edge.relation == relation)
    };
    // With one edge of each there is such a cycle, so that the search below cannot be in vain.
    if !holds(wanted.through) || !wanted.also.is_none_or(holds) {
        return None;
    }
    let mut search = Search::new(graph, members, wanted);
    let mut best: Option<Vec<(u32, Relation)>> = None;
    let mut best_cost = u32::MAX;
    // A cycle that passes a moment in time came to it from an operation.
    for &from in members.iter().filter(|from| **from < graph.operations) {
        for edge in graph.edges(from) {
            if edge.relation != wanted.through || !inside(edge) {
                continue;
            }
            if let Some((cost, path)) = search.back(edge.to, from, best_cost) {
                best_cost = cost;
                best = Some(std::iter::once((from, edge.relation)).chain(path).collect());
            }
            if search.steps > BUDGET && best.is_some() {
                return best;
            }
        }
    }
    best
}

const FAR: u32 = u32::MAX;

struct Search<'a> {
    graph: &'a Graph,
    members: &'a [u32],
    wanted: Wanted,
    /// By member and whether `also` was met: the cost, and how it was reached.
    cost: Vec<u32>,
    came: Vec<(u32, Relation)>,
    touched: Vec<usize>,
    steps: usize,
}

impl<'a> Search<'a> {
    fn new(graph: &'a Graph, members: &'a [u32], wanted: Wanted) -> Self {
        let states = members.len() * 2;
        Self {
            graph,
            members,
            wanted,
            cost: vec![FAR; states],
            came: vec![(0, wanted.through); states],
            touched: Vec::new(),
            steps: 0,
        }
    }

    /// A cheapest path `from → … → to` that costs less than `limit`, as `(node, relation to the next)`
    /// without `to` itself. Entering an operation costs 1, a point in time nothing.
    fn back(&mut self, from: u32, to: u32, limit: u32) -> Option<(u32, Vec<(u32, Relation)>)> {
        for state in self.touched.drain(..) {
            self.cost[state] = FAR;
        }
        let start = self.state(from, self.wanted.also.is_none())?;
        let goal = self.state(to, true)?;
        let mut queue = VecDeque::from([start]);
        self.reach(start, self.weight(from));
        while let Some(state) = queue.pop_front() {
            self.steps += 1;
            let (node, met) = (self.members[state / 2], state % 2 == 1);
            let cost = self.cost[state];
            if state == goal {
                return Some((cost, self.path(start, goal)));
            }
            if cost >= limit {
                return None;
            }
            for edge in self.graph.edges(node) {
                if !self.wanted.relations.has(edge.relation) {
                    continue;
                }
                let met = met || self.wanted.also == Some(edge.relation);
                let Some(next) = self.state(edge.to, met) else { continue };
                let weight = self.weight(edge.to);
                if cost + weight < self.cost[next] && cost + weight < limit {
                    self.reach(next, cost + weight);
                    self.came[next] = (u32::try_from(state).expect("few states"), edge.relation);
                    if weight == 0 { queue.push_front(next) } else { queue.push_back(next) }
                }
            }
        }
        None
    }

    fn state(&self, node: u32, met: bool) -> Option<usize> {
        Some(self.members.binary_search(&node).ok()? * 2 + usize::from(met))
    }

    fn weight(&self, node: u32) -> u32 {
        u32::from(node < self.graph.operations)
    }

    fn reach(&mut self, state: usize, cost: u32) {
        self.cost[state] = cost;
        self.touched.push(state);
    }

    fn path(&self, start: usize, goal: usize) -> Vec<(u32, Relation)> {
        let mut path = Vec::new();
        let mut state = goal;
        while state != start {
            let (before, relation) = self.came[state];
            state = before as usize;
            path.push((self.members[state / 2], relation));
        }
        path.reverse();
        path
    }
}
