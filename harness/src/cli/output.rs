//! Results go to stdout, or to the files of `-o`; everything else goes to stderr.

use std::fs;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum};
use results::Format;

use crate::runner::Verbosity;

/// Columns of a report where no terminal tells.
pub(super) const WIDTH: usize = 100;

/// Where run directories are.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Output")]
pub(super) struct ResultsArgs {
    /// Where run directories are [default: $HIGHWATER_RESULTS, else ./results/runs]
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,
}

impl ResultsArgs {
    /// What a command line needs to look there too: nothing, or ` --results DIR`.
    pub(super) fn again(&self) -> String {
        self.results.as_ref().map(|dir| format!(" --results {}", dir.display())).unwrap_or_default()
    }

    /// The directory.
    pub(super) fn root(&self) -> PathBuf {
        let named = || std::env::var_os("HIGHWATER_RESULTS").filter(|dir| !dir.is_empty()).map(PathBuf::from);
        self.results.clone().or_else(named).unwrap_or_else(|| PathBuf::from("results/runs"))
    }
}

/// How much goes to stderr.
#[derive(Args, Debug, Clone, Copy)]
#[command(next_help_heading = "Output")]
pub(super) struct VerbosityArgs {
    /// Only errors on stderr
    #[arg(short, long, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Also every fault and leader change
    #[arg(short, long)]
    pub(super) verbose: bool,
}

impl VerbosityArgs {
    pub(super) const fn level(self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        }
    }
}

/// How a table is written.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TableFormat {
    /// For a terminal
    Human,
    /// A Markdown table
    Markdown,
    /// Comma-separated values
    Csv,
}

impl TableFormat {
    /// The table format for stdout; `width` is what to take where that is no terminal.
    pub(super) fn for_stdout(self, width: usize) -> Format {
        match self {
            Self::Human if io::stdout().is_terminal() => {
                let (width, color) = terminal();
                Format::Human { width, color }
            }
            Self::Human => Format::Human { width, color: false },
            Self::Markdown => Format::Markdown,
            Self::Csv => Format::Csv,
        }
    }

    /// By a file's ending: `.md`, `.csv`, anything else is text of at most `width` columns.
    pub(super) fn for_file(path: &Path, width: usize) -> Format {
        match ending(path) {
            "md" => Format::Markdown,
            "csv" => Format::Csv,
            _ => Format::Human { width, color: false },
        }
    }
}

/// A file's ending, empty if it has none.
pub(super) fn ending(path: &Path) -> &str {
    path.extension().and_then(|ending| ending.to_str()).unwrap_or_default()
}

/// The terminal's width, and whether it shows colours; sober values if stdout is no terminal.
pub(super) fn terminal() -> (usize, bool) {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return (WIDTH, false);
    }
    let width = terminal_size::terminal_size_of(&stdout).map_or(WIDTH, |(width, _)| usize::from(width.0));
    (width.max(60), std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()))
}

/// Prints a result. A reader that went away, as in `highwater runs | head`, is no error.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    let newline = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.write_all(newline.as_bytes()))
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.context("failed to write to stdout"),
    }
}

/// Writes a result to a file of `-o`.
pub(super) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("failed to write `{}` (choose another -o)", path.display()))
}

/// Refuses a file of `-o` that could not be written, before a run rather than after it.
pub(super) fn probe(path: &Path) -> anyhow::Result<()> {
    let new = !path.exists();
    fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .and_then(|file| {
            drop(file);
            if new { fs::remove_file(path) } else { Ok(()) }
        })
        .with_context(|| format!("failed to write `{}` (choose another -o)", path.display()))
}
