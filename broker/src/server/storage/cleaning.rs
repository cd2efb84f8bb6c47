//! The work of a compaction: sealed segments are read, cleaned and written aside, on a thread of its own, while
//! the log goes on. Nothing of the log changes before the log itself takes the new files.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use wire::batch::Header;
use wire::records::Opened;

use super::segment::{Place, next_batch};
use super::{Doing, StorageError};
use crate::core::{BatchInfo, Cleanable, Cleaner, CleaningPolicy, PartitionKey, SegmentFacts, groups};

/// What a file written aside is called until it takes the place of a segment.
pub(super) const SUFFIX: &str = "cleaned";

/// How a compaction is to go.
#[derive(Debug, Clone)]
pub(crate) struct CleaningOrder {
    /// What the log says of it.
    pub(crate) cleanable: Cleanable,
    /// The topic's settings.
    pub(crate) policy: CleaningPolicy,
    /// `segment.bytes`.
    pub(crate) segment_bytes: u64,
    /// Bytes of room for keys.
    pub(crate) room: u64,
    /// The time of day, in ms since 1970.
    pub(crate) wall_ms: i64,
}

/// A compaction that may begin.
pub(crate) struct CleaningJob {
    pub(super) key: PartitionKey,
    /// The log has changed since if its own number is another.
    pub(super) generation: u64,
    pub(super) segments: Vec<(PathBuf, SegmentFacts)>,
    /// Below it everything was cleaned before.
    pub(super) first_dirty: i64,
    pub(super) order: CleaningOrder,
}

/// A compaction whose files lie ready.
pub(crate) struct CleanedLog {
    pub(crate) key: PartitionKey,
    pub(super) generation: u64,
    /// The first offset that was not cleaned.
    pub(crate) to: i64,
    /// Below it everything has been cleaned now.
    pub(super) first_dirty: i64,
    pub(super) files: Vec<CleanedFile>,
    /// Bytes before and after.
    pub(crate) bytes: (u64, u64),
}

/// A file that takes the place of some segments.
pub(super) struct CleanedFile {
    pub(super) segments: Range<usize>,
    pub(super) aside: PathBuf,
    pub(super) places: Vec<Place>,
    pub(super) size: u64,
    /// Its batches, for the core.
    pub(super) left: Vec<BatchInfo>,
}

impl CleaningJob {
    /// Does it. Takes as long as reading the log takes.
    ///
    /// # Errors
    /// If a file cannot be read or written; what was written aside is removed then.
    pub(crate) fn run(self) -> Result<CleanedLog, StorageError> {
        let mut files = Vec::new();
        match self.clean(&mut files) {
            Ok(first_dirty) => {
                let to = self.segments.last().map_or(0, |(_, facts)| facts.end);
                let before = self.segments.iter().map(|(_, facts)| facts.bytes).sum();
                let after = files.iter().map(|file| file.size).sum();
                let (key, generation) = (self.key, self.generation);
                Ok(CleanedLog { key, generation, to, first_dirty, files, bytes: (before, after) })
            }
            Err(error) => {
                discard(&files);
                Err(error)
            }
        }
    }

    fn clean(&self, files: &mut Vec<CleanedFile>) -> Result<i64, StorageError> {
        let CleaningOrder { cleanable, policy, segment_bytes, room, wall_ms } = &self.order;
        let mut cleaner = Cleaner::new(cleanable, policy, *wall_ms, *room);
        let facts: Vec<SegmentFacts> = self.segments.iter().map(|(_, facts)| *facts).collect();
        for (path, _) in self.segments.iter().filter(|(_, facts)| facts.end > self.first_dirty) {
            let fits = each_batch(path, |_, bytes, _| {
                let batch = Opened::of(&bytes)?;
                let dirty = batch.header().last_offset() >= self.first_dirty;
                if dirty { cleaner.learn(&batch) } else { Ok(true) }
            });
            if !fits.doing("read", path)? {
                break;
            }
        }
        for group in groups(&facts, *segment_bytes) {
            let aside = self.segments[group.start].0.with_extension(SUFFIX);
            files.push(CleanedFile {
                segments: group.clone(),
                aside: aside.clone(),
                places: Vec::new(),
                size: 0,
                left: Vec::new(),
            });
            // Known from here on, so that it is removed if the rest fails.
            let Some(file) = files.last_mut() else { continue };
            let mut out = BufWriter::new(File::create(&aside).doing("create", &aside)?);
            for at in group.clone() {
                let path = &self.segments[at].0;
                let last = at + 1 == group.end;
                let outcome = each_batch(path, |_, bytes, is_last| {
                    if let Some(left) = cleaner.clean(&bytes, last && is_last)? {
                        file.put(&mut out, &left)?;
                    }
                    Ok(true)
                });
                outcome.doing("clean", path)?;
            }
            let synced = out.into_inner().map_err(io::IntoInnerError::into_error).and_then(|f| f.sync_all());
            synced.doing("sync", &aside)?;
        }
        let end = facts.last().map_or(0, |facts| facts.end);
        Ok(cleaner.learned().min(end))
    }
}

impl CleanedLog {
    /// Nobody wants it.
    pub(super) fn discard(self) {
        discard(&self.files);
    }
}

/// What cannot be removed now is when the log is opened next.
fn discard(files: &[CleanedFile]) {
    files.iter().for_each(|file| drop(fs::remove_file(&file.aside)));
}

impl CleanedFile {
    fn put(&mut self, out: &mut impl Write, batch: &Bytes) -> io::Result<()> {
        let header = Header::parse(batch).map_err(io::Error::other)?;
        self.places.push(Place::of(&header, header.base_offset, header.leader_epoch, self.size));
        self.size += header.size as u64;
        self.left.push(BatchInfo::read(&header, batch));
        out.write_all(batch)
    }
}

/// Hands every batch of a file on, with whether it is the last, until told to stop; whether it was not.
fn each_batch(
    path: &Path,
    mut take: impl FnMut(&Header, Bytes, bool) -> io::Result<bool>,
) -> io::Result<bool> {
    let file = File::open(path)?;
    let mut left = file.metadata()?.len();
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut buffer = Vec::new();
    while left > 0 {
        let header = next_batch(&mut reader, left, &mut buffer)?.map_err(io::Error::other)?;
        left -= header.size as u64;
        if !take(&header, Bytes::copy_from_slice(&buffer), left == 0)? {
            return Ok(false);
        }
    }
    Ok(true)
}
