//! Histories that a command is given: stored runs by name or directory, and files of other systems.

use std::path::Path;

use anyhow::anyhow;
use clap::{Args, ValueEnum};
use history::exchange::{self, Format, ImportError, Notation, Source};
use history::{History, LoadError, Plan};
use results::{Calls, ResultsError, RunDir};

use super::Failure;
use super::output::ResultsArgs;
use crate::exit::Exit;
use crate::planning;

/// What an input is, and what is known of it.
#[derive(Args, Debug, Clone, Default)]
pub(super) struct InputArgs {
    /// What the inputs are [default: told by their content]
    #[arg(long, value_enum, help_heading = "Input")]
    pub(super) from: Option<From>,
    /// A setting that a foreign history ran under, by Kafka's name; what nobody tells is assumed, and said so
    #[arg(long, value_name = "KEY=VALUE", value_parser = super::quantity::pair, help_heading = "Input")]
    pub(super) set: Vec<(String, String)>,
}

/// What an input is.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// A run of ours: `latest`, a name or a directory; or its JSON Lines
    Highwater,
    /// Operations of Jepsen's Kafka workload, JSON Lines or EDN
    Jepsen,
    /// Calls on registers, logs and the like, with --model
    Operations,
    /// Output of kafka-verifiable-producer and -consumer, all files one history
    Verifiable,
}

/// A history that is ready to be judged.
pub(super) struct Loaded {
    /// What messages and results call it.
    pub(super) name: String,
    pub(super) history: History,
    /// What is legal in a foreign file and makes one wonder.
    pub(super) remarks: Vec<String>,
    /// Settings that follow from those given, as `name=value`.
    pub(super) implied: Vec<String>,
    /// It is one input, so that its name is one.
    pub(super) is_one: bool,
    /// The directory of a stored run.
    pub(super) run: Option<RunDir>,
}

/// What a name on the command line stands for.
enum Input {
    Run(RunDir),
    File(Source, Format),
}

impl InputArgs {
    /// Loads one input; to be judged together, `inputs` are several only with `--from verifiable`.
    pub(super) fn load(&self, inputs: &[String], results: &ResultsArgs) -> Result<Loaded, Failure> {
        let [input] = inputs else { return self.several(inputs) };
        match self.find(input, results)? {
            Input::Run(dir) => self.load_run(input, dir),
            Input::File(source, format) => self.import(input, source, format),
        }
    }

    /// The same words on another command line.
    pub(super) fn again(&self) -> String {
        let mut words = String::new();
        if let Some(from) = self.from.and_then(|from| from.to_possible_value()) {
            words.push_str(&format!(" --from {}", from.get_name()));
        }
        for (name, value) in &self.set {
            words.push_str(&format!(" --set {name}={value}"));
        }
        words
    }

    /// Whether all inputs together are one history.
    pub(super) fn together(&self) -> bool {
        self.from == Some(From::Verifiable)
    }

    /// Operations on a model know no Kafka settings.
    pub(super) fn refuse_settings(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.set.is_empty(),
            "`--set` has no meaning for operations on a model (leave it out)"
        );
        Ok(())
    }

    /// The calls on objects that a stored run holds, if it holds such.
    pub(super) fn calls(
        &self,
        input: &str,
        results: &ResultsArgs,
    ) -> Result<Option<(RunDir, Calls)>, Failure> {
        if !matches!(self.from, None | Some(From::Highwater)) {
            return Ok(None);
        }
        let Ok(dir) = RunDir::open(&results.root(), input) else { return Ok(None) };
        Ok(dir.read_calls().map_err(unreadable)?.map(|calls| (dir, calls)))
    }

    fn find(&self, input: &str, results: &ResultsArgs) -> Result<Input, Failure> {
        let path = Path::new(input);
        match self.from {
            Some(From::Operations) => Err(needs_model(input)),
            Some(From::Highwater) if path.is_file() => {
                Ok(Input::File(Source::open(path).map_err(unread_file)?, Format::Lines))
            }
            Some(From::Highwater) => Ok(Input::Run(RunDir::open(&results.root(), input).map_err(absent)?)),
            Some(From::Verifiable) => {
                Ok(Input::File(Source::open(path).map_err(unread_file)?, Format::Verifiable))
            }
            Some(From::Jepsen) => {
                let mut source = Source::open(path).map_err(unread_file)?;
                let format = match exchange::detect(&mut source).map_err(unread_file)? {
                    Some(format @ Format::Jepsen(_)) => format,
                    // The reader says what is wrong with it, and where.
                    _ => Format::Jepsen(Notation::Json),
                };
                Ok(Input::File(source, format))
            }
            None => match RunDir::open(&results.root(), input) {
                Ok(dir) => Ok(Input::Run(dir)),
                // A name that is neither run nor file was most likely meant as a run's.
                Err(error) if !path.exists() || path.is_dir() => Err(absent(error)),
                Err(_) => {
                    let mut source = Source::open(path).map_err(unread_file)?;
                    match exchange::detect(&mut source).map_err(unread_file)? {
                        Some(Format::Operations) => Err(needs_model(input)),
                        Some(format) => Ok(Input::File(source, format)),
                        None => Err(anyhow!(
                            "failed to import `{input}`: line 1: it is no history this build knows (say what it is with --from)"
                        )
                        .into()),
                    }
                }
            },
        }
    }

    fn import(&self, input: &str, mut source: Source, format: Format) -> Result<Loaded, Failure> {
        let (plan, mut implied) = self.plan(input)?;
        let mut import = exchange::import(&mut source, format, plan).map_err(unread_file)?;
        // Our own form brings its plan along.
        if format == Format::Lines {
            implied = self.retell(input, &mut import.history.plan)?;
        }
        Ok(loaded(input.to_owned(), import, implied))
    }

    fn load_run(&self, input: &str, dir: RunDir) -> Result<Loaded, Failure> {
        if let Some(calls) = dir.read_calls().map_err(unreadable)? {
            let what = format!("run `{input}` holds calls on a {}, and no records", calls.model);
            return Err(anyhow!("{what} (`highwater check` and `explain` judge them)").into());
        }
        let mut plan = dir.read_plan().map_err(unreadable)?;
        let implied = self.retell(input, &mut plan)?;
        let history = history::load(plan, &dir.history()).map_err(unread)?;
        let run = Some(dir);
        Ok(Loaded { name: input.to_owned(), history, remarks: Vec::new(), implied, is_one: true, run })
    }

    /// Puts what was told into a plan; gives what follows from it. Runs of ours know what they ran under.
    fn retell(&self, input: &str, plan: &mut Plan) -> anyhow::Result<Vec<String>> {
        if self.set.is_empty() {
            return Ok(Vec::new());
        }
        if !plan.is_imported() {
            planning::promised(&self.set, input, &mut plan.cell)?;
            return Ok(Vec::new());
        }
        let (cell, implied) = planning::told(&self.set)?;
        plan.cell = cell;
        Ok(implied)
    }

    fn several(&self, inputs: &[String]) -> Result<Loaded, Failure> {
        let name = inputs.join("+");
        let (plan, implied) = self.plan(&name)?;
        let sources =
            inputs.iter().map(|input| Source::open(Path::new(input))).collect::<Result<Vec<_>, _>>();
        let import =
            exchange::import_verifiable(&mut sources.map_err(unread_file)?, plan).map_err(unread_file)?;
        Ok(Loaded { is_one: false, ..loaded(name, import, implied) })
    }

    /// What is known of a foreign history's settings, and what follows from it.
    fn plan(&self, name: &str) -> anyhow::Result<(Plan, Vec<String>)> {
        let (cell, implied) = planning::told(&self.set)?;
        Ok((Plan::imported(name, cell), implied))
    }
}

fn loaded(name: String, import: exchange::Import, implied: Vec<String>) -> Loaded {
    Loaded { name, history: import.history, remarks: import.remarks, implied, is_one: true, run: None }
}

fn needs_model(input: &str) -> Failure {
    let why = "are judged by a model: --from operations needs --model (which says what the objects are)";
    anyhow!("the operations of `{input}` {why}").into()
}

fn absent(error: ResultsError) -> Failure {
    Failure::from(error)
}

/// A file that is not what it claims to be is a matter of usage.
fn unread_file(error: ImportError) -> Failure {
    Failure::new(Exit::Usage, error)
}

/// A run whose plan is damaged cannot be judged; one of a newer format is a matter of usage.
fn unreadable(error: ResultsError) -> Failure {
    let exit = match &error {
        ResultsError::Damaged { .. } => Exit::Indeterminate,
        _ => Exit::Usage,
    };
    Failure::new(exit, error)
}

fn unread(error: LoadError) -> Failure {
    let exit = match &error {
        LoadError::Io { .. } => Exit::Indeterminate,
        _ => Exit::Usage,
    };
    Failure::new(exit, error)
}
