//! The run's consumer group: partitions with two owners, and records that its members processed again.

mod owners;
#[cfg(test)]
mod tests;

use crate::context::{Again, Context, Group};
use crate::guarantees::{OWNERSHIP, REDELIVERY};
use crate::spec::{Basis, Kind, Spec};
use crate::{Finding, Witness};

pub(crate) static SPEC: Spec = Spec {
    name: "groups",
    summary: "partitions of a consumer group with two owners; records processed again",
    docs: "\
What members of the run's group were told to take and to give up, and what they processed. A partition has two owners \
(`double-ownership`) if a member was given it while another one, which had not been told to give it up, went on \
committing and the coordinator took that: commits of an older generation must be refused, so both are members at \
once. It counts only if the new owner's commits were taken as well afterwards, in the same tenure. Where the old owner \
merely did not know yet (it was paused, cut off, or late to be told), the overlap is told and allowed. A record \
that any member processed after another one had, or the same one, is `redelivered`, which at-least-once allows: \
members of a group begin at what is committed, and what was processed and not committed comes again. What the group \
went past and nobody processed is `unseen`, and a committed offset that was forgotten a `commit-regress`.",
    kinds: &[DOUBLE, REDELIVERED],
    check,
};

const DOUBLE: Kind = Kind {
    name: "double-ownership",
    summary: "a partition of a group had two owners at once, and the coordinator took commits of both",
    noun: "partitions given to a member while another one owned them",
    of: Basis::Nothing,
    guarantee: Some(&OWNERSHIP),
};

const REDELIVERED: Kind = Kind {
    name: "redelivered",
    summary: "members of a group processed a record again",
    noun: "records processed again by the group",
    of: Basis::Delivered,
    guarantee: Some(&REDELIVERY),
};

fn check(context: &Context<'_>) -> Vec<Finding> {
    let Some(group) = &context.group else { return Vec::new() };
    let mut findings = owners::check(context, group);
    findings.extend(redelivered(context, group));
    findings
}

fn redelivered(context: &Context<'_>, group: &Group<'_>) -> Option<Finding> {
    let examples: Vec<Witness> = group
        .examples
        .iter()
        .map(|Again { partition, offset, tag, by, at }| {
            let name = tag.map_or_else(|| "a record of somebody else".to_owned(), |tag| context.name(tag));
            let text = format!(
                "{} processed {name} at offset {offset} of partition {partition}, which the group had processed before",
                by.name()
            );
            context.witness(text, *tag, Some(*partition), Some(*offset), Some(*at))
        })
        .collect();
    let summary = REDELIVERED.phrase(group.again, context.counts());
    (group.again > 0).then(|| REDELIVERED.finding(&SPEC, group.again, summary, examples))
}
