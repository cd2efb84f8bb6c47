//! Reading and writing the files of a run: whole or not at all, and never in a format of the future.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A run directory could not be made, read or written.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// The directory of results cannot be written to.
    #[error("failed to create run directory `{path}` (pass --results DIR)")]
    Create {
        /// The directory.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// There is a run of this name.
    #[error("failed to create run directory `{path}`: it exists already (choose another name)")]
    Exists {
        /// The directory.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("failed to {action} `{path}`")]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// There is no such run.
    #[error(
        "failed to open run `{run}`: there is none in `{root}` and no such directory (`highwater runs` lists them)"
    )]
    NoRun {
        /// What was asked for.
        run: String,
        /// Where runs were looked for.
        root: PathBuf,
    },
    /// A file was written by a newer version.
    #[error("failed to open `{path}`: format version {found} is newer than {known} (upgrade highwater)")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest this build reads.
        known: u32,
    },
    /// A file is not what it should be.
    #[error("failed to read `{path}`: it is damaged")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
}

impl ResultsError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

/// Writes `bytes` to `path` so that a reader sees the old file or the new one, never half of it.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), ResultsError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let draft = path.with_file_name(name);
    let written = (|| {
        let mut file = File::create(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path)
    })();
    written.map_err(|source| {
        let _ = fs::remove_file(&draft);
        ResultsError::io("write", path)(source)
    })
}

/// Writes `value` as indented JSON.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), ResultsError> {
    let mut bytes = serde_json::to_vec_pretty(value)
        .map_err(|error| ResultsError::io("write", path)(io::Error::other(error)))?;
    bytes.push(b'\n');
    write(path, &bytes)
}

/// Reads a JSON file whose top level carries its format version in `field`; `None` if there is no file.
///
/// The version is read by itself first: a newer file may have any shape.
pub(crate) fn read_json<T: DeserializeOwned>(
    path: &Path,
    field: &str,
    known: u32,
) -> Result<Option<T>, ResultsError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ResultsError::io("read", path)(error)),
    };
    let damaged = |source| ResultsError::Damaged { path: path.to_owned(), source };
    let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(damaged)?;
    match value.get(field).and_then(serde_json::Value::as_u64) {
        Some(found) if found > u64::from(known) => {
            let found = u32::try_from(found).unwrap_or(u32::MAX);
            Err(ResultsError::Newer { path: path.to_owned(), found, known })
        }
        // Read again from the bytes: errors then name line and column.
        _ => serde_json::from_slice(&bytes).map(Some).map_err(damaged),
    }
}
