//! How soon each partition served again after every fault was healed.

use history::event::Phase;
use history::{Nanos, Note};

use crate::context::{Context, partition};
use crate::judgement::Progress;

/// Per partition: from the demand for progress until its fence was acknowledged, and from the beginning of
/// the drain until it was read that far. `None` where that did not happen, or the run came not so far.
pub(super) fn after_heal(context: &Context<'_>) -> Vec<Progress> {
    let Some(demanded) = context.timeline.entered(Phase::Progress) else { return Vec::new() };
    let drained = context.timeline.entered(Phase::Drain);
    let mut all: Vec<Progress> = (0..context.logs.len())
        .map(|index| Progress { partition: partition(index), written_ms: None, read_ms: None })
        .collect();
    for (_, at, note) in context.history.notes() {
        let since = |from: Nanos| at.since(from) / 1_000_000;
        match note {
            Note::FenceAcked { partition, .. } => {
                if let Some(of) = all.get_mut(partition.0 as usize) {
                    of.written_ms =
                        Some(of.written_ms.map_or(since(demanded), |known| known.min(since(demanded))));
                }
            }
            Note::Drained { partition } => {
                if let (Some(of), Some(drained)) = (all.get_mut(partition.0 as usize), drained) {
                    of.read_ms = Some(of.read_ms.map_or(since(drained), |known| known.min(since(drained))));
                }
            }
            _ => {}
        }
    }
    all
}
