//! Throughput, latency, unavailability and recovery, for tables.

mod latency;
mod outages;
mod progress;
#[cfg(test)]
mod tests;

use history::view::Function;
use history::{Nanos, Outcome, Role, Session};

use crate::context::{Context, is_confirmed, is_fence, parallel};
use crate::{FaultEvidence, Figures};
use latency::{Phases, Rows, Timed};
use outages::Marks;

/// Deliveries whose latency is measured in all: each has to look up when its record was due, and a million
/// say as much. Of more of them, every so many-th is.
const MOST_DELIVERIES: usize = 1_000_000;

/// Parts of the history walked side by side; few, because each keeps histograms.
const PARTS: usize = 4;

/// Measures the run. Latency runs from the time the schedule wanted a record sent, so that a stalled
/// client does not hide its own delay (coordinated omission).
pub(crate) fn measure(context: &Context<'_>, faults: &[FaultEvidence]) -> Figures {
    let tally = &context.tally;
    let (from, until) = load(context);
    let seconds = until.since(from) as f64 / 1e9;
    let (phases, marks) = (Phases::new(context), Marks::new(context));
    let rows = walk(context, &phases, &marks);
    let ms = |quantile: f64| tally.latency.value_at_quantile(quantile) as f64 / 1e3;
    Figures {
        throughput: if seconds > 0.0 { tally.during as f64 / seconds } else { 0.0 },
        p50_ms: ms(0.5),
        p99_ms: ms(0.99),
        recovery_ms: faults.iter().filter_map(|fault| fault.recovery_ms).max(),
        latency: rows.told(&phases),
        outages: marks.windows(context),
        progress: progress::after_heal(context),
    }
}

/// Walks over every session that sent or read during the load.
fn walk(context: &Context<'_>, phases: &Phases<'_>, marks: &Marks) -> Rows {
    let senders = context.history.senders();
    let followers = context.history.of(Role::Reader).chain(context.history.of(Role::Member));
    let sessions: Vec<&Session> = senders.chain(followers).collect();
    let stride = context.counts().delivered as usize / MOST_DELIVERIES + 1;
    let parts: Vec<usize> = (0..PARTS.min(sessions.len())).collect();
    let walked = parallel::map(&parts, |part| {
        let mut rows = Rows::new(phases);
        for session in sessions.iter().skip(*part).step_by(PARTS) {
            session_into(context, session, stride, (phases, marks), &mut rows);
        }
        rows
    });
    let mut all = Rows::new(phases);
    walked.into_iter().for_each(|rows| all.merge(rows));
    all
}

fn session_into(
    context: &Context<'_>,
    session: &Session,
    stride: usize,
    (phases, marks): (&Phases<'_>, &Marks),
    rows: &mut Rows,
) {
    for send in session.sends() {
        marks.send(&send);
        if let Some(completed) = send.completed.filter(|_| is_confirmed(&send)) {
            rows.add(phases, Timed::Send, send.intended, completed);
        }
    }
    let follows = matches!(session.role, Role::Reader | Role::Member);
    let reads = session.deliveries().filter(|delivery| follows && !is_fence(delivery.tag));
    for (index, delivery) in reads.enumerate() {
        marks.delivery(&delivery);
        if index % stride == 0
            && let Some(at) = delivery.tag.and_then(|tag| context.find(tag))
        {
            rows.add(phases, Timed::Delivery, context.send(at).intended, delivery.returned);
        }
    }
    for operation in session.recorded() {
        let ended = operation.completed.filter(|_| operation.outcome == Outcome::Ok);
        if let Some(completed) = ended.filter(|_| operation.function == Function::Txn) {
            rows.add(phases, Timed::Transaction, operation.invoked, completed);
        }
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
