//! Which transaction must come before which, on plain columns. The offsets give the order of versions, so
//! nothing is guessed and the search is linear: ww along each log, wr from a record's writer to its readers,
//! rw to the writer of what a read did not reach, process order, and real time through a chain of moments.

use std::ops::Range;

use super::Relation::{self, Process, ReadWrite, RealTime, WriteRead, WriteWrite};
use super::{Graph, blocks};

/// No time: it never ended, as far as anybody knows.
pub(crate) const NEVER: u64 = u64::MAX;

/// No transaction.
pub(crate) const NOBODY: u32 = u32::MAX;

/// Neighbouring records of one log: positions among its records, not offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) partition: u32,
    pub(crate) first: u32,
    pub(crate) last: u32,
}

/// One committed transaction, or one that may have committed and was seen to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// Nanoseconds.
    pub(crate) called: u64,
    /// Nanoseconds, or [`NEVER`].
    pub(crate) returned: u64,
    /// Whose it is.
    pub(crate) process: u32,
    writes: Range<u32>,
    reads: Range<u32>,
}

/// Why one transaction comes before another: records of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Because {
    pub(crate) partition: u32,
    /// The earlier one's record (its last read, for rw).
    pub(crate) from: u32,
    /// The later one's record.
    pub(crate) to: u32,
}

/// The transactions of a history and the logs they wrote.
#[derive(Debug, Default)]
pub(crate) struct Dependencies {
    nodes: Vec<Node>,
    writes: Vec<Span>,
    reads: Vec<Span>,
    /// By partition and position: who wrote the record, or [`NOBODY`].
    writers: Vec<Vec<u32>>,
}

impl Dependencies {
    /// Logs of these lengths, nobody's yet.
    pub(crate) fn new(lengths: impl Iterator<Item = usize>) -> Self {
        Self { writers: lengths.map(|length| vec![NOBODY; length]).collect(), ..Self::default() }
    }

    /// Adds a transaction with the records it wrote and read, in any order; returns its number.
    pub(crate) fn add(
        &mut self,
        (called, returned): (u64, u64),
        process: u32,
        writes: &mut Vec<(u32, u32)>,
        reads: &mut Vec<(u32, u32)>,
    ) -> u32 {
        let number = u32::try_from(self.nodes.len()).expect("fewer than 2^32 transactions");
        for (partition, position) in writes.iter() {
            self.writers[*partition as usize][*position as usize] = number;
        }
        let writes = runs(&mut self.writes, writes);
        let reads = runs(&mut self.reads, reads);
        self.nodes.push(Node { called, returned, process, writes, reads });
        number
    }

    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    fn written(&self, node: u32) -> &[Span] {
        let range = &self.nodes[node as usize].writes;
        &self.writes[range.start as usize..range.end as usize]
    }

    fn read(&self, node: u32) -> &[Span] {
        let range = &self.nodes[node as usize].reads;
        &self.reads[range.start as usize..range.end as usize]
    }

    /// The first record from a position on that a transaction wrote: its position and the transaction.
    fn next(&self, partition: u32, from: u32) -> Option<(u32, u32)> {
        let log = &self.writers[partition as usize];
        let rest = log.get(from as usize..)?;
        let ahead = rest.iter().position(|writer| *writer != NOBODY)?;
        Some((from + u32::try_from(ahead).expect("positions are u32"), rest[ahead]))
    }

    /// Every edge that follows from what a transaction wrote and read, as `(from, to, relation, because)`.
    pub(crate) fn around(&self, node: u32, mut edge: impl FnMut(u32, u32, Relation, Because)) {
        for span in self.written(node) {
            if let Some((to, writer)) = self.next(span.partition, span.last + 1)
                && writer != node
            {
                let because = Because { partition: span.partition, from: span.last, to };
                edge(node, writer, WriteWrite, because);
            }
        }
        let reads = self.read(node);
        for (index, span) in reads.iter().enumerate() {
            let mut before = NOBODY;
            for position in span.first..=span.last {
                let writer = self.writers[span.partition as usize][position as usize];
                if writer != before && writer != node && writer != NOBODY {
                    let because = Because { partition: span.partition, from: position, to: position };
                    edge(writer, node, WriteRead, because);
                }
                before = writer;
            }
            // Only how far it came tells what it did not reach; what it jumped over is no matter of order.
            let farthest = reads.get(index + 1).is_none_or(|next| next.partition != span.partition);
            if farthest
                && let Some((to, writer)) = self.next(span.partition, span.last + 1)
                && writer != node
            {
                let because = Because { partition: span.partition, from: span.last, to };
                edge(node, writer, ReadWrite, because);
            }
        }
    }

    /// Why `from` comes before `to` in this way, if records tell.
    pub(crate) fn because(&self, from: u32, to: u32, relation: Relation) -> Option<Because> {
        let about = if relation == WriteRead { to } else { from };
        let mut found = None;
        self.around(about, |a, b, by, because| {
            if (a, b, by) == (from, to, relation) && found.is_none() {
                found = Some(because);
            }
        });
        found
    }

    /// Groups of transactions outside of which there is no cycle, of whatever kind, each in the order of
    /// their ends. Usually none, or small ones.
    pub(crate) fn entangled(&self) -> Vec<Vec<u32>> {
        let mut order: Vec<u32> = (0..u32::try_from(self.nodes.len()).expect("as numbered")).collect();
        order.sort_by_key(|node| (self.nodes[*node as usize].end(), *node));
        blocks::split(&order, |node, edge| self.around(node, |from, to, _, _| edge(from, to)))
    }

    /// The graph of one such group: node `i` is `members[i]`, and moments in time come after them.
    pub(crate) fn graph(&self, members: &[u32]) -> Graph {
        let count = u32::try_from(members.len()).expect("as numbered");
        let mut numbers: Vec<(u32, u32)> = members.iter().copied().zip(0..).collect();
        numbers.sort_unstable();
        let number = |node: u32| {
            numbers.binary_search_by_key(&node, |(node, _)| *node).ok().map(|index| numbers[index].1)
        };
        let mut edges = Vec::new();
        for node in members {
            self.around(*node, |from, to, relation, _| {
                if let (Some(from), Some(to)) = (number(from), number(to)) {
                    edges.push((from, to, relation));
                }
            });
        }
        self.in_process(members, &mut edges);
        let moments = self.in_time(members, &mut edges);
        edges.sort_unstable();
        edges.dedup();
        Graph::new(count + moments, count, &edges)
    }

    /// Each transaction of a process before its next one.
    fn in_process(&self, members: &[u32], edges: &mut Vec<(u32, u32, Relation)>) {
        let node = |at: u32| &self.nodes[members[at as usize] as usize];
        let mut order: Vec<u32> = (0..u32::try_from(members.len()).expect("as numbered")).collect();
        order.sort_by_key(|at| (node(*at).process, node(*at).called, *at));
        for pair in order.windows(2) {
            let (first, second) = (node(pair[0]), node(pair[1]));
            // Overlapping ones of one process have no order; one that never ended was given up.
            let over = first.returned <= second.called || first.returned == NEVER;
            if first.process == second.process && over && pair[0] < pair[1] {
                edges.push((pair[0], pair[1], Process));
            }
        }
    }

    /// Real time by a chain of moments, one at each end: O(n) edges for all pairs. Returns how many.
    fn in_time(&self, members: &[u32], edges: &mut Vec<(u32, u32, Relation)>) -> u32 {
        let count = u32::try_from(members.len()).expect("as numbered");
        let node = |at: u32| &self.nodes[members[at as usize] as usize];
        let mut ends: Vec<(u64, u32)> =
            (0..count).map(|at| (node(at).returned, at)).filter(|(end, _)| *end != NEVER).collect();
        ends.sort_unstable();
        for (moment, (_, at)) in (count..).zip(&ends) {
            edges.push((*at, moment, RealTime));
            if moment > count {
                edges.push((moment - 1, moment, RealTime));
            }
        }
        for at in 0..count {
            // Equal times overlap.
            let before = ends.partition_point(|(end, _)| *end < node(at).called);
            if before > 0 {
                edges.push((count + u32::try_from(before).expect("as numbered") - 1, at, RealTime));
            }
        }
        u32::try_from(ends.len()).expect("as numbered")
    }
}

impl Node {
    /// Where it stands among all: real time and process order only ever lead forward from here.
    fn end(&self) -> u64 {
        if self.returned == NEVER { self.called } else { self.returned }
    }
}

/// Joins neighbouring positions and appends them.
fn runs(spans: &mut Vec<Span>, places: &mut Vec<(u32, u32)>) -> Range<u32> {
    let start = spans.len();
    places.sort_unstable();
    places.dedup();
    for (partition, position) in places.drain(..) {
        match spans[start..].last_mut() {
            Some(span) if span.partition == partition && span.last + 1 == position => span.last = position,
            _ => spans.push(Span { partition, first: position, last: position }),
        }
    }
    let number = |index: usize| u32::try_from(index).expect("fewer than 2^32 spans");
    number(start)..number(spans.len())
}
