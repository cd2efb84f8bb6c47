//! When a partition could not be written or read: windows of time in which somebody waited and nothing came.

use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::Relaxed;

use history::{Delivery, Nanos, Partition, Send};

use super::load;
use crate::context::{Context, is_confirmed, partition};
use crate::judgement::Outage;

/// Shorter waits are latency, not unavailability.
const SHORTEST: u64 = 500_000_000;

/// The resolution, and the most steps of it that are kept per partition (a longer load is cut more coarsely).
const STEP: u64 = 50_000_000;
const MOST_STEPS: u64 = 20_000;

/// The most windows kept, the longest first.
const MOST: usize = 100;

const WANTED: u8 = 1;
const WRITTEN: u8 = 2;
const READ: u8 = 4;

/// What happened when in each partition, in coarse steps; written from several threads.
pub(super) struct Marks {
    from: Nanos,
    until: Nanos,
    grid: Grid,
    rows: Vec<Vec<AtomicU8>>,
}

impl Marks {
    /// Nothing happened yet, in the load.
    pub(super) fn new(context: &Context<'_>) -> Self {
        let (from, until) = load(context);
        let grid = Grid::new(from, until);
        let row = |_| (0..grid.steps).map(|_| AtomicU8::new(0)).collect();
        Self { rows: (0..context.logs.len()).map(row).collect(), from, until, grid }
    }

    pub(super) fn send(&self, send: &Send) {
        let Some(partition) = send.partition else { return };
        self.mark(partition, send.intended, WANTED);
        if let Some(completed) = send.completed.filter(|_| is_confirmed(send)) {
            self.mark(partition, completed, WRITTEN);
        }
    }

    pub(super) fn delivery(&self, delivery: &Delivery) {
        self.mark(delivery.partition, delivery.returned, READ);
    }

    fn mark(&self, partition: Partition, at: Nanos, what: u8) {
        if let (Some(row), Some(step)) = (self.rows.get(partition.0 as usize), self.grid.step(at)) {
            // Most marks are there already, and looking is cheaper than writing.
            if row[step].load(Relaxed) & what == 0 {
                row[step].fetch_or(what, Relaxed);
            }
        }
    }

    /// Windows of the load of at least half a second, to some 50 ms: `write` from when a record was due that
    /// was not confirmed until the next confirmation in that partition, `read` from a confirmation to the
    /// next delivery to any reader. One that the load did not outlast has no end.
    pub(super) fn windows(&self, context: &Context<'_>) -> Vec<Outage> {
        let mut outages = Vec::new();
        for (index, row) in self.rows.iter().enumerate() {
            let row: Vec<u8> = row.iter().map(|marks| marks.load(Relaxed)).collect();
            let mut add = |operation: &str, (start, end): (usize, Option<usize>)| {
                let at = self.grid.at(start);
                outages.push(Outage {
                    operation: operation.to_owned(),
                    partition: partition(index),
                    at_ms: at.since(self.from) / 1_000_000,
                    lasted_ms: end.map_or(self.until, |end| self.grid.at(end)).since(at) / 1_000_000,
                    ended: end.is_some(),
                    fault: context.timeline.fault_at(at),
                });
            };
            gaps(&row, WANTED, WRITTEN, self.grid.shortest).for_each(|gap| add("write", gap));
            if !context.readers.is_empty() {
                gaps(&row, WRITTEN, READ, self.grid.shortest).for_each(|gap| add("read", gap));
            }
        }
        outages.sort_by_key(|outage| (std::cmp::Reverse(outage.lasted_ms), outage.at_ms, outage.partition));
        outages.truncate(MOST);
        outages
    }
}

/// Runs of at least `shortest` steps from one that waits to one that serves, none between serving. A step
/// that does both serves.
fn gaps(row: &[u8], waits: u8, serves: u8, shortest: usize) -> impl Iterator<Item = (usize, Option<usize>)> {
    let mut since: Option<usize> = None;
    let ends = row.iter().map(Some).chain([None]).enumerate();
    ends.filter_map(move |(step, marks)| {
        let served = marks.is_none_or(|marks| marks & serves != 0);
        if served {
            let start = since.take().filter(|start| step - start >= shortest)?;
            return Some((start, marks.map(|_| step)));
        }
        if marks.is_some_and(|marks| marks & waits != 0) && since.is_none() {
            since = Some(step);
        }
        None
    })
}

/// Time in steps.
struct Grid {
    from: Nanos,
    step: u64,
    steps: usize,
    shortest: usize,
}

impl Grid {
    fn new(from: Nanos, until: Nanos) -> Self {
        let span = until.since(from);
        let step = STEP.max(span / MOST_STEPS + 1);
        let count = |span: u64| usize::try_from(span.div_ceil(step)).expect("at most as many as are kept");
        Self { from, step, steps: count(span), shortest: count(SHORTEST).max(2) }
    }

    /// The step of a time; none outside of the load.
    fn step(&self, at: Nanos) -> Option<usize> {
        let step = usize::try_from(at.0.checked_sub(self.from.0)? / self.step).ok()?;
        (step < self.steps).then_some(step)
    }

    fn at(&self, step: usize) -> Nanos {
        Nanos(self.from.0 + step as u64 * self.step)
    }
}
