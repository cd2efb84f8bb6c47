//! `highwater matrix`: one run after another, a row a cell.

use std::collections::BTreeMap;
use std::path::PathBuf;

use checkers::{Ending, Expectation, Word};
use clap::Args;
use history::clock;
use results::{MatrixRow, render_matrix};

use super::flags::PlanArgs;
use super::output::{self, ResultsArgs, TableFormat, VerbosityArgs};
use super::{Failure, Outcome};
use crate::exit::Exit;
use crate::planning::matrix::{self, Matrix, MatrixCell};
use crate::planning::{self, Drawn};
use crate::runner::{self, Arm, RunOptions, RunOutcome, Verbosity};

const EXAMPLES: &str = "\
Examples:
  highwater matrix durability                    the matrix that is built in
  highwater matrix mine.toml --format markdown -o mine.csv

A matrix file:
  name = \"mine\"
  repeats = 3
  [run]
  duration = \"8s\"
  [set]
  \"linger.ms\" = 5
  [axes]
  acks = [1, \"all\"]
  nemesis = [\"none\", \"kill\", \"isolate-leader\"]";

/// Run every cell of a matrix, one after another
#[derive(Args, Debug)]
#[command(before_help = EXAMPLES)]
pub(super) struct MatrixCommand {
    /// A matrix file, or the name of one that is built in: durability
    #[arg(value_name = "FILE|NAME")]
    matrix: String,
    /// Draw every cell's seed from this number [default: the file's, else from the operating system]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    results: ResultsArgs,
    /// How to print the table
    #[arg(long, value_enum, default_value_t = TableFormat::Human, help_heading = "Output")]
    format: TableFormat,
    /// Also write the table to this file: .md, .csv, else text
    #[arg(short, long = "output", value_name = "FILE", help_heading = "Output")]
    output: Vec<PathBuf>,
    #[command(flatten)]
    verbosity: VerbosityArgs,
}

/// Columns of the table where no terminal limits it: enough to wrap nothing.
const WIDE: usize = 240;

/// How one run of a cell ended.
struct Ran {
    word: Word,
    expectation: Expectation,
    seen: String,
    throughput: f64,
    p99_ms: f64,
    recovery_ms: Option<u64>,
    seconds: f64,
}

impl MatrixCommand {
    pub(super) fn execute(self) -> Outcome {
        let matrix = matrix::load(&self.matrix, self.seed)?;
        for path in &self.output {
            output::probe(path)?;
        }
        self.announce(&matrix);
        let mut exit = Exit::Held;
        let mut rows = Vec::new();
        'cells: for (number, cell) in (1..).zip(&matrix.cells) {
            let mut ran = Vec::new();
            for (repeat, args) in (1..).zip(&cell.runs) {
                let of = format!("{number} of {}", matrix.cells.len());
                let again = if cell.runs.len() > 1 { format!(", run {repeat}") } else { String::new() };
                self.say(&format!(
                    "cell {of}{again}: {} (seed {})",
                    cell.label,
                    args.seed.unwrap_or_default()
                ));
                let (ended, run) = self.run(args)?;
                exit = exit.worst(ended);
                self.say(&format!("  {}: {}", results::word(run.word), run.seen));
                ran.push(run);
                if matches!(ended, Exit::Interrupted | Exit::Terminated | Exit::CleanUpFailed) {
                    rows.push(row(cell, &ran));
                    break 'cells;
                }
            }
            rows.push(row(cell, &ran));
        }
        output::print(&render_matrix(&rows, &matrix.axes, self.format.for_stdout(WIDE)))?;
        for path in &self.output {
            output::write(path, &render_matrix(&rows, &matrix.axes, TableFormat::for_file(path, WIDE)))?;
        }
        let missing = matrix.cells.len() - rows.len();
        if missing > 0 {
            let error = anyhow::anyhow!("stopped before {missing} of {} cells", matrix.cells.len());
            return Err(Failure::new(exit, error));
        }
        Ok(exit)
    }

    fn announce(&self, matrix: &Matrix) {
        let runs: usize = matrix.cells.iter().map(|cell| cell.runs.len()).sum();
        let summary = matrix.summary.as_ref().map_or_else(String::new, |summary| format!(": {summary}"));
        self.say(&format!("matrix {}{summary}", matrix.name));
        self.say(&format!("  {} cells, {runs} runs, seed {}", matrix.cells.len(), matrix.seed));
        self.say(&format!("  again: highwater matrix {} --seed {}", self.matrix, matrix.seed));
        let mut skipped: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (label, reason) in &matrix.skipped {
            skipped.entry(reason).or_default().push(label);
        }
        for (reason, labels) in skipped {
            let cells = if labels.len() == 1 { "cell" } else { "cells" };
            self.say(&format!("  skipped {} {cells}: {reason}", labels.len()));
            for label in labels {
                self.say(&format!("    {label}"));
            }
        }
    }

    fn say(&self, line: &str) {
        if self.verbosity.level() >= Verbosity::Normal {
            eprintln!("{line}");
        }
    }

    fn run(&self, args: &PlanArgs) -> Result<(Exit, Ran), Failure> {
        let Drawn { plan, secrets, hosts } = planning::plan(args)?;
        let options = RunOptions {
            results: self.results.root(),
            secrets,
            hosts,
            allow_quorum_loss: args.guard.allow_quorum_loss,
            keep_topics: args.target.keep_topics,
            allow_existing_topic: args.target.allow_existing_topic,
            max_disk_bytes: args.max_disk,
            max_duration: args.max_duration,
            // A run's own progress would drown the matrix's.
            verbosity: match self.verbosity.level() {
                Verbosity::Verbose => Verbosity::Verbose,
                _ => Verbosity::Quiet,
            },
            arm: Arm::Recorded,
        };
        let started = clock::now();
        let outcome = runner::run(plan, &options);
        let seconds = clock::now().since(started) as f64 / 1e9;
        if let Some(error) = &outcome.error {
            eprintln!("error: {error}");
        }
        Ok((outcome.exit, Ran::of(outcome, seconds)))
    }
}

impl Ran {
    fn of(outcome: RunOutcome, seconds: f64) -> Self {
        let Some(judgement) = outcome.judgement else {
            return Self {
                word: Word::Indeterminate,
                expectation: Expectation::NoGuarantee,
                seen: outcome.error.unwrap_or_else(|| "no verdict".to_owned()),
                throughput: 0.0,
                p99_ms: 0.0,
                recovery_ms: None,
                seconds,
            };
        };
        let decisive = judgement.guarantees.iter().find(|judged| judged.word == judgement.word);
        let judged = decisive.or(judgement.guarantees.first());
        let seen = match (Ending::of(judgement.word), judged) {
            (Ending::Held | Ending::Broken, Some(judged)) => judged.seen.clone(),
            _ => judgement.headline,
        };
        Self {
            word: judgement.word,
            expectation: judged.map_or(Expectation::NoGuarantee, |judged| judged.expectation),
            seen,
            throughput: judgement.figures.throughput,
            p99_ms: judgement.figures.p99_ms,
            recovery_ms: judgement.figures.recovery_ms,
            seconds,
        }
    }
}

/// How bad a word is: a cell shows the worst of its repeats.
const fn badness(word: Word) -> u8 {
    match word {
        Word::Broken => 6,
        Word::Indeterminate => 5,
        Word::NotExercised => 4,
        Word::Shown => 3,
        Word::NotSeen => 2,
        Word::Noted => 1,
        Word::Held => 0,
    }
}

fn row(cell: &MatrixCell, ran: &[Ran]) -> MatrixRow {
    let worst = ran.iter().max_by_key(|run| badness(run.word)).expect("a cell in the table was run");
    let with_word = ran.iter().filter(|run| run.word == worst.word).count();
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let mean = |value: fn(&Ran) -> f64| ran.iter().map(value).sum::<f64>() / ran.len() as f64;
    MatrixRow {
        settings: cell.settings.clone(),
        nemesis: cell.nemesis.clone(),
        expectation: worst.expectation,
        word: worst.word,
        seen: worst.seen.clone(),
        k_of_n: (count(with_word), count(ran.len())),
        throughput: mean(|run| run.throughput),
        p99_ms: ran.iter().map(|run| run.p99_ms).fold(0.0, f64::max),
        recovery_ms: ran.iter().filter_map(|run| run.recovery_ms).max(),
        seconds: mean(|run| run.seconds),
    }
}
