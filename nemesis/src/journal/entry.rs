//! The controller's part of the journal: a file per fault in force, written and synced before the host hears
//! of it, removed when its undo was verified.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use history::NodeId;
use serde::{Deserialize, Serialize};

/// A fault that may be in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Tags what it made on the host.
    pub id: String,
    /// The broker.
    pub node: NodeId,
    /// The host it was injected on.
    pub host: String,
    /// Its kind.
    pub fault: String,
    /// How to reach the host.
    pub cluster_file: PathBuf,
    /// The journal on the host.
    pub state_dir: String,
    /// Undoes it.
    pub undo: String,
    /// Exits 0 if nothing of it is left.
    pub gone: String,
}

/// The journal cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A file or folder of it.
    #[error("failed to {action} the undo journal `{path}`", path = path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// An entry is no entry.
    #[error("undo journal `{path}` is damaged: {reason} (look on the host, then remove it)", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// The folder of open entries.
#[derive(Debug, Clone)]
pub struct Journal {
    dir: PathBuf,
}

impl Journal {
    /// The journal in this folder, which is made where it is missing.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, JournalError> {
        let dir = dir.into();
        fs::create_dir_all(&dir).map_err(|source| failed("create", &dir, source))?;
        Ok(Self { dir })
    }

    /// Where it is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Puts an entry on record; it is on the disk when this returns.
    ///
    /// # Errors
    /// If it cannot be written; then nothing may be broken.
    pub fn write(&self, entry: &Entry) -> Result<(), JournalError> {
        let path = self.path(&entry.id);
        let unfinished = path.with_extension("unfinished");
        let text = serde_json::to_vec_pretty(entry)
            .map_err(|error| JournalError::Damaged { path: path.clone(), reason: error.to_string() })?;
        let write = || -> io::Result<()> {
            let mut file = File::create(&unfinished)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&unfinished, &path)?;
            File::open(&self.dir)?.sync_all()
        };
        write().map_err(|source| failed("write", &path, source))
    }

    /// Takes an entry off the record, once its undo was verified.
    ///
    /// # Errors
    /// If its file cannot be removed.
    pub fn close(&self, id: &str) -> Result<(), JournalError> {
        let path = self.path(id);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(failed("close", &path, source)),
            _ => Ok(()),
        }
    }

    /// What may be in force, in order of ids.
    ///
    /// # Errors
    /// If the folder or an entry cannot be read.
    pub fn entries(&self) -> Result<Vec<Entry>, JournalError> {
        let read = |source| failed("read", &self.dir, source);
        let mut entries = Vec::new();
        for file in fs::read_dir(&self.dir).map_err(read)? {
            let path = file.map_err(read)?.path();
            if path.extension().is_none_or(|ending| ending != "json") {
                continue;
            }
            let text = match fs::read(&path) {
                Ok(text) => text,
                // Closed by another process since the folder was read.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(source) => return Err(failed("read", &path, source)),
            };
            let entry: Entry = serde_json::from_slice(&text)
                .map_err(|error| JournalError::Damaged { path, reason: error.to_string() })?;
            entries.push(entry);
        }
        entries.sort_by(|one: &Entry, other| one.id.cmp(&other.id));
        Ok(entries)
    }

    fn path(&self, id: &str) -> PathBuf {
        self.dir.join(format!("{id}.json"))
    }
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> JournalError {
    JournalError::Io { action, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_there_from_write_to_close() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path().join("open")).unwrap();
        let entry = Entry {
            id: "x-1".to_owned(),
            node: NodeId(1),
            host: "b1".to_owned(),
            fault: "kill".to_owned(),
            cluster_file: "c.toml".into(),
            state_dir: "/s".to_owned(),
            undo: ":".to_owned(),
            gone: ":".to_owned(),
        };
        journal.write(&entry).unwrap();
        // Cut off while it was written: nothing was broken yet.
        fs::write(journal.dir().join("x-2.unfinished"), "{").unwrap();
        assert_eq!(journal.entries().unwrap(), [entry]);
        journal.close("x-1").unwrap();
        journal.close("x-1").unwrap();
        assert_eq!(journal.entries().unwrap(), []);
        fs::write(journal.dir().join("x-3.json"), "{").unwrap();
        assert!(journal.entries().unwrap_err().to_string().contains("x-3.json` is damaged"));
    }
}
