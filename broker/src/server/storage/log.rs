//! The log of one partition: its segments in order, the roll from one to the next, and when to sync.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use wire::batch::Header;
use wire::power;
use wire::records::Opened;

use super::cleaning::{CleanedLog, CleaningJob, CleaningOrder};
use super::keepsakes::{self, Epochs};
use super::segment::{Place, Segment};
use super::{Doing, StorageError};
use crate::core::{BatchInfo, PartitionKey, ProducerSnapshot, SegmentFacts, Uuid, select};

pub(super) const METADATA: &str = "partition.metadata";

/// The settings of a topic that concern its files.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogSettings {
    /// `segment.bytes`
    pub(crate) segment_bytes: u64,
    /// `segment.ms`, or `max.compaction.lag.ms` where that is shorter and the topic is compacted: what is active
    /// cannot be cleaned.
    pub(crate) segment_ms: u64,
    /// `flush.messages`
    pub(crate) flush_messages: u64,
    /// `flush.ms`
    pub(crate) flush_ms: u64,
}

/// A place in the log, found by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stored {
    /// The offset.
    pub(crate) offset: i64,
    /// Its timestamp in ms.
    pub(crate) timestamp: i64,
    /// The epoch of its batch.
    pub(crate) leader_epoch: i32,
}

/// All segments of a partition; there is always one.
pub(crate) struct PartitionLog {
    key: PartitionKey,
    path: PathBuf,
    sealed: Vec<Segment>,
    active: Segment,
    settings: LogSettings,
    /// The folder outlives a power failure: something in it was synced.
    settled: bool,
    /// Records appended since the last sync, and when the first of them was.
    unsynced: Option<(u64, u64)>,
    /// When the active segment got its first batch, as far as this process knows.
    active_since: Option<u64>,
    /// Raised whenever sealed segments change.
    generation: u64,
    /// Leader epochs that compaction may have made unreadable in the segments.
    epochs: Epochs,
    /// A segment was sealed since anyone asked.
    rolled: bool,
}

impl PartitionLog {
    /// An empty log in a new folder.
    pub(super) fn create(
        path: PathBuf,
        key: PartitionKey,
        settings: LogSettings,
    ) -> Result<Self, StorageError> {
        fs::create_dir(&path).doing("create", &path)?;
        let active = Segment::create(&path, 0)?;
        let metadata = path.join(METADATA);
        let text = format!("version: 0\ntopic_id: {}\npartition: {}\n", key.topic, key.partition);
        fs::write(&metadata, text).doing("write", &metadata)?;
        Ok(Self::of(path, key, Vec::new(), active, settings, false))
    }

    /// A log of these segments.
    pub(super) fn of(
        path: PathBuf,
        key: PartitionKey,
        sealed: Vec<Segment>,
        active: Segment,
        settings: LogSettings,
        settled: bool,
    ) -> Self {
        Self {
            key,
            path,
            sealed,
            active,
            settings,
            settled,
            unsynced: None,
            active_since: None,
            generation: 0,
            epochs: Epochs::new(),
            rolled: false,
        }
    }

    pub(super) const fn key(&self) -> PartitionKey {
        self.key
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn size(&self) -> u64 {
        self.sealed.iter().chain([&self.active]).map(|segment| segment.size).sum()
    }

    pub(super) fn configure(&mut self, settings: LogSettings) {
        self.settings = settings;
    }

    /// If it lies in `from`, it lies in `to` now.
    pub(super) fn moved(&mut self, from: &Path, to: &Path) {
        if self.path == from {
            to.clone_into(&mut self.path);
            // A compaction under way knows the old names.
            self.generation += 1;
            self.sealed.iter_mut().chain([&mut self.active]).for_each(|segment| segment.moved(to));
        }
    }

    pub(super) fn append(
        &mut self,
        base_offset: i64,
        leader_epoch: i32,
        bytes: &Bytes,
        now_ms: u64,
    ) -> Result<(), StorageError> {
        let invalid = |error| std::io::Error::new(std::io::ErrorKind::InvalidData, error);
        let header = Header::parse(bytes).map_err(invalid).doing("append to", self.active.path())?;
        if self.is_full(&header, base_offset, now_ms) {
            self.roll(base_offset)?;
        }
        self.active_since.get_or_insert(now_ms);
        self.active.append(&header, base_offset, leader_epoch, bytes)?;
        let (before, since) = self.unsynced.unwrap_or((0, now_ms));
        let records = before + u64::try_from(header.last_offset_delta).unwrap_or(0) + 1;
        self.unsynced = Some((records, since));
        if records >= self.settings.flush_messages { self.sync() } else { Ok(()) }
    }

    /// Whether a batch belongs into another segment. Time is that of the records, if they have one (Apache Kafka,
    /// `LogSegment.shouldRoll`): so a replica that copies an old log rolls where its leader did.
    fn is_full(&self, next: &Header, base_offset: i64, now_ms: u64) -> bool {
        let Some(first) = self.active.places.first() else { return false };
        let spans_ms = if first.max_timestamp >= 0 && next.max_timestamp >= 0 {
            u64::try_from(next.max_timestamp.saturating_sub(first.max_timestamp)).unwrap_or(0)
        } else {
            now_ms.saturating_sub(self.active_since.unwrap_or(now_ms))
        };
        let end = base_offset.saturating_add(i64::from(next.last_offset_delta));
        self.active.size + next.size as u64 > self.settings.segment_bytes
            || spans_ms > self.settings.segment_ms
            || end.saturating_sub(self.active.base_offset) > i64::from(i32::MAX)
    }

    /// Kafka syncs a segment when it is full; so the active one alone can hold what is not durable.
    fn roll(&mut self, base_offset: i64) -> Result<(), StorageError> {
        self.sync()?;
        let fresh = Segment::create(&self.path, base_offset)?;
        let mut full = std::mem::replace(&mut self.active, fresh);
        full.seal();
        self.sealed.push(full);
        self.active_since = None;
        self.generation += 1;
        self.rolled = true;
        Ok(())
    }

    /// Whether a segment was sealed since this was asked last.
    pub(super) fn take_rolled(&mut self) -> bool {
        std::mem::take(&mut self.rolled)
    }

    /// The offset up to which the log is durable.
    pub(super) fn recovery_point(&self) -> i64 {
        // Sealed segments are synced when they are sealed.
        self.active.durable()
    }

    /// Every segment, seen from outside; the active one is the last.
    pub(super) fn facts(&self) -> Vec<SegmentFacts> {
        self.sealed.iter().chain([&self.active]).map(Segment::facts).collect()
    }

    /// Writes down what is known of producers, if anything is.
    pub(super) fn keep(&self, snapshot: &ProducerSnapshot) -> Result<(), StorageError> {
        if snapshot.says_anything() { keepsakes::write_snapshot(&self.path, snapshot) } else { Ok(()) }
    }

    /// A compaction of the sealed segments, if it is time for one.
    pub(super) fn cleaning(&self, first_dirty: i64, order: CleaningOrder) -> Option<CleaningJob> {
        let facts: Vec<_> = self.sealed.iter().map(Segment::facts).collect();
        let below = order.cleanable.below;
        let count = select(&facts, first_dirty, below, &order.policy, order.wall_ms)?;
        let segments = self.sealed.iter().map(|segment| segment.path().to_owned()).zip(facts).take(count);
        let (key, generation, segments) = (self.key, self.generation, segments.collect());
        Some(CleaningJob { key, generation, segments, first_dirty, order })
    }

    /// Takes the files of a compaction; `None` if the log has changed since it began. Else what is left of the
    /// log below where it went to.
    pub(super) fn adopt(&mut self, cleaned: CleanedLog) -> Result<Option<Vec<BatchInfo>>, StorageError> {
        if cleaned.generation != self.generation {
            cleaned.discard();
            return Ok(None);
        }
        // Where epochs begin can be read from what is there, and afterwards perhaps no more.
        let mut epochs = std::mem::take(&mut self.epochs);
        for place in self.places().take_while(|place| place.base_offset < cleaned.to) {
            let start = epochs.entry(place.leader_epoch).or_insert(place.base_offset);
            *start = place.base_offset.min(*start);
        }
        self.epochs = epochs;
        keepsakes::write_epochs(&self.path, &self.epochs)?;
        self.generation += 1;
        let mut left = Vec::new();
        let count = cleaned.files.last().map_or(0, |file| file.segments.end);
        let behind = self.sealed.split_off(count);
        let mut old = std::mem::take(&mut self.sealed).into_iter();
        for file in cleaned.files {
            left.extend(file.left);
            let mut group = old.by_ref().take(file.segments.len());
            let Some(first) = group.next() else { continue };
            self.sealed.push(first.replaced(&file.aside, file.places, file.size)?);
            // What they hold is in the new file; a restart knows that too.
            group.try_for_each(Segment::remove)?;
        }
        self.sealed.extend(behind);
        Ok(Some(left))
    }

    pub(super) fn sync_if_due(&mut self, now_ms: u64) -> Result<(), StorageError> {
        match self.unsynced {
            Some((_, since)) if now_ms.saturating_sub(since) >= self.settings.flush_ms => self.sync(),
            _ => Ok(()),
        }
    }

    pub(super) fn sync(&mut self) -> Result<(), StorageError> {
        if !self.settled {
            let metadata = self.path.join(METADATA);
            power::settle(&metadata).doing("sync", &metadata)?;
            self.settled = true;
        }
        self.active.sync()?;
        self.unsynced = None;
        Ok(())
    }

    pub(super) fn truncate(&mut self, to: i64) -> Result<(), StorageError> {
        keepsakes::remove_snapshots_above(&self.path, to)?;
        self.cut_epochs(to)?;
        self.generation += 1;
        while self.active.base_offset > to
            && let Some(previous) = self.sealed.pop()
        {
            std::mem::replace(&mut self.active, previous).remove()?;
        }
        self.active.truncate(to)
    }

    /// Of epochs that begin behind the end nothing is left.
    fn cut_epochs(&mut self, end: i64) -> Result<(), StorageError> {
        let known = self.epochs.len();
        self.epochs.retain(|_, start| *start < end);
        if self.epochs.len() == known {
            return Ok(());
        }
        keepsakes::write_epochs(&self.path, &self.epochs)
    }

    /// Removes the segments whose records all lie below an offset. If that is all of them, an empty one is left.
    pub(super) fn remove_below(&mut self, to: i64) -> Result<(), StorageError> {
        if !self.active.places.is_empty() && self.active.end_offset() <= to {
            self.roll(self.active.end_offset())?;
        }
        self.generation += 1;
        let gone = self.sealed.iter().take_while(|segment| segment.end_offset() <= to).count();
        self.sealed.drain(..gone).try_for_each(Segment::remove)
    }

    /// Removes everything and begins at an offset.
    pub(super) fn restart(&mut self, at: i64) -> Result<(), StorageError> {
        keepsakes::remove_snapshots_above(&self.path, -1)?;
        keepsakes::remove_epochs(&self.path)?;
        self.epochs.clear();
        self.generation += 1;
        self.sealed.drain(..).try_for_each(Segment::remove)?;
        // The new file may have the name of the old one.
        self.active.truncate(self.active.base_offset)?;
        if self.active.base_offset != at {
            let fresh = Segment::create(&self.path, at)?;
            std::mem::replace(&mut self.active, fresh).remove()?;
        }
        self.unsynced = None;
        Ok(())
    }

    pub(super) fn read(&self, from: i64, to: i64) -> Result<Bytes, StorageError> {
        let mut out = Vec::new();
        let first = self.sealed.partition_point(|segment| segment.end_offset() <= from);
        for segment in self.sealed[first..].iter().chain([&self.active]) {
            if segment.base_offset < to {
                segment.read(from, to, &mut out)?;
            }
        }
        Ok(Bytes::from(out))
    }

    /// Takes the epochs that were written down.
    pub(super) fn remember(&mut self, epochs: Epochs) {
        self.epochs = epochs;
    }

    fn places(&self) -> impl Iterator<Item = &Place> {
        self.sealed.iter().chain([&self.active]).flat_map(|segment| &segment.places)
    }

    /// The batches with records from `start` on and below `end`.
    fn visible(&self, start: i64, end: i64) -> impl Iterator<Item = &Place> {
        let from = self.places().skip_while(move |place| place.end_offset <= start);
        from.take_while(move |place| place.base_offset < end).filter(|place| !place.empty)
    }

    /// The epoch of the batch that holds an offset, or of the one before it.
    pub(crate) fn epoch_at(&self, offset: i64) -> Option<i32> {
        self.places().take_while(|place| place.base_offset <= offset).last().map(|place| place.leader_epoch)
    }

    /// The first record at or after a time, from `start` on and below `end`.
    ///
    /// # Errors
    /// If a batch cannot be read.
    pub(crate) fn find_time(
        &self,
        timestamp: i64,
        start: i64,
        end: i64,
    ) -> Result<Option<Stored>, StorageError> {
        let late = self.visible(start, end).filter(|place| place.max_timestamp >= timestamp);
        for place in late {
            let found = self.find_in(place, |offset, time| offset >= start && time >= timestamp)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The record with the highest timestamp from `start` on and below `end` (KIP-734).
    ///
    /// # Errors
    /// If its batch cannot be read.
    pub(crate) fn find_latest(&self, start: i64, end: i64) -> Result<Option<Stored>, StorageError> {
        let visible = self.visible(start, end);
        // The first of equals.
        let Some(place) =
            visible.reduce(|best, next| if next.max_timestamp > best.max_timestamp { next } else { best })
        else {
            return Ok(None);
        };
        let found = self.find_in(place, |_, time| time == place.max_timestamp)?;
        let (offset, timestamp) = (place.end_offset - 1, place.max_timestamp);
        Ok(found.or(Some(Stored { offset, timestamp, leader_epoch: place.leader_epoch })))
    }

    /// The first record of a batch that is wanted, by offset and time.
    fn find_in(
        &self,
        place: &Place,
        wanted: impl Fn(i64, i64) -> bool,
    ) -> Result<Option<Stored>, StorageError> {
        let bytes = self.read(place.base_offset, place.end_offset)?;
        let batch = Opened::of(&bytes).doing("read", &self.path)?;
        let mut records = batch.records().map_while(Result::ok);
        let found = records.find(|record| wanted(record.offset, record.timestamp));
        Ok(found.map(|record| Stored {
            offset: record.offset,
            timestamp: record.timestamp,
            leader_epoch: place.leader_epoch,
        }))
    }
}

pub(super) fn read_key(text: &str) -> Option<PartitionKey> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    let topic = Uuid::try_from(field("topic_id: ")?.to_owned()).ok()?;
    Some(PartitionKey { topic, partition: field("partition: ")?.parse().ok()? })
}
