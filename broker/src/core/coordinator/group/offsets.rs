//! The committed offsets of one group, and those that wait for the end of a transaction.

use std::collections::BTreeMap;

/// A partition by its topic's name: offsets outlive the incarnation of a topic, as in Kafka.
pub(super) type Place = (String, i32);

/// A committed offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Committed {
    pub(super) offset: i64,
    /// Of the last record consumed; -1 is not known (KIP-320).
    pub(super) leader_epoch: i32,
    /// What the client had to say about it.
    pub(super) metadata: String,
    /// Time of day, ms.
    pub(super) commit_ms: i64,
    /// An explicit end of its life (OffsetCommit before version 5), time of day, ms.
    pub(super) expire_ms: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    committed: Committed,
    /// Where the log ended after it. Of a commit and a transaction that overlap the later record wins.
    recorded: i64,
}

/// The offsets of one group.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    committed: BTreeMap<Place, Entry>,
    /// By producer. `None` is on its way to the log: it counts as pending from the moment it was asked for.
    pending: BTreeMap<i64, BTreeMap<Place, Option<Entry>>>,
}

impl Offsets {
    pub(super) fn get(&self, place: &Place) -> Option<&Committed> {
        self.committed.get(place).map(|entry| &entry.committed)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Place, &Committed)> {
        self.committed.iter().map(|(place, entry)| (place, &entry.committed))
    }

    /// Whether there is nothing, committed or pending.
    pub(super) fn is_empty(&self) -> bool {
        self.committed.is_empty() && self.pending.is_empty()
    }

    /// Takes what the log says, whose record ends at `recorded`.
    pub(super) fn commit(&mut self, place: Place, committed: Committed, recorded: i64) {
        self.committed.insert(place, Entry { committed, recorded });
    }

    pub(super) fn remove(&mut self, place: &Place) {
        self.committed.remove(place);
    }

    /// Offsets of a transaction are on their way to the log.
    pub(super) fn announce(&mut self, producer_id: i64, places: impl Iterator<Item = Place>) {
        let pending = self.pending.entry(producer_id).or_default();
        places.for_each(|place| {
            pending.entry(place).or_insert(None);
        });
    }

    /// They are in the log, and stay pending until the transaction ends.
    pub(super) fn pend(&mut self, producer_id: i64, place: Place, committed: Committed, recorded: i64) {
        self.pending.entry(producer_id).or_default().insert(place, Some(Entry { committed, recorded }));
    }

    /// They did not get there.
    pub(super) fn withdraw<'a>(&mut self, producer_id: i64, places: impl Iterator<Item = &'a Place>) {
        let Some(pending) = self.pending.get_mut(&producer_id) else { return };
        for place in places {
            if pending.get(place).is_some_and(Option::is_none) {
                pending.remove(place);
            }
        }
        if pending.is_empty() {
            self.pending.remove(&producer_id);
        }
    }

    /// The producer's transaction has ended.
    pub(super) fn complete(&mut self, producer_id: i64, committed: bool) {
        let Some(pending) = self.pending.remove(&producer_id) else { return };
        if !committed {
            return;
        }
        for (place, entry) in pending {
            let Some(entry) = entry else { continue };
            if self.committed.get(&place).is_none_or(|known| known.recorded < entry.recorded) {
                self.committed.insert(place, entry);
            }
        }
    }

    /// Whether a transaction that is still open may replace this offset.
    pub(super) fn is_pending(&self, place: &Place) -> bool {
        self.pending.values().any(|pending| pending.contains_key(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: i64) -> Committed {
        Committed { offset, leader_epoch: -1, metadata: String::new(), commit_ms: 0, expire_ms: None }
    }

    fn place() -> Place {
        ("t".to_owned(), 0)
    }

    #[test]
    fn a_transaction_that_aborts_leaves_no_trace_and_one_that_commits_replaces() {
        let mut offsets = Offsets::default();
        offsets.commit(place(), at(5), 1);
        offsets.announce(7, [place()].into_iter());
        assert!(offsets.is_pending(&place()), "before it is written");
        offsets.pend(7, place(), at(9), 2);
        assert_eq!(offsets.get(&place()), Some(&at(5)));
        offsets.complete(7, false);
        assert!(!offsets.is_pending(&place()));
        assert_eq!(offsets.get(&place()), Some(&at(5)));
        offsets.pend(7, place(), at(9), 3);
        offsets.complete(7, true);
        assert_eq!(offsets.get(&place()), Some(&at(9)));
    }

    #[test]
    fn a_commit_after_the_transactions_own_record_is_not_undone_by_its_end() {
        let mut offsets = Offsets::default();
        offsets.pend(7, place(), at(9), 2);
        offsets.commit(place(), at(12), 3);
        offsets.complete(7, true);
        assert_eq!(offsets.get(&place()), Some(&at(12)));
    }

    #[test]
    fn what_was_not_written_is_withdrawn_and_nothing_else() {
        let mut offsets = Offsets::default();
        offsets.pend(7, place(), at(9), 2);
        offsets.announce(7, [place(), ("t".to_owned(), 1)].into_iter());
        offsets.withdraw(7, [place(), ("t".to_owned(), 1)].iter());
        assert!(offsets.is_pending(&place()));
        assert!(!offsets.is_pending(&("t".to_owned(), 1)));
    }
}
