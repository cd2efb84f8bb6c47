//! Records of the final log that a consumer group went past without any member having processed them.

use history::{Offset, Partition, Tag};

use super::{SPEC, UNSEEN_RECORD};
use crate::Finding;
use crate::context::{Context, Group, MAX_EXAMPLES};

pub(super) fn check(context: &Context<'_>, group: &Group<'_>) -> Option<Finding> {
    let mut passed: Vec<(Tag, Partition, Offset)> = Vec::new();
    for (partition, log) in context.drained().filter(|(_, log)| !log.deletes) {
        for entry in group.passed(partition.0 as usize, log).map(|position| log.entries.get(position)) {
            if let Some(tag) = entry.intact().filter(|tag| context.find(*tag).is_some()) {
                passed.push((tag, partition, entry.offset));
            }
        }
    }
    // Processed at another offset, before the log was cut there, is processed all the same.
    let mut never: Vec<Tag> = passed.iter().map(|(tag, ..)| *tag).collect();
    for member in group.members.iter().filter(|_| !passed.is_empty()) {
        never = Context::never_given(member, never);
    }
    passed.retain(|(tag, ..)| never.binary_search(tag).is_ok());
    passed.sort_by_key(|(tag, ..)| *tag);
    passed.dedup_by_key(|(tag, ..)| *tag);
    passed.sort_by_key(|(_, partition, offset)| (*partition, *offset));
    let count = passed.len() as u64;
    let examples = passed.iter().take(MAX_EXAMPLES).map(|(tag, partition, offset)| {
        let reached = group.reached[partition.0 as usize];
        let text = format!(
            "{tag} is at offset {offset} of partition {partition}, and the group went on to offset {reached} without \
             any member having processed it"
        );
        let at = context.find(*tag).and_then(|at| context.send(at).completed);
        context.witness(text, Some(*tag), Some(*partition), Some(*offset), at)
    });
    let examples = examples.collect();
    let summary = UNSEEN_RECORD.phrase(count, context.counts());
    (count > 0).then(|| UNSEEN_RECORD.finding(&SPEC, count, summary, examples))
}
