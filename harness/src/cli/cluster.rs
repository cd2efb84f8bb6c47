//! `highwater cluster up`: a reference cluster for other people's clients.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::flags::{ProfileName, flaws};
use super::output::VerbosityArgs;
use super::{Outcome, quantity};
use crate::cluster::{self, UpOptions};

const EXAMPLES: &str = "\
Examples:
  highwater cluster up                           three nodes; the bootstrap list on stdout
  highwater cluster up --nodes 1 --port-base 9092
  highwater cluster up --data ./cluster          the same topics, records and ports next time
  highwater cluster up --set auto.create.topics.enable=false --set min.insync.replicas=2";

const AFTER: &str = "\
The first line of stdout is HOST:PORT,HOST:PORT,…, written when every node is ready. The cluster stays up until
SIGINT or SIGTERM, which is how it is meant to end: the exit code is then 0. A second signal ends it at once.
`highwater nemesis` breaks it meanwhile, and mends it.";

/// Start a cluster to point any Kafka client at
#[derive(Args, Debug)]
#[command(before_help = EXAMPLES)]
pub(super) struct ClusterCommand {
    #[command(subcommand)]
    command: ClusterAction,
}

#[derive(Subcommand, Debug)]
enum ClusterAction {
    Up(UpCommand),
}

/// Start a cluster and keep it up until SIGINT or SIGTERM
#[derive(Args, Debug)]
#[command(before_help = EXAMPLES, after_help = AFTER)]
struct UpCommand {
    /// Brokers, with ids from 1 [default: 3, or as many as --data holds]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    nodes: Option<u32>,
    /// A broker setting by Kafka's name, or a topic setting as the brokers' default
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = quantity::pair)]
    set: Vec<(String, String)>,
    /// Keep metadata, records and ports here for the next time [default: a temporary directory]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Ports N, N+1, … for the nodes [default: those of --data, else any]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    port_base: Option<u16>,
    /// Time-outs where none are set: quick failover, or Kafka's own
    #[arg(long, value_enum, default_value_t = ProfileName::Short)]
    profile: ProfileName,
    /// Plant a bug in every node
    #[arg(long, value_name = "NAME", value_parser = flaws())]
    flaw: Option<String>,
    #[command(flatten)]
    verbosity: VerbosityArgs,
}

impl ClusterCommand {
    pub(super) fn execute(self) -> Outcome {
        let ClusterAction::Up(up) = self.command;
        let options = UpOptions {
            nodes: up.nodes,
            set: up.set,
            data: up.data,
            port_base: up.port_base,
            profile: up.profile.into(),
            flaw: up.flaw,
            verbosity: up.verbosity.level(),
        };
        cluster::up(&options)
    }
}
