//! The final log of a partition, as the drain read it: a column of record numbers, and the runs of offsets
//! they lie at.

use std::collections::BTreeMap;
use std::sync::Arc;

use history::event::Role;
use history::{Contents, Delivery, History, Note, Offset, Partition, Tag};

use super::names::{END, Names};
use super::{is_fence, partition};

/// A retention shorter than this may delete records of a run while it lasts.
const LONGEST_RUN_MS: i64 = 3_600_000;

/// By so much at most a planned fault puts a broker's clock ahead: what is younger than that is old by then.
const CLOCK_AHEAD_MS: i64 = 600_000;

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

/// The records of one partition by offset, one each, without fences.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    names: Arc<Names>,
    /// First offset of each stretch without holes, and the position of its record.
    runs: Vec<(i64, u32)>,
    /// Record numbers; from `END` on, places in `odd`.
    codes: Vec<u32>,
    /// Records that nobody sent, or that are damaged.
    odd: Vec<(Option<Tag>, Contents)>,
}

impl Entries {
    pub(crate) fn len(&self) -> usize {
        self.codes.len()
    }

    /// The record at a position, from 0.
    pub(crate) fn get(&self, position: usize) -> Entry {
        self.entry(self.offset(position), self.codes[position])
    }

    /// The offset of a position.
    pub(crate) fn offset(&self, position: usize) -> Offset {
        let run = self.runs.partition_point(|(_, first)| *first as usize <= position) - 1;
        let (offset, first) = self.runs[run];
        Offset(offset + (position - first as usize) as i64)
    }

    /// Every record, in order of offset.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Entry> {
        self.from(0)
    }

    /// The records from a position on.
    pub(crate) fn from(&self, position: usize) -> impl Iterator<Item = Entry> {
        let runs = self.runs.partition_point(|(_, first)| *first as usize <= position).saturating_sub(1);
        (runs..self.runs.len()).flat_map(move |run| {
            let (offset, first) = self.runs[run];
            let (first, end) = (first as usize, self.end(run));
            let from = position.clamp(first, end);
            (from..end).map(move |at| self.entry(Offset(offset + (at - first) as i64), self.codes[at]))
        })
    }

    /// The position of the first record at this offset or behind it.
    pub(crate) fn position_from(&self, offset: Offset) -> usize {
        let run = self.runs.partition_point(|(first, _)| *first <= offset.0);
        let Some((first, position)) = run.checked_sub(1).map(|run| self.runs[run]) else { return 0 };
        let behind = usize::try_from(offset.0.saturating_sub(first)).unwrap_or(usize::MAX);
        (position as usize).saturating_add(behind).min(self.end(run - 1))
    }

    fn entry(&self, offset: Offset, code: u32) -> Entry {
        let (tag, contents) = self.read(code);
        Entry { offset, tag, contents }
    }

    fn read(&self, code: u32) -> (Option<Tag>, Contents) {
        match code.checked_sub(END) {
            None => (Some(self.names.tag(code)), Contents::Intact),
            Some(odd) => self.odd[odd as usize],
        }
    }

    fn end(&self, run: usize) -> usize {
        self.runs.get(run + 1).map_or(self.codes.len(), |(_, next)| *next as usize)
    }

    /// The position of an offset. `hint` is the run where it was found last, and is kept up to date.
    fn locate(&self, offset: Offset, hint: &mut usize) -> Option<usize> {
        let within = |run: usize| {
            let (first, position) = *self.runs.get(run)?;
            let behind = usize::try_from(offset.0.checked_sub(first)?).ok()?;
            Some(position as usize + behind).filter(|position| *position < self.end(run))
        };
        if let Some(position) = within(*hint) {
            return Some(position);
        }
        *hint = self.runs.partition_point(|(first, _)| *first <= offset.0).saturating_sub(1);
        within(*hint)
    }

    fn push(&mut self, offset: i64, code: u32) {
        let position = self.codes.len() as u32;
        if self.runs.last().is_none_or(|(first, at)| first + i64::from(position - at) != offset) {
            self.runs.push((offset, position));
        }
        self.codes.push(code);
    }

    /// What stands for a record: its number, or a place among the odd ones.
    fn code(&mut self, tag: Option<Tag>, contents: Contents) -> u32 {
        let known = tag.filter(|_| contents == Contents::Intact).and_then(|tag| self.names.number(tag));
        known.unwrap_or_else(|| {
            self.odd.push((tag, contents));
            END + u32::try_from(self.odd.len() - 1).ok().filter(|odd| *odd < END).expect("few odd records")
        })
    }
}

/// The final log of one partition, without fences.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// Its records by offset, one each.
    pub(crate) entries: Entries,
    /// It was read to its fence: what is not here is not there.
    pub(crate) complete: bool,
    /// Retention or compaction may take records away.
    pub(crate) deletes: bool,
    /// Offsets at which two drains read different records.
    pub(crate) conflicts: Vec<(Entry, Entry)>,
    /// What was read out of order, until all is read.
    late: Vec<(i64, u32)>,
}

impl Log {
    /// The record at an offset.
    pub(crate) fn at(&self, offset: Offset) -> Option<Entry> {
        self.position(offset).map(|position| self.entries.get(position))
    }

    /// The position of the record at an offset.
    pub(crate) fn position(&self, offset: Offset) -> Option<usize> {
        self.entries.locate(offset, &mut 0)
    }

    /// As [`Log::position`]; `hint` makes looking up neighbours fast.
    pub(crate) fn locate(&self, offset: Offset, hint: &mut usize) -> Option<usize> {
        self.entries.locate(offset, hint)
    }

    /// The number of the record at a position, if it is intact and was sent.
    pub(super) fn number(&self, position: usize) -> Option<u32> {
        self.entries.codes.get(position).copied().filter(|code| *code < END)
    }

    /// Position and number of each record that is intact and was sent.
    pub(super) fn numbers(&self) -> impl Iterator<Item = (usize, u32)> {
        self.entries.codes.iter().copied().enumerate().filter(|(_, code)| *code < END)
    }

    /// How many records carry one of our tags, damaged or not.
    pub(super) fn ours(&self) -> u64 {
        let foreign = |code: &&u32| {
            let odd = code.checked_sub(END).map(|odd| self.entries.odd[odd as usize]);
            odd.is_some_and(|(tag, contents)| contents == Contents::Foreign || tag.is_none())
        };
        let codes = &self.entries.codes;
        let foreign = if self.entries.odd.is_empty() { 0 } else { codes.iter().filter(foreign).count() };
        (codes.len() - foreign) as u64
    }

    /// Tags on corrupt records, as far as they can be trusted.
    pub(super) fn corrupt(&self) -> impl Iterator<Item = Tag> {
        let odd = self.entries.codes.iter().filter_map(|code| code.checked_sub(END));
        let odd = odd.map(|odd| self.entries.odd[odd as usize]);
        odd.filter(|(_, contents)| *contents == Contents::Corrupt).filter_map(|(tag, _)| tag)
    }

    /// Whether a record that is not found was here for certain if it ever was. A corrupt record at its
    /// offset is that record, and a finding of its own.
    pub(crate) fn shows_absence(&self, offset: Option<Offset>) -> bool {
        let corrupt = offset
            .and_then(|offset| self.at(offset))
            .is_some_and(|entry| entry.contents == Contents::Corrupt);
        self.complete && !self.deletes && !corrupt
    }

    /// Adds a record as a drain read it. A drain reads in order, and a second one reads what the first read.
    fn add(&mut self, delivery: &Delivery, hint: &mut usize) {
        let entries = &mut self.entries;
        let next =
            entries.runs.last().map(|(first, at)| first + (entries.codes.len() as i64 - i64::from(*at)));
        let Delivery { offset, tag, contents, .. } = *delivery;
        if next.is_none_or(|next| offset.0 >= next) {
            let code = entries.code(tag, contents);
            entries.push(offset.0, code);
        } else if let Some(position) = entries.locate(offset, hint) {
            let (first, later) = (entries.get(position), Entry { offset, tag, contents });
            if first != later {
                self.conflicts.push((first, later));
            }
        } else {
            let code = entries.code(tag, contents);
            self.late.push((offset.0, code));
        }
    }

    /// Takes in what was derived from other evidence, in order of offset: numbers of the run's records, and
    /// deliveries of others, which do not displace them.
    pub(super) fn fill(&mut self, own: impl Iterator<Item = (Offset, u32)>, others: &[Delivery]) {
        let mut others = others.iter().peekable();
        for (offset, number) in own {
            while let Some(other) = others.next_if(|other| other.offset <= offset) {
                if other.offset < offset {
                    self.add(other, &mut 0);
                }
            }
            self.entries.push(offset.0, number);
        }
        others.for_each(|other| self.add(other, &mut 0));
        self.finish();
    }

    /// Puts what was read out of order in its place.
    fn finish(&mut self) {
        if !self.late.is_empty() {
            let Entries { names, odd, .. } = &mut self.entries;
            let mut entries =
                Entries { names: names.clone(), odd: std::mem::take(odd), ..Entries::default() };
            let mut all: Vec<(i64, u32)> = Vec::with_capacity(self.entries.len() + self.late.len());
            for (position, code) in self.entries.codes.iter().enumerate() {
                all.push((self.entries.offset(position).0, *code));
            }
            all.append(&mut self.late);
            // Stable: of two records at one offset the first one read stays.
            all.sort_by_key(|(offset, _)| *offset);
            let mut last: Option<(i64, u32)> = None;
            for (offset, code) in all {
                match last {
                    Some((at, first)) if at == offset => {
                        let (first, later) =
                            (entries.entry(Offset(at), first), entries.entry(Offset(at), code));
                        if first != later {
                            self.conflicts.push((first, later));
                        }
                    }
                    _ => {
                        entries.push(offset, code);
                        last = Some((offset, code));
                    }
                }
            }
            self.entries = entries;
        }
        self.late = Vec::new();
        self.entries.codes.shrink_to_fit();
        self.entries.runs.shrink_to_fit();
    }
}

/// The final log of each of `count` partitions, and of any other that a drain names.
pub(super) fn collect(history: &History, names: &Arc<Names>, count: usize) -> Vec<Log> {
    let mut logs = Vec::new();
    extend(&mut logs, count, history, names);
    for drain in history.of(Role::Drain) {
        let mut hints = Vec::new();
        for delivery in drain.deliveries() {
            let index = delivery.partition.0 as usize;
            if index >= hints.len() {
                extend(&mut logs, index + 1, history, names);
                hints.resize(logs.len(), 0);
            }
            if !is_fence(delivery.tag) {
                logs[index].add(&delivery, &mut hints[index]);
            }
        }
        for (_, note) in &drain.notes {
            if let Note::Drained { partition } = note
                && let Some(log) = logs.get_mut(partition.0 as usize)
            {
                log.complete = true;
            }
        }
    }
    logs.iter_mut().for_each(Log::finish);
    logs
}

/// Adds empty logs until there are `count`.
pub(super) fn extend(logs: &mut Vec<Log>, count: usize, history: &History, names: &Arc<Names>) {
    if logs.len() < count {
        let deletes = may_delete(history);
        let entries = || Entries { names: names.clone(), ..Entries::default() };
        logs.resize_with(count, || Log { entries: entries(), deletes, ..Log::default() });
    }
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
    let moves_clock = history.plan.schedule.iter().any(|fault| fault.class.moves_clock());
    let within_ms = LONGEST_RUN_MS + if moves_clock { CLOCK_AHEAD_MS } else { 0 };
    let compacts =
        settings.get(&"cleanup.policy".to_owned()).is_some_and(|policy| policy.contains("compact"));
    compacts
        || number("retention.bytes").is_some_and(|bytes| bytes >= 0)
        || number("retention.ms").is_some_and(|ms| (0..within_ms).contains(&ms))
}

/// Index and log of every partition, for walks that need both.
pub(super) fn numbered(logs: &[Log]) -> impl Iterator<Item = (Partition, &Log)> {
    logs.iter().enumerate().map(|(index, log)| (partition(index), log))
}
