//! The runs of a results directory, newest first.

use std::cmp::Reverse;
use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use checkers::Word;
use history::{Plan, TargetKind};

use crate::files::ResultsError;
use crate::rundir::{LATEST, RunDir};

/// How far a run came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// It was judged.
    Judged(Word),
    /// It has no verdict: it is still running, or was cut off.
    Unfinished,
    /// Its plan or verdict cannot be read.
    Unreadable,
}

/// One run of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSummary {
    /// Its name.
    pub name: String,
    /// When it began.
    pub when: SystemTime,
    /// How far it came.
    pub state: RunState,
    /// One sentence; why it cannot be read, if it cannot.
    pub headline: String,
    /// What was planned, if it can be read.
    pub planned: Option<Planned>,
}

/// What a listing says of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The seed.
    pub seed: u64,
    /// Where it ran.
    pub target: TargetKind,
    /// The nemeses, empty for none.
    pub nemeses: Vec<String>,
    /// Planted flaw.
    pub flaw: Option<String>,
}

impl From<Plan> for Planned {
    fn from(plan: Plan) -> Self {
        Self { seed: plan.seed, target: plan.target, nemeses: plan.nemeses, flaw: plan.flaw }
    }
}

/// Lists the runs in `root`, newest first. No directory is no runs; a run that cannot be read is listed as
/// [`RunState::Unreadable`].
///
/// # Errors
/// If `root` cannot be read.
pub fn list_runs(root: &Path) -> Result<Vec<RunSummary>, ResultsError> {
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(ResultsError::io("read", root)(error)),
    };
    let mut runs = Vec::new();
    for entry in entries {
        let entry = entry.map_err(ResultsError::io("read", root))?;
        // What begins with a dot is under construction.
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if entry.file_name() != LATEST
            && !hidden
            && let Some(run) = RunDir::at(entry.path())
        {
            runs.push(summary(&run)?);
        }
    }
    runs.sort_by_key(|run| Reverse((run.when, run.name.clone())));
    Ok(runs)
}

fn summary(run: &RunDir) -> Result<RunSummary, ResultsError> {
    let path = run.plan_path();
    let when =
        fs::metadata(&path).and_then(|data| data.modified()).map_err(ResultsError::io("read", &path))?;
    let (planned, verdict) = match (run.read_plan(), run.read_verdict()) {
        (Ok(plan), Ok(verdict)) => (Some(Planned::from(plan)), Ok(verdict)),
        (Ok(plan), Err(error)) => (Some(Planned::from(plan)), Err(error)),
        (Err(error), _) => (None, Err(error)),
    };
    let (state, headline) = match verdict {
        Ok(Some(judgement)) => (RunState::Judged(judgement.word), judgement.headline),
        Ok(None) => (RunState::Unfinished, String::new()),
        Err(error) => (RunState::Unreadable, error.to_string()),
    };
    Ok(RunSummary { name: run.name(), when, state, headline, planned })
}

#[cfg(test)]
mod tests;
