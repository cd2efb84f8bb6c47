//! Latency by operation and by what was going on, in HDR histograms.

use hdrhistogram::Histogram;
use history::Nanos;

use crate::context::{Context, FaultRun};
use crate::judgement::Latency;

/// Latencies are recorded in microseconds, up to an hour.
const LONGEST_US: u64 = 3_600_000_000;

/// The operations told apart, in the order of every table.
#[derive(Debug, Clone, Copy)]
pub(super) enum Timed {
    /// From when the schedule wanted a record sent to its confirmation.
    Send,
    /// From then until a reader was given the record.
    Delivery,
    /// From the call of a transaction to its end.
    Transaction,
}

const OPERATIONS: [&str; 3] = ["send", "delivery", "transaction"];

/// Latencies by phase and operation. Waiting for a stalled client counts, so that a stall is not hidden by
/// what was not sent meanwhile (coordinated omission).
#[derive(Debug, Clone)]
pub(super) struct Rows(Vec<Option<Histogram<u64>>>);

impl Rows {
    pub(super) fn new(phases: &Phases<'_>) -> Self {
        Self(vec![None; phases.names.len() * OPERATIONS.len()])
    }

    /// Counts an operation that was due at a time and done at another.
    pub(super) fn add(&mut self, phases: &Phases<'_>, operation: Timed, due: Nanos, done: Nanos) {
        let row = &mut self.0[phases.at(due) * OPERATIONS.len() + operation as usize];
        row.get_or_insert_with(histogram).saturating_record(micros(done.since(due)));
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (row, other) in self.0.iter_mut().zip(other.0) {
            match (row, other) {
                (Some(row), Some(other)) => row.add(&other).expect("the bounds are the same"),
                (row @ None, other) => *row = other,
                (Some(_), None) => {}
            }
        }
    }

    pub(super) fn told(&self, phases: &Phases<'_>) -> Vec<Latency> {
        let rows = self.0.iter().enumerate().filter_map(|(index, row)| {
            let (phase, operation) = (index / OPERATIONS.len(), index % OPERATIONS.len());
            Some(self::row(OPERATIONS[operation], &phases.names[phase], row.as_ref()?))
        });
        rows.collect()
    }
}

/// An empty histogram: three significant digits, from a microsecond to an hour.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_US, 3).expect("the bounds are valid")
}

/// Nanoseconds as a histogram takes them.
fn micros(nanos: u64) -> u64 {
    nanos / 1_000
}

fn row(operation: &str, phase: &str, histogram: &Histogram<u64>) -> Latency {
    let ms = |quantile: f64| histogram.value_at_quantile(quantile) as f64 / 1e3;
    Latency {
        operation: operation.to_owned(),
        phase: phase.to_owned(),
        count: histogram.len(),
        p50_ms: ms(0.5),
        p90_ms: ms(0.9),
        p99_ms: ms(0.99),
        p999_ms: ms(0.999),
        max_ms: histogram.max() as f64 / 1e3,
    }
}

/// What was going on: the classes of fault carried out, `no fault` first, and when each was in force.
pub(super) struct Phases<'c> {
    names: Vec<String>,
    faults: Vec<(&'c FaultRun<'c>, usize)>,
}

impl<'c> Phases<'c> {
    pub(super) fn new(context: &'c Context<'_>) -> Self {
        let mut phases = Self { names: vec!["no fault".to_owned()], faults: Vec::new() };
        for fault in context.timeline.faults.iter().filter(|fault| fault.injected.is_some()) {
            let name = fault.planned.class.to_string();
            let known = phases.names.iter().position(|known| *known == name);
            let number = known.unwrap_or_else(|| {
                phases.names.push(name);
                phases.names.len() - 1
            });
            phases.faults.push((fault, number));
        }
        phases
    }

    fn at(&self, at: Nanos) -> usize {
        self.faults.iter().rev().find(|(fault, _)| fault.in_force(at)).map_or(0, |(_, number)| *number)
    }
}
