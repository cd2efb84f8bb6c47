//! Where a cluster keeps its data: a locked folder that remembers how many nodes it holds and on which
//! ports clients know them, or a temporary one.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

const MANIFEST: &str = "cluster.json";
const VERSION: u32 = 1;

/// How the name of a temporary folder begins.
const TEMPORARY: &str = "highwater-cluster-";

/// What a folder remembers of its cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    schema_version: u32,
    nodes: u32,
    ports: Vec<u16>,
}

/// The folder of one running cluster; its lock goes with the process, however that ends.
pub(super) struct Folder {
    path: PathBuf,
    known: Option<Manifest>,
    temporary: Option<TempDir>,
    _lock: File,
}

impl Folder {
    /// Opens and locks a folder, a temporary one if none is given.
    ///
    /// # Errors
    /// If it cannot be made, is in use, or holds something that is no cluster's.
    pub(super) fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let (path, temporary) = match path {
            Some(path) => (path.to_owned(), None),
            None => {
                let made = TempDir::with_prefix(TEMPORARY);
                let folder = made.context("failed to make a temporary directory (give one with --data)")?;
                (folder.path().to_owned(), Some(folder))
            }
        };
        let shown = path.display();
        fs::create_dir_all(&path)
            .with_context(|| format!("failed to create `{shown}` (choose another --data)"))?;
        let manifest = path.join(MANIFEST);
        let strange =
            |entry: std::io::Result<fs::DirEntry>| entry.is_ok_and(|entry| entry.file_name() != ".lock");
        let foreign = !manifest.exists()
            && fs::read_dir(&path).with_context(|| format!("failed to read `{shown}`"))?.any(strange);
        if foreign && !path.join("nodes").exists() {
            bail!("`{shown}` is neither empty nor a cluster's (choose another --data)");
        }
        let lock = File::create(path.join(".lock"))
            .with_context(|| format!("failed to lock `{shown}` (choose another --data)"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bail!(
                    "data directory `{shown}` is in use by another cluster (end it first, or choose another --data)"
                )
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("failed to lock `{shown}`"));
            }
        }
        let known = manifest.exists().then(|| read(&manifest)).transpose()?;
        Ok(Self { path, known, temporary, _lock: lock })
    }

    /// Where it lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What becomes of it, behind its name.
    pub(super) fn fate(&self) -> &'static str {
        if self.temporary.is_some() { " (removed at the end; --data keeps it)" } else { "" }
    }

    /// How many nodes there are to be.
    ///
    /// # Errors
    /// If fewer are asked for than the folder holds: their replicas would be missing.
    pub(super) fn nodes(&self, asked: Option<u32>) -> anyhow::Result<u32> {
        match (asked, &self.known) {
            (Some(asked), Some(known)) if asked < known.nodes => bail!(
                "`{}` holds a cluster of {} nodes, not {asked} (ask for as many, or choose another --data)",
                self.path.display(),
                known.nodes
            ),
            (Some(asked), _) => Ok(asked),
            (None, known) => Ok(known.as_ref().map_or(3, |known| known.nodes)),
        }
    }

    /// The nodes' ports: from a base, or as they were, or any (0).
    ///
    /// # Errors
    /// If the base leaves no room.
    pub(super) fn ports(&self, base: Option<u16>, nodes: u32) -> anyhow::Result<Vec<u16>> {
        let Some(base) = base else {
            return Ok(self.known.as_ref().map(|known| known.ports.clone()).unwrap_or_default());
        };
        let count = u16::try_from(nodes).unwrap_or(u16::MAX);
        let Some(end) = base.checked_add(count - 1) else {
            bail!("--port-base {base} leaves no room for {nodes} ports (65535 is the last)");
        };
        Ok((base..=end).collect())
    }

    /// Writes down what the next start is to find.
    ///
    /// # Errors
    /// If the file cannot be replaced.
    pub(super) fn remember(&mut self, nodes: u32, ports: Vec<u16>) -> anyhow::Result<()> {
        let manifest = Manifest { schema_version: VERSION, nodes, ports };
        let path = self.path.join(MANIFEST);
        let fresh = path.with_extension("json.new");
        let text = serde_json::to_string_pretty(&manifest)? + "\n";
        fs::write(&fresh, text)
            .and_then(|()| fs::rename(&fresh, &path))
            .with_context(|| format!("failed to write `{}`", path.display()))?;
        self.known = Some(manifest);
        Ok(())
    }
}

/// Whether a folder is a cluster's, running or not.
pub(crate) fn is_cluster(path: &Path) -> bool {
    path.join(MANIFEST).is_file()
}

/// The temporary folders of this user's clusters, and of those that were killed, in order of their names.
///
/// # Errors
/// If the system's temporary directory cannot be read.
pub(crate) fn temporary() -> anyhow::Result<Vec<PathBuf>> {
    let parent = std::env::temp_dir();
    let entries = fs::read_dir(&parent)
        .with_context(|| format!("failed to read `{}` (give --cluster DIR)", parent.display()))?;
    let owner = nix::unistd::geteuid().as_raw();
    let mut found: Vec<_> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(TEMPORARY))
        .filter(|entry| entry.metadata().is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == owner))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> anyhow::Result<Manifest> {
    let shown = path.display();
    let text = fs::read_to_string(path).with_context(|| format!("failed to read `{shown}`"))?;
    let manifest: Manifest =
        serde_json::from_str(&text).with_context(|| format!("failed to understand `{shown}`"))?;
    if manifest.schema_version > VERSION {
        let found = manifest.schema_version;
        bail!("failed to open `{shown}`: format version {found} is newer than {VERSION} (upgrade highwater)");
    }
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_remembers_its_nodes_and_ports() {
        let place = tempfile::tempdir().expect("a folder");
        let mut folder = Folder::open(Some(place.path())).expect("opens");
        assert_eq!(folder.nodes(None).expect("a default"), 3);
        assert_eq!(folder.ports(None, 3).expect("any"), Vec::<u16>::new());
        folder.remember(2, vec![7001, 7002]).expect("writes");
        let second = Folder::open(Some(place.path())).err().expect("locked").to_string();
        assert!(second.contains("in use"), "{second}");
        drop(folder);
        let folder = Folder::open(Some(place.path())).expect("opens again");
        assert_eq!(folder.nodes(None).expect("known"), 2);
        assert_eq!(folder.nodes(Some(3)).expect("grows"), 3);
        assert!(folder.nodes(Some(1)).is_err(), "replicas would be missing");
        assert_eq!(folder.ports(None, 2).expect("known"), [7001, 7002]);
        assert_eq!(folder.ports(Some(9092), 2).expect("given"), [9092, 9093]);
        assert!(folder.ports(Some(65_535), 2).is_err());
    }

    #[test]
    fn what_is_not_a_clusters_is_left_alone() {
        let place = tempfile::tempdir().expect("a folder");
        fs::write(place.path().join("thesis.txt"), "years of work").expect("writes");
        assert!(Folder::open(Some(place.path())).is_err());
        assert!(!place.path().join(".lock").exists());
    }

    #[test]
    fn a_temporary_folder_goes_with_the_cluster() {
        let folder = Folder::open(None).expect("opens");
        let path = folder.path().to_owned();
        assert!(path.exists());
        drop(folder);
        assert!(!path.exists());
    }
}
