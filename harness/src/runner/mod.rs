//! Conducts one run through its phases: set-up, quiet, load with faults, heal, progress, drain, check,
//! report, teardown.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use checkers::Judgement;
use history::Plan;

use crate::exit::Exit;

/// What a run needs besides its plan: nothing here changes what is judged.
#[derive(Debug, Clone)]
pub(crate) struct RunOptions {
    /// Where run directories go.
    pub(crate) results: PathBuf,
    /// Client properties that must not be stored (`-X`, `--config`), unredacted.
    pub(crate) secrets: BTreeMap<String, String>,
    /// Leave the topic on the target.
    pub(crate) keep_topics: bool,
    /// The topic may exist already.
    pub(crate) allow_existing_topic: bool,
    /// The size guard of the history, in bytes.
    pub(crate) max_disk_bytes: u64,
    /// The run is stopped, healed and checked after this long.
    pub(crate) max_duration: Option<Duration>,
    /// How much goes to stderr.
    pub(crate) verbosity: Verbosity,
}

/// How much goes to stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verbosity {
    /// Errors only.
    Quiet,
    /// Seed, rerun line and progress.
    Normal,
    /// Also every fault and leader change.
    Verbose,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct RunOutcome {
    /// The judgement, unless the run never came to one.
    pub(crate) judgement: Option<Judgement>,
    /// The exit code, by DESIGN's precedence.
    pub(crate) exit: Exit,
    /// The run directory, if one was made.
    pub(crate) dir: Option<PathBuf>,
    /// What kept the run from a judgement, or went wrong beside it.
    pub(crate) error: Option<String>,
}
