//! Tarjan's strongly connected components (1972), without recursion: histories have chains of a million
//! operations.

use super::{Graph, Relations};

const UNSEEN: u32 = u32::MAX;

/// The components of more than one node, over the edges of `relations` alone, each sorted. (No operation
/// has an edge to itself.)
pub(crate) fn components(graph: &Graph, relations: Relations) -> Vec<Vec<u32>> {
    let nodes = graph.nodes() as usize;
    let mut search = Search {
        index: vec![UNSEEN; nodes],
        low: vec![0; nodes],
        on_stack: vec![false; nodes],
        stack: Vec::new(),
        calls: Vec::new(),
        next: 0,
        found: Vec::new(),
    };
    for root in 0..graph.nodes() {
        if search.index[root as usize] == UNSEEN {
            search.run(graph, relations, root);
        }
    }
    search.found.sort_unstable();
    search.found
}

struct Search {
    /// When each node was first seen.
    index: Vec<u32>,
    low: Vec<u32>,
    on_stack: Vec<bool>,
    stack: Vec<u32>,
    /// The nodes being visited, each with the edge to look at next.
    calls: Vec<(u32, usize)>,
    next: u32,
    found: Vec<Vec<u32>>,
}

impl Search {
    fn run(&mut self, graph: &Graph, relations: Relations, root: u32) {
        self.enter(root);
        while let Some((node, at)) = self.calls.pop() {
            let edge = graph.edges(node).get(at);
            let Some(edge) = edge else {
                self.leave(node);
                continue;
            };
            self.calls.push((node, at + 1));
            if !relations.has(edge.relation) {
                continue;
            }
            if self.index[edge.to as usize] == UNSEEN {
                self.enter(edge.to);
            } else if self.on_stack[edge.to as usize] {
                self.lower(node, self.index[edge.to as usize]);
            }
        }
    }

    fn enter(&mut self, node: u32) {
        self.index[node as usize] = self.next;
        self.low[node as usize] = self.next;
        self.next += 1;
        self.stack.push(node);
        self.on_stack[node as usize] = true;
        self.calls.push((node, 0));
    }

    fn leave(&mut self, node: u32) {
        let low = self.low[node as usize];
        if let Some((caller, _)) = self.calls.last() {
            self.lower(*caller, low);
        }
        if low != self.index[node as usize] {
            return;
        }
        let mut component = Vec::new();
        while let Some(member) = self.stack.pop() {
            self.on_stack[member as usize] = false;
            component.push(member);
            if member == node {
                break;
            }
        }
        if component.len() > 1 {
            component.sort_unstable();
            self.found.push(component);
        }
    }

    fn lower(&mut self, node: u32, to: u32) {
        let low = &mut self.low[node as usize];
        *low = (*low).min(to);
    }
}
