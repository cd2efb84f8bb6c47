//! Throughput, latency, unavailability and recovery, for tables.

mod latency;
mod outages;
mod progress;
#[cfg(test)]
mod tests;

use history::Nanos;

use crate::context::Context;
use crate::{FaultEvidence, Figures};

/// Measures the run. Latency runs from the time the schedule wanted a record sent, so that a stalled
/// client does not hide its own delay (coordinated omission).
pub(crate) fn measure(context: &Context<'_>, faults: &[FaultEvidence]) -> Figures {
    let tally = &context.tally;
    let (from, until) = load(context);
    let seconds = until.since(from) as f64 / 1e9;
    let ms = |quantile: f64| tally.latency.value_at_quantile(quantile) as f64 / 1e3;
    Figures {
        throughput: if seconds > 0.0 { tally.during as f64 / seconds } else { 0.0 },
        p50_ms: ms(0.5),
        p99_ms: ms(0.99),
        recovery_ms: faults.iter().filter_map(|fault| fault.recovery_ms).max(),
        latency: latency::by_phase(context),
        outages: outages::windows(context),
        progress: progress::after_heal(context),
    }
}

/// The load phase; without phases, from the first invocation to the last completion.
fn load(context: &Context<'_>) -> (Nanos, Nanos) {
    let (start, end) = context.timeline.load();
    (
        start.or(context.tally.first_invoked).unwrap_or_default(),
        end.or(context.tally.last_completed).unwrap_or_default(),
    )
}
