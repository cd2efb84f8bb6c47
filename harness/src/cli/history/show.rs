//! `highwater history show`: who took part, what they did, and the operations themselves if asked for.

use clap::{Args, ValueEnum};
use history::{History, ImportFormat, Operation, Session, Step};
use serde::Serialize;

use crate::cli::Outcome;
use crate::cli::input::{InputArgs, Loaded};
use crate::cli::output::{self, ResultsArgs};
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  highwater history show latest
  highwater history show latest --session producer-0 --limit 20
  highwater history show history.edn --session client-3 --format json";

/// Show what a history holds
#[derive(Args, Debug)]
#[command(before_help = EXAMPLES)]
pub(super) struct Show {
    /// `latest`, the name of a run, its directory, or a history's file
    #[arg(value_name = "RUN|FILE")]
    input: String,
    /// Show the operations of a session
    #[arg(long, value_name = "NAME", help_heading = "Output")]
    session: Option<String>,
    /// Show at most this many of them
    #[arg(long, value_name = "N", default_value_t = 100, requires = "session", help_heading = "Output")]
    limit: usize,
    /// How to print it
    #[arg(long, value_enum, default_value_t = ShowFormat::Human, help_heading = "Output")]
    format: ShowFormat,
    #[command(flatten)]
    from: InputArgs,
    #[command(flatten)]
    results: ResultsArgs,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum ShowFormat {
    /// For a terminal
    Human,
    /// One object; of operations, one a line
    Json,
}

impl Show {
    pub(super) fn execute(self) -> Outcome {
        let loaded = self.from.load(std::slice::from_ref(&self.input), &self.results)?;
        let text = match (&self.session, self.format) {
            (None, ShowFormat::Human) => Summary::of(&loaded).text(),
            (None, ShowFormat::Json) => serde_json::to_string(&Summary::of(&loaded))?,
            (Some(name), format) => self.operations(&loaded.history, name, format)?,
        };
        output::print(&text)?;
        Ok(Exit::Held)
    }

    fn operations(&self, history: &History, name: &str, format: ShowFormat) -> anyhow::Result<String> {
        let session = history.sessions.iter().find(|session| session.name() == name);
        let Some(session) = session else {
            anyhow::bail!(
                "`{}` has no session `{name}` (`highwater history show {}` lists them)",
                self.input,
                self.input
            );
        };
        let mut text = String::new();
        for operation in session.operations().take(self.limit) {
            let shown = Shown::of(history, session, &operation);
            let line = match format {
                ShowFormat::Human => shown.text(),
                ShowFormat::Json => serde_json::to_string(&shown)?,
            };
            text.push_str(&line);
            text.push('\n');
        }
        Ok(text)
    }
}

/// One operation.
#[derive(Serialize)]
struct Shown {
    f: history::Function,
    invoked_ns: u64,
    completed_ns: Option<u64>,
    outcome: history::Outcome,
    /// `send k v @offset`, `poll k v @offset, …`.
    steps: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<history::Detail>,
}

impl Shown {
    fn of(history: &History, session: &Session, operation: &Operation<'_>) -> Self {
        let place = |partition| history.partition_name(partition);
        let steps = operation.steps().map(|step| match step {
            Step::Send(number) => {
                let send = session.send(number);
                let partition = send.partition.map_or_else(|| "?".to_owned(), place);
                let offset = send.offset.map(|offset| format!(" @{offset}")).unwrap_or_default();
                format!("send {partition} {}{offset}", history.name_of(send.tag))
            }
            Step::Poll(range) => {
                let records = range.clone().zip(session.deliveries_in(range)).map(|(number, record)| {
                    let foreign = session.foreign_value(number).map(ToString::to_string);
                    let name = record.tag.map(|tag| history.name_of(tag)).or(foreign);
                    let name = name.unwrap_or_else(|| "?".to_owned());
                    format!("{} {name} @{}", place(record.partition), record.offset)
                });
                format!("poll {}", records.collect::<Vec<_>>().join(", ")).trim_end().to_owned()
            }
        });
        Self {
            f: operation.function,
            invoked_ns: operation.invoked.0,
            completed_ns: operation.completed.map(|at| at.0),
            outcome: operation.outcome,
            steps: steps.collect(),
            line: operation.line,
            detail: operation.detail.cloned(),
        }
    }

    /// `12..40 ns  send ok: send 7 1 @0`.
    fn text(&self) -> String {
        let completed = self.completed_ns.map_or_else(|| "?".to_owned(), |at| at.to_string());
        let word = |value: serde_json::Result<serde_json::Value>| match value {
            Ok(serde_json::Value::String(word)) => word,
            _ => String::new(),
        };
        let function = word(serde_json::to_value(self.f));
        let outcome = word(serde_json::to_value(self.outcome));
        let mut line = format!("{}..{completed} ns  {function} {outcome}", self.invoked_ns);
        if !self.steps.is_empty() {
            line.push_str(&format!(": {}", self.steps.join("; ")));
        }
        if let Some(error) = self.detail.as_ref().and_then(|detail| detail.error.as_ref()) {
            line.push_str(&format!(" ({error})"));
        }
        line
    }
}

/// What `history show` prints of a history. Its names are a contract.
#[derive(Serialize)]
struct Summary<'a> {
    schema_version: u32,
    file: &'a str,
    operations: u64,
    /// Where it was imported from.
    imported: Option<ImportFormat>,
    partitions: usize,
    sessions: Vec<Part>,
    damage: Vec<String>,
    remarks: &'a [String],
}

/// What is shown of a session.
#[derive(Serialize)]
struct Part {
    session: String,
    sends: usize,
    deliveries: usize,
    operations: usize,
    notes: usize,
    /// It ended in an orderly way.
    closed: bool,
}

impl<'a> Summary<'a> {
    fn of(loaded: &'a Loaded) -> Self {
        let history = &loaded.history;
        let part = |session: &Session| Part {
            session: session.name(),
            sends: session.send_count(),
            deliveries: session.delivery_count(),
            operations: session.recorded_operations(),
            notes: session.notes.len(),
            closed: session.closed,
        };
        let damage = history
            .damage
            .iter()
            .map(|damage| format!("`{}` at byte {}: {}", damage.file, damage.at, damage.what));
        Self {
            schema_version: 1,
            file: &loaded.name,
            operations: history.operation_count(),
            imported: history.imported.as_ref().map(|imported| imported.format),
            partitions: history
                .imported
                .as_ref()
                .map_or(history.plan.load.partitions as usize, |imported| imported.partitions.len()),
            sessions: history.sessions.iter().map(part).collect(),
            damage: damage.collect(),
            remarks: &loaded.remarks,
        }
    }

    fn text(&self) -> String {
        let imported = self.imported.map(|format| format!(", imported from {format}")).unwrap_or_default();
        let mut text = format!(
            "{}: {} operations on {} partitions{imported}\n",
            self.file, self.operations, self.partitions
        );
        let width = self.sessions.iter().map(|part| part.session.len()).max().unwrap_or(0);
        for part in &self.sessions {
            let operations = match part.operations {
                0 => String::new(),
                recorded => format!("{recorded} operations, "),
            };
            let closed = if part.closed { "" } else { ", did not end in an orderly way" };
            text.push_str(&format!(
                "  {:width$}  {operations}{} sends, {} deliveries, {} notes{closed}\n",
                part.session, part.sends, part.deliveries, part.notes,
            ));
        }
        for damage in &self.damage {
            text.push_str(&format!("  damage in {damage}\n"));
        }
        for remark in self.remarks {
            text.push_str(&format!("  note: {remark}\n"));
        }
        text
    }
}
