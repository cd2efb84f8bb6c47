//! Two owners of one partition: who was given it while another one still went on.

use history::{Function, Nanos, Operation, Outcome, Partition, Session};

use super::{DOUBLE, SPEC};
use crate::context::{Context, Group, MAX_EXAMPLES, Tenure, involved};
use crate::{Finding, Witness};

/// Why an overlap breaks nothing.
const UNTOLD: &str = "the old owner did not know yet that its group had gone on, as one that is paused, cut off or late does not, and \
                      nothing that it committed then was taken";

/// The coordinator took a commit: its number in the session, when it was invoked, and when it was over.
type Taken = (usize, Nanos, Nanos);

pub(super) fn check(context: &Context<'_>, group: &Group<'_>) -> Vec<Finding> {
    let taken: Vec<(&Session, Vec<Taken>)> =
        group.members.iter().map(|member| (*member, commits(member))).collect();
    let of = |member: &Session| {
        let found = taken.iter().find(|(of, _)| std::ptr::eq(*of, member));
        found.map_or(&[][..], |(_, taken)| taken.as_slice())
    };
    let (mut proven, mut told) = (Vec::new(), Vec::new());
    for partition in (0..group.reached.len()).map(crate::context::partition) {
        let owners = group.owners(partition);
        for (place, new) in owners.iter().enumerate() {
            for old in owners[..place].iter().filter(|old| overlap(old, new)) {
                match proof(old, of(old.member), new, of(new.member)) {
                    Some(commit) => proven.push((*old, *new, Some(commit))),
                    None => told.push((*old, *new, None)),
                }
            }
        }
    }
    let pairs = [(proven, None), (told, Some(UNTOLD))];
    pairs.into_iter().filter_map(|(pairs, allowed)| finding(context, &pairs, allowed)).collect()
}

/// Commits that were taken, in order.
fn commits(member: &Session) -> Vec<Taken> {
    let taken = |(number, operation): (usize, Operation<'_>)| {
        let is = operation.function == Function::Commit && operation.outcome == Outcome::Ok;
        Some((number, operation.invoked, operation.completed.filter(|_| is)?))
    };
    member.recorded().enumerate().filter_map(taken).collect()
}

/// Whether the old owner, another one, had not been told to give the partition up when the new one was given it,
/// and did something afterwards.
fn overlap(old: &Tenure<'_>, new: &Tenure<'_>) -> bool {
    !std::ptr::eq(old.member, new.member) && old.until.unwrap_or(old.last_seen) > new.from
}

/// A commit of the old owner that was taken after the new one was given the partition, before the old one was told
/// to give it up, and before one of the new owner that was taken too. Each had to be a member of the generation
/// under way for that, and neither left it in between: who loses its place gives up what it has before it joins
/// again.
fn proof(old: &Tenure<'_>, of_old: &[Taken], new: &Tenure<'_>, of_new: &[Taken]) -> Option<usize> {
    let within = |tenure: &Tenure<'_>, at: Nanos| tenure.until.is_none_or(|until| at < until);
    let commit =
        of_old.iter().find(|(_, invoked, completed)| *invoked > new.from && within(old, *completed))?;
    let after = |(_, invoked, completed): &&Taken| *invoked > commit.2 && within(new, *completed);
    of_new.iter().find(after).map(|_| commit.0)
}

fn finding(
    context: &Context<'_>,
    pairs: &[(Tenure<'_>, Tenure<'_>, Option<usize>)],
    allowed: Option<&str>,
) -> Option<Finding> {
    let count = pairs.len() as u64;
    let examples: Vec<Witness> = pairs
        .iter()
        .take(MAX_EXAMPLES)
        .map(|(old, new, commit)| {
            let witness = context.witness(
                text(old, new, new.partition, commit.is_some()),
                None,
                Some(new.partition),
                None,
                Some(new.from),
            );
            witness.with(commit.map(|number| involved(old.member, number, &old.member.operation(number))))
        })
        .collect();
    let summary = DOUBLE.phrase(count, context.counts());
    let mut finding = (count > 0).then(|| DOUBLE.finding(&SPEC, count, summary, examples))?;
    finding.allowed = allowed.map(str::to_owned);
    Some(finding)
}

fn text(old: &Tenure<'_>, new: &Tenure<'_>, partition: Partition, taken: bool) -> String {
    let how = if taken {
        "whose commits were taken after that as well"
    } else {
        "which had not been told to give it up"
    };
    format!("{} was given partition {partition} while {} had it, {how}", new.member.name(), old.member.name())
}
