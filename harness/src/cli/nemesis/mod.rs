//! `highwater nemesis`: single faults by hand, on a cluster that `highwater cluster up` keeps up (`--cluster` is its
//! directory) and on real hosts (`--cluster` is a cluster file).

mod fault;
mod guard;
mod hosts;
mod running;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, Subcommand, ValueEnum};

use super::flags::{GuardArgs, built_nemeses};
use super::{Outcome, quantity};
use crate::cluster::protocol::{Request, Target, Which};
use crate::state;

const EXAMPLES: &str = "\
Examples:
  highwater nemesis apply kill --node 2 --for 5s           of the only `cluster up` that runs
  highwater nemesis apply isolate-leader --partition orders/0 --cluster ./cluster
  highwater nemesis plan cut --cluster hosts.toml --node 1  every command and its undo
  highwater nemesis apply pause --cluster hosts.toml --node 1 --for 20s --allow-destructive
  highwater nemesis status --format json
  highwater nemesis undo --all";

const AFTER: &str = "\
Who is hit undoes the fault when its time is over, whatever becomes of this command: a `cluster up` by itself (and
at its end all that is in force), a real host by a timer of its own.";

/// How long a fault lasts on a real host where nothing is said.
const ON_HOSTS: Duration = Duration::from_secs(60);

/// Break a cluster by hand, and mend it
#[derive(Args, Debug)]
#[command(before_help = EXAMPLES, after_help = AFTER)]
pub(super) struct NemesisCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Print every command of a fault of real hosts with its undo; run nothing
    #[command(before_help = EXAMPLES)]
    Plan(fault::FaultArgs),
    Apply(ApplyCommand),
    Status(StatusCommand),
    Undo(UndoCommand),
}

/// Put a fault in force
#[derive(Args, Debug)]
#[command(before_help = EXAMPLES, after_help = AFTER)]
struct ApplyCommand {
    /// The fault
    #[arg(value_name = "FAULT", value_parser = PossibleValuesParser::new(faults()))]
    fault: String,
    /// Hit this broker [default: the one that leads most partitions; on real hosts it is to be named]
    #[arg(long, value_name = "N", conflicts_with = "partition")]
    node: Option<i32>,
    /// Hit the leader of this partition
    #[arg(long, value_name = "TOPIC/P", value_parser = partition)]
    partition: Option<(String, u32)>,
    /// Undone after this long [default: on real hosts 60s; else until `highwater nemesis undo`]
    #[arg(long = "for", value_name = "DURATION", value_parser = quantity::duration)]
    lasting: Option<Duration>,
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    manner: fault::MannerArgs,
    #[command(flatten)]
    guard: GuardArgs,
}

/// Show what is in force
#[derive(Args, Debug)]
#[command(before_help = EXAMPLES)]
struct StatusCommand {
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Undo the fault applied last, a certain one, or all, and see that it is gone
#[derive(Args, Debug)]
#[command(before_help = EXAMPLES)]
struct UndoCommand {
    /// This fault
    #[arg(value_name = "ID", conflicts_with = "all")]
    fault: Option<String>,
    /// Everything that is in force
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Which cluster, and how its answer is shown.
#[derive(Args, Debug)]
struct ClusterArgs {
    /// The directory of a `cluster up` (its --data, or as it said when it came up), or a cluster file of real
    /// hosts [default: what is on record of real hosts, else the only cluster in a temporary directory]
    #[arg(long, value_name = "DIR|FILE")]
    cluster: Option<PathBuf>,
    /// How to show it
    #[arg(long, value_enum, default_value_t = AnswerFormat::Human, help_heading = "Output")]
    format: AnswerFormat,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum AnswerFormat {
    /// For a terminal
    Human,
    /// For a script
    Json,
}

impl NemesisCommand {
    pub(super) fn execute(self) -> Outcome {
        match self.action {
            Action::Plan(command) => hosts::plan(&command),
            Action::Apply(command) => command.execute(),
            Action::Status(StatusCommand { cluster }) => {
                if cluster.is_of_hosts()? {
                    return hosts::status(cluster.path(), cluster.json());
                }
                running::ask(cluster.path(), &Request::Status, cluster.json())
            }
            Action::Undo(command) => command.execute(),
        }
    }
}

impl ApplyCommand {
    fn execute(self) -> Outcome {
        match self.cluster.cluster {
            Some(ref file) if is_cluster_file(file) => {
                if self.partition.is_some() {
                    return Err(anyhow::anyhow!("real hosts are hit by --node, not by --partition").into());
                }
                let fault = fault::FaultArgs {
                    fault: self.fault,
                    cluster: file.clone(),
                    node: self.node.context("which broker is to be hit? (add --node N)")?,
                    manner: self.manner,
                };
                hosts::apply(&fault, self.lasting.unwrap_or(ON_HOSTS), &self.guard)
            }
            _ => running::ask(self.cluster.path(), &self.request(), self.cluster.json()),
        }
    }

    fn request(&self) -> Request {
        let target = match (self.node, &self.partition) {
            (Some(node), _) => Target::Node(node),
            (None, Some((topic, partition))) => Target::Partition(topic.clone(), *partition),
            (None, None) => Target::Busiest,
        };
        let for_ms = self.lasting.map(|lasting| u64::try_from(lasting.as_millis()).unwrap_or(u64::MAX));
        Request::Apply { fault: self.fault.clone(), target, for_ms }
    }
}

impl UndoCommand {
    fn execute(self) -> Outcome {
        if self.cluster.is_of_hosts()? {
            if self.fault.is_none() && !self.all {
                return Err(anyhow::anyhow!("which fault is to be undone? (give its id, or --all)").into());
            }
            return hosts::undo(self.fault.as_deref(), self.cluster.path());
        }
        let which = match &self.fault {
            _ if self.all => Which::All,
            Some(id) => Which::Fault(id.parse().with_context(|| format!("`{id}` is no fault's number"))?),
            None => Which::Last,
        };
        running::ask(self.cluster.path(), &Request::Undo(which), self.cluster.json())
    }
}

impl ClusterArgs {
    fn path(&self) -> Option<&Path> {
        self.cluster.as_deref()
    }

    fn json(&self) -> bool {
        self.format == AnswerFormat::Json
    }

    /// Whether real hosts are meant. Where nothing is said, what is on record here must be undone first of all;
    /// without any cluster that runs there is nothing else to speak of.
    fn is_of_hosts(&self) -> anyhow::Result<bool> {
        match &self.cluster {
            Some(path) => Ok(is_cluster_file(path)),
            None => Ok(!state::journal()?.entries()?.is_empty() || !running::any()),
        }
    }
}

fn is_cluster_file(path: &Path) -> bool {
    path.is_file() || path.extension().is_some_and(|extension| extension == "toml")
}

/// The faults of either sort, each name once.
fn faults() -> Vec<PossibleValue> {
    let mut all: Vec<PossibleValue> = built_nemeses().collect();
    for fault in fault::faults() {
        if all.iter().all(|known| known.get_name() != fault.get_name()) {
            all.push(fault);
        }
    }
    all
}

/// `TOPIC/P`.
fn partition(text: &str) -> anyhow::Result<(String, u32)> {
    match text.rsplit_once('/').map(|(topic, partition)| (topic, partition.parse())) {
        Some((topic, Ok(partition))) if !topic.is_empty() => Ok((topic.to_owned(), partition)),
        _ => bail!("give TOPIC/PARTITION: orders/0"),
    }
}
