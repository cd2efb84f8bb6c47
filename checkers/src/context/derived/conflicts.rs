//! Offsets at which several records are known: which of them is taken for the true one.

use std::collections::BTreeMap;

use history::{History, Offset, Outcome, Partition};

use super::At;
use super::facts::{Fact, Facts};
use crate::context::names::Names;

/// One offset, several records; the first of `read`, else of `acked`, is taken for the true one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Conflict {
    pub(crate) partition: Partition,
    pub(crate) offset: Offset,
    /// Records that polls returned there.
    pub(crate) read: Vec<history::Tag>,
    /// Records that were only acknowledged there.
    pub(crate) acked: Vec<history::Tag>,
}

/// Polls that returned a record at an offset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Votes {
    /// Of operations that came back as done.
    ok: u32,
    all: u32,
}

/// Leaves one record at each offset of `places`: the one most polls returned; an acknowledgement is no read
/// and decides only between equals.
pub(super) fn settle(
    history: &History,
    names: &Names,
    places: &mut [Vec<At>],
    facts: &mut Facts,
) -> Vec<Conflict> {
    let mut disputed: BTreeMap<(u32, Offset), BTreeMap<u32, Votes>> = BTreeMap::new();
    for (partition, places) in (0_u32..).zip(places.iter()) {
        for pair in places.windows(2).filter(|pair| pair[0].offset == pair[1].offset) {
            let votes = disputed.entry((partition, pair[0].offset)).or_default();
            votes.insert(pair[0].record, Votes::default());
            votes.insert(pair[1].record, Votes::default());
        }
    }
    if disputed.is_empty() {
        return Vec::new();
    }
    count(history, names, &mut disputed);
    let mut conflicts = Vec::new();
    let mut losers: Vec<Vec<At>> = vec![Vec::new(); places.len()];
    for ((partition, offset), votes) in disputed {
        let mut ranked: Vec<(u32, Votes)> = votes.into_iter().collect();
        ranked.sort_by_key(|(record, votes)| {
            let acked = facts.has(*record, Fact::Acked);
            std::cmp::Reverse((votes.ok, votes.all, acked, std::cmp::Reverse(*record)))
        });
        ranked.iter().for_each(|(record, _)| facts.learn(*record, Fact::Doubtful));
        losers[partition as usize]
            .extend(ranked[1..].iter().map(|(record, _)| At { offset, record: *record }));
        let (read, acked): (Vec<_>, Vec<_>) = ranked.into_iter().partition(|(_, votes)| votes.all > 0);
        let tags =
            |ranked: Vec<(u32, Votes)>| ranked.into_iter().map(|(record, _)| names.tag(record)).collect();
        conflicts.push(Conflict {
            partition: Partition(partition),
            offset,
            read: tags(read),
            acked: tags(acked),
        });
    }
    for (places, losers) in places.iter_mut().zip(&mut losers) {
        losers.sort();
        places.retain(|at| losers.binary_search(at).is_err());
    }
    conflicts
}

fn count(history: &History, names: &Names, disputed: &mut BTreeMap<(u32, Offset), BTreeMap<u32, Votes>>) {
    for session in history.log_sessions() {
        let mut deliveries = session.deliveries();
        for operation in session.operations() {
            for delivery in deliveries.by_ref().take(operation.deliveries.len()) {
                let Some(votes) = disputed.get_mut(&(delivery.partition.0, delivery.offset)) else {
                    continue;
                };
                let record = delivery.tag.and_then(|tag| names.number(tag));
                if let Some(votes) = record.and_then(|record| votes.get_mut(&record)) {
                    votes.ok += u32::from(operation.outcome == Outcome::Ok);
                    votes.all += 1;
                }
            }
        }
    }
}
