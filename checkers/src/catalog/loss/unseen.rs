//! Records of the final log that a reader never delivered, though it read every fence.

use history::{Offset, Partition, Session, Tag};

use super::{SPEC, UNSEEN_RECORD};
use crate::Finding;
use crate::context::{Context, MAX_EXAMPLES, Reads, caught_up};

/// A record and where a reader should have met it.
type Missing<'a> = (Tag, Partition, Offset, &'a Session);

pub(super) fn check(context: &Context<'_>) -> Option<Finding> {
    let mut unseen: Vec<Missing<'_>> = Vec::new();
    for reads in context.readers.iter().filter(|reads| caught_up(reads.session)) {
        let missing = missing(context, reads);
        let tags = Context::never_given(reads.session, missing.iter().map(|(tag, ..)| *tag).collect());
        unseen.extend(missing.into_iter().filter(|(tag, ..)| tags.binary_search(tag).is_ok()));
    }
    // A record counts once, however many copies of it or readers there are.
    unseen.sort_by_key(|(tag, ..)| *tag);
    unseen.dedup_by_key(|(tag, ..)| *tag);
    unseen.sort_by_key(|(_, partition, offset, _)| (*partition, *offset));
    let count = unseen.len() as u64;
    let examples = unseen.iter().take(MAX_EXAMPLES).map(|(tag, partition, offset, reader)| {
        let text = format!(
            "{tag} is at offset {offset} of partition {partition}, and {} read to the fence without being given it",
            reader.name()
        );
        let at = context.find(*tag).and_then(|at| context.send(at).completed);
        context.witness(text, Some(*tag), Some(*partition), Some(*offset), at)
    });
    let examples = examples.collect();
    let summary = UNSEEN_RECORD.phrase(count, context.counts());
    (count > 0).then(|| UNSEEN_RECORD.finding(&SPEC, count, summary, examples))
}

/// The records of drained logs at whose offset the reader was given nothing.
fn missing<'a>(context: &Context<'_>, reads: &Reads<'a>) -> Vec<Missing<'a>> {
    let mut missing = Vec::new();
    for (partition, log) in context.drained() {
        for entry in reads.missed(partition.0 as usize, log).map(|position| log.entries.get(position)) {
            if let Some(tag) = entry.intact().filter(|tag| context.find(*tag).is_some()) {
                missing.push((tag, partition, entry.offset, reads.session));
            }
        }
    }
    missing
}
