//! What readers were given during the run that the final log does not hold at that offset, and what
//! became of it.

use history::{Contents, Delivery, Offset, Partition, Session, Tag};

use super::{Context, Reads, is_fence, log::Log};

/// One such delivery: `readers[reader].deliveries[delivery]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stale {
    pub(crate) reader: usize,
    pub(crate) delivery: usize,
}

/// A record given to one reader at two offsets of which the log holds at most one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Twice {
    pub(crate) reader: usize,
    pub(crate) tag: Tag,
    pub(crate) partition: Partition,
    pub(crate) offsets: (Offset, Offset),
}

/// Finds them, in order of reader and delivery. Only partitions that were drained can tell.
pub(super) fn collect(readers: &[Reads<'_>], logs: &[Log]) -> Vec<Stale> {
    let mut stale = Vec::new();
    for (reader, reads) in readers.iter().enumerate() {
        for (delivery, delivered) in reads.irregulars() {
            if is_stale(&delivered, logs) {
                stale.push(Stale { reader, delivery });
            }
        }
    }
    stale
}

/// Whether the drained log holds something else, or nothing, where a reader was given this record.
/// Corrupt and foreign records are findings of their own, and a fence ends the log.
fn is_stale(delivered: &Delivery, logs: &[Log]) -> bool {
    if delivered.contents != Contents::Intact || delivered.tag.is_none() || is_fence(delivered.tag) {
        return false;
    }
    let Some(log) = logs.get(delivered.partition.0 as usize) else { return false };
    let holds = log
        .at(delivered.offset)
        .is_some_and(|entry| entry.contents == Contents::Corrupt || entry.intact() == delivered.tag);
    log.complete && !log.deletes && !holds
}

impl<'a> Context<'a> {
    /// A stale delivery's reader, row and tag.
    pub(crate) fn stale_delivery(&self, stale: Stale) -> (&'a Session, Delivery, Tag) {
        let reader = self.readers[stale.reader].session;
        let delivery = reader.delivery(stale.delivery);
        (reader, delivery, delivery.tag.expect("a stale delivery has a tag"))
    }

    /// Whether a delivery is stale.
    pub(crate) fn is_stale(&self, delivered: &Delivery) -> bool {
        is_stale(delivered, &self.logs)
    }

    /// Records that one reader session was given at two offsets, one of them stale, though the log holds
    /// no two copies. Each once.
    pub(crate) fn twice_delivered(&self) -> Vec<Twice> {
        let mut twice = Vec::new();
        for (reader, session) in self.readers.iter().map(|reads| reads.session).enumerate() {
            let mut suspects: Vec<(Tag, Partition, Offset)> = self
                .stale
                .iter()
                .filter(|stale| stale.reader == reader)
                .map(|stale| self.stale_delivery(*stale))
                .filter(|(_, _, tag)| self.copies(*tag) <= 1)
                .map(|(_, delivery, tag)| (tag, delivery.partition, delivery.offset))
                .collect();
            suspects.sort_unstable();
            suspects.dedup_by_key(|(tag, ..)| *tag);
            if suspects.is_empty() {
                continue;
            }
            let mut found = vec![false; suspects.len()];
            for delivery in session.deliveries() {
                let Some(tag) = delivery.tag else { continue };
                let Ok(index) = suspects.binary_search_by_key(&tag, |(tag, ..)| *tag) else { continue };
                let (_, partition, offset) = suspects[index];
                if !found[index] && (delivery.partition, delivery.offset) != (partition, offset) {
                    found[index] = true;
                    twice.push(Twice { reader, tag, partition, offsets: (offset, delivery.offset) });
                }
            }
        }
        twice
    }
}
