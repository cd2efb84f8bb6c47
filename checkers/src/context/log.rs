//! The final log of a partition, as the drain read it.

use std::collections::BTreeMap;

use history::event::Role;
use history::{Contents, History, Note, Offset, Tag};

use super::sends::Producer;
use super::{is_fence, partition};

/// A retention shorter than this may delete records of a run while it lasts.
const LONGEST_RUN_MS: i64 = 3_600_000;

/// One record of the final log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) offset: Offset,
    pub(crate) tag: Option<Tag>,
    pub(crate) contents: Contents,
}

impl Entry {
    /// Its tag, if the record can be trusted.
    pub(crate) fn intact(&self) -> Option<Tag> {
        self.tag.filter(|_| self.contents == Contents::Intact)
    }
}

/// The final log of one partition, without fences.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// Its records by offset, one each.
    pub(crate) entries: Vec<Entry>,
    /// It was read to its fence: what is not here is not there.
    pub(crate) complete: bool,
    /// Retention or compaction may take records away.
    pub(crate) deletes: bool,
    /// Offsets at which two drains read different records.
    pub(crate) conflicts: Vec<(Entry, Entry)>,
}

impl Log {
    /// The record at an offset.
    pub(crate) fn at(&self, offset: Offset) -> Option<&Entry> {
        self.position(offset).map(|index| &self.entries[index])
    }

    /// The index of the record at an offset.
    pub(crate) fn position(&self, offset: Offset) -> Option<usize> {
        self.entries.binary_search_by_key(&offset, |entry| entry.offset).ok()
    }

    /// Whether a record that is not found was here for certain if it ever was. A corrupt record at its
    /// offset is that record, and a finding of its own.
    pub(crate) fn shows_absence(&self, offset: Option<Offset>) -> bool {
        let corrupt = offset
            .and_then(|offset| self.at(offset))
            .is_some_and(|entry| entry.contents == Contents::Corrupt);
        self.complete && !self.deletes && !corrupt
    }
}

/// The final log of each partition of the plan, and of any other that a record or a drain names.
pub(super) fn collect(history: &History, producers: &[Producer<'_>]) -> Vec<Log> {
    let named = |count: u32| count as usize;
    let highest = producers
        .iter()
        .flat_map(|producer| producer.session.sends())
        .filter_map(|send| send.partition)
        .chain(history.sessions.iter().flat_map(|session| session.deliveries().map(|each| each.partition)))
        .map(|partition| named(partition.0) + 1)
        .max();
    let count = named(history.plan.load.partitions).max(highest.unwrap_or(0));
    let deletes = may_delete(history);
    let mut logs: Vec<Log> = (0..count).map(|_| Log { deletes, ..Log::default() }).collect();
    for drain in history.of(Role::Drain) {
        for delivery in drain.deliveries() {
            if !is_fence(delivery.tag) {
                let entry = Entry { offset: delivery.offset, tag: delivery.tag, contents: delivery.contents };
                logs[named(delivery.partition.0)].entries.push(entry);
            }
        }
        for (_, note) in &drain.notes {
            if let Note::Drained { partition } = note
                && let Some(log) = logs.get_mut(named(partition.0))
            {
                log.complete = true;
            }
        }
    }
    for log in &mut logs {
        // Stable, and nearly always sorted already: a drain reads in order.
        log.entries.sort_by_key(|entry| entry.offset);
        let conflicts = &mut log.conflicts;
        log.entries.dedup_by(|later, first| {
            let same = later.offset == first.offset;
            if same && later != first {
                conflicts.push((*first, *later));
            }
            same
        });
    }
    logs
}

/// Whether the topic's own settings may take records away within a run.
fn may_delete(history: &History) -> bool {
    let mut settings = BTreeMap::new();
    settings.extend(&history.plan.cell.topic);
    for (_, _, note) in history.notes() {
        if let Note::EffectiveTopic { settings: told } = note {
            settings.extend(told);
        }
    }
    let number = |name: &str| settings.get(&name.to_owned()).and_then(|value| value.parse::<i64>().ok());
    let compacts =
        settings.get(&"cleanup.policy".to_owned()).is_some_and(|policy| policy.contains("compact"));
    compacts
        || number("retention.bytes").is_some_and(|bytes| bytes >= 0)
        || number("retention.ms").is_some_and(|ms| (0..LONGEST_RUN_MS).contains(&ms))
}

/// Index and log of every partition, for walks that need both.
pub(super) fn numbered(logs: &[Log]) -> impl Iterator<Item = (history::Partition, &Log)> {
    logs.iter().enumerate().map(|(index, log)| (partition(index), log))
}
