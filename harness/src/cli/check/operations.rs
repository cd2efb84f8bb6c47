//! `highwater check --from operations`: histories of calls on registers, strings, locks, queues and logs.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use checkers::linearizability::{Answer, Report, Settings, check};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use history::Outcome as Known;
use history::clock;
use history::exchange::operations::{self, Model, Operations, TextId};
use results::Calls;
use serde::Serialize;

use super::peak_rss_bytes;
use crate::cli::{Failure, Outcome, output, quantity};
use crate::exit::Exit;

/// What `--from operations` needs to know.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Operations")]
pub(in crate::cli) struct ModelArgs {
    /// What the objects are, with `--from operations`
    #[arg(long, value_name = "MODEL", value_parser = model())]
    pub(in crate::cli) model: Option<Model>,
    /// First value of every register, as JSON [default: null]
    #[arg(long, value_name = "VALUE", requires = "model", allow_hyphen_values = true)]
    pub(in crate::cli) init: Option<String>,
}

/// How calls are judged.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Operations")]
pub(in crate::cli) struct OperationsArgs {
    #[command(flatten)]
    pub(super) of: ModelArgs,
    /// How long to search for an order before saying that nobody can tell
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = quantity::duration)]
    timeout: Duration,
    /// How much memory the search may take before that
    #[arg(long, value_name = "SIZE", default_value = "2GiB", value_parser = quantity::size)]
    memory: u64,
    /// Draw what is not linearizable into a page
    #[arg(long, value_name = "FILE", requires = "model")]
    html: Option<PathBuf>,
}

fn model() -> impl TypedValueParser<Value = Model> {
    PossibleValuesParser::new(Model::ALL.map(Model::name)).map(|name| {
        let named = |model: &Model| model.name() == name;
        Model::ALL.into_iter().find(named).expect("the parser takes names of models only")
    })
}

/// What `--format json` prints of one file. Its names are a contract.
#[derive(Serialize)]
struct Checked<'a> {
    schema_version: u32,
    file: &'a str,
    model: &'static str,
    verdict: &'static str,
    operations: u64,
    objects: u64,
    findings: Vec<Found>,
    /// Why nothing can be said of an object, or of all.
    caveats: Vec<String>,
    elapsed_ms: u64,
    peak_rss_bytes: u64,
}

/// A finding: one kind of violation on one object.
#[derive(Serialize)]
pub(super) struct Found {
    pub(super) checker: &'static str,
    pub(super) kind: &'static str,
    key: String,
    pub(super) count: u64,
    pub(super) summary: String,
    pub(super) examples: Vec<Example>,
    counterexample: Option<Counterexample>,
}

#[derive(Serialize)]
pub(super) struct Example {
    pub(super) text: String,
    operations: Vec<Told>,
}

/// The end of the longest legal beginning, and what has no place behind it.
#[derive(Serialize)]
struct Counterexample {
    prefix_length: u64,
    prefix_end: Vec<Told>,
    stuck: Told,
}

/// One operation.
#[derive(Serialize)]
struct Told {
    line: u32,
    process: String,
    text: String,
    call_ns: i64,
    return_ns: Option<i64>,
}

/// Objects whose findings are listed, and operations of a beginning.
const OBJECTS_LISTED: usize = 100;
const PREFIX_LISTED: usize = 20;

/// One file, judged.
pub(in crate::cli) struct Done {
    /// What messages and results call it.
    name: String,
    operations: Operations,
    initial: TextId,
    report: Report,
    pub(super) caveats: Vec<String>,
    pub(in crate::cli) exit: Exit,
    elapsed_ms: u64,
}

/// How long a search may take, and how much memory, where nobody says.
const TIMEOUT: Duration = Duration::from_secs(60);
const MEMORY: u64 = 2 << 30;

impl OperationsArgs {
    /// Judges every file; one that cannot be read does not keep the others from being judged.
    pub(super) fn execute(&self, model: Model, files: &[String], json: bool) -> Outcome {
        if self.html.is_some() && files.len() > 1 {
            return Err(anyhow::anyhow!(
                "--html draws one file, not {} (check them one by one)",
                files.len()
            )
            .into());
        }
        let mut exit = Exit::Held;
        for file in files {
            match self.one(&self.of.with(model), Path::new(file), file, json) {
                Ok(ended) => exit = exit.worst(ended),
                Err(failure) if files.len() > 1 => {
                    eprintln!("error: {:#}", failure.error);
                    exit = exit.worst(failure.exit);
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(exit)
    }

    /// Judges one file, or the calls of a stored run, which is called by its name.
    pub(super) fn one(&self, of: &ModelArgs, file: &Path, name: &str, json: bool) -> Outcome {
        let done = of.judge(file, name, self.timeout, self.memory)?;
        if let Some(page) = &self.html {
            let html = results::render_timeline(&done.operations, done.initial, &done.report, name);
            output::write(page, &html)?;
        }
        output::print(&if json { done.json()? } else { done.human() })?;
        Ok(done.exit)
    }
}

impl ModelArgs {
    /// What a stored run says of itself.
    pub(in crate::cli) fn of(calls: &Calls) -> anyhow::Result<Self> {
        let model = Model::ALL.into_iter().find(|model| model.name() == calls.model);
        let model =
            model.with_context(|| format!("model `{}` is not known (upgrade highwater)", calls.model))?;
        Ok(Self { model: Some(model), init: calls.init.clone() })
    }

    fn with(&self, model: Model) -> Self {
        Self { model: Some(model), init: self.init.clone() }
    }

    /// Judges a file of calls on the model, with the usual limits of a search.
    pub(in crate::cli) fn judge_usually(&self, file: &Path, name: &str) -> Result<Done, Failure> {
        self.judge(file, name, TIMEOUT, MEMORY)
    }

    fn judge(&self, file: &Path, name: &str, timeout: Duration, memory: u64) -> Result<Done, Failure> {
        let started = clock::now();
        let model = self.model.context("the operations need --model (which says what the objects are)")?;
        let source = File::open(file).map_err(|error| {
            anyhow::anyhow!("failed to open `{}`: {error} (name a file of operations)", file.display())
        })?;
        let initial = self.initial(model)?;
        let mut operations = operations::read(source, name, model)?;
        let initial = operations.values.add(&initial);
        let settings = Settings { initial, timeout, memory: usize::try_from(memory).unwrap_or(usize::MAX) };
        let report = check(&operations, &settings);
        let mut caveats: Vec<String> = (report.judged.iter())
            .filter_map(|judged| match &judged.answer {
                Answer::Unknown(why) => {
                    Some(format!("key {}: {why}", operations::plain(operations.keys.get(judged.key))))
                }
                _ => None,
            })
            .collect();
        let completed = operations.all.iter().any(|operation| operation.outcome == Known::Ok);
        if !completed {
            caveats.push("no operation completed, so nothing was put to the test".to_owned());
        }
        let exit = match (report.is_broken(), caveats.is_empty()) {
            (true, _) => Exit::Broken,
            (false, false) => Exit::Indeterminate,
            (false, true) => Exit::Held,
        };
        let elapsed_ms = clock::now().since(started) / 1_000_000;
        Ok(Done { name: name.to_owned(), operations, initial, report, caveats, exit, elapsed_ms })
    }

    /// The text of the first value.
    fn initial(&self, model: Model) -> Result<String, Failure> {
        let registers = matches!(model, Model::Register | Model::CasRegister);
        Ok(match self.init.as_deref() {
            Some(_) if !registers => {
                let name = model.name();
                return Err(anyhow::anyhow!(
                    "--init is for registers, and model `{name}` has its own beginning (leave it out)"
                )
                .into());
            }
            Some(text) => value(text)?,
            None if model == Model::Kv => String::new(),
            None => operations::NULL_TEXT.to_owned(),
        })
    }
}

/// A value from the command line: JSON, or a bare word for a string.
fn value(text: &str) -> anyhow::Result<String> {
    let json = match serde_json::from_str::<&serde_json::value::RawValue>(text) {
        Ok(json) => operations::canonical(json.get())?.into_owned(),
        Err(_) if text.chars().all(|c| c.is_alphanumeric() || "_-.:/".contains(c)) => {
            serde_json::to_string(text)?
        }
        Err(error) => anyhow::bail!("--init `{text}` is no JSON: {error} (quote strings: '\"a b\"')"),
    };
    Ok(json)
}

impl Done {
    fn verdict(&self) -> &'static str {
        match self.exit {
            Exit::Held => "held",
            Exit::Broken => "broken",
            _ => "indeterminate",
        }
    }

    /// For people: the verdict, and the counterexample if there is one.
    pub(in crate::cli) fn human(&self) -> String {
        let file = &self.name;
        let word = match self.exit {
            Exit::Held => "linearizable",
            Exit::Broken => "not linearizable",
            _ => "indeterminate",
        };
        let mut text = format!("{file}: {word}\n{}, {} ms\n", self.summary(), self.elapsed_ms);
        if self.report.judged.is_empty() {
            text.extend(self.caveats.iter().map(|caveat| format!("{caveat}\n")));
        }
        text + &results::render_operations(&self.operations, self.initial, &self.report)
    }

    /// What there is of it.
    pub(super) fn summary(&self) -> String {
        let (count, objects) = (self.operations.all.len(), self.report.objects);
        format!("{count} operations on {objects} objects of model {}", self.operations.model.name())
    }

    /// The same as one object.
    pub(in crate::cli) fn json(&self) -> anyhow::Result<String> {
        let checked = Checked {
            schema_version: 1,
            file: &self.name,
            model: self.operations.model.name(),
            verdict: self.verdict(),
            operations: self.operations.all.len() as u64,
            objects: self.report.objects as u64,
            findings: self.findings(),
            caveats: self.caveats.iter().take(OBJECTS_LISTED).cloned().collect(),
            elapsed_ms: self.elapsed_ms,
            peak_rss_bytes: peak_rss_bytes(),
        };
        Ok(serde_json::to_string(&checked)?)
    }

    pub(super) fn findings(&self) -> Vec<Found> {
        let mut findings = Vec::new();
        for judged in self.report.judged.iter().take(OBJECTS_LISTED) {
            let Answer::Not(flaws) = &judged.answer else { continue };
            let key = operations::plain(self.operations.keys.get(judged.key));
            let tell = |ops: &[u32]| ops.iter().map(|op| self.told(*op)).collect::<Vec<_>>();
            for flaw in flaws {
                let examples: Vec<Example> = (flaw.examples.iter())
                    .map(|(text, ops)| Example { text: text.clone(), operations: tell(ops) })
                    .collect();
                let first = judged.prefix.len().saturating_sub(PREFIX_LISTED);
                findings.push(Found {
                    checker: "linearizability",
                    kind: flaw.kind,
                    key: key.clone().into_owned(),
                    count: flaw.count,
                    summary: flaw
                        .examples
                        .first()
                        .map(|(text, _)| format!("key {key}: {text}"))
                        .unwrap_or_default(),
                    examples,
                    counterexample: judged.stuck.map(|stuck| Counterexample {
                        prefix_length: judged.prefix.len() as u64,
                        prefix_end: tell(&judged.prefix[first..]),
                        stuck: self.told(stuck),
                    }),
                });
            }
        }
        findings
    }

    fn told(&self, op: u32) -> Told {
        let operation = &self.operations.all[op as usize];
        Told {
            line: operation.line,
            process: operations::plain(self.operations.processes.get(operation.process)).into_owned(),
            text: self.operations.describe(operation),
            call_ns: operation.call,
            return_ns: Some(operation.returned).filter(|returned| *returned != i64::MAX),
        }
    }
}
