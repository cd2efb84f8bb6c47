//! Two reads of one offset that disagree, and offsets committed backwards or too far.

mod commits;
mod disputed;
mod fetched;
#[cfg(test)]
mod tests;

use history::event::Role;
use history::{Contents, Delivery, Offset, Partition, Tag};

use crate::context::{Context, MAX_EXAMPLES, is_fence, partition};
use crate::guarantees::{COMMITS, OFFSETS};
use crate::spec::{Basis, Kind, Spec};
use crate::{Finding, Witness};

pub(crate) static SPEC: Spec = Spec {
    name: "offsets",
    summary: "reads of one offset that disagree; offsets committed backwards or too far",
    docs: "\
Two reads, by readers or drains, returned different records at one offset. Where the partition was drained, a \
reader's record that the log holds elsewhere counts here, unless that reader was given it twice (`duplicate`); \
one that the log no longer holds is `lost-read`, not also this. An acknowledged offset that now holds another \
record is a `lost-write`: an acknowledgement is not a read. Each offset counts once. In a history from \
elsewhere polls of every outcome are held against one another and against acknowledgements; an acknowledged \
record that is not lost and lies elsewhere disagrees with what was polled at its offset. \
Commits that came back are compared within one session and partition, each with the highest that was over \
before it began; where an assignment, a rebalance, a crash or an operation that touches no record (a seek) came \
between, nothing is compared. A lower one is a `commit-regress`, allowed if the session was given earlier \
offsets again, or subscribes and nothing tells of rebalances. One behind the last record given is a \
`commit-beyond` if it passes a record that took effect and that no session of the group (`group.id`) was \
given before, or lies behind the end of a drained log; where nothing is known to lie there it is allowed. A member \
that commits before it processes is held to the first alone. It is a `commit-regress` of the whole group if a member \
is told a committed offset below the last one that was confirmed before it asked, and no lower commit was made or in \
doubt since; allowed where a planned fault lets an old coordinator answer, or takes what is in memory.",
    kinds: &[INCONSISTENT, REGRESS, BEYOND],
    check,
};

const INCONSISTENT: Kind = Kind {
    name: "inconsistent-offsets",
    summary: "two reads of one offset returned different records",
    noun: "offsets at which reads disagree",
    of: Basis::Nothing,
    guarantee: Some(&OFFSETS),
};

const REGRESS: Kind = Kind {
    name: "commit-regress",
    summary: "a consumer committed a lower offset than before, without having gone back",
    noun: "commits below an earlier one of the same session",
    of: Basis::Nothing,
    guarantee: Some(&COMMITS),
};
const BEYOND: Kind = Kind {
    name: "commit-beyond",
    summary: "a consumer committed past records that it was not given",
    noun: "commits beyond what was given",
    of: Basis::Nothing,
    guarantee: Some(&COMMITS),
};

/// A disagreement, before it becomes a witness.
type Conflict = (Partition, Offset, Tag, String);

fn check(context: &Context<'_>) -> Vec<Finding> {
    let disagreeing = match &context.derived {
        Some(derived) => disputed::check(context, derived),
        None => inconsistent(context),
    };
    let mut findings: Vec<Finding> = disagreeing.into_iter().chain(commits::check(context)).collect();
    findings.extend(context.group.iter().filter_map(|group| fetched::check(context, group)));
    findings
}

fn inconsistent(context: &Context<'_>) -> Option<Finding> {
    let mut conflicts = between_drains(context);
    conflicts.extend(with_the_log(context));
    conflicts.extend(undrained(context));
    conflicts.sort_by_key(|(partition, offset, ..)| (*partition, *offset));
    conflicts.dedup_by_key(|(partition, offset, ..)| (*partition, *offset));
    if conflicts.is_empty() {
        return None;
    }
    let count = conflicts.len() as u64;
    let examples = conflicts.into_iter().take(MAX_EXAMPLES).map(|(partition, offset, tag, text)| {
        let at = context.find(tag).and_then(|at| context.send(at).completed);
        context.witness(text, Some(tag), Some(partition), Some(offset), at)
    });
    let examples: Vec<Witness> = examples.collect();
    let summary = INCONSISTENT.phrase(count, context.counts());
    Some(INCONSISTENT.finding(&SPEC, count, summary, examples))
}

fn between_drains(context: &Context<'_>) -> Vec<Conflict> {
    let mut conflicts = Vec::new();
    for (index, log) in context.logs.iter().enumerate() {
        for (first, second) in &log.conflicts {
            // Corrupt and foreign records are findings of their own.
            if let (Some(one), Some(other)) = (first.intact(), second.intact()) {
                let text = format!(
                    "two drains read offset {} of partition {index} as {one} and as {other}",
                    first.offset
                );
                conflicts.push((partition(index), first.offset, one, text));
            }
        }
    }
    conflicts
}

fn with_the_log(context: &Context<'_>) -> Vec<Conflict> {
    let mut twice: Vec<(usize, Tag)> =
        context.twice_delivered().iter().map(|twice| (twice.reader, twice.tag)).collect();
    twice.sort_unstable();
    let mut conflicts = Vec::new();
    for stale in &context.stale {
        let (reader, delivery, tag) = context.stale_delivery(*stale);
        let told_twice = twice.binary_search(&(stale.reader, tag)).is_ok();
        if context.copies(tag) == 0 || told_twice {
            continue;
        }
        let holds =
            context.log(delivery.partition).and_then(|log| log.at(delivery.offset)).and_then(|e| e.tag);
        let holds = holds.map_or_else(|| "nothing".to_owned(), |tag| tag.to_string());
        let text = format!(
            "{} was given {tag} at offset {} of partition {}, where the log holds {holds}",
            reader.name(),
            delivery.offset,
            delivery.partition
        );
        conflicts.push((delivery.partition, delivery.offset, tag, text));
    }
    conflicts
}

/// Without a drained log, reads can still be held against each other.
fn undrained(context: &Context<'_>) -> Vec<Conflict> {
    if context.logs.iter().all(|log| log.complete) {
        return Vec::new();
    }
    let known = |partition: Partition| context.log(partition).is_some_and(|log| log.complete);
    let mut reads: Vec<(Partition, Offset, Tag)> = Vec::new();
    for session in
        context.history.sessions.iter().filter(|each| matches!(each.role, Role::Reader | Role::Drain))
    {
        let unknown = session.deliveries().filter(|delivery| !known(delivery.partition));
        reads.extend(unknown.filter_map(compared));
    }
    reads.sort_unstable();
    reads.dedup();
    let conflicts = reads.windows(2).filter(|pair| (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1));
    conflicts
        .map(|pair| {
            let (partition, offset, one) = pair[0];
            let text =
                format!("offset {offset} of partition {partition} was read as {one} and as {}", pair[1].2);
            (partition, offset, one, text)
        })
        .collect()
}

fn compared(delivery: Delivery) -> Option<(Partition, Offset, Tag)> {
    let tag = delivery.tag.filter(|tag| delivery.contents == Contents::Intact && !is_fence(Some(*tag)))?;
    Some((delivery.partition, delivery.offset, tag))
}
