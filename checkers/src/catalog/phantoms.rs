//! Records that nobody sent, that certainly failed, or that are damaged.

use std::collections::{BTreeMap, BTreeSet};

use history::{Contents, Delivery, Nanos, Offset, Outcome, Partition, Tag, TargetKind};

use crate::context::{Context, Derived, Fact, MAX_EXAMPLES, Row, read_back};
use crate::guarantees::PHANTOMS;
use crate::spec::{Basis, Kind, Spec};
use crate::{Finding, Witness};

pub(crate) static SPEC: Spec = Spec {
    name: "phantoms",
    summary: "records nobody sent, records whose send certainly failed, corrupt payloads",
    docs: "\
A record that was read, by a reader or the drain, and is foreign to the run, carries a tag that was never \
invoked, or one whose send certainly failed, is a `phantom`; one of this run whose checksum does not match is \
`corrupt`. A row of a sink counts if nothing of the sort was read. In a history from elsewhere a record whose send failed is an `aborted-read` instead. An offset counts once, however often it was read. On a cluster that is not ours, foreign records \
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
    /// It is a row of a sink: which sink, and which row.
    row: Option<(usize, usize)>,
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
    sightings.extend(rows(context, &sightings));
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
            (Contents::Intact, Some(tag)) => why(context, tag),
        };
        let Some(why) = why else { continue };
        let older = first_ours[delivery.partition.0 as usize..]
            .first()
            .is_some_and(|first| first.is_none_or(|first| delivery.offset < first));
        if why == Why::Foreign && older && is_shared(context) {
            continue;
        }
        let (partition, offset, tag, at) =
            (delivery.partition, delivery.offset, delivery.tag, delivery.returned);
        let name = session.foreign_value(index).map(ToString::to_string);
        sightings.push(Sighting { partition, offset, why, tag, name, at, row: None });
    }
    sightings
}

/// Rows of sinks that no record of the run explains, and that nobody read in the log: each tag once, and each
/// place of what has none.
fn rows(context: &Context<'_>, sightings: &[Sighting]) -> Vec<Sighting> {
    let first_ours = first_ours(context);
    let mut tags: BTreeSet<(Why, Tag)> =
        sightings.iter().filter_map(|sighting| Some((sighting.why, sighting.tag?))).collect();
    let mut places: BTreeSet<(Partition, Offset)> =
        sightings.iter().map(|sighting| (sighting.partition, sighting.offset)).collect();
    let mut rows = Vec::new();
    for (number, sink) in context.sinks.iter().enumerate() {
        for (index, row) in sink.deliveries().enumerate() {
            let (why, tag) = match Row::of(&row) {
                Row::Of(tag) => match why(context, tag) {
                    Some(why) if !is_aborted_read(context, tag) => (why, Some(tag)),
                    _ => continue,
                },
                Row::Damaged(tag) => (Why::Corrupt, tag),
                Row::Foreign => (Why::Foreign, None),
                Row::Fence => continue,
            };
            let place = (row.partition, row.offset);
            let new = match tag {
                // Damaged in the log, it cannot come out whole.
                Some(_) if why == Why::Corrupt && places.contains(&place) => false,
                Some(tag) => tags.insert((why, tag)),
                None => places.insert(place),
            };
            let first = first_ours.get(row.partition.0 as usize);
            let older = first.is_some_and(|first| first.is_none_or(|first| row.offset < first));
            if !new || (why == Why::Foreign && older && is_shared(context)) {
                continue;
            }
            let name = sink.foreign_value(index).map(ToString::to_string);
            let Delivery { partition, offset, returned: at, .. } = row;
            rows.push(Sighting { partition, offset, why, tag, name, at, row: Some((number, index)) });
        }
    }
    rows
}

/// Why a whole record of this tag should not exist.
fn why(context: &Context<'_>, tag: Tag) -> Option<Why> {
    match context.find(tag).map(|at| context.send(at).outcome) {
        None => Some(Why::NeverSent),
        Some(Outcome::Fail) => Some(Why::Failed),
        Some(Outcome::Ok | Outcome::Unknown) => None,
    }
}

/// In a history from elsewhere, that a committed reader was given it is a finding of `transactions`.
fn is_aborted_read(context: &Context<'_>, tag: Tag) -> bool {
    let knows = |derived: &Derived, fact| derived.knows(tag, fact);
    context
        .derived
        .as_ref()
        .is_some_and(|derived| knows(derived, Fact::Failed) && knows(derived, Fact::ReadOk))
}

/// Whether others may have written to the topic before the run.
fn is_shared(context: &Context<'_>) -> bool {
    context.derived.is_none() && context.history.plan.target == TargetKind::Kafka
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
        let row = sighting.row.filter(|_| context.derived.is_some());
        let row = row.and_then(|(sink, row)| read_back(context.sinks[sink], row));
        witness(context, sighting).with(polls.into_iter().chain(row))
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
    let (partition, offset) = (sighting.partition, sighting.offset);
    let place = format!("offset {offset} of partition {}", context.history.partition_name(partition));
    let text = match sighting.row {
        None => {
            let what = match sighting.why {
                Why::Corrupt => "was read with a wrong checksum",
                Why::Foreign => "of nobody in this run was read",
                Why::NeverSent => "was read, and never sent",
                Why::Failed => "was read, though its send certainly failed",
            };
            format!("{name} {what} at {place}")
        }
        Some((sink, row)) => {
            let what = match sighting.why {
                Why::Corrupt => ", with a wrong checksum",
                Why::Foreign => " of nobody in this run",
                Why::NeverSent => ", which was never sent",
                Why::Failed => ", whose send certainly failed",
            };
            let sink = context.sinks[sink].name();
            format!("row {} of {sink} was made of {name}{what}, from {place}", row + 1)
        }
    };
    context.witness(text, sighting.tag, Some(partition), Some(offset), Some(sighting.at))
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
