//! `highwater list`: the catalogs, each from its one list.

use broker::flaws::{UNPLANTED, Unplanted};
use clap::{Args, ValueEnum};

use super::flags::NO_NEMESIS;
use super::{Outcome, output};
use crate::exit::{BY_PRECEDENCE, Exit};

const EXAMPLES: &str = "\
Examples:
  highwater list nemeses
  highwater list checkers --long
  highwater list exit-codes";

/// List what is built in: workloads, nemeses, checkers, flaws, exit codes
#[derive(Args, Debug)]
#[command(before_help = EXAMPLES)]
pub(super) struct ListCommand {
    /// Which list
    #[arg(value_enum)]
    what: What,
    /// Explain each entry
    #[arg(short, long)]
    long: bool,
}

#[derive(ValueEnum, Debug, Clone, Copy)]
enum What {
    /// What can be done
    Workloads,
    /// What can break
    Nemeses,
    /// What is looked for
    Checkers,
    /// Bugs that can be planted in the reference broker
    Flaws,
    /// What a script learns
    ExitCodes,
}

/// One entry: its name, a line, and the explanation of `--long`.
struct Entry {
    name: String,
    summary: &'static str,
    docs: String,
}

impl ListCommand {
    pub(super) fn execute(self) -> Outcome {
        let entries = entries(self.what);
        let width = entries.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
        let mut text = String::new();
        for Entry { name, summary, docs } in entries {
            text.push_str(&format!("{name:width$}  {summary}\n"));
            if self.long && !docs.is_empty() {
                for line in wrapped(&docs, 96) {
                    text.push_str(&format!("    {line}\n"));
                }
            }
        }
        if let (What::Flaws, true) = (self.what, self.long) {
            text.push_str("\nKinds of findings that no flaw of a broker shows:\n\n");
            for Unplanted { kind, reason } in UNPLANTED {
                text.push_str(&format!("{kind:width$}  {reason}\n"));
            }
        }
        output::print(&text)?;
        Ok(Exit::Held)
    }
}

fn entries(what: What) -> Vec<Entry> {
    let entry = |name: &str, summary, docs| Entry { name: name.to_owned(), summary, docs };
    match what {
        What::Workloads => workloads::CATALOG
            .iter()
            .map(|spec| {
                entry(
                    spec.name,
                    spec.summary,
                    format!("{} Judged by: {}.", spec.docs, spec.checks.join(", ")),
                )
            })
            .collect(),
        What::Nemeses => std::iter::once(entry(NO_NEMESIS, "break nothing", String::new()))
            .chain(nemesis::CATALOG.iter().map(|spec| entry(spec.name, spec.summary, spec.docs.to_owned())))
            .collect(),
        What::Checkers => checkers::CATALOG
            .iter()
            .map(|spec| {
                let kinds: Vec<&str> = spec.kinds.iter().map(|kind| kind.name).collect();
                entry(spec.name, spec.summary, format!("{} Finds: {}.", spec.docs, kinds.join(", ")))
            })
            .collect(),
        What::Flaws => broker::flaws::FLAWS
            .iter()
            .map(|spec| {
                let with = match spec.workload {
                    Some(workload) => format!("`highwater run --workload {workload}` shows it."),
                    None => "Clients of your own show it (`highwater cluster up --flaw`).".to_owned(),
                };
                let docs = format!("Shows as: {}. Needs: {}. {with}", spec.shows.join(", "), spec.needs);
                entry(spec.name, spec.summary, docs)
            })
            .collect(),
        What::ExitCodes => BY_PRECEDENCE
            .iter()
            .map(|exit| entry(&exit.code().to_string(), exit.meaning(), String::new()))
            .collect(),
    }
}

/// Breaks a paragraph into lines of at most `columns`.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
