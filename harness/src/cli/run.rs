//! `highwater run`: one run, from plan to verdict.

use std::path::{Path, PathBuf};

use anyhow::Context;
use checkers::Judgement;
use clap::{Args, ValueEnum};
use history::Plan;

use super::flags::PlanArgs;
use super::output::{self, ResultsArgs, VerbosityArgs};
use super::{Failure, Outcome, explain};
use crate::planning::{self, Drawn};
use crate::runner::{self, Arm, RunOptions, RunOutcome};

const EXAMPLES: &str = "\
Examples:
  highwater run                                  acks=all under kill and isolate-leader: 10 s
  highwater run --set acks=1 --set min.insync.replicas=1 --nemesis isolate-leader --seed 7
  highwater run --nemesis none --rate max --payload-bytes 1024
  highwater run --flaw ack-before-append         plant a bug, see it found
  highwater run --target kafka --bootstrap broker1:9092 --config client.properties
  highwater run --format json -o verdict.md      the verdict for a script, and for people";

/// Send records, break the cluster, read everything back and judge
#[derive(Args, Debug)]
#[command(before_help = EXAMPLES)]
pub(super) struct RunCommand {
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    results: ResultsArgs,
    #[command(flatten)]
    report: ReportArgs,
    #[command(flatten)]
    verbosity: VerbosityArgs,
}

/// How a verdict is written.
#[derive(Args, Debug)]
#[command(next_help_heading = "Output")]
struct ReportArgs {
    /// How to print the verdict
    #[arg(long, value_enum, default_value_t = ReportFormat::Human)]
    format: ReportFormat,
    /// Also write the verdict to this file: .json, .md, else text
    #[arg(short, long = "output", value_name = "FILE")]
    output: Vec<PathBuf>,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum ReportFormat {
    /// For a terminal
    Human,
    /// As in verdict.json
    Json,
    /// For a ticket or a page
    Markdown,
}

impl RunCommand {
    pub(super) fn execute(self) -> Outcome {
        let Drawn { plan, secrets, hosts } = planning::plan(&self.plan).map_err(Failure::from)?;
        for path in &self.report.output {
            output::probe(path)?;
        }
        let options = RunOptions {
            results: self.results.root(),
            secrets,
            hosts,
            allow_quorum_loss: self.plan.guard.allow_quorum_loss,
            keep_topics: self.plan.target.keep_topics,
            allow_existing_topic: self.plan.target.allow_existing_topic,
            max_disk_bytes: self.plan.max_disk,
            max_duration: self.plan.max_duration,
            verbosity: self.verbosity.level(),
            arm: Arm::Recorded,
        };
        let RunOutcome { judgement, exit, error, .. } = runner::run(plan.clone(), &options);
        if let Some(judgement) = &judgement {
            self.report.write(&plan, judgement)?;
            if self.report.format == ReportFormat::Human {
                output::print(&explain::hint(&plan.run, &self.results.again(), judgement))?;
            }
        }
        match error {
            Some(error) => Err(Failure::new(exit, anyhow::Error::msg(error))),
            None => Ok(exit),
        }
    }
}

impl ReportArgs {
    fn write(&self, plan: &Plan, judgement: &Judgement) -> anyhow::Result<()> {
        let (width, color) = output::terminal();
        output::print(&render(self.format, plan, judgement, width, color)?)?;
        for path in &self.output {
            let text = render(ReportFormat::for_file(path), plan, judgement, output::WIDTH, false)?;
            output::write(path, &text)?;
        }
        Ok(())
    }
}

impl ReportFormat {
    fn for_file(path: &Path) -> Self {
        match output::ending(path) {
            "json" => Self::Json,
            "md" => Self::Markdown,
            _ => Self::Human,
        }
    }
}

fn render(
    format: ReportFormat,
    plan: &Plan,
    judgement: &Judgement,
    width: usize,
    color: bool,
) -> anyhow::Result<String> {
    Ok(match format {
        ReportFormat::Human => results::render_human(plan, judgement, width, color),
        ReportFormat::Markdown => results::render_markdown(plan, judgement),
        ReportFormat::Json => {
            serde_json::to_string_pretty(judgement).context("failed to write the verdict as JSON")?
        }
    })
}
