//! `highwater history export`: a history in the form that something else reads.

use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::PathBuf;

use anyhow::Context;
#[cfg(feature = "parquet")]
use anyhow::anyhow;
use clap::{Args, ValueEnum};
use history::History;
use history::exchange::{Notation, write_jepsen, write_lines};

use crate::cli::Outcome;
use crate::cli::draft::DraftFile;
use crate::cli::input::InputArgs;
use crate::cli::interrupt::Interrupt;
use crate::cli::output::ResultsArgs;
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  highwater history export latest -o run.jsonl
  highwater history export latest --format jepsen -o history.jsonl
  highwater history export history.edn --format jsonl -o history.jsonl
  highwater history export latest --format parquet -o run.parquet";

/// Write a history in another form
#[derive(Args, Debug)]
#[command(before_help = EXAMPLES)]
pub(super) struct Export {
    /// `latest`, the name of a run, its directory, or a history's file
    #[arg(value_name = "RUN|FILE")]
    input: String,
    /// What to write
    #[arg(long, value_enum, default_value_t = Form::Jsonl, help_heading = "Output")]
    format: Form,
    /// Where to [default: stdout]; a file that is there is replaced once the new one is whole. Tables need a
    /// directory that is not there yet
    #[arg(short, long, value_name = "FILE|DIR", help_heading = "Output")]
    output: Option<PathBuf>,
    #[command(flatten)]
    from: InputArgs,
    #[command(flatten)]
    results: ResultsArgs,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// All of it as JSON Lines, which `history import` and `check` read back
    #[value(aliases = ["lines", "highwater"])]
    Jsonl,
    /// Operations of Jepsen's Kafka workload, as JSON Lines
    Jepsen,
    /// The same as EDN
    #[value(alias = "edn")]
    JepsenEdn,
    /// Tables for DuckDB, Spark and the like, by topic and partition, and queries on them
    #[cfg(feature = "parquet")]
    Parquet,
}

impl Export {
    pub(super) fn execute(self) -> Outcome {
        let loaded = self.from.load(std::slice::from_ref(&self.input), &self.results)?;
        for remark in &loaded.remarks {
            eprintln!("note: {remark}");
        }
        #[cfg(feature = "parquet")]
        if self.format == Form::Parquet {
            let dir = self.output.as_deref();
            let dir = dir.ok_or_else(|| anyhow!("tables do not go to stdout (name a directory with -o)"))?;
            return super::tables::export(&loaded.history, dir);
        }
        self.text(&loaded.history)
    }

    fn text(&self, history: &History) -> Outcome {
        let Some(path) = &self.output else {
            return match self.write(history, io::stdout().lock()) {
                // A reader that went away, as in `… | head`, is no error.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Exit::Held),
                written => {
                    written.context("failed to write to stdout")?;
                    Ok(Exit::Held)
                }
            };
        };
        let interrupt = Interrupt::watch()?;
        let mut draft = DraftFile::create(path)?;
        let written = self.write(history, interrupt.writer(draft.out()));
        if let Some(exit) = interrupt.exit() {
            return Ok(exit);
        }
        written.with_context(|| format!("failed to write `{}` (choose another -o)", path.display()))?;
        draft.finish()?;
        Ok(Exit::Held)
    }

    fn write(&self, history: &History, out: impl Write) -> io::Result<()> {
        let out = BufWriter::with_capacity(1 << 16, out);
        let notation = match self.format {
            Form::Jepsen => Notation::Json,
            Form::JepsenEdn => Notation::Edn,
            _ => return write_lines(history, out),
        };
        let unsaid = write_jepsen(history, notation, out)?;
        if unsaid.nowhere > 0 {
            eprintln!("note: {} records are left out, because nobody knows their partition", unsaid.nowhere);
        }
        Ok(())
    }
}
