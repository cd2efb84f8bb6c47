//! Records that nobody sent, that certainly failed, or that are damaged.

use std::collections::BTreeMap;

use history::{Contents, Nanos, Offset, Outcome, Partition, Tag, TargetKind};

use crate::context::{Context, MAX_EXAMPLES};
use crate::guarantees::PHANTOMS;
use crate::spec::{Basis, Kind, Spec};
use crate::{Finding, Witness};

pub(crate) static SPEC: Spec = Spec {
    name: "phantoms",
    summary: "records nobody sent, records whose send certainly failed, corrupt payloads",
    docs: "\
A record that was read, by a reader or the drain, and is foreign to the run, carries a tag that was never \
invoked, or one whose send certainly failed, is a `phantom`; one of this run whose checksum does not match is \
`corrupt`. In a history from elsewhere a record whose send failed is an `aborted-read` instead. An offset counts once, however often it was read. On a cluster that is not ours, foreign records \
that lie before the first record of the run are older than it and no finding.",
    kinds: &[PHANTOM, CORRUPT],
    check,
};

const PHANTOM: Kind = Kind {
    name: "phantom",
    summary: "a record was read that nobody sent, or whose send certainly failed",
    noun: "records that nobody sent",
    of: Basis::Nothing,
    guarantee: Some(&PHANTOMS),
};
const CORRUPT: Kind = Kind {
    name: "corrupt",
    summary: "a record was read whose checksum does not match",
    noun: "corrupt records",
    of: Basis::Nothing,
    guarantee: Some(&PHANTOMS),
};

/// Why a record should not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    Corrupt,
    Foreign,
    NeverSent,
    Failed,
}

struct Sighting {
    partition: Partition,
    offset: Offset,
    why: Why,
    tag: Option<Tag>,
    /// The source's own value, in an imported history.
    name: Option<String>,
    at: Nanos,
}

fn check(context: &Context<'_>) -> Vec<Finding> {
    let mut sightings = sightings(context);
    sightings.sort_by(|one, other| {
        let key = |sighting: &Sighting| (sighting.partition, sighting.offset, sighting.why);
        key(one).cmp(&key(other)).then_with(|| (&one.name, one.at).cmp(&(&other.name, other.at)))
    });
    sightings.dedup_by(|one, other| {
        let key = |sighting: &Sighting| (sighting.partition, sighting.offset, sighting.why);
        key(one) == key(other) && one.name == other.name
    });
    sightings.sort_by_key(|sighting| sighting.at);
    let (corrupt, phantom): (Vec<_>, Vec<_>) =
        sightings.into_iter().partition(|sighting| sighting.why == Why::Corrupt);
    [finding(context, &PHANTOM, &phantom), finding(context, &CORRUPT, &corrupt)]
        .into_iter()
        .flatten()
        .collect()
}

fn sightings(context: &Context<'_>) -> Vec<Sighting> {
    let first_ours = first_ours(context);
    let readers = context.readers.iter().chain(&context.drains);
    let ours = readers
        .flat_map(|reads| reads.irregulars().map(|(index, delivery)| (reads.session, index, delivery)));
    let strange = context.derived.iter().flat_map(|derived| derived.strange(context.history));
    let mut sightings = Vec::new();
    for (session, index, delivery) in ours.chain(strange) {
        let why = match (delivery.contents, delivery.tag) {
            (Contents::Corrupt, _) => Some(Why::Corrupt),
            (Contents::Foreign, _) | (_, None) => Some(Why::Foreign),
            (Contents::Intact, Some(tag)) => match context.find(tag).map(|at| context.send(at).outcome) {
                None => Some(Why::NeverSent),
                Some(Outcome::Fail) => Some(Why::Failed),
                Some(Outcome::Ok | Outcome::Unknown) => None,
            },
        };
        let Some(why) = why else { continue };
        let older = first_ours[delivery.partition.0 as usize..]
            .first()
            .is_some_and(|first| first.is_none_or(|first| delivery.offset < first));
        let others = context.derived.is_none() && context.history.plan.target == TargetKind::Kafka;
        if why == Why::Foreign && older && others {
            continue;
        }
        let (partition, offset, tag, at) =
            (delivery.partition, delivery.offset, delivery.tag, delivery.returned);
        let name = session.foreign_value(index).map(ToString::to_string);
        sightings.push(Sighting { partition, offset, why, tag, name, at });
    }
    sightings
}

/// The first offset of each partition that a record of the run was acknowledged at or found at.
fn first_ours(context: &Context<'_>) -> Vec<Option<Offset>> {
    let mut first: Vec<Option<Offset>> = context
        .logs
        .iter()
        .map(|log| {
            log.entries.iter().find(|entry| entry.contents == Contents::Intact).map(|entry| entry.offset)
        })
        .collect();
    for (first, sent) in first.iter_mut().zip(&context.tally.partitions) {
        if let Some(offset) = sent.lowest {
            *first = Some(first.map_or(offset, |known| known.min(offset)));
        }
    }
    first
}

fn finding(context: &Context<'_>, kind: &Kind, sightings: &[Sighting]) -> Option<Finding> {
    let count = sightings.len() as u64;
    let shown = &sightings[..sightings.len().min(MAX_EXAMPLES)];
    let offsets: Vec<(Partition, Offset)> = shown.iter().map(|each| (each.partition, each.offset)).collect();
    let mut polls = if context.derived.is_some() { context.polls_of(&offsets) } else { BTreeMap::new() };
    let with_polls = shown.iter().map(|sighting| {
        let polls = polls.remove(&(sighting.partition, sighting.offset)).unwrap_or_default();
        witness(context, sighting).with(polls)
    });
    let examples: Vec<Witness> = with_polls.collect();
    let failed = sightings.iter().filter(|sighting| sighting.why == Why::Failed).count();
    let summary = match failed {
        0 => kind.phrase(count, context.counts()),
        _ => format!(
            "{}, {failed} of them of sends that certainly failed",
            kind.phrase(count, context.counts())
        ),
    };
    (count > 0).then(|| kind.finding(&SPEC, count, summary, examples))
}

fn witness(context: &Context<'_>, sighting: &Sighting) -> Witness {
    let name = match (&sighting.name, sighting.tag) {
        (Some(value), _) => format!("value {value}"),
        (None, Some(tag)) => context.name(tag),
        (None, None) => "a record".to_owned(),
    };
    let what = match sighting.why {
        Why::Corrupt => "was read with a wrong checksum",
        Why::Foreign => "of nobody in this run was read",
        Why::NeverSent => "was read, and never sent",
        Why::Failed => "was read, though its send certainly failed",
    };
    let text = format!(
        "{name} {what} at offset {} of partition {}",
        sighting.offset,
        context.history.partition_name(sighting.partition)
    );
    context.witness(text, sighting.tag, Some(sighting.partition), Some(sighting.offset), Some(sighting.at))
}

#[cfg(test)]
mod tests {
    use history::TargetKind;

    use crate::context::Context;
    use crate::testing::{check, scene};

    #[test]
    fn nobody_sent_it() {
        check("p0#0 0@0 acked\n log 0: p0#0 p0#1", "phantom 1");
        check("p0#0 0@0 acked\n log 0: p0#0 p3#0", "phantom 1");
        check("log 0: ?\n read r0 0: 0=?", "phantom 1");
        check("log 0:\n read r0 0: 0=p0#0", "phantom 1");
    }

    #[test]
    fn it_certainly_failed() {
        check("p0#0 0@? fail\n log 0: p0#0", "phantom 1");
        check("p0#0 0@? failed\n log 0: p0#0", "");
    }

    #[test]
    fn it_is_damaged() {
        check("p0#0 0@0 acked\n log 0: p0#0\n read r0 0: 0=~p0#0", "corrupt 1");
        check("p0#0 0@0 acked\n log 0: ~p0#0\n read r0 0: 0=~p0#0\n caught r0", "corrupt 1");
    }

    #[test]
    fn what_is_older_than_the_run_is_no_phantom_on_a_cluster_of_others() {
        let mut scene = scene("p0#0 0@1 acked\n log 0: ? p0#0 ?");
        scene.history.plan.target = TargetKind::Kafka;
        let findings = super::check(&Context::new(&scene.history));
        assert_eq!(findings[0].count, 1);
        assert_eq!(findings[0].examples[0].offset, Some(history::Offset(2)));
    }
}
