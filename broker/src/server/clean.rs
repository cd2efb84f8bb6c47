//! The word a broker leaves when it ends in good order: under which epoch it was registered then. Whoever finds
//! it knows that nothing on disk was lost (KIP-966) and that logs need no check; it is taken away at once, so that
//! it speaks for one end.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};
use wire::power;

use super::storage::{Doing, StorageError};

const NAME: &str = ".kafka_cleanshutdown";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Word {
    version: u32,
    broker_epoch: i64,
}

/// Takes the word of the process before; `None` if there is none, or nobody understands it.
///
/// # Errors
/// If it cannot be taken away.
pub(super) fn take(data: &Path) -> Result<Option<i64>, StorageError> {
    let path = data.join(NAME);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).doing("read", &path),
    };
    fs::remove_file(&path).doing("remove", &path)?;
    // It must not come back with the power.
    power::sync_folder(&path).doing("sync the folder of", &path)?;
    Ok(serde_json::from_str(&text).ok().map(|word: Word| word.broker_epoch))
}

/// Leaves the word, after everything else was synced.
///
/// # Errors
/// If it cannot be written.
pub(super) fn leave(data: &Path, broker_epoch: i64) -> Result<(), StorageError> {
    let path = data.join(NAME);
    let text = serde_json::to_string(&Word { version: 0, broker_epoch }).unwrap_or_default();
    power::replace(&path, text.as_bytes()).doing("replace", &path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_is_taken_once() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(take(folder.path()).expect("reads"), None);
        leave(folder.path(), 7).expect("writes");
        power::fail(folder.path(), None).expect("fails");
        assert_eq!(take(folder.path()).expect("reads"), Some(7), "it is durable");
        assert_eq!(take(folder.path()).expect("reads"), None);
        fs::write(folder.path().join(NAME), "torn").expect("writes");
        assert_eq!(take(folder.path()).expect("reads"), None);
    }
}
