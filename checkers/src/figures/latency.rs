//! Latency by operation and by what was going on, in HDR histograms.

use hdrhistogram::Histogram;
use history::view::Function;
use history::{Nanos, Outcome, Role, Session};

use crate::context::{Context, FaultRun, is_confirmed, is_fence};
use crate::judgement::Latency;

/// Latencies are recorded in microseconds, up to an hour.
const LONGEST_US: u64 = 3_600_000_000;

/// An empty histogram: three significant digits, from a microsecond to an hour.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_US, 3).expect("the bounds are valid")
}

/// Nanoseconds as a histogram takes them.
pub(super) fn micros(nanos: u64) -> u64 {
    nanos / 1_000
}

/// The operations told apart, in the order of every table.
const OPERATIONS: [&str; 3] = ["send", "delivery", "transaction"];

/// Deliveries looked at in all: each has to look up when its record was due, and a million say as much.
const MOST_DELIVERIES: usize = 1_000_000;

/// Every operation of the load, by the time at which the schedule wanted it: `send` from then to its
/// confirmation, `delivery` from then until a reader was given the record, `transaction` from its call to its
/// end. Waiting for a stalled client counts, so that a stall is not hidden by what was not sent meanwhile
/// (coordinated omission). Phases: the class of the fault in force, or `no fault`. Of more than a million
/// deliveries every so many-th is looked at.
pub(super) fn by_phase(context: &Context<'_>) -> Vec<Latency> {
    let phases = Phases::new(context);
    let mut rows: Vec<Option<Histogram<u64>>> = vec![None; phases.names.len() * OPERATIONS.len()];
    let mut add = |operation: usize, from: Nanos, until: Nanos| {
        let row = &mut rows[phases.at(from) * OPERATIONS.len() + operation];
        row.get_or_insert_with(histogram).saturating_record(micros(until.since(from)));
    };
    for send in context.history.sends().filter(is_confirmed) {
        if let Some(completed) = send.completed {
            add(0, send.intended, completed);
        }
    }
    let readers = || context.history.of(Role::Reader);
    let stride = readers().map(Session::delivery_count).sum::<usize>() / MOST_DELIVERIES + 1;
    for delivery in readers().flat_map(Session::deliveries).step_by(stride) {
        let tag = delivery.tag.filter(|tag| !is_fence(Some(*tag)));
        if let Some(at) = tag.and_then(|tag| context.find(tag)) {
            add(1, context.send(at).intended, delivery.returned);
        }
    }
    for session in context.history.senders() {
        for index in 0..session.recorded_operations() {
            let operation = session.operation(index);
            let ended = operation.completed.filter(|_| operation.outcome == Outcome::Ok);
            if let Some(completed) = ended.filter(|_| operation.function == Function::Txn) {
                add(2, operation.invoked, completed);
            }
        }
    }
    let rows = rows.iter().enumerate().filter_map(|(index, row)| {
        let (phase, operation) = (index / OPERATIONS.len(), index % OPERATIONS.len());
        Some(self::row(OPERATIONS[operation], &phases.names[phase], row.as_ref()?))
    });
    rows.collect()
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

/// The classes of fault carried out, `no fault` first, and when each was in force.
struct Phases<'c> {
    names: Vec<String>,
    faults: Vec<(&'c FaultRun<'c>, usize)>,
}

impl<'c> Phases<'c> {
    fn new(context: &'c Context<'_>) -> Self {
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
