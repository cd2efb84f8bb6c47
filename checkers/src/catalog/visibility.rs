//! Records a reader was given during the run that the final log does not hold at all.

use crate::Finding;
use crate::context::{Context, MAX_EXAMPLES};
use crate::guarantees::VISIBILITY;
use crate::spec::{Basis, Kind, Spec};

pub(crate) static SPEC: Spec = Spec {
    name: "visibility",
    summary: "records a reader was given that are in no log afterwards",
    docs: "\
A reader must only be given what no clean election can take back: records below the high watermark. One that \
was read and is nowhere in the final log was read above it, or was lost from below it. That is promised to \
readers whether or not the producer was told anything, so an acknowledged record that was read and lost counts \
here and as `lost-write`. Each record counts once, however many readers saw it. A record that merely moved to \
another offset is a finding of `duplicates` or `offsets`.",
    kinds: &[LOST_READ],
    check,
};

const LOST_READ: Kind = Kind {
    name: "lost-read",
    summary: "a record that a reader was given is not in the final log",
    noun: "records lost after a reader was given them",
    of: Basis::Nothing,
    guarantee: Some(&VISIBILITY),
};

fn check(context: &Context<'_>) -> Vec<Finding> {
    let gone = |tag| context.find(tag).is_some() && context.copies(tag) == 0;
    let mut lost: Vec<_> = context
        .stale
        .iter()
        .map(|stale| context.stale_delivery(*stale))
        .filter(|(_, _, tag)| gone(*tag))
        .collect();
    // Stable: the first to be given a record is its witness.
    lost.sort_by_key(|(_, delivery, tag)| (*tag, delivery.returned));
    lost.dedup_by_key(|(_, _, tag)| *tag);
    if lost.is_empty() {
        return Vec::new();
    }
    lost.sort_by_key(|(_, delivery, _)| delivery.returned);
    let examples = lost.iter().take(MAX_EXAMPLES).map(|(reader, delivery, tag)| {
        let text = format!(
            "{} was given {tag} at offset {} of partition {}, and it is in no log afterwards",
            reader.name(),
            delivery.offset,
            delivery.partition
        );
        context.witness(
            text,
            Some(*tag),
            Some(delivery.partition),
            Some(delivery.offset),
            Some(delivery.returned),
        )
    });
    let examples = examples.collect();
    let count = lost.len() as u64;
    let summary = LOST_READ.phrase(count, context.counts());
    vec![LOST_READ.finding(&SPEC, count, summary, examples)]
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn a_record_that_was_read_must_stay() {
        check("p0#0 0@? failed\n log 0:\n read r0 0: 0=p0#0", "lost-read 1");
        check("p0#0 0@? failed\n log 0: p0#0\n read r0 0: 0=p0#0", "");
        check("p0#0 0@? failed\n cut 0:\n read r0 0: 0=p0#0", "");
    }

    #[test]
    fn it_counts_once_and_excuses_the_reader() {
        // Two readers saw it; the first then goes on where the log was cut.
        check(
            "p0#0 0@? failed\n p0#1 0@0 acked\n log 0: p0#1\n read r0 0: 0=p0#0 0=p0#1\n read r1 0: 0=p0#0\n caught r1",
            "lost-read 1",
        );
    }

    #[test]
    fn an_acknowledged_one_was_promised_to_the_producer_too() {
        check("p0#0 0@0 acked\n log 0:\n read r0 0: 0=p0#0", "lost-read 1, lost-write 1");
    }
}
