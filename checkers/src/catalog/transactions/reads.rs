//! What transactions and readers must not have been given: records of failed operations, and their own.

use std::collections::BTreeSet;

use history::Tag;

use super::facts::{Facts, each_read, intact};
use super::{ABORTED_READ, PRECOMMITTED_READ, Tally, story};
use crate::Finding;
use crate::context::{Context, involved};

pub(super) fn check(context: &Context<'_>, facts: &Facts) -> Vec<Finding> {
    let aborted = aborted(context, facts).finding(context, &ABORTED_READ);
    let own = own(context).finding(context, &PRECOMMITTED_READ);
    aborted.into_iter().chain(own).collect()
}

/// Each record of a failed operation counts once, however many were given it. Records of our own runs that
/// were sent outside of transactions are a matter of `phantoms`.
fn aborted(context: &Context<'_>, facts: &Facts) -> Tally {
    let mut tally = Tally::default();
    let ours = context.history.imported.is_none() && !facts.transactional;
    let none = || context.derived.as_ref().is_some_and(|derived| !derived.failed_and_read());
    if !facts.any_failed || ours || none() {
        return tally;
    }
    let mut told: BTreeSet<Tag> = BTreeSet::new();
    each_read(context, |session, (index, operation), delivery| {
        let Some(tag) = intact(&delivery) else { return };
        let Some(at) = context.find(tag).filter(|at| context.producers[at.producer].failed(at.send)) else {
            return;
        };
        if !told.insert(tag) {
            return;
        }
        tally.add(|| {
            let session = &context.history.sessions[session];
            let text = format!(
                "{} was given {} at offset {} of partition {}, though the operation of {} that sent it failed",
                story::name(context, session, operation),
                context.history.name_of(tag),
                delivery.offset,
                context.history.partition_name(delivery.partition),
                context.producers[at.producer].session.name(),
            );
            let at = Some(delivery.returned);
            let shown = context.derived.as_ref().map(|_| involved(session, index, operation));
            let witness = context.witness(text, Some(tag), Some(delivery.partition), Some(delivery.offset), at);
            let sender = context.derived.as_ref().and_then(|_| context.sender(tag));
            witness.with(sender.into_iter().chain(shown))
        });
    });
    tally
}

/// Whatever became of the operation: it was given its own record while that was not committed.
fn own(context: &Context<'_>) -> Tally {
    let mut tally = Tally::default();
    for session in &context.history.sessions {
        if session.send_count() == 0 || session.delivery_count() == 0 {
            continue;
        }
        // Operations that are derived from rows do one thing each.
        let both = session
            .recorded()
            .enumerate()
            .filter(|(_, operation)| !operation.sends.is_empty() && !operation.deliveries.is_empty());
        let (mut sends, mut deliveries) = (session.sends(), session.deliveries());
        for (index, operation) in both {
            let sent: Vec<Tag> = sends.seek(operation.sends.clone()).map(|send| send.tag).collect();
            let mut told = BTreeSet::new();
            for delivery in deliveries.seek(operation.deliveries.clone()) {
                let Some(tag) = intact(&delivery).filter(|tag| sent.contains(tag) && told.insert(*tag))
                else {
                    continue;
                };
                tally.add(|| {
                    let text = format!(
                        "{} sent {} and was given it at offset {} of partition {} before it was over",
                        story::name(context, session, &operation),
                        context.history.name_of(tag),
                        delivery.offset,
                        context.history.partition_name(delivery.partition),
                    );
                    let at = Some(delivery.returned);
                    let shown = context.derived.as_ref().map(|_| involved(session, index, &operation));
                    context
                        .witness(text, Some(tag), Some(delivery.partition), Some(delivery.offset), at)
                        .with(shown)
                });
            }
        }
    }
    tally
}
