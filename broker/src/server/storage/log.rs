//! The log of one partition: its segments in order, the roll from one to the next, and when to sync.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use wire::batch::{Header, record_times};
use wire::power;

use super::segment::{Place, Segment};
use super::{Doing, StorageError};
use crate::core::{BatchInfo, PartitionKey, Uuid};

const METADATA: &str = "partition.metadata";

/// The settings of a topic that concern its files.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogSettings {
    /// `segment.bytes`
    pub(crate) segment_bytes: u64,
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
        Ok(Self { key, path, sealed: Vec::new(), active, settings, settled: false, unsynced: None })
    }

    /// Reads a folder. `None` if it is not a log, or was not complete when it was left. Its settings come
    /// later, with the metadata; until then nothing rolls and nothing is synced.
    pub(super) fn recover(
        path: &Path,
        note: &mut impl FnMut(String),
    ) -> Result<Option<(Self, Vec<BatchInfo>)>, StorageError> {
        let Some(key) = fs::read_to_string(path.join(METADATA)).ok().and_then(|text| read_key(&text)) else {
            return Ok(None);
        };
        let mut found: Vec<(i64, PathBuf)> = Vec::new();
        for entry in fs::read_dir(path).doing("read", path)? {
            let file = entry.doing("read", path)?.path();
            let is_log = file.extension().is_some_and(|extension| extension == "log");
            let base = file.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
            found.extend(base.filter(|_| is_log).map(|base| (base, file)));
        }
        found.sort_unstable();
        let mut batches = Vec::new();
        let mut segments: Vec<Segment> = Vec::new();
        let mut whole = true;
        for (base, file) in found {
            let (segment, cut) = Segment::recover(&file, base, &mut batches)?;
            // Behind a cut, or a gap that only a cut can leave, nothing continues.
            whole &= segments.last().is_none_or(|last| last.end_offset() == base);
            if whole {
                whole = cut.is_none();
                segments.push(segment);
            } else {
                batches.truncate(batches.len() - segment.places.len());
                note(format!("`{}`: removed, the segment before it was cut", file.display()));
                segment.remove()?;
            }
            cut.into_iter().for_each(&mut *note);
        }
        let active = match segments.pop() {
            Some(active) => active,
            None => Segment::create(path, 0)?,
        };
        let settings = LogSettings { segment_bytes: u64::MAX, flush_messages: u64::MAX, flush_ms: u64::MAX };
        let settled = power::note_path(&path.join(METADATA)).exists();
        let path = path.to_owned();
        Ok(Some((Self { key, path, sealed: segments, active, settings, settled, unsynced: None }, batches)))
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
        let full = self.active.size + header.size as u64 > self.settings.segment_bytes;
        if full && !self.active.places.is_empty() {
            self.roll(base_offset)?;
        }
        self.active.append(&header, base_offset, leader_epoch, bytes)?;
        let (before, since) = self.unsynced.unwrap_or((0, now_ms));
        let records = before + u64::try_from(header.last_offset_delta).unwrap_or(0) + 1;
        self.unsynced = Some((records, since));
        if records >= self.settings.flush_messages { self.sync() } else { Ok(()) }
    }

    /// Kafka syncs a segment when it is full; so the active one alone can hold what is not durable.
    fn roll(&mut self, base_offset: i64) -> Result<(), StorageError> {
        self.sync()?;
        let fresh = Segment::create(&self.path, base_offset)?;
        self.sealed.push(std::mem::replace(&mut self.active, fresh));
        Ok(())
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
        while self.active.base_offset > to
            && let Some(previous) = self.sealed.pop()
        {
            std::mem::replace(&mut self.active, previous).remove()?;
        }
        self.active.truncate(to)
    }

    /// Removes the segments whose records all lie below an offset.
    pub(super) fn remove_below(&mut self, to: i64) -> Result<(), StorageError> {
        let gone = self.sealed.iter().take_while(|segment| segment.end_offset() <= to).count();
        self.sealed.drain(..gone).try_for_each(Segment::remove)
    }

    /// Removes everything and begins at an offset.
    pub(super) fn restart(&mut self, at: i64) -> Result<(), StorageError> {
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

    fn places(&self) -> impl Iterator<Item = &Place> {
        self.sealed.iter().chain([&self.active]).flat_map(|segment| &segment.places)
    }

    /// The batches that hold records from `start` on and below `end`.
    fn visible(&self, start: i64, end: i64) -> impl Iterator<Item = &Place> {
        let from = self.places().skip_while(move |place| place.end_offset <= start);
        from.take_while(move |place| place.base_offset < end)
    }

    /// The epoch of the batch that holds an offset, or of the one before it.
    pub(crate) fn epoch_at(&self, offset: i64) -> Option<i32> {
        self.places().take_while(|place| place.base_offset <= offset).last().map(|place| place.leader_epoch)
    }

    /// The first record at or after a time, from `start` on and below `end`. In a compressed batch, whose records cannot be seen,
    /// it is the first of the batch: what a reader looks for comes at most a batch later.
    ///
    /// # Errors
    /// If the batch cannot be read.
    pub(crate) fn find_time(
        &self,
        timestamp: i64,
        start: i64,
        end: i64,
    ) -> Result<Option<Stored>, StorageError> {
        let visible = self.visible(start, end);
        let Some(place) = visible.into_iter().find(|place| place.max_timestamp >= timestamp) else {
            return Ok(None);
        };
        let bytes = self.read(place.base_offset, place.end_offset)?;
        let first = record_times(&bytes).find(|(offset, time)| *offset >= start && *time >= timestamp);
        let (offset, time) = first.unwrap_or((place.base_offset, place.max_timestamp));
        Ok(Some(Stored { offset, timestamp: time, leader_epoch: place.leader_epoch }))
    }

    /// The record with the highest timestamp from `start` on and below `end` (KIP-734), the last of the batch if it is compressed.
    ///
    /// # Errors
    /// If the batch cannot be read.
    pub(crate) fn find_latest(&self, start: i64, end: i64) -> Result<Option<Stored>, StorageError> {
        let visible = self.visible(start, end);
        // The first of equals.
        let Some(place) =
            visible.reduce(|best, next| if next.max_timestamp > best.max_timestamp { next } else { best })
        else {
            return Ok(None);
        };
        let bytes = self.read(place.base_offset, place.end_offset)?;
        let found = record_times(&bytes).find(|(_, time)| *time == place.max_timestamp);
        let offset = found.map_or(place.end_offset - 1, |(offset, _)| offset);
        Ok(Some(Stored { offset, timestamp: place.max_timestamp, leader_epoch: place.leader_epoch }))
    }
}

fn read_key(text: &str) -> Option<PartitionKey> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    let topic = Uuid::try_from(field("topic_id: ")?.to_owned()).ok()?;
    Some(PartitionKey { topic, partition: field("partition: ")?.parse().ok()? })
}
