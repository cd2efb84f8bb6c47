//! Where in the log the lost records lay: at its start, in the middle or at its end, overwritten or not.

use std::collections::BTreeMap;

use history::{Contents, Offset, Partition, Send};

use crate::context::{Context, Fact, Log};

/// Ranges named in a summary.
const MAX_RANGES: usize = 8;

/// What the final log holds at a record's acknowledged offset.
pub(super) fn holder(context: &Context<'_>, send: &Send) -> Option<String> {
    let entry = context.log(send.partition?)?.at(send.offset?)?;
    // A log that was derived has it where it was acknowledged.
    if entry.intact() == Some(send.tag) {
        return None;
    }
    Some(match (entry.contents, entry.tag) {
        (Contents::Intact, Some(tag)) => context.name(tag),
        (Contents::Corrupt, _) => "a corrupt record".to_owned(),
        _ => "a record of somebody else".to_owned(),
    })
}

/// Whether an absent record of unknown offset is one of the corrupt ones that still show its tag.
pub(super) fn is_corrupt(context: &Context<'_>, send: &Send) -> bool {
    send.offset.is_none() && context.corrupt.binary_search(&send.tag).is_ok()
}

/// `3 prefix, 0 middle, 9 suffix (7 overwritten); offsets 0-2, 40-48 of partition 1`.
pub(super) fn describe(context: &Context<'_>, sends: &[Send]) -> String {
    let (mut prefix, mut middle, mut suffix, mut overwritten, mut unplaced) = (0, 0, 0, 0, 0);
    let mut offsets: BTreeMap<Partition, Vec<Offset>> = BTreeMap::new();
    let mut bounded: BTreeMap<Partition, Option<(Offset, Offset)>> = BTreeMap::new();
    for send in sends {
        let (Some(partition), Some(offset)) = (send.partition, send.offset) else {
            unplaced += 1;
            continue;
        };
        offsets.entry(partition).or_default().push(offset);
        let survivors = *bounded.entry(partition).or_insert_with(|| bounds(context, context.log(partition)?));
        match survivors {
            Some((first, _)) if offset < first => prefix += 1,
            Some((_, last)) if offset <= last => middle += 1,
            _ => suffix += 1,
        }
        overwritten += usize::from(holder(context, send).is_some());
    }
    if offsets.is_empty() {
        return format!("{unplaced} at unknown offsets");
    }
    let mut text = format!("{prefix} prefix, {middle} middle, {suffix} suffix");
    if overwritten > 0 {
        text.push_str(&format!(", {overwritten} of them overwritten"));
    }
    if unplaced > 0 {
        text.push_str(&format!(", {unplaced} at unknown offsets"));
    }
    text.push_str("; ");
    text.push_str(&ranges(context, offsets));
    text
}

/// First and last offset that survived.
fn bounds(context: &Context<'_>, log: &Log) -> Option<(Offset, Offset)> {
    let kept = |position: &usize| {
        let derived = context.derived.as_ref().zip(log.entries.get(*position).intact());
        !derived.is_some_and(|(derived, tag)| derived.knows(tag, Fact::Lost))
    };
    let first = (0..log.entries.len()).find(kept)?;
    let last = (0..log.entries.len()).rev().find(kept)?;
    Some((log.entries.offset(first), log.entries.offset(last)))
}

fn ranges(context: &Context<'_>, offsets: BTreeMap<Partition, Vec<Offset>>) -> String {
    let mut named = Vec::new();
    for (partition, mut offsets) in offsets {
        offsets.sort_unstable();
        offsets.dedup();
        let partition = context.history.partition_name(partition);
        let runs = offsets.chunk_by(|a, b| b.0.checked_sub(1) == Some(a.0));
        named.extend(runs.map(|run| match run {
            [only] => format!("partition {partition} offset {only}"),
            _ => format!("partition {partition} offsets {}-{}", run[0], run[run.len() - 1]),
        }));
    }
    let more = named.len().saturating_sub(MAX_RANGES);
    named.truncate(MAX_RANGES);
    let mut text = named.join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more ranges"));
    }
    text
}
