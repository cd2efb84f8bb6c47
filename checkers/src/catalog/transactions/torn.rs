//! Transactions of which a part is in the final log and another part certainly is not.

use history::view::Operation;
use history::{Outcome, Send, Session};

use super::facts::{Facts, is_transaction};
use super::{TORN_TRANSACTION, Tally, story};
use crate::Finding;
use crate::context::{Context, Fact, involved};

pub(super) fn check(context: &Context<'_>, facts: &Facts) -> Option<Finding> {
    if !facts.transactional {
        return None;
    }
    let mut tally = Tally::default();
    for session in context.history.senders() {
        let several = session
            .operations()
            .enumerate()
            .filter(|(_, operation)| is_transaction(operation) && operation.sends.len() > 1);
        // What certainly failed is in no log: seen all the same, it is an aborted read.
        let mut sends = session.sends();
        for (number, operation) in several.filter(|(_, operation)| operation.outcome != Outcome::Fail) {
            let sent = sends.seek(operation.sends.clone()).filter(|send| send.outcome != Outcome::Fail);
            look(context, facts, (session, &sent.collect::<Vec<_>>()), (number, &operation), &mut tally);
        }
    }
    tally.finding(context, &TORN_TRANSACTION)
}

fn look(
    context: &Context<'_>,
    facts: &Facts,
    (session, sent): (&Session, &[Send]),
    (number, operation): (usize, &Operation<'_>),
    tally: &mut Tally,
) {
    let seen = |send: &Send| context.find(send.tag).is_some_and(|at| facts.seen(at));
    let absent = |send: &Send| match &context.derived {
        Some(derived) => derived.knows(send.tag, Fact::Lost),
        None => !seen(send) && context.copies(send.tag) == 0 && context.absence_counts(send),
    };
    let Some(there) = sent.iter().find(|send| seen(send)) else { return };
    let Some(missing) = sent.iter().find(|send| absent(send)) else { return };
    tally.add(|| {
        let (parts, all) = (sent.iter().filter(|send| seen(send)).count(), operation.sends.len());
        let ended = if operation.outcome == Outcome::Ok { "committed" } else { "ended nobody knows how" };
        let place = missing.partition.map_or_else(String::new, |partition| {
            format!(" of partition {}", context.history.partition_name(partition))
        });
        let text = format!(
            "{} {ended}, and {parts} of its {all} records can be read, {} among them; {}{place} is not in the log",
            story::name(context, session, operation),
            context.history.name_of(there.tag),
            context.history.name_of(missing.tag),
        );
        let at = Some(missing.completed.unwrap_or(missing.invoked));
        let witness = context.witness(text, Some(missing.tag), missing.partition, missing.offset, at);
        witness.with(context.derived.as_ref().map(|_| involved(session, number, operation)))
    });
}
