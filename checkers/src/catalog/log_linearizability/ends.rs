//! End offsets asked for after healing: strict, so that what was acknowledged before must lie below them.

use history::event::Role;
use history::{Nanos, Note, Offset, Partition};

use super::columns::is_acked;
use super::{Examples, span};
use crate::context::Context;

/// One answer: asked not before `asked`, the log ended at `end`.
struct End {
    partition: Partition,
    asked: Nanos,
    end: Offset,
}

/// Records of the final log that were acknowledged before an end offset was asked for, and lie above it.
/// (Those that are not in the log are lost, and no matter of time.)
pub(super) fn check(context: &Context<'_>) -> Examples {
    let ends: Vec<End> = context.history.of(Role::Drain).flat_map(ends_of).collect();
    let mut found = Examples::default();
    if ends.is_empty() {
        return found;
    }
    for producer in &context.producers {
        let error = producer.session.clock.error_ns.unwrap_or(0);
        for (send, place) in producer.sends().filter(|(send, place)| is_acked(send) && place.copies > 0) {
            let Some(completed) = send.completed else { continue };
            let below = ends.iter().find(|end| {
                end.partition == place.partition
                    && end.end <= place.offset
                    && completed.0.saturating_add(error) < end.asked.0
            });
            let Some(end) = below else { continue };
            found.count += 1;
            found.add(|| {
                let text = format!(
                    "{} was acknowledged at offset {} of partition {}, {} before its end was asked for, and the \
                     answer was {}",
                    context.history.name_of(send.tag),
                    place.offset,
                    context.history.partition_name(end.partition),
                    span(end.asked.since(completed)),
                    end.end
                );
                context.witness(text, Some(send.tag), Some(end.partition), Some(place.offset), Some(completed))
            });
        }
    }
    found
}

/// The answer is noted after it came; it was asked for after the note before it.
fn ends_of(drain: &history::Session) -> impl Iterator<Item = End> {
    let error = drain.clock.error_ns.unwrap_or(0);
    let before = std::iter::once(None).chain(drain.notes.iter().map(|(at, _)| Some(*at)));
    before.zip(&drain.notes).filter_map(move |(before, (_, note))| match note {
        Note::Watermarks { partition, end, .. } => {
            let asked = Nanos(before?.0.saturating_sub(error));
            Some(End { partition: *partition, asked, end: *end })
        }
        _ => None,
    })
}
