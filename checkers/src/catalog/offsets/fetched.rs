//! What a group is told when it asks for its committed offsets, against what was committed before.

use history::{Function, Nanos, Note, Offset, Outcome, Partition, Session};

use super::{REGRESS, SPEC};
use crate::Finding;
use crate::context::{Context, Group, MAX_EXAMPLES, involved};
use crate::judgement::Witness;

/// A commit of one partition's offset.
#[derive(Clone, Copy)]
struct Commit {
    offset: Offset,
    invoked: Nanos,
    /// When it was confirmed, if it was.
    confirmed: Option<Nanos>,
}

/// An answer to one who asked.
#[derive(Clone, Copy)]
struct Fetch<'a> {
    by: &'a Session,
    operation: usize,
    partition: Partition,
    offset: Offset,
    invoked: Nanos,
    completed: Nanos,
}

pub(super) fn check(context: &Context<'_>, group: &Group<'_>) -> Option<Finding> {
    // A client that commits by itself and dies leaves commits that nobody knows of.
    let unknown = |member: &&Session| {
        !member.closed && member.effective.get("enable.auto.commit").is_some_and(|value| value == "true")
    };
    if group.members.iter().any(unknown) {
        return None;
    }
    let mut commits: Vec<Vec<Commit>> = vec![Vec::new(); group.reached.len()];
    let mut fetches: Vec<Fetch<'_>> = Vec::new();
    for member in &group.members {
        collect(member, &mut commits, &mut fetches);
    }
    for commits in &mut commits {
        commits.sort_by_key(|commit| commit.confirmed);
    }
    let forgotten: Vec<(Fetch<'_>, Commit)> =
        fetches.into_iter().filter_map(|fetch| Some((fetch, forgotten(&commits, &fetch)?))).collect();
    let count = forgotten.len() as u64;
    let examples = forgotten.iter().take(MAX_EXAMPLES).map(|(fetch, last)| witness(context, fetch, *last));
    let examples: Vec<Witness> = examples.collect();
    let summary = REGRESS.phrase(count, context.counts());
    let mut finding = (count > 0).then(|| REGRESS.finding(&SPEC, count, summary, examples))?;
    finding.allowed = context.terms.envelope.forgets_offsets().map(|cause| cause.reason().to_owned());
    Some(finding)
}

fn collect<'a>(member: &'a Session, commits: &mut [Vec<Commit>], fetches: &mut Vec<Fetch<'a>>) {
    let mut add = |partition: Partition, commit: Commit| {
        if let Some(commits) = commits.get_mut(partition.0 as usize) {
            commits.push(commit);
        }
    };
    // Whatever became of it; one that was confirmed is there a second time, with the same beginning.
    for (at, note) in &member.notes {
        if let Note::CommitInvoked { offsets } = note {
            for (partition, offset) in offsets {
                add(*partition, Commit { offset: *offset, invoked: *at, confirmed: None });
            }
        }
    }
    for (number, operation) in member.recorded().enumerate() {
        let Some(detail) = operation.detail else { continue };
        let confirmed = operation.completed.filter(|_| operation.outcome == Outcome::Ok);
        if operation.function == Function::Commit {
            for (partition, offset) in &detail.committed {
                add(*partition, Commit { offset: *offset, invoked: operation.invoked, confirmed });
            }
        }
        let completed = operation.completed.unwrap_or(operation.invoked);
        fetches.extend(detail.fetched.iter().map(|(partition, offset)| Fetch {
            by: member,
            operation: number,
            partition: *partition,
            offset: *offset,
            invoked: operation.invoked,
            completed,
        }));
    }
}

/// The last commit that was confirmed before somebody asked and was told less, unless a lower one may have come
/// after it.
fn forgotten(commits: &[Vec<Commit>], fetch: &Fetch<'_>) -> Option<Commit> {
    let commits = commits.get(fetch.partition.0 as usize)?;
    // Sorted, with those without confirmation first.
    let before = commits.partition_point(|commit| commit.confirmed.is_none_or(|at| at < fetch.invoked));
    let last = *commits[..before].last().filter(|last| last.confirmed.is_some())?;
    let after = |commit: &&Commit| {
        commit.offset < last.offset
            && commit.invoked < fetch.completed
            && commit.confirmed.is_none_or(|at| at > last.invoked)
            && (commit.confirmed.is_some() || !confirmed_since(commits, commit, last.invoked))
    };
    (fetch.offset < last.offset && !commits.iter().any(|commit| after(&commit))).then_some(last)
}

/// Whether a commit of which nothing but its beginning is told was confirmed before that time after all.
fn confirmed_since(commits: &[Commit], commit: &Commit, until: Nanos) -> bool {
    commits.iter().any(|other| {
        (other.invoked, other.offset) == (commit.invoked, commit.offset)
            && other.confirmed.is_some_and(|at| at <= until)
    })
}

fn witness(context: &Context<'_>, fetch: &Fetch<'_>, last: Commit) -> Witness {
    let told = if fetch.offset.0 < 0 { "no offset".to_owned() } else { format!("offset {}", fetch.offset) };
    let text = format!(
        "{} was told that its group had committed {told} of partition {}, after offset {} had been confirmed",
        fetch.by.name(),
        fetch.partition,
        last.offset
    );
    let witness =
        context.witness(text, None, Some(fetch.partition), Some(fetch.offset), Some(fetch.completed));
    witness.with([involved(fetch.by, fetch.operation, &fetch.by.operation(fetch.operation))])
}
