//! Throughput, latency and recovery, for tables.

use hdrhistogram::Histogram;
use history::Nanos;

use crate::context::Context;
use crate::evidence::is_confirmed;
use crate::{FaultEvidence, Figures};

/// Latencies are recorded in microseconds, up to an hour.
const LONGEST_US: u64 = 3_600_000_000;

/// Measures the run. Latency runs from the time the schedule wanted a record sent, so that a stalled
/// client does not hide its own delay (coordinated omission).
pub(crate) fn measure(context: &Context<'_>, faults: &[FaultEvidence]) -> Figures {
    let mut latency = Histogram::<u64>::new_with_bounds(1, LONGEST_US, 3).expect("the bounds are valid");
    let confirmed =
        context.history.sends().filter(is_confirmed).filter_map(|send| Some((send, send.completed?)));
    let (from, until) = load(context);
    let mut during = 0_u64;
    for (send, completed) in confirmed {
        latency.saturating_record(completed.since(send.intended) / 1_000);
        during += u64::from((from..=until).contains(&completed));
    }
    let seconds = until.since(from) as f64 / 1e9;
    let ms = |quantile: f64| latency.value_at_quantile(quantile) as f64 / 1e3;
    Figures {
        throughput: if seconds > 0.0 { during as f64 / seconds } else { 0.0 },
        p50_ms: ms(0.5),
        p99_ms: ms(0.99),
        recovery_ms: faults.iter().filter_map(|fault| fault.recovery_ms).max(),
    }
}

/// The load phase; without phases, from the first invocation to the last completion.
fn load(context: &Context<'_>) -> (Nanos, Nanos) {
    let (start, end) = context.timeline.load();
    let first = || context.history.sends().map(|send| send.invoked).min();
    let last = || context.history.sends().filter_map(|send| send.completed).max();
    (start.or_else(first).unwrap_or_default(), end.or_else(last).unwrap_or_default())
}
