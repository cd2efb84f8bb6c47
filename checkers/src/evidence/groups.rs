//! Did a fault of the run's consumer group bite? One rule per class: what its members were told, and who coordinated.

use std::collections::BTreeSet;

use history::{Application, Function, Nanos, NodeId, Note, Outcome, Partition, Session};

use super::applications::{begun, hit, nobody};
use super::bite::{Bite, nodes, seconds};
use crate::context::{Context, FaultRun, Group, Tenure};

/// Another coordinator, and a commit that it took.
pub(super) fn coordinator(context: &Context<'_>, fault: &FaultRun<'_>, invoked: Nanos, how: &str) -> Bite {
    let Some(group) = &context.group else { return no_group() };
    let who = nodes(fault);
    let told = context.history.notes().filter_map(|(_, at, note)| match note {
        Note::Coordinator { node: Some(node) } => Some((at, *node)),
        _ => None,
    });
    let another =
        |(at, node): &(Nanos, NodeId)| *at >= invoked && fault.may_cause(*at) && !fault.nodes.contains(node);
    let Some((at, node)) = told.filter(another).min_by_key(|(at, _)| *at) else {
        return Bite::no(format!(
            "the group of {who}, which was {how}, got no other coordinator (raise the fault's duration with \
             `--duration`, or lower `broker.session.timeout.ms`)"
        ));
    };
    let taken = group.members.iter().flat_map(|member| member.recorded()).filter(|operation| {
        operation.function == Function::Commit
            && operation.outcome == Outcome::Ok
            && operation.completed.is_some_and(|completed| completed > at)
    });
    match taken.count() {
        0 => Bite::no(format!(
            "{who} was {how}, and node {node} coordinated the group {} later, but took no commit (raise `--duration`)",
            seconds(invoked, at)
        )),
        count => Bite::yes(format!(
            "{who} was {how}; node {node} coordinated the group {} later, and {count} commits were taken after that",
            seconds(invoked, at)
        )),
    }
}

/// The member had partitions, and another one was given one of them.
pub(super) fn member(context: &Context<'_>, fault: &FaultRun<'_>, invoked: Nanos, how: &str) -> Bite {
    let Some(group) = &context.group else { return no_group() };
    let Some((session, _)) = hit(context, fault, invoked) else { return nobody() };
    let who = session.name();
    let mine: BTreeSet<Partition> = held(group, session, invoked).map(|tenure| tenure.partition).collect();
    if mine.is_empty() {
        return Bite::no(format!("{who} had no partition when it was {how} (give it fewer `--consumers`)"));
    }
    let next = successors(group, session, invoked).filter(|tenure| mine.contains(&tenure.partition));
    let Some(next) = next.filter(|tenure| fault.may_cause(tenure.from)).min_by_key(|tenure| tenure.from)
    else {
        return Bite::no(format!(
            "{who} was {how}, and none of its partitions was given to another member (raise `--duration`, or lower \
             `session.timeout.ms`)"
        ));
    };
    Bite::yes(format!(
        "{who} was {how} with {}; {} was given partition {} of them {} later",
        count(mine.len(), "partition"),
        next.member.name(),
        next.partition,
        seconds(invoked, next.from)
    ))
}

/// Members joined again, and partitions went from one to another.
pub(super) fn storm(context: &Context<'_>, fault: &FaultRun<'_>, invoked: Nanos) -> Bite {
    let Some(group) = &context.group else { return no_group() };
    let during = |at: Nanos| at >= invoked && fault.may_cause(at);
    let joined = group.members.iter().filter(|member| {
        let of_it = |hit: &Application| hit.index == member.index;
        member.session > 0 && fault.applications.iter().any(of_it) && begun(member).is_some_and(during)
    });
    let joined = joined.count();
    let given = group.tenures.iter().filter(|tenure| during(tenure.from)).count();
    let partitions = 0..u32::try_from(group.reached.len()).unwrap_or(u32::MAX);
    let moved: usize = partitions
        .map(|partition| {
            let owners = group.owners(Partition(partition));
            let moves = owners
                .windows(2)
                .filter(|pair| during(pair[1].from) && !std::ptr::eq(pair[0].member, pair[1].member));
            moves.count()
        })
        .sum();
    let seen = format!(
        "{} joined again; partitions were given to members {given} times, {moved} of these to another than before",
        count(joined, "session")
    );
    if joined >= 2 && moved > 0 { Bite::yes(seen) } else { Bite::no(format!("{seen} (raise `--duration`)")) }
}

fn no_group() -> Bite {
    Bite::no("the run had no consumer group")
}

/// What a member held then, as far as it knew.
fn held<'g>(group: &'g Group<'_>, session: &'g Session, at: Nanos) -> impl Iterator<Item = &'g Tenure<'g>> {
    group.tenures.iter().filter(move |tenure| std::ptr::eq(tenure.member, session) && tenure.covers(at))
}

/// What others were given after that.
fn successors<'g>(
    group: &'g Group<'_>,
    session: &'g Session,
    after: Nanos,
) -> impl Iterator<Item = &'g Tenure<'g>> {
    group.tenures.iter().filter(move |tenure| !std::ptr::eq(tenure.member, session) && tenure.from > after)
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
