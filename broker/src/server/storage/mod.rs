//! The files of a broker: one folder per partition under its data directory, segment files in it, and beside
//! them checkpoints of all logs. Written and read through the page cache; what is synced, and when, is what the
//! settings say.

mod checkpoint;
mod cleaning;
mod disk;
mod keepsakes;
mod log;
mod recovery;
mod segment;

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use thiserror::Error;
use wire::node::DiskState;

use crate::core::{Batch, BatchInfo, PartitionKey, ProducerSnapshot, RecoveredLog, SegmentFacts};
pub(crate) use cleaning::{CleanedLog, CleaningJob, CleaningOrder};
use disk::Disk;
use log::PartitionLog;
pub(crate) use log::{LogSettings, Stored};
use recovery::Known;

/// Something about the files is wrong; the broker cannot go on.
#[derive(Debug, Error)]
pub enum StorageError {
    /// Another process uses the directory.
    #[error("data directory `{0}` is in use (stop the other node first)")]
    Locked(PathBuf),
    /// The system refused.
    #[error("failed to {doing} `{path}`: {source}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On this file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The core speaks of a log that does not exist: a mistake in this program.
    #[error("no log of `{0}` is open")]
    NotOpen(PartitionKey),
}

/// Says what failed, and where.
pub(super) trait Doing<T> {
    /// Adds what was tried to an error.
    fn doing(self, doing: &'static str, path: &Path) -> Result<T, StorageError>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, doing: &'static str, path: &Path) -> Result<T, StorageError> {
        self.map_err(|source| StorageError::Io { doing, path: path.to_owned(), source })
    }
}

/// Takes the lock of a data directory, creating it. The lock lasts as long as the file is open, and goes with
/// the process however it ends.
///
/// # Errors
/// [`StorageError::Locked`] if another node holds it.
pub(crate) fn lock(data: &Path) -> Result<File, StorageError> {
    fs::create_dir_all(data).doing("create", data)?;
    let path = data.join(".lock");
    let file = File::create(&path).doing("create", &path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StorageError::Locked(data.to_owned())),
        Err(TryLockError::Error(source)) => Err(source).doing("lock", &path),
    }
}

/// Every log of a broker.
pub(crate) struct Logs {
    data: PathBuf,
    logs: HashMap<PartitionKey, PartitionLog>,
    /// First offsets of the logs from which records were deleted.
    starts: HashMap<PartitionKey, i64>,
    /// Recovery points as they are written down.
    points: HashMap<PartitionKey, i64>,
    /// Up to where logs were compacted.
    cleaned: HashMap<PartitionKey, i64>,
    /// Logs of which a segment was sealed since anyone asked.
    rolled: Vec<PartitionKey>,
    disk: Disk,
    _lock: File,
}

impl Logs {
    /// Recovers what is in a locked directory: every log is read once, and cut at the first batch that is torn
    /// or has another checksum. `clean`: the process before ended in good order, so there is none. `note` is told
    /// what was cut.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub(crate) fn open(
        data: &Path,
        lock: File,
        clean: bool,
        mut note: impl FnMut(String),
    ) -> Result<(Self, Vec<RecoveredLog>), StorageError> {
        let marks = checkpoint::read(data, checkpoint::HIGH_WATERMARKS);
        let mut starts = checkpoint::read(data, checkpoint::LOG_STARTS);
        let mut points = checkpoint::read(data, checkpoint::RECOVERY_POINTS);
        let mut cleaned = checkpoint::read(data, checkpoint::CLEANED);
        let mut logs = HashMap::new();
        let mut recovered = Vec::new();
        for entry in fs::read_dir(data).doing("read", data)? {
            let path = entry.doing("read", data)?.path();
            if !path.is_dir() {
                continue;
            }
            let known = |key| {
                let of = |known: &HashMap<_, i64>| known.get(&key).copied().unwrap_or(0);
                let trusted = if clean { i64::MAX } else { of(&points) };
                Known { trusted, start: of(&starts), high_watermark: of(&marks) }
            };
            let Some((log, found)) = recovery::recover(&path, known, &mut note)? else { continue };
            logs.insert(log.key(), log);
            recovered.push(found);
        }
        recovered.sort_by_key(|log| log.key);
        for known in [&mut starts, &mut points, &mut cleaned] {
            known.retain(|key, _| logs.contains_key(key));
        }
        let (data, rolled) = (data.to_owned(), Vec::new());
        Ok((
            Self { data, logs, starts, points, cleaned, rolled, disk: Disk::whole(), _lock: lock },
            recovered,
        ))
    }

    /// The disk is like that from now on; returns the bytes that had to wait for it until now.
    pub(crate) fn set_disk(&mut self, state: DiskState) -> u64 {
        self.disk.set(state)
    }

    /// Creates an empty log.
    ///
    /// # Errors
    /// If the files cannot be made.
    pub(crate) fn create(
        &mut self,
        key: PartitionKey,
        topic: &str,
        settings: LogSettings,
    ) -> Result<(), StorageError> {
        let path = self.data.join(format!("{topic}-{}", key.partition));
        self.disk.write(0, "create", &path)?;
        if path.exists() {
            // A topic of that name was deleted, and its log has not been yet.
            let aside = self.data.join(format!(".{topic}-{}.deleted-before-{}", key.partition, key.topic));
            fs::rename(&path, &aside).doing("rename", &path)?;
            self.logs.values_mut().for_each(|log| log.moved(&path, &aside));
        }
        self.logs.insert(key, PartitionLog::create(path, key, settings)?);
        Ok(())
    }

    /// Deletes a log with its files.
    ///
    /// # Errors
    /// If the files cannot be removed.
    pub(crate) fn delete(&mut self, key: PartitionKey) -> Result<(), StorageError> {
        for known in [&mut self.starts, &mut self.points, &mut self.cleaned] {
            known.remove(&key);
        }
        match self.logs.remove(&key) {
            None => Ok(()),
            Some(log) => {
                self.disk.change("remove", log.path())?;
                fs::remove_dir_all(log.path()).doing("remove", log.path())
            }
        }
    }

    /// Every log, and the bytes of its segments.
    pub(crate) fn sizes(&self) -> Vec<(PartitionKey, u64)> {
        self.logs.iter().map(|(key, log)| (*key, log.size())).collect()
    }

    /// Tells a log the settings of its topic.
    pub(crate) fn configure(&mut self, key: PartitionKey, settings: LogSettings) {
        if let Some(log) = self.logs.get_mut(&key) {
            log.configure(settings);
        }
    }

    /// Writes a batch at the end, patched, and syncs if it is time.
    ///
    /// # Errors
    /// If it cannot be written (the file is then as before) or synced.
    pub(crate) fn append(
        &mut self,
        key: PartitionKey,
        base_offset: i64,
        leader_epoch: i32,
        bytes: &Bytes,
        now_ms: u64,
    ) -> Result<(), StorageError> {
        let log = self.logs.get_mut(&key).ok_or(StorageError::NotOpen(key))?;
        self.disk.write(bytes.len(), "append to", log.path())?;
        log.append(base_offset, leader_epoch, bytes, now_ms)?;
        if log.take_rolled() {
            self.rolled.push(key);
        }
        Ok(())
    }

    /// The logs of which a segment was sealed since this was asked last: what is known of their producers is to
    /// be written down.
    pub(crate) fn take_rolled(&mut self) -> Vec<PartitionKey> {
        std::mem::take(&mut self.rolled)
    }

    /// Writes down what is known of a log's producers.
    ///
    /// # Errors
    /// If the file cannot be replaced.
    pub(crate) fn keep(
        &mut self,
        key: PartitionKey,
        snapshot: &ProducerSnapshot,
    ) -> Result<(), StorageError> {
        self.disk.write(0, "write producers to", &self.data)?;
        self.log(key)?.keep(snapshot)
    }

    /// The segments of a log, seen from outside; the active one is the last.
    ///
    /// # Errors
    /// If there is no such log.
    pub(crate) fn segments(&self, key: PartitionKey) -> Result<Vec<SegmentFacts>, StorageError> {
        Ok(self.log(key)?.facts())
    }

    /// A compaction of a log, if it is time for one.
    pub(crate) fn cleaning(&self, key: PartitionKey, order: CleaningOrder) -> Option<CleaningJob> {
        let first_dirty = self.cleaned.get(&key).copied().unwrap_or(0);
        self.logs.get(&key)?.cleaning(first_dirty, order)
    }

    /// Takes what a compaction has made, unless the log has changed meanwhile: what is left of it below
    /// `cleaned.to`.
    ///
    /// # Errors
    /// If the files cannot be swapped.
    pub(crate) fn adopt(&mut self, cleaned: CleanedLog) -> Result<Option<Vec<BatchInfo>>, StorageError> {
        let (key, first_dirty) = (cleaned.key, cleaned.first_dirty);
        let Some(log) = self.logs.get_mut(&key) else {
            cleaned.discard();
            return Ok(None);
        };
        self.disk.write(0, "compact", log.path())?;
        let left = log.adopt(cleaned)?;
        if left.is_some() {
            self.cleaned.insert(key, first_dirty);
            let cleaned = self.cleaned.iter().map(|(key, offset)| (*key, *offset));
            checkpoint::write(&self.data, checkpoint::CLEANED, cleaned)?;
        }
        Ok(left)
    }

    /// Writes down up to where each log is durable.
    ///
    /// # Errors
    /// If the file cannot be replaced.
    pub(crate) fn checkpoint_recovery(&mut self) -> Result<(), StorageError> {
        self.points = self.logs.iter().map(|(key, log)| (*key, log.recovery_point())).collect();
        self.write_points()
    }

    /// What will be written from this offset on has not been checked by anyone.
    fn distrust(&mut self, key: PartitionKey, from: i64) -> Result<(), StorageError> {
        if let Some(cleaned) = self.cleaned.get_mut(&key) {
            *cleaned = from.min(*cleaned);
        }
        match self.points.get_mut(&key) {
            Some(point) if *point > from => *point = from,
            _ => return Ok(()),
        }
        self.write_points()
    }

    fn write_points(&mut self) -> Result<(), StorageError> {
        self.disk.write(0, "replace a checkpoint in", &self.data)?;
        let points = self.points.iter().map(|(key, point)| (*key, *point));
        checkpoint::write(&self.data, checkpoint::RECOVERY_POINTS, points)
    }

    /// Cuts a log so that it ends before this offset.
    ///
    /// # Errors
    /// If it cannot be cut.
    pub(crate) fn truncate(&mut self, key: PartitionKey, to: i64) -> Result<(), StorageError> {
        self.disk.change("truncate", self.log(key)?.path())?;
        self.distrust(key, to)?;
        self.log_mut(key)?.truncate(to)
    }

    /// Remembers that records below an offset are deleted, and removes the segments that hold nothing else.
    ///
    /// # Errors
    /// If that cannot be written down, or a file not removed.
    pub(crate) fn raise_start(&mut self, key: PartitionKey, to: i64) -> Result<(), StorageError> {
        self.disk.change("delete from", self.log(key)?.path())?;
        self.starts.insert(key, to);
        // Before the files go: what is missing is then known to have been deleted.
        self.write_starts()?;
        let log = self.log_mut(key)?;
        log.remove_below(to)?;
        if log.take_rolled() {
            self.rolled.push(key);
        }
        Ok(())
    }

    /// Throws a log away and begins it anew at an offset.
    ///
    /// # Errors
    /// If the files cannot be replaced.
    pub(crate) fn restart(&mut self, key: PartitionKey, at: i64) -> Result<(), StorageError> {
        self.disk.write(0, "begin a log anew in", &self.data)?;
        // Nothing of it is trusted, wherever it begins.
        self.distrust(key, 0)?;
        self.log_mut(key)?.restart(at)?;
        self.starts.insert(key, at);
        self.write_starts()
    }

    fn write_starts(&mut self) -> Result<(), StorageError> {
        self.disk.write(0, "replace a checkpoint in", &self.data)?;
        let starts = self.starts.iter().map(|(key, start)| (*key, *start));
        checkpoint::write(&self.data, checkpoint::LOG_STARTS, starts)
    }

    /// The batches from one offset up to another.
    ///
    /// # Errors
    /// If they cannot be read.
    pub(crate) fn read(&self, key: PartitionKey, from: i64, to: i64) -> Result<Bytes, StorageError> {
        self.log(key)?.read(from, to)
    }

    /// A log, to look things up.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn log(&self, key: PartitionKey) -> Result<&PartitionLog, StorageError> {
        self.logs.get(&key).ok_or(StorageError::NotOpen(key))
    }

    /// Syncs every log whose records have waited long enough.
    ///
    /// # Errors
    /// If one cannot be synced.
    pub(crate) fn tick(&mut self, now_ms: u64) -> Result<(), StorageError> {
        if self.disk.is_read_only() {
            // What waits to be synced waits in vain; the kernel says so to the next who writes.
            return Ok(());
        }
        self.logs.values_mut().try_for_each(|log| log.sync_if_due(now_ms))
    }

    /// Writes the high watermarks down.
    ///
    /// # Errors
    /// If the file cannot be replaced.
    pub(crate) fn checkpoint(
        &mut self,
        marks: impl Iterator<Item = (PartitionKey, i64)>,
    ) -> Result<(), StorageError> {
        self.disk.write(0, "replace a checkpoint in", &self.data)?;
        checkpoint::write(&self.data, checkpoint::HIGH_WATERMARKS, marks)
    }

    /// Syncs everything, as a clean shutdown does.
    ///
    /// # Errors
    /// If a file cannot be synced.
    pub(crate) fn sync(&mut self) -> Result<(), StorageError> {
        self.disk.change("sync", &self.data)?;
        self.logs.values_mut().try_for_each(PartitionLog::sync)
    }

    fn log_mut(&mut self, key: PartitionKey) -> Result<&mut PartitionLog, StorageError> {
        self.logs.get_mut(&key).ok_or(StorageError::NotOpen(key))
    }
}

/// A batch with its header, as the core takes it.
pub(crate) fn batch(header: &wire::batch::Header, bytes: Bytes) -> Batch {
    Batch { info: BatchInfo::read(header, &bytes), bytes }
}

#[cfg(test)]
mod tests;
