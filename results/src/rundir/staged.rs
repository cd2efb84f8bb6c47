//! A run directory under construction, which nobody sees before it is whole: how histories made elsewhere
//! become runs.

use std::fs;
use std::path::{Path, PathBuf};

use super::{RunDir, link_latest, make_parts};
use crate::files::ResultsError;

/// A run directory under construction. Dropping it removes it.
#[derive(Debug)]
pub struct StagedRun {
    dir: RunDir,
    root: PathBuf,
    name: String,
}

impl StagedRun {
    /// Begins run `name` of `root` (which is created too), hidden from listings.
    ///
    /// # Errors
    /// As [`RunDir::create`].
    pub fn create(root: &Path, name: &str) -> Result<Self, ResultsError> {
        let place = root.join(name);
        if place.exists() {
            return Err(ResultsError::Exists { path: place });
        }
        let path = root.join(format!(".{name}.{}", std::process::id()));
        let refused = |source| ResultsError::Create { path: path.clone(), source };
        fs::create_dir_all(root).map_err(refused)?;
        fs::create_dir(&path).map_err(refused)?;
        let staged =
            Self { dir: RunDir { path: path.clone() }, root: root.to_owned(), name: name.to_owned() };
        make_parts(&path).map_err(refused)?;
        Ok(staged)
    }

    /// Where to write.
    #[must_use]
    pub const fn dir(&self) -> &RunDir {
        &self.dir
    }

    /// Puts it in its place; `latest` points to it from then on.
    ///
    /// # Errors
    /// [`ResultsError::Exists`] if there is a run of its name by now, [`ResultsError::Create`] if the
    /// directory cannot be renamed.
    pub fn publish(self) -> Result<RunDir, ResultsError> {
        let path = self.root.join(&self.name);
        if path.exists() {
            return Err(ResultsError::Exists { path });
        }
        fs::rename(&self.dir.path, &path)
            .map_err(|source| ResultsError::Create { path: path.clone(), source })?;
        link_latest(&self.root, &self.name)
            .map_err(|source| ResultsError::Create { path: path.clone(), source })?;
        Ok(RunDir { path })
    }
}

impl Drop for StagedRun {
    fn drop(&mut self) {
        // Gone already if it was published.
        let _ = fs::remove_dir_all(&self.dir.path);
    }
}
