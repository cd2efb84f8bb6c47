//! `highwater bench check`: how fast and in how much memory a clean history is judged. The history is made
//! here, and judged by a process of its own, so that only the judging counts.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, anyhow, bail};
use clap::{Args, ValueEnum};
use history::Plan;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use results::RunDir;
use serde::Deserialize;

use super::super::flags::{LoadArgs, NO_NEMESIS, PlanArgs};
use super::super::interrupt::Interrupt;
use super::super::output::{self, VerbosityArgs};
use super::super::quantity::Rate;
use super::super::{Failure, Outcome};
use super::{Scratch, clean, jepsen};
use crate::exit::Exit;
use crate::planning;
use crate::runner::Verbosity;

const EXAMPLES: &str = "\
Examples:
  highwater bench check
  highwater bench check --records 100000,1000000,10000000
  highwater bench check --records 100000000 --dir /mnt/scratch
  highwater bench check --format jepsen --records 1000000";

/// How fast a clean history is judged, and in how much memory
#[derive(Args, Debug)]
#[command(before_help = EXAMPLES)]
pub(super) struct CheckBench {
    /// Records of each history, with --format jepsen its operations [default: 10000000; with jepsen 1000000]
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = clap::value_parser!(u64).range(100..=4_000_000_000))]
    records: Vec<u64>,
    /// What the history is written as
    #[arg(long, value_enum, default_value_t = Written::Highwater)]
    format: Written,
    /// Partitions of the topic [default: 4; with jepsen 10]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    partitions: Option<u32>,
    /// Producers; with --format jepsen processes that send and poll [default: 2; with jepsen 10]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    producers: Option<u32>,
    /// Draw the history from this number
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Where to write it, for as long as it takes [default: the directory for temporary files]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Leave the histories where they are, and say where
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    verbosity: VerbosityArgs,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    /// As highwater records it
    Highwater,
    /// As Jepsen's Kafka workload writes its operations, in JSON Lines
    Jepsen,
}

impl Written {
    /// Records, partitions and producers where nobody says.
    const fn usual(self) -> (u64, u32, u32) {
        match self {
            Self::Highwater => (10_000_000, 4, 2),
            Self::Jepsen => (1_000_000, 10, 10),
        }
    }
}

/// A history that was made to be judged.
struct Made {
    /// What `highwater check` is given.
    arguments: Vec<String>,
    bytes: u64,
}

/// What `highwater check --format json` says.
#[derive(Deserialize)]
struct Checked {
    verdict: String,
    operations: u64,
    findings: Vec<serde_json::Value>,
    elapsed_ms: u64,
    load_ms: u64,
    judge_ms: u64,
    peak_rss_bytes: u64,
}

impl CheckBench {
    pub(super) fn execute(self) -> Outcome {
        let interrupt = Interrupt::watch()?;
        let parent = self.dir.clone().unwrap_or_else(env::temp_dir);
        let usual = [self.format.usual().0];
        let sizes = if self.records.is_empty() { &usual[..] } else { &self.records };
        for records in sizes {
            let scratch = Scratch::within(&parent, &format!("check-{records}"));
            let measured = self.measure(*records, &scratch.0, &|| interrupt.go_on());
            if let Some(exit) = interrupt.exit() {
                return Ok(exit);
            }
            let (made, checked, processor) = measured?;
            output::print(&self.report(*records, &made, &checked, processor))?;
            if self.keep {
                eprintln!("kept in {}", scratch.keep().display());
            }
            if checked.verdict != "held" || !checked.findings.is_empty() {
                let found = serde_json::to_string(&checked.findings).unwrap_or_default();
                let error = anyhow!("a clean history was judged `{}`: {found}", checked.verdict);
                return Err(Failure::new(Exit::Bug, error));
            }
        }
        Ok(Exit::Held)
    }

    fn measure(
        &self,
        records: u64,
        scratch: &Path,
        go_on: &dyn Fn() -> bool,
    ) -> anyhow::Result<(Made, Checked, f64)> {
        if self.verbosity.level() >= Verbosity::Normal {
            let of = if self.format == Written::Jepsen { "operations" } else { "records" };
            eprintln!("writing a history of {records} {of}");
        }
        let made = match self.format {
            Written::Highwater => self.highwater(records, scratch, go_on)?,
            Written::Jepsen => self.jepsen(records, scratch, go_on)?,
        };
        let before = processor_time();
        let checked = judge(&made)?;
        Ok((made, checked, processor_time() - before))
    }

    fn highwater(&self, records: u64, scratch: &Path, go_on: &dyn Fn() -> bool) -> anyhow::Result<Made> {
        let plan = self.plan(records)?;
        let dir = RunDir::create(scratch, &plan.run)?;
        dir.write_plan(&plan)?;
        let bytes = clean::write(&plan, &dir.history(), go_on)?;
        // What is judged should not compete with what is still on its way to the disk.
        for file in fs::read_dir(dir.history())?.flatten() {
            fs::File::open(file.path()).and_then(|file| file.sync_all())?;
        }
        Ok(Made { arguments: vec![dir.path().display().to_string()], bytes })
    }

    fn jepsen(&self, operations: u64, scratch: &Path, go_on: &dyn Fn() -> bool) -> anyhow::Result<Made> {
        fs::create_dir_all(scratch).with_context(|| format!("failed to make `{}`", scratch.display()))?;
        let file = scratch.join("history.jsonl");
        let (_, keys, processes) = self.format.usual();
        let shape = jepsen::Shape {
            operations,
            processes: self.producers.unwrap_or(processes),
            keys: self.partitions.unwrap_or(keys),
            seed: self.seed,
        };
        let bytes = jepsen::write(&file, shape, go_on)?;
        let arguments = vec![file.display().to_string(), "--from".to_owned(), "jepsen".to_owned()];
        Ok(Made { arguments, bytes })
    }

    /// The default run, without faults, with as many records.
    fn plan(&self, records: u64) -> anyhow::Result<Plan> {
        let usual = planning::defaults();
        let (_, partitions, producers) = self.format.usual();
        let args = PlanArgs {
            load: LoadArgs {
                rate: Rate::Max,
                records: Some(records),
                partitions: self.partitions.unwrap_or(partitions),
                producers: self.producers.unwrap_or(producers),
                consumers: Some(1),
                ..usual.load
            },
            nemesis: Some(vec![NO_NEMESIS.to_owned()]),
            seed: Some(self.seed),
            ..usual
        };
        Ok(planning::plan(&args)?.plan)
    }

    fn report(&self, records: u64, made: &Made, checked: &Checked, processor: f64) -> String {
        let seconds = |ms: u64| ms.max(1) as f64 / 1e3;
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let (load, elapsed) = (seconds(checked.load_ms), seconds(checked.elapsed_ms));
        let (of, counted) = match self.format {
            Written::Highwater => ("sent, reported on, read once and drained", "sends and deliveries"),
            Written::Jepsen => ("operations asked for", "with assignments and final polls"),
        };
        format!(
            "records       {records:>12}   {of}\n\
             operations    {:>12}   {counted}\n\
             history       {:>12.1} MiB\n\
             load + judge  {elapsed:>12.2} s\n\
             load          {load:>12.3} s      {:.0} MB/s\n\
             judge         {:>12.3} s\n\
             processor     {processor:>12.2} s      of all processors together\n\
             speed         {:>12.0} records/s\n\
             peak RSS      {:>12.1} MiB\n",
            checked.operations,
            mib(made.bytes),
            made.bytes as f64 / 1e6 / load,
            seconds(checked.judge_ms),
            records as f64 / elapsed,
            mib(checked.peak_rss_bytes),
        )
    }
}

/// Has a process of its own judge it.
fn judge(made: &Made) -> anyhow::Result<Checked> {
    let binary = env::current_exe().context("failed to find this program")?;
    let output = Command::new(binary)
        .arg("check")
        .args(&made.arguments)
        .args(["--format", "json"])
        .output()
        .context("failed to start `highwater check`")?;
    let Ok(checked) = serde_json::from_slice(&output.stdout) else {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`highwater check` came to nothing ({}): {}", output.status, said.trim());
    };
    Ok(checked)
}

/// Seconds of processor time that ended children have used: what a busy machine does not change.
fn processor_time() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN);
    let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    usage.map_or(0.0, |usage| seconds(usage.user_time()) + seconds(usage.system_time()))
}
