//! `highwater history export`: a history in the form that something else reads.

use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::PathBuf;

use anyhow::Context;
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
  highwater history export latest > run.jsonl
  highwater history export latest --format jepsen -o history.jsonl
  highwater history export history.edn --format jsonl -o history.jsonl";

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
    /// Where to [default: stdout]; a file that is there is replaced once the new one is whole
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
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
}

impl Export {
    pub(super) fn execute(self) -> Outcome {
        let loaded = self.from.load(std::slice::from_ref(&self.input), &self.results)?;
        for remark in &loaded.remarks {
            eprintln!("note: {remark}");
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
            Form::Jsonl => return write_lines(history, out),
            Form::Jepsen => Notation::Json,
            Form::JepsenEdn => Notation::Edn,
        };
        let unsaid = write_jepsen(history, notation, out)?;
        if unsaid.nowhere > 0 {
            eprintln!("note: {} records are left out, because nobody knows their partition", unsaid.nowhere);
        }
        Ok(())
    }
}
