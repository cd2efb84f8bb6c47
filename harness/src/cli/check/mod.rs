//! `highwater check`: histories judged by this build, stored runs and those of other systems alike. Nothing
//! is written to their directories.

mod operations;
mod verdict;

use checkers::{Ending, Finding, Judgement, judge};
use clap::{Args, ValueEnum};
use history::clock;
use serde::Serialize;

pub(super) use self::operations::ModelArgs;
use self::operations::OperationsArgs;
use super::input::{From, InputArgs, Loaded};
use super::output::{self, ResultsArgs};
use super::{Outcome, explain};
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  highwater check latest
  highwater check results/runs/* --format json
  highwater check jepsen/history.edn --set acks=all --set isolation.level=read_committed
  highwater check producer.log consumer.log --from verifiable
  highwater check calls.jsonl --from operations --model register --init 0";

/// Judge histories: stored runs, and those of other systems
#[derive(Args, Debug)]
#[command(before_help = EXAMPLES)]
pub(super) struct CheckCommand {
    /// `latest`, the name of a run, its directory, or a history's file; with --model, a file of operations
    #[arg(value_name = "RUN|FILE", required = true)]
    inputs: Vec<String>,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    operations: OperationsArgs,
    #[command(flatten)]
    results: ResultsArgs,
    /// How to print each verdict
    #[arg(long, value_enum, default_value_t = CheckFormat::Human, help_heading = "Output")]
    format: CheckFormat,
}

#[derive(ValueEnum, Debug, Clone, Copy)]
enum CheckFormat {
    /// For a terminal
    Human,
    /// One object an input, one a line
    Json,
}

/// What `--format json` prints of one input. Its names are a contract.
#[derive(Serialize)]
struct Checked<'a> {
    schema_version: u32,
    file: &'a str,
    verdict: &'static str,
    /// The verdict in a sentence.
    headline: &'a str,
    operations: u64,
    findings: &'a [Finding],
    /// Settings nobody told, as `name=value`.
    assumed: &'a [String],
    /// What makes the verdict indeterminate, was skipped, or makes one wonder.
    caveats: &'a [String],
    elapsed_ms: u64,
    /// Of these, reading the history, and judging it.
    load_ms: u64,
    judge_ms: u64,
    peak_rss_bytes: u64,
}

/// How long it took, in milliseconds.
struct Took {
    load_ms: u64,
    judge_ms: u64,
}

impl CheckCommand {
    pub(super) fn execute(self) -> Outcome {
        match (self.input.from, self.operations.of.model) {
            (Some(From::Operations) | None, Some(model)) => {
                self.input.refuse_settings()?;
                let json = matches!(self.format, CheckFormat::Json);
                return self.operations.execute(model, &self.inputs, json);
            }
            (Some(_), Some(_)) => {
                return Err(anyhow::anyhow!("--model is for --from operations (leave it out)").into());
            }
            (_, None) => {}
        }
        let together = self.input.together();
        let inputs = self.inputs.chunks(if together { self.inputs.len() } else { 1 });
        let single = inputs.len() == 1;
        let mut exit = Exit::Held;
        for input in inputs {
            match self.check(input) {
                Ok(ended) => exit = exit.worst(ended),
                // The others are judged all the same.
                Err(failure) if !single => {
                    eprintln!("error: {:#}", failure.error);
                    exit = exit.worst(failure.exit);
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(exit)
    }

    fn check(&self, inputs: &[String]) -> Outcome {
        if let [input] = inputs
            && let Some((dir, calls)) = self.input.calls(input, &self.results)?
        {
            self.input.refuse_settings()?;
            let json = matches!(self.format, CheckFormat::Json);
            return self.operations.one(&ModelArgs::of(&calls)?, &dir.calls(), input, json);
        }
        let started = clock::now();
        let loaded = self.input.load(inputs, &self.results)?;
        let read = clock::now();
        let judgement = loaded.judge();
        let ms = |nanos: u64| nanos / 1_000_000;
        let took = Took { load_ms: ms(read.since(started)), judge_ms: ms(clock::now().since(read)) };
        output::print(&self.render(&loaded, &judgement, &took)?)?;
        Ok(Ending::of(judgement.word).into())
    }

    fn render(&self, loaded: &Loaded, judgement: &Judgement, took: &Took) -> anyhow::Result<String> {
        let (width, color) = output::terminal();
        Ok(match self.format {
            CheckFormat::Human => {
                let mut text = results::render_human(&loaded.history.plan, judgement, width, color);
                if loaded.is_one {
                    let options = self.input.again() + &self.results.again();
                    text.push_str(&explain::hint(&loaded.name, &options, judgement));
                }
                text
            }
            CheckFormat::Json => serde_json::to_string(&Checked {
                schema_version: 1,
                file: &loaded.name,
                verdict: match Ending::of(judgement.word) {
                    Ending::Held => "held",
                    Ending::Broken => "broken",
                    // Nothing was put to the test, so nobody can say; the exit code tells these apart.
                    Ending::Vacuous | Ending::Indeterminate => "indeterminate",
                },
                headline: &judgement.headline,
                operations: loaded.history.operation_count(),
                findings: &judgement.findings,
                assumed: &judgement.assumed,
                caveats: &judgement.caveats,
                elapsed_ms: took.load_ms + took.judge_ms,
                load_ms: took.load_ms,
                judge_ms: took.judge_ms,
                peak_rss_bytes: peak_rss_bytes(),
            })?,
        })
    }
}

impl Loaded {
    /// The judgement, which says also what was assumed and what was odd before there was anything to judge.
    pub(super) fn judge(&self) -> Judgement {
        let mut judgement = judge(&self.history);
        judgement.assumed.extend(self.implied.iter().cloned());
        judgement.caveats.extend(self.remarks.iter().cloned());
        judgement
    }
}

fn peak_rss_bytes() -> u64 {
    use nix::sys::resource::{UsageWho, getrusage};
    let peak = getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| usage.max_rss());
    // Linux counts in KiB, macOS in bytes.
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    u64::try_from(peak).unwrap_or(0) * unit
}
