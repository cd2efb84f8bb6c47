//! `highwater runs`: what is in the results directory.

use clap::Args;

use super::output::{self, ResultsArgs, TableFormat};
use super::{Failure, Outcome};
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  highwater runs
  highwater runs --results /data/runs --format csv";

/// List stored runs, newest first
#[derive(Args, Debug)]
#[command(before_help = EXAMPLES)]
pub(super) struct RunsCommand {
    #[command(flatten)]
    results: ResultsArgs,
    /// How to print the list
    #[arg(long, value_enum, default_value_t = TableFormat::Human, help_heading = "Output")]
    format: TableFormat,
}

impl RunsCommand {
    pub(super) fn execute(self) -> Outcome {
        let root = self.results.root();
        let runs = results::list_runs(&root).map_err(Failure::from)?;
        if runs.is_empty() && self.format == TableFormat::Human {
            eprintln!("no runs in `{}` (`highwater run` makes one)", root.display());
            return Ok(Exit::Held);
        }
        output::print(&results::render_runs(&runs, self.format.for_stdout(output::WIDTH)))?;
        Ok(Exit::Held)
    }
}
