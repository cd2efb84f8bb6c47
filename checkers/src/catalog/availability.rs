//! Partitions that do not serve again after every fault was healed.

use history::event::{Phase, Role};
use history::{Note, Offset, Partition, Session};

use crate::context::{Context, of_the_run, partition};
use crate::guarantees::AVAILABILITY;
use crate::spec::{Basis, Kind, Spec};
use crate::{Finding, Witness};

pub(crate) static SPEC: Spec = Spec {
    name: "availability",
    summary: "partitions that cannot be written and read again after healing",
    docs: "\
After the last heal, a fence record must be acknowledged in every partition, and a reader from the log's start \
must reach it, each within the run's deadline. A partition where that did not happen is `unavailable`, and its \
records cannot be judged. Where the consumers are a group, it must have committed past the fence in that time as well, \
if a member of it lived to the deadline. A run that was cut off before it could demand progress says nothing. The time to \
recover from each fault is part of the evidence.",
    kinds: &[UNAVAILABLE],
    check,
};

const UNAVAILABLE: Kind = Kind {
    name: "unavailable",
    summary: "a partition could not be written or read again after every fault was healed",
    noun: "partitions that do not serve after healing",
    of: Basis::Nothing,
    guarantee: Some(&AVAILABILITY),
};

fn check(context: &Context<'_>) -> Vec<Finding> {
    let partitions = of_the_run(context.history);
    let examples: Vec<Witness> =
        (0..partitions).filter_map(|index| unavailable(context, partition(index))).collect();
    if examples.is_empty() {
        return Vec::new();
    }
    let count = examples.len() as u64;
    let names: Vec<String> =
        examples.iter().filter_map(|each| each.partition).map(|p| p.to_string()).collect();
    let summary = format!("{}: {}", UNAVAILABLE.phrase(count, context.counts()), names.join(", "));
    let examples = examples.into_iter().take(crate::context::MAX_EXAMPLES).collect();
    vec![UNAVAILABLE.finding(&SPEC, count, summary, examples)]
}

fn unavailable(context: &Context<'_>, partition: Partition) -> Option<Witness> {
    let after_drain = context.timeline.entered(Phase::End);
    let after_progress = context.timeline.entered(Phase::Drain).or(after_drain);
    let fence = context.history.notes().find_map(|(_, _, note)| match note {
        Note::FenceAcked { partition: of, offset } if *of == partition => Some(*offset),
        _ => None,
    });
    if context.log(partition).is_some_and(|log| log.complete) {
        return behind(context, partition, fence?);
    }
    let (what, at) = match fence {
        None => ("no record could be written there in time", after_progress?),
        Some(_) if context.history.of(Role::Drain).any(|drain| drain.closed) || after_drain.is_some() => {
            ("its log could not be read up to the fence in time", after_drain.or(after_progress)?)
        }
        Some(_) => return None,
    };
    let text = format!("partition {partition} is unavailable after healing: {what}");
    Some(context.witness(text, None, Some(partition), fence, Some(at)))
}

/// A group that has not come past the fence of a partition, though a member waited for it until the deadline.
fn behind(context: &Context<'_>, partition: Partition, fence: Offset) -> Option<Witness> {
    let group = context.group.as_ref()?;
    let gave_up = |member: &&Session| {
        let mut notes = member.notes.iter();
        notes.find(|(_, note)| matches!(note, Note::ReaderStopped { caught_up: false })).map(|(at, _)| *at)
    };
    let at = group.members.iter().find_map(gave_up)?;
    let reached = *group.reached.get(partition.0 as usize)?;
    let text = format!(
        "partition {partition} is unavailable to the group after healing: it came to offset {reached}, and the fence is at {fence}"
    );
    (reached <= fence.0).then(|| context.witness(text, None, Some(partition), Some(fence), Some(at)))
}

#[cfg(test)]
mod tests {
    use history::{Note, Offset, Partition, event::Phase, event::Role};

    use crate::context::Context;
    use crate::testing::{Scene, scene};

    fn texts(scene: &Scene) -> Vec<String> {
        let findings = super::check(&Context::new(&scene.history));
        findings.into_iter().flat_map(|finding| finding.examples).map(|witness| witness.text).collect()
    }

    fn enter(scene: &mut Scene, phase: Phase) {
        scene.note(Role::Runner, Note::PhaseEntered { phase });
    }

    #[test]
    fn a_fence_that_was_not_written_or_not_read_is_unavailable() {
        let mut scene = scene("p0#0 0@0 acked\n log 0: p0#0\n cut 1:\n cut 2:");
        scene.note(Role::Admin, Note::FenceAcked { partition: Partition(2), offset: Offset(0) });
        enter(&mut scene, Phase::Drain);
        enter(&mut scene, Phase::End);
        insta::assert_snapshot!(texts(&scene).join("\n"), @r"
        partition 1 is unavailable after healing: no record could be written there in time
        partition 2 is unavailable after healing: its log could not be read up to the fence in time
        ");
    }

    #[test]
    fn a_run_that_was_cut_off_says_nothing() {
        let mut scene = scene("log 0:\n cut 1:\n cut 2:");
        scene.note(Role::Admin, Note::FenceAcked { partition: Partition(2), offset: Offset(0) });
        assert!(texts(&scene).is_empty());
        // Killed in the middle of the drain: partition 2 might have been read.
        scene.session(Role::Drain, 0, 0).closed = false;
        enter(&mut scene, Phase::Drain);
        assert_eq!(texts(&scene).len(), 1);
    }

    #[test]
    fn partitions_that_serve_are_no_finding() {
        let mut scene = scene("log 0:\n log 1:");
        enter(&mut scene, Phase::Drain);
        enter(&mut scene, Phase::End);
        assert!(texts(&scene).is_empty());
    }
}
