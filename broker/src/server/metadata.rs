//! The controller's durable metadata: one snapshot, replaced atomically and synced before any answer that
//! rests on it leaves.

use std::fs;
use std::path::Path;

use wire::power;

use super::storage::{Doing, StorageError};
use crate::core::MetadataSnapshot;

const NAME: &str = "metadata.json";

/// Reads the snapshot, `None` in a new directory.
///
/// # Errors
/// If there is one and it cannot be read: a controller that forgets must not start.
pub(super) fn read(data: &Path) -> Result<Option<MetadataSnapshot>, StorageError> {
    let path = data.join(NAME);
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read(&path).doing("read", &path)?;
    let invalid = |error| std::io::Error::new(std::io::ErrorKind::InvalidData, error);
    serde_json::from_slice(&text).map_err(invalid).doing("understand", &path).map(Some)
}

/// Replaces the snapshot, durably.
///
/// # Errors
/// If it cannot be written; the old one is then still there.
pub(super) fn write(data: &Path, snapshot: &MetadataSnapshot) -> Result<(), StorageError> {
    let path = data.join(NAME);
    let text = serde_json::to_vec(snapshot).map_err(std::io::Error::from).doing("encode", &path)?;
    power::replace(&path, &text).doing("replace", &path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_snapshot_is_read_back_and_a_damaged_one_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(read(folder.path()).expect("nothing yet"), None);
        for next_producer_id in [5, 6] {
            let snapshot = MetadataSnapshot { next_producer_id, ..MetadataSnapshot::default() };
            write(folder.path(), &snapshot).expect("writes");
            assert_eq!(read(folder.path()).expect("reads"), Some(snapshot));
        }
        fs::write(folder.path().join(NAME), "{").expect("writes");
        assert!(read(folder.path()).is_err());
    }
}
