//! Records that vanished, by what the application was told of them, and records no reader was given.

mod group;
mod passed;
mod shape;
mod unseen;

use history::{Send, Told};

use crate::context::{Context, MAX_EXAMPLES};
use crate::guarantees::{ACKNOWLEDGED_LOSS, CLIENT_LOSS, SILENT_LOSS, UNCONFIRMED_LOSS, UNSEEN};
use crate::spec::{Basis, Kind, Spec};
use crate::{Finding, Witness};

pub(crate) static SPEC: Spec = Spec {
    name: "loss",
    summary: "acknowledged, unconfirmed or silently dropped records; records nobody was given",
    docs: "\
A record is lost if it is absent from the final log of a partition that was read to its fence. What that \
means depends on what the application was told: acknowledged (`lost-write`), written to a socket with acks=0 \
(`lost-unconfirmed`), or nothing at all. A record that was never reported on is `lost-in-client` if its \
application died, and `lost-silently` if the client was closed in an orderly way. Records reported as failed \
are not lost: the application knows. An acknowledged record whose offset now holds another one is a single \
`lost-write`, and a corrupt record at its offset is `corrupt`, not lost. A record in the log that a reader \
never delivered, though it read every fence, is `unseen`; an offset at which that reader was given another \
record is a finding of `visibility` or `offsets` instead. For a consumer group a record is `unseen` if it lies before \
an offset that the group reached (processed by a member, committed, or told as committed) and no member processed \
it. A history from elsewhere has no drain: there a record \
that took effect is lost if a poll that came back returned a later offset and none returned it, or if its \
offset lies at or beyond an end of the log asked for afterwards; what was acknowledged and is in no poll that \
came back is `unseen`, which proves nothing where nobody polled its partition afterwards.",
    kinds: &[LOST_WRITE, LOST_UNCONFIRMED, LOST_SILENTLY, LOST_IN_CLIENT, UNSEEN_RECORD],
    check,
};

const LOST_WRITE: Kind = Kind {
    name: "lost-write",
    summary: "an acknowledged record is not in the final log",
    noun: "acknowledged records lost",
    of: Basis::Acked,
    guarantee: Some(&ACKNOWLEDGED_LOSS),
};
const LOST_UNCONFIRMED: Kind = Kind {
    name: "lost-unconfirmed",
    summary: "a record sent with acks=0 is not in the final log",
    noun: "unconfirmed records lost",
    of: Basis::Unconfirmed,
    guarantee: Some(&UNCONFIRMED_LOSS),
};
const LOST_SILENTLY: Kind = Kind {
    name: "lost-silently",
    summary: "a record is gone, and its client was closed without a report on it",
    noun: "unreported records lost though their client was closed",
    of: Basis::Untold,
    guarantee: Some(&SILENT_LOSS),
};
const LOST_IN_CLIENT: Kind = Kind {
    name: "lost-in-client",
    summary: "a record was in the client of an application that died, and is gone",
    noun: "unreported records lost with their application",
    of: Basis::Untold,
    guarantee: Some(&CLIENT_LOSS),
};
const UNSEEN_RECORD: Kind = Kind {
    name: "unseen",
    summary: "a record in the log was never given to a reader, or a group, that read past it",
    noun: "records in the log never given to whoever read past them",
    of: Basis::InLog,
    guarantee: Some(&UNSEEN),
};

/// The losses of one kind.
#[derive(Default)]
struct Losses {
    sends: Vec<Send>,
}

fn check(context: &Context<'_>) -> Vec<Finding> {
    let mut lost: [(&Kind, Losses); 4] = [&LOST_WRITE, &LOST_UNCONFIRMED, &LOST_SILENTLY, &LOST_IN_CLIENT]
        .map(|kind| (kind, Losses::default()));
    for producer in &context.producers {
        // Most records are there, and need not be looked at.
        for rank in (0..producer.len()).filter(|&rank| producer.copies(rank) == 0) {
            let kind = match producer.told(rank) {
                Told::Acked => 0,
                Told::Sent => 1,
                Told::Nothing if producer.session.closed => 2,
                Told::Nothing => 3,
                Told::Failed => continue,
            };
            let send = producer.send(rank);
            if context.absence_counts(&send) && !shape::is_corrupt(context, &send) {
                lost[kind].1.sends.push(send);
            }
        }
    }
    let mut findings: Vec<Finding> =
        lost.into_iter().filter_map(|(kind, losses)| losses.finding(context, kind)).collect();
    findings.extend(unseen::check(context));
    findings.extend(context.group.iter().filter_map(|group| group::check(context, group)));
    findings.extend(context.derived.iter().flat_map(|derived| passed::check(context, derived)));
    findings
}

impl Losses {
    fn finding(mut self, context: &Context<'_>, kind: &Kind) -> Option<Finding> {
        let count = self.sends.len() as u64;
        if count == 0 {
            return None;
        }
        self.sends.sort_by_key(|send| send.invoked);
        let counts = context.counts();
        let shape = shape::describe(context, &self.sends);
        let summary = format!("{}: {shape}", kind.phrase(count, counts));
        let examples = self.sends.iter().take(MAX_EXAMPLES).map(|send| witness(context, send)).collect();
        Some(kind.finding(&SPEC, count, summary, examples))
    }
}

fn witness(context: &Context<'_>, send: &Send) -> Witness {
    let told = match send.told {
        Told::Acked => "acknowledged",
        Told::Sent => "written to a socket",
        Told::Failed | Told::Nothing => "handed to the client, never reported on",
    };
    let place = match (send.partition, send.offset) {
        (Some(partition), Some(offset)) => {
            let now = match shape::holder(context, send) {
                Some(holder) => format!("which now holds {holder}"),
                None => "where the log now holds nothing".to_owned(),
            };
            format!(" at offset {offset} of partition {partition}, {now}")
        }
        (Some(partition), None) => format!(", for partition {partition}, and not in its log"),
        (None, _) => ", and in no partition's log".to_owned(),
    };
    let text = format!("{} was {told}{place}", send.tag);
    context.witness(
        text,
        Some(send.tag),
        send.partition,
        send.offset,
        Some(send.completed.unwrap_or(send.invoked)),
    )
}

#[cfg(test)]
mod tests;
