//! `highwater history`: what a history holds, as it is; into other forms, and from them.

mod export;
mod import;
mod show;
#[cfg(feature = "parquet")]
mod tables;

use clap::{Args, Subcommand};

use super::Outcome;

const EXAMPLES: &str = "\
Examples:
  highwater history show latest
  highwater history export latest -o run.jsonl
  highwater history export latest --format parquet -o run.parquet
  highwater history import jepsen/history.edn --set acks=all";

/// Show, export and import histories
#[derive(Args, Debug)]
#[command(before_help = EXAMPLES)]
pub(super) struct HistoryCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Export(export::Export),
    Import(import::Import),
    Show(show::Show),
}

impl HistoryCommand {
    pub(super) fn execute(self) -> Outcome {
        match self.what {
            What::Export(export) => export.execute(),
            What::Import(import) => import.execute(),
            What::Show(show) => show.execute(),
        }
    }
}
