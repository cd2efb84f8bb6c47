//! What the files of a log remember beside its segments: producers (`*.snapshot`), and where leader epochs began
//! (`leader-epoch-checkpoint`). The segments say both, as long as retention and compaction have taken nothing.
//! Each file is replaced as a whole, durably; one that cannot be read counts as absent.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use wire::power;

use super::{Doing, StorageError};
use crate::core::ProducerSnapshot;

/// Leader epochs and the offset each began at.
pub(super) type Epochs = BTreeMap<i32, i64>;

const EPOCHS: &str = "leader-epoch-checkpoint";
const SNAPSHOT: &str = "snapshot";
/// Snapshots kept: if the log is cut below the newest, the one before may still hold.
const KEPT: usize = 2;

/// Removes a file and the note beside it, as far as they are there.
fn remove(path: &Path) -> Result<(), StorageError> {
    let gone = |outcome: io::Result<()>| match outcome {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    gone(fs::remove_file(power::note_path(path))).doing("remove the note of", path)?;
    gone(fs::remove_file(path)).doing("remove", path)
}

/// The epochs that were written down in a folder.
pub(super) fn read_epochs(folder: &Path) -> Epochs {
    let text = fs::read_to_string(folder.join(EPOCHS)).unwrap_or_default();
    let line = |line: &str| {
        let (epoch, start) = line.split_once(' ')?;
        Some((epoch.parse().ok()?, start.parse().ok()?))
    };
    text.lines().skip(2).map_while(line).collect()
}

/// Replaces them, in Kafka's format: a version, how many there are, and an epoch with its first offset a line.
pub(super) fn write_epochs(folder: &Path, epochs: &Epochs) -> Result<(), StorageError> {
    let path = folder.join(EPOCHS);
    let mut text = format!("0\n{}\n", epochs.len());
    for (epoch, start) in epochs {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{epoch} {start}");
    }
    power::replace(&path, text.as_bytes()).doing("replace", &path)
}

/// Forgets them.
pub(super) fn remove_epochs(folder: &Path) -> Result<(), StorageError> {
    remove(&folder.join(EPOCHS))
}

/// The snapshots in a folder, by the offset they were taken at.
fn snapshots(folder: &Path) -> Result<BTreeMap<i64, PathBuf>, StorageError> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).doing("read", folder)? {
        let path = entry.doing("read", folder)?.path();
        let end = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let Some(end) = end.filter(|_| path.extension().is_some_and(|extension| extension == SNAPSHOT)) {
            found.insert(end, path);
        }
    }
    Ok(found)
}

/// Writes a snapshot, and removes those that are too old to be of use.
pub(super) fn write_snapshot(folder: &Path, snapshot: &ProducerSnapshot) -> Result<(), StorageError> {
    let path = folder.join(format!("{:020}.{SNAPSHOT}", snapshot.end));
    if path.exists() {
        // The log has not grown since, nor was it cut: that would have taken the file.
        return Ok(());
    }
    let body = serde_json::to_string(snapshot).map_err(io::Error::other).doing("write", &path)?;
    let text = format!("{:08x}\n{body}", crc32c::crc32c(body.as_bytes()));
    power::replace(&path, text.as_bytes()).doing("replace", &path)?;
    let found = snapshots(folder)?;
    let old = found.len().saturating_sub(KEPT);
    found.values().take(old).try_for_each(|path| remove(path))
}

/// The newest snapshot at or below the end of a log that can be read.
pub(super) fn read_snapshot(folder: &Path, end: i64) -> Result<Option<ProducerSnapshot>, StorageError> {
    let found = snapshots(folder)?;
    let fitting = found.range(..=end).rev();
    Ok(fitting.into_iter().find_map(|(_, path)| parse(&fs::read_to_string(path).ok()?)))
}

fn parse(text: &str) -> Option<ProducerSnapshot> {
    let (sum, body) = text.split_once('\n')?;
    let right = u32::from_str_radix(sum, 16).is_ok_and(|sum| sum == crc32c::crc32c(body.as_bytes()));
    if right { serde_json::from_str(body).ok() } else { None }
}

/// Removes the snapshots that know of more than the log is about to have.
pub(super) fn remove_snapshots_above(folder: &Path, end: i64) -> Result<(), StorageError> {
    snapshots(folder)?.range(end.saturating_add(1)..).try_for_each(|(_, path)| remove(path))
}
