//! The directory of one run (`docs/results-format.md`).

mod calls;
mod node_lines;
mod staged;
mod stamps;

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use checkers::{Judgement, VERDICT_VERSION};
use history::Plan;
use history::plan::PLAN_VERSION;

use crate::files::{self, ResultsError};
pub use calls::Calls;
pub use node_lines::NodeLine;
pub use staged::StagedRun;

const PLAN: &str = "plan.json";
const VERDICT: &str = "verdict.json";
const SUMMARY: &str = "summary.txt";
const HISTORY: &str = "history";
const NODES: &str = "nodes";
const ACTORS: &str = "actors";
/// The link to the newest run.
pub(crate) const LATEST: &str = "latest";

/// The directory of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// Creates the directory of run `name` in `root` (which is created too), and lets `ROOT/latest` point
    /// to it.
    ///
    /// # Errors
    /// [`ResultsError::Create`] if `root` cannot be written to, [`ResultsError::Exists`] if there is a run
    /// of this name: a run never writes into another's directory.
    pub fn create(root: &Path, name: &str) -> Result<Self, ResultsError> {
        let path = root.join(name);
        let refused = |source| ResultsError::Create { path: path.clone(), source };
        fs::create_dir_all(root).map_err(refused)?;
        match fs::create_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(ResultsError::Exists { path });
            }
            made => made.map_err(refused)?,
        }
        make_parts(&path).map_err(refused)?;
        link_latest(root, name).map_err(refused)?;
        Ok(Self { path })
    }

    /// Opens a run: `latest` or a name in `root`, or the path of a run directory anywhere.
    ///
    /// # Errors
    /// [`ResultsError::NoRun`] if there is neither.
    pub fn open(root: &Path, run: &str) -> Result<Self, ResultsError> {
        [root.join(run), PathBuf::from(run)]
            .into_iter()
            .find(|path| path.join(PLAN).is_file())
            // `latest` is resolved at once: a later run must not change what was opened.
            .and_then(|path| path.canonicalize().ok())
            .map(|path| Self { path })
            .ok_or_else(|| ResultsError::NoRun { run: run.to_owned(), root: root.to_owned() })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The run's name.
    #[must_use]
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The directory of the segments.
    #[must_use]
    pub fn history(&self) -> PathBuf {
        self.path.join(HISTORY)
    }

    /// The directory of the nodes' logs.
    #[must_use]
    pub fn node_logs(&self) -> PathBuf {
        self.path.join(NODES)
    }

    /// The log of one node.
    #[must_use]
    pub fn node_log(&self, node: &str) -> PathBuf {
        self.node_logs().join(format!("{node}.log"))
    }

    /// The directory of the actors' logs.
    #[must_use]
    pub fn actor_logs(&self) -> PathBuf {
        self.path.join(ACTORS)
    }

    /// The log of one worker (by `history::view::worker_name`).
    #[must_use]
    pub fn actor_log(&self, worker: &str) -> PathBuf {
        self.actor_logs().join(format!("{worker}.log"))
    }

    /// Writes the plan, at once.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_plan(&self, plan: &Plan) -> Result<(), ResultsError> {
        files::write_json(&self.path.join(PLAN), plan)
    }

    /// Reads the plan.
    ///
    /// # Errors
    /// If there is none, it is damaged, or of a newer format.
    pub fn read_plan(&self) -> Result<Plan, ResultsError> {
        let path = self.path.join(PLAN);
        files::read_json(&path, "version", PLAN_VERSION)?
            .ok_or_else(|| ResultsError::io("read", &path)(io::ErrorKind::NotFound.into()))
    }

    /// Writes the verdict, at once, and beside it the pictures of its findings (`g1c.svg`).
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write_verdict(&self, judgement: &Judgement) -> Result<(), ResultsError> {
        for finding in &judgement.findings {
            if let Some(picture) = &finding.picture {
                files::write(&self.path.join(format!("{}.svg", finding.kind)), picture.as_bytes())?;
            }
        }
        files::write_json(&self.path.join(VERDICT), judgement)
    }

    /// Reads the verdict; `None` if the run is unfinished.
    ///
    /// # Errors
    /// If it is damaged, or of a newer format.
    pub fn read_verdict(&self) -> Result<Option<Judgement>, ResultsError> {
        files::read_json(&self.path.join(VERDICT), "schema_version", VERDICT_VERSION)
    }

    /// Writes the report that people read, at once.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_summary(&self, text: &str) -> Result<(), ResultsError> {
        files::write(&self.path.join(SUMMARY), text.as_bytes())
    }

    /// Where the plan is; its time is when the run began.
    pub(crate) fn plan_path(&self) -> PathBuf {
        self.path.join(PLAN)
    }

    /// The directory at `path`, if it is one of a run.
    pub(crate) fn at(path: PathBuf) -> Option<Self> {
        path.join(PLAN).is_file().then_some(Self { path })
    }
}

fn make_parts(path: &Path) -> io::Result<()> {
    [HISTORY, NODES, ACTORS].into_iter().try_for_each(|part| fs::create_dir(path.join(part)))
}

/// Lets `ROOT/latest` point to a run.
fn link_latest(root: &Path, name: &str) -> io::Result<()> {
    // Made beside it and renamed over it, so that there is always one.
    let link = root.join(format!(".{LATEST}-{name}"));
    symlink(name, &link)?;
    fs::rename(&link, root.join(LATEST)).inspect_err(|_| {
        let _ = fs::remove_file(&link);
    })
}

#[cfg(test)]
mod tests;
