//! Offsets of a history from elsewhere at which its operations disagree.

use history::{Offset, Partition, Tag};

use super::{INCONSISTENT, SPEC};
use crate::Finding;
use crate::context::derived::Conflict;
use crate::context::{Context, Derived, Fact, MAX_EXAMPLES};

pub(super) fn check(context: &Context<'_>, derived: &Derived) -> Option<Finding> {
    let conflicts: Vec<(&Conflict, Vec<Tag>)> = derived
        .conflicts
        .iter()
        .filter_map(|conflict| Some((conflict, disagree(derived, conflict)?)))
        .collect();
    let count = conflicts.len() as u64;
    let shown = &conflicts[..conflicts.len().min(MAX_EXAMPLES)];
    let offsets: Vec<(Partition, Offset)> =
        shown.iter().map(|(conflict, _)| (conflict.partition, conflict.offset)).collect();
    let mut polls = context.polls_of(&offsets);
    let examples = shown.iter().map(|(conflict, tags)| {
        let (partition, offset) = (conflict.partition, conflict.offset);
        let how = |tag: &Tag| if conflict.read.contains(tag) { "polled" } else { "acknowledged" };
        let names: Vec<String> =
            tags.iter().map(|tag| format!("{} was {}", context.name(*tag), how(tag))).collect();
        let text = format!(
            "offset {offset} of partition {}: {}",
            context.history.partition_name(partition),
            names.join(", ")
        );
        let polls = polls.remove(&(partition, offset)).unwrap_or_default();
        let senders: Vec<_> = tags.iter().filter_map(|tag| context.sender(*tag)).collect();
        let at = polls
            .iter()
            .chain(&senders)
            .map(|operation| operation.completed.unwrap_or(operation.invoked))
            .max();
        // The odd one out is the witness.
        let tag = tags.last().copied();
        context.witness(text, tag, Some(partition), Some(offset), at).with(polls).with(senders)
    });
    let examples = examples.collect();
    let summary = INCONSISTENT.phrase(count, context.counts());
    (count > 0).then(|| INCONSISTENT.finding(&SPEC, count, summary, examples))
}

/// Who disagrees; `None` if the records that were only acknowledged there are lost, which says it all.
fn disagree(derived: &Derived, conflict: &Conflict) -> Option<Vec<Tag>> {
    let acked = conflict.acked.iter().copied();
    // Two acknowledgements of one offset disagree whatever became of the records.
    let unexplained = acked.filter(|tag| conflict.read.is_empty() || !derived.knows(*tag, Fact::Lost));
    let tags: Vec<Tag> = conflict.read.iter().copied().chain(unexplained).collect();
    (tags.len() > 1).then_some(tags)
}
