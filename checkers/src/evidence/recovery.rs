//! Time to recover from a fault.

use history::{Nanos, Partition};

use super::is_confirmed;
use crate::context::{Context, FaultRun};

/// Milliseconds from the injection until every partition the fault hit was written again: per partition
/// the first confirmed record that was invoked after the injection and completed after the new leader was
/// there (if there was one) and that is in the final log, where that is known (a confirmation by a cut-off
/// leader is no recovery). The slowest partition counts; `None` if one was not written again, or none was hit.
pub(super) fn time(context: &Context<'_>, fault: &FaultRun<'_>) -> Option<u64> {
    let injected = fault.injected.or(fault.invoked)?;
    let mut wanted: Vec<(Partition, Nanos)> = fault
        .partitions
        .iter()
        .map(|partition| (*partition, new_leader(context, fault, *partition).unwrap_or(injected)))
        .collect();
    wanted.sort_unstable();
    let mut first: Vec<Option<Nanos>> = vec![None; wanted.len()];
    for producer in &context.producers {
        for (send, place) in
            producer.sends().filter(|(send, _)| is_confirmed(send) && send.invoked >= injected)
        {
            let (Some(partition), Some(completed)) = (send.partition, send.completed) else { continue };
            let Ok(index) = wanted.binary_search_by_key(&partition, |(of, _)| *of) else { continue };
            let lost = place.copies == 0 && context.absence_counts(&send);
            if completed >= wanted[index].1 && !lost {
                first[index] = Some(first[index].map_or(completed, |known| known.min(completed)));
            }
        }
    }
    let all: Option<Vec<Nanos>> = first.into_iter().collect();
    all?.into_iter().max().map(|last| last.since(injected) / 1_000_000)
}

fn new_leader(context: &Context<'_>, fault: &FaultRun<'_>, partition: Partition) -> Option<Nanos> {
    let ours = |change: &&crate::context::LeaderChange| {
        change.partition == partition && change.fault == Some(fault.planned.id)
    };
    context.timeline.changes.iter().find(ours).map(|change| change.at)
}
