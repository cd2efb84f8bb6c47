//! The command line: one file a command, shared groups of flags, one line for every mistake.

mod absent;
mod actor;
mod bench;
mod check;
mod cluster;
mod complaint;
mod doctor;
mod draft;
mod explain;
pub(crate) mod flags;
mod history;
mod input;
pub(crate) mod interrupt;
pub(crate) mod lab;
mod list;
mod matrix;
mod nemesis;
mod node;
mod output;
pub(crate) mod quantity;
mod run;
mod runs;
mod survey;
#[cfg(test)]
mod tests;

use std::panic;

use clap::{Parser, Subcommand};

use targets::nodes::ClusterFile;

use crate::claim::Claim;
use crate::exit::Exit;
pub(crate) use output::print;

const EXAMPLES: &str = "\
Examples:
  highwater run                                  are acknowledged records kept? 10 s
  highwater run --set acks=1 --set min.insync.replicas=1 --nemesis isolate-leader
  highwater run --target kafka --bootstrap broker1:9092 --duration 1m
  highwater matrix durability                    acks, replicas and faults against each other
  highwater check latest                         judge a stored run again
  highwater explain latest lost-write            a finding as a story
  highwater list nemeses";

/// Finds out by experiment whether a message system keeps its promises: sends tagged records through real
/// clients, breaks the cluster underneath them, reads everything back, and judges record by record.
#[derive(Parser, Debug)]
#[command(name = "highwater", version, before_help = EXAMPLES, subcommand_required = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Run(Box<run::RunCommand>),
    Matrix(matrix::MatrixCommand),
    Check(check::CheckCommand),
    Explain(explain::ExplainCommand),
    History(history::HistoryCommand),
    Runs(runs::RunsCommand),
    List(list::ListCommand),
    Cluster(cluster::ClusterCommand),
    Nemesis(nemesis::NemesisCommand),
    Lab(lab::LabCommand),
    Doctor(doctor::DoctorCommand),
    Bench(bench::BenchCommand),
    /// One node of a reference cluster, as told on stdin
    #[command(hide = true)]
    Broker,
    /// One application under test, as told on stdin
    #[command(hide = true)]
    Actor,
    /// One look at a cluster, as told on stdin
    #[command(hide = true)]
    Survey,
}

/// A command that could not do what was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    error: anyhow::Error,
}

impl Failure {
    pub(crate) fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self { exit, error: error.into() }
    }
}

/// Without another word an error is one of usage or configuration.
impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(Exit::Usage, error)
    }
}

/// Claims the cluster for a command; who has it already is no mistake of the command line.
fn claim(file: &ClusterFile, what: &str) -> Result<Claim, Failure> {
    Claim::take(file, what).map_err(|error| Failure::new(Exit::Unreachable, error))
}

type Outcome = Result<Exit, Failure>;

/// A parser's error as one line; `None` if it is help, asked for.
pub(crate) fn complaint(error: &clap::Error) -> Option<String> {
    complaint::one_line(error)
}

/// Parses the command line, does what it says, and tells how to exit.
pub(crate) fn main() -> Exit {
    let outcome = panic::catch_unwind(|| match Cli::try_parse() {
        Ok(cli) => dispatch(cli.command),
        Err(error) => match complaint::one_line(&error) {
            Some(line) => Err(Failure::new(Exit::Usage, anyhow::Error::msg(line))),
            None => print(&styled(&error)).map(|()| Exit::Held).map_err(Failure::from),
        },
    });
    match outcome {
        Ok(Ok(exit)) => exit,
        Ok(Err(Failure { exit, error })) => {
            eprintln!("error: {error:#}");
            exit
        }
        // The panic has said what and where.
        Err(_) => {
            eprintln!("error: highwater came upon a bug of its own (please report the lines above)");
            Exit::Bug
        }
    }
}

fn styled(help: &clap::Error) -> String {
    let (_, color) = output::terminal();
    if color { help.render().ansi().to_string() } else { help.render().to_string() }
}

fn dispatch(command: Command) -> Outcome {
    match command {
        Command::Run(command) => command.execute(),
        Command::Matrix(command) => command.execute(),
        Command::Check(command) => command.execute(),
        Command::Explain(command) => command.execute(),
        Command::History(command) => command.execute(),
        Command::Runs(command) => command.execute(),
        Command::List(command) => command.execute(),
        Command::Cluster(command) => command.execute(),
        Command::Nemesis(command) => command.execute(),
        Command::Lab(command) => command.execute(),
        Command::Doctor(command) => command.execute(),
        Command::Bench(command) => command.execute(),
        Command::Broker => node::execute(),
        Command::Actor => actor::execute(),
        Command::Survey => survey::execute(),
    }
}
