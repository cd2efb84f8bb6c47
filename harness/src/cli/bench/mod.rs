//! `highwater bench`: what the product costs, measured. One file a benchmark.

mod calls;
mod check;
mod clean;
mod jepsen;
mod linearizability;
mod porcupine;
mod run;

use std::path::{Path, PathBuf};
use std::process;

use clap::{Args, Subcommand};

use super::Outcome;

const EXAMPLES: &str = "\
Examples:
  highwater bench run
  highwater bench check
  highwater bench check --records 100000,1000000,10000000
  highwater bench check --format jepsen";

/// Measure what highwater costs
#[derive(Args, Debug)]
#[command(before_help = EXAMPLES)]
pub(super) struct BenchCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Run(run::RunBench),
    Check(check::CheckBench),
    Linearizability(linearizability::LinearizabilityBench),
}

impl BenchCommand {
    pub(super) fn execute(self) -> Outcome {
        match self.what {
            What::Run(bench) => bench.execute(),
            What::Check(bench) => bench.execute(),
            What::Linearizability(bench) => bench.execute(),
        }
    }
}

/// A directory for what a benchmark makes, which nobody wants to keep.
struct Scratch(PathBuf);

impl Scratch {
    /// A directory of this process in `parent`, made when first used.
    fn within(parent: &Path, what: &str) -> Self {
        Self(parent.join(format!("highwater-bench-{what}-{}", process::id())))
    }

    /// Leaves it where it is.
    fn keep(mut self) -> PathBuf {
        std::mem::take(&mut self.0)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.0.as_os_str().is_empty() {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}
