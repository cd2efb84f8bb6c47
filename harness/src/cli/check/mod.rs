//! `highwater check`: stored runs, judged again by this build. Nothing is written to their directories.

mod operations;

use checkers::{Ending, Finding, Judgement, judge};
use clap::{Args, ValueEnum};
use history::{LoadError, Plan, clock};
use results::RunDir;
use serde::Serialize;

use self::operations::OperationsArgs;
use super::output::{self, ResultsArgs};
use super::{Failure, Outcome};
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  highwater check latest
  highwater check results/runs/* --format json
  highwater check calls.jsonl --from operations --model register --init 0";

/// Judge stored runs again
#[derive(Args, Debug)]
#[command(before_help = EXAMPLES)]
pub(super) struct CheckCommand {
    /// `latest`, the name of a run, or its directory; with --model, a file of operations
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<String>,
    /// What the files are
    #[arg(long, value_enum, value_name = "FORMAT")]
    from: Option<From>,
    #[command(flatten)]
    operations: OperationsArgs,
    #[command(flatten)]
    results: ResultsArgs,
    /// How to print each verdict
    #[arg(long, value_enum, default_value_t = CheckFormat::Human, help_heading = "Output")]
    format: CheckFormat,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    /// Stored runs
    Highwater,
    /// Calls on objects, JSON Lines; needs --model
    Operations,
}

#[derive(ValueEnum, Debug, Clone, Copy)]
enum CheckFormat {
    /// For a terminal
    Human,
    /// One object a run, one a line
    Json,
}

/// What `--format json` prints of one input. Its names are a contract.
#[derive(Serialize)]
struct Checked<'a> {
    schema_version: u32,
    file: &'a str,
    verdict: &'static str,
    operations: u64,
    findings: &'a [Finding],
    elapsed_ms: u64,
    peak_rss_bytes: u64,
}

impl CheckCommand {
    pub(super) fn execute(self) -> Outcome {
        match (self.from, self.operations.model) {
            (Some(From::Operations) | None, Some(model)) => {
                let json = matches!(self.format, CheckFormat::Json);
                return self.operations.execute(model, &self.runs, json);
            }
            (Some(From::Operations), None) => {
                return Err(anyhow::anyhow!(
                    "--from operations needs --model (which says what the objects are)"
                )
                .into());
            }
            (Some(From::Highwater), Some(_)) => {
                return Err(anyhow::anyhow!("--model is for --from operations (leave it out)").into());
            }
            (_, None) => {}
        }
        let mut exit = Exit::Held;
        for run in &self.runs {
            match self.check(run) {
                Ok(ended) => exit = exit.worst(ended),
                // The others are judged all the same.
                Err(failure) if self.runs.len() > 1 => {
                    eprintln!("error: {:#}", failure.error);
                    exit = exit.worst(failure.exit);
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(exit)
    }

    fn check(&self, run: &str) -> Outcome {
        let started = clock::now();
        let dir = RunDir::open(&self.results.root(), run).map_err(Failure::from)?;
        let plan = dir.read_plan().map_err(unreadable)?;
        let history = history::load(plan.clone(), &dir.history()).map_err(unread)?;
        let operations = history.operation_count();
        let judgement = judge(&history);
        let elapsed_ms = clock::now().since(started) / 1_000_000;
        output::print(&self.render(run, &plan, &judgement, operations, elapsed_ms)?)?;
        Ok(Ending::of(judgement.word).into())
    }

    fn render(
        &self,
        file: &str,
        plan: &Plan,
        judgement: &Judgement,
        operations: u64,
        elapsed_ms: u64,
    ) -> anyhow::Result<String> {
        let (width, color) = output::terminal();
        Ok(match self.format {
            CheckFormat::Human => results::render_human(plan, judgement, width, color),
            CheckFormat::Json => serde_json::to_string(&Checked {
                schema_version: 1,
                file,
                verdict: match Ending::of(judgement.word) {
                    Ending::Held => "held",
                    Ending::Broken => "broken",
                    // Nothing was put to the test, so nobody can say; the exit code tells these apart.
                    Ending::Vacuous | Ending::Indeterminate => "indeterminate",
                },
                operations,
                findings: &judgement.findings,
                elapsed_ms,
                peak_rss_bytes: peak_rss_bytes(),
            })?,
        })
    }
}

/// A run whose plan is damaged cannot be judged; one of a newer format is a matter of usage.
fn unreadable(error: results::ResultsError) -> Failure {
    let exit = match &error {
        results::ResultsError::Damaged { .. } => Exit::Indeterminate,
        _ => Exit::Usage,
    };
    Failure::new(exit, error)
}

fn unread(error: LoadError) -> Failure {
    let exit = match &error {
        LoadError::Io { .. } => Exit::Indeterminate,
        _ => Exit::Usage,
    };
    Failure::new(exit, error)
}

fn peak_rss_bytes() -> u64 {
    use nix::sys::resource::{UsageWho, getrusage};
    let peak = getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| usage.max_rss());
    // Linux counts in KiB, macOS in bytes.
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    u64::try_from(peak).unwrap_or(0) * unit
}
