//! Losses of a history from elsewhere: proven by the polls that passed a record by, or by the end of its
//! log; and what was acknowledged and never read, which only shows that something is missing.

use history::{Offset, Partition, Send};

use super::{LOST_WRITE, SPEC, UNSEEN_RECORD, shape};
use crate::Finding;
use crate::context::{Context, Derived, Fact, MAX_EXAMPLES, Place};
use crate::spec::Kind;

/// Why some unseen records break no promise.
const TOO_LATE: &str =
    "nobody polled their partitions after they were acknowledged, so no reader had a chance to be given them";

pub(super) fn check(context: &Context<'_>, derived: &Derived) -> Vec<Finding> {
    let (mut lost, mut unseen, mut late) = (Vec::new(), Vec::new(), Vec::new());
    for (producer, rank) in derived.unread() {
        let producer = &context.producers[producer];
        let (send, place) = (producer.send(rank), producer.place(rank));
        let log = send.partition.and_then(|partition| context.log(partition));
        if derived.knows(send.tag, Fact::Lost) {
            lost.push((send, place));
        } else if derived.is_unseen(context.history, &send, log, place) {
            let polled = send.partition.and_then(|partition| derived.last_poll(partition));
            let chance = polled >= send.completed;
            if chance { &mut unseen } else { &mut late }.push((send, place));
        }
    }
    let mut findings = Vec::new();
    findings.extend(finding(context, &LOST_WRITE, lost, None));
    findings.extend(finding(context, &UNSEEN_RECORD, unseen, None));
    findings.extend(finding(context, &UNSEEN_RECORD, late, Some(TOO_LATE)));
    findings
}

fn finding(
    context: &Context<'_>,
    kind: &Kind,
    mut sends: Vec<(Send, Place)>,
    allowed: Option<&str>,
) -> Option<Finding> {
    let count = sends.len() as u64;
    if count == 0 {
        return None;
    }
    sends.sort_by_key(|(send, _)| send.invoked);
    let all: Vec<Send> = sends.iter().map(|(send, _)| *send).collect();
    let counts = context.counts();
    let summary = match kind.name {
        name if name == LOST_WRITE.name => {
            format!("{}: {}", kind.phrase(count, counts), shape::describe(context, &all))
        }
        _ => format!("{count} of {} acknowledged records never read", counts.acked),
    };
    sends.truncate(MAX_EXAMPLES);
    let offsets: Vec<(Partition, Offset)> =
        sends.iter().filter_map(|(send, place)| at(send, *place)).collect();
    let past = context.polls_past(&offsets);
    let examples = sends.iter().map(|(send, place)| {
        let at = at(send, *place);
        let place = at.map_or_else(String::new, |(partition, offset)| {
            format!(" at offset {offset} of partition {}", context.history.partition_name(partition))
        });
        let past = at.and_then(|at| past.get(&at));
        let after = match (past, shape::holder(context, send)) {
            (Some((offset, poll)), None) => format!("{} read on to offset {offset} without it", poll.session),
            (Some((_, poll)), Some(holder)) => format!("{} was given {holder} there", poll.session),
            (None, _) if kind.name == LOST_WRITE.name => "the log ended before it afterwards".to_owned(),
            (None, _) => "no poll returned it".to_owned(),
        };
        let text = format!("{} was acknowledged{place}, and {after}", context.name(send.tag));
        let when = Some(send.completed.unwrap_or(send.invoked));
        let witness =
            context.witness(text, Some(send.tag), send.partition, at.map(|(_, offset)| offset), when);
        witness.with(context.sender(send.tag)).with(past.map(|(_, poll)| poll.clone()))
    });
    let mut finding = kind.finding(&SPEC, count, summary, examples.collect());
    finding.allowed = allowed.map(str::to_owned);
    Some(finding)
}

fn at(send: &Send, place: Place) -> Option<(Partition, Offset)> {
    if place.copies > 0 { Some((place.partition, place.offset)) } else { send.partition.zip(send.offset) }
}
