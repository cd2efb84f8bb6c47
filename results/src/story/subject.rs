//! What a story is about: records, a place in a log, and the operations that a witness names.

use checkers::Witness;
use history::{History, Offset, Partition, Send, Tag};

/// Records of a story; a sentence that names more is told of the first.
const RECORDS_MAX: usize = 6;

/// What a story is about.
#[derive(Debug, Default)]
pub(super) struct Subject {
    /// The records, the witness's own first.
    pub(super) tags: Vec<Tag>,
    pub(super) partition: Option<Partition>,
    /// Where it lay, or was said to.
    pub(super) offset: Option<Offset>,
    /// The operations: index of the session, and number there.
    pub(super) operations: Vec<(usize, usize)>,
}

impl Subject {
    /// What a witness is about; what it leaves out is taken from the record's send.
    pub(super) fn of(history: &History, witness: &Witness) -> Self {
        let mut tags: Vec<Tag> = witness.tag.into_iter().collect();
        // An imported history's operations say more than the names its values were given here.
        if history.imported.is_none() {
            for tag in named(&witness.text) {
                if tags.len() < RECORDS_MAX && !tags.contains(&tag) && find(history, tag).is_some() {
                    tags.push(tag);
                }
            }
        }
        let send = witness.tag.and_then(|tag| find(history, tag));
        let operations = witness.operations.iter().filter_map(|involved| {
            let session = history.sessions.iter().position(|session| session.name() == involved.session)?;
            let number = usize::try_from(involved.operation).ok()?;
            (number < history.sessions[session].recorded_operations()).then_some((session, number))
        });
        Self {
            tags,
            partition: witness.partition.or_else(|| send.and_then(|send| send.partition)),
            offset: witness.offset.or_else(|| send.and_then(|send| send.offset)),
            operations: operations.collect(),
        }
    }

    /// Whether a record, or what lies at a place, is what the story is about.
    pub(super) fn concerns(
        &self,
        tag: Option<Tag>,
        partition: Option<Partition>,
        offset: Option<Offset>,
    ) -> bool {
        let record = tag.is_some_and(|tag| self.tags.contains(&tag));
        let place = self.offset.is_some() && offset == self.offset && partition == self.partition;
        record || (place && self.partition.is_some())
    }
}

/// The send of a record.
pub(super) fn find(history: &History, tag: Tag) -> Option<Send> {
    let mut senders =
        history.sessions.iter().filter(|each| (each.index, each.session) == (tag.producer, tag.session));
    senders.find_map(|session| session.sends().find(|send| send.tag == tag))
}

/// The records that a sentence names (`p0#7`, `p0.1#7`).
fn named(text: &str) -> impl Iterator<Item = Tag> + '_ {
    text.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '#' | '.')).filter_map(|word| {
        let (producer, seq) = word.trim_end_matches('.').strip_prefix('p')?.split_once('#')?;
        let (producer, session) = producer.split_once('.').unwrap_or((producer, "0"));
        let seq = seq.parse().ok()?;
        Some(Tag { producer: producer.parse().ok()?, session: session.parse().ok()?, seq })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_names_its_records() {
        let text = "p0#594 was acknowledged at offset 296, which now holds p1.2#7. Not p#1, #3 or p4.";
        let tag = |producer, session, seq| Tag { producer, session, seq };
        assert_eq!(named(text).collect::<Vec<_>>(), [tag(0, 0, 594), tag(1, 2, 7)]);
        for tag in named(text) {
            assert!(text.contains(&tag.to_string()));
        }
    }
}
