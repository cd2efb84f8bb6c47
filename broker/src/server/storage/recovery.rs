//! What a log was when its process ended: the folder is read, and what a crash has left half done is finished or
//! taken back.
//!
//! A process that ended in good order leaves everything synced, so only headers are read. Otherwise batches are
//! checked from the recovery point on, which says how far the log was durable when that was last written down;
//! the log is cut at the first batch that is torn or has another checksum, with everything behind it.

use std::fs;
use std::path::{Path, PathBuf};

use wire::power;

use super::cleaning::SUFFIX;
use super::keepsakes;
use super::log::{LogSettings, METADATA, PartitionLog, read_key};
use super::segment::Segment;
use super::{Doing, StorageError};
use crate::core::{BatchInfo, RecoveredLog};

/// What was written down of a log elsewhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// What lies below is durable and good.
    pub(super) trusted: i64,
    /// Where the log starts.
    pub(super) start: i64,
    /// How far it was committed.
    pub(super) high_watermark: i64,
}

/// Reads a folder. `None` if it is not a log, or was not complete when it was left. Its settings come later, with
/// the metadata; until then nothing rolls and nothing is synced.
pub(super) fn recover(
    path: &Path,
    known: impl FnOnce(crate::core::PartitionKey) -> Known,
    note: &mut impl FnMut(String),
) -> Result<Option<(PartitionLog, RecoveredLog)>, StorageError> {
    let Some(key) = fs::read_to_string(path.join(METADATA)).ok().and_then(|text| read_key(&text)) else {
        return Ok(None);
    };
    let Known { trusted, start, high_watermark } = known(key);
    let mut batches = Vec::new();
    let mut segments: Vec<Segment> = Vec::new();
    let mut whole = true;
    for (base, file) in files(path)? {
        let before = segments.last().map(Segment::end_offset);
        let (segment, cut) = Segment::recover(&file, base, trusted, &mut batches)?;
        let superseded = before.is_some_and(|end| base < end);
        // Behind a cut, or a gap that only a cut can leave, nothing continues.
        whole &= superseded || before.is_none_or(|end| end == base);
        if whole && !superseded {
            whole = cut.is_none();
            segments.push(segment);
            cut.into_iter().for_each(&mut *note);
            continue;
        }
        batches.truncate(batches.len() - segment.places.len());
        let why = if superseded {
            "the compacted segment before it holds what it held"
        } else {
            "the segment before it was cut"
        };
        note(format!("`{}`: removed, {why}", file.display()));
        segment.remove()?;
    }
    // What a segment begins with may have been compacted away, but not where it begins.
    let start = segments.first().map_or(start, |first| start.max(first.base_offset));
    let active = match segments.pop() {
        Some(active) => active,
        None => Segment::create(path, start)?,
    };
    let settings = LogSettings {
        segment_bytes: u64::MAX,
        segment_ms: u64::MAX,
        flush_messages: u64::MAX,
        flush_ms: u64::MAX,
    };
    let settled = power::note_path(&path.join(METADATA)).exists();
    let mut log = PartitionLog::of(path.to_owned(), key, segments, active, settings, settled);
    let end = batches.last().map_or(start, BatchInfo::end_offset);
    let epochs = keepsakes::read_epochs(path);
    let producers = keepsakes::read_snapshot(path, end)?;
    log.remember(epochs.clone());
    let recovered = RecoveredLog {
        batches,
        high_watermark,
        log_start: start,
        epochs: epochs.into_iter().collect(),
        producers,
        ..RecoveredLog::empty(key)
    };
    Ok(Some((log, recovered)))
}

/// The segment files of a folder by their first offset. What a compaction had written aside and not yet put in
/// its place is removed: the segments it was made from are all there.
fn files(path: &Path) -> Result<Vec<(i64, PathBuf)>, StorageError> {
    let mut found: Vec<(i64, PathBuf)> = Vec::new();
    for entry in fs::read_dir(path).doing("read", path)? {
        let file = entry.doing("read", path)?.path();
        let base = file.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("log") => found.extend(base.map(|base| (base, file))),
            Some(SUFFIX) => fs::remove_file(&file).doing("remove", &file)?,
            _ => {}
        }
    }
    found.sort_unstable();
    Ok(found)
}
