//! Cycles in a graph of operations: strongly connected components (Tarjan, iterative, O(nodes + edges)) and
//! in them a shortest cycle of a wanted kind. Nodes are small integers; an edge says why it is there.

mod anomalies;
mod blocks;
mod dependencies;
mod picture;
mod scc;
#[cfg(test)]
mod serial;
mod shortest;
#[cfg(test)]
mod tests;

pub(crate) use anomalies::{Class, Cycle, cycles};
pub(crate) use dependencies::{Dependencies, NEVER};
pub(crate) use picture::{Arrow, picture};
pub(crate) use scc::components;
pub(crate) use shortest::{Wanted, shortest_cycle};

/// Why one operation comes before another (Adya 1999; real time and process order as Elle, VLDB'20).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Relation {
    /// It wrote what the other overwrote: here, the record before the other's in a partition.
    WriteWrite,
    /// The other read what it wrote.
    WriteRead,
    /// It did not yet read what the other wrote.
    ReadWrite,
    /// The same process did it first.
    Process,
    /// It had ended before the other began.
    RealTime,
}

impl Relation {
    const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// The field's abbreviation.
    pub(crate) const fn short(self) -> &'static str {
        match self {
            Self::WriteWrite => "ww",
            Self::WriteRead => "wr",
            Self::ReadWrite => "rw",
            Self::Process => "process",
            Self::RealTime => "real time",
        }
    }
}

/// A set of relations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Relations(u8);

impl Relations {
    pub(crate) const fn of(relations: &[Relation]) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < relations.len() {
            bits |= relations[index].bit();
            index += 1;
        }
        Self(bits)
    }

    pub(crate) const fn has(self, relation: Relation) -> bool {
        self.0 & relation.bit() != 0
    }
}

/// One edge out of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) to: u32,
    pub(crate) relation: Relation,
}

/// A graph in compressed rows: the edges of a node lie together.
#[derive(Debug)]
pub(crate) struct Graph {
    /// Where the edges of each node begin, and where the last one's end.
    starts: Vec<u32>,
    edges: Vec<Edge>,
    /// Nodes from here on are points in time, not operations: passing one costs a path nothing.
    pub(crate) operations: u32,
}

impl Graph {
    /// Lays out the edges `(from, to, relation)`, which need be in no order.
    pub(crate) fn new(nodes: u32, operations: u32, edges: &[(u32, u32, Relation)]) -> Self {
        let mut starts = vec![0_u32; nodes as usize + 1];
        for (from, ..) in edges {
            starts[*from as usize + 1] += 1;
        }
        for index in 1..starts.len() {
            starts[index] += starts[index - 1];
        }
        let mut next = starts.clone();
        let mut rows = vec![Edge { to: 0, relation: Relation::WriteWrite }; edges.len()];
        for (from, to, relation) in edges {
            let at = &mut next[*from as usize];
            rows[*at as usize] = Edge { to: *to, relation: *relation };
            *at += 1;
        }
        Self { starts, edges: rows, operations }
    }

    pub(crate) fn nodes(&self) -> u32 {
        u32::try_from(self.starts.len() - 1).expect("nodes were numbered by u32")
    }

    /// The edges out of a node.
    pub(crate) fn edges(&self, node: u32) -> &[Edge] {
        let node = node as usize;
        &self.edges[self.starts[node] as usize..self.starts[node + 1] as usize]
    }
}
