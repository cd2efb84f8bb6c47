//! The flags that decide a run, in the groups that commands share. A matrix file goes through the same
//! parser, so that there is one list of names and one set of errors.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use history::{Profile, TargetKind};

use super::quantity::{self, Rate};

/// The word for no nemesis.
pub(crate) const NO_NEMESIS: &str = "none";

/// Everything that decides a run.
#[derive(Args, Debug, Clone, PartialEq)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    #[command(flatten)]
    pub(crate) load: LoadArgs,
    /// What breaks, separated by commas; or a script of steps NAME@AT+FOR, as in
    /// isolate-followers@1s+9s,kill@9s+10s:node=2 [default: kill,isolate-leader; isolate-leader with --target lab; none with --target kafka]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', value_parser = nemeses_or_none(), help_heading = "Faults")]
    pub(crate) nemesis: Option<Vec<String>>,
    /// Let faults begin while others are in force
    #[arg(long, help_heading = "Faults")]
    pub(crate) overlap: bool,
    /// Plant a bug in the reference broker
    #[arg(long, value_name = "NAME", value_parser = flaws(), help_heading = "Faults")]
    pub(crate) flaw: Option<String>,
    #[command(flatten)]
    pub(crate) guard: GuardArgs,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
    /// Draw everything random from this number [default: from the operating system, and printed]
    #[arg(long, value_name = "N", help_heading = "Run")]
    pub(crate) seed: Option<u64>,
    /// Stop the load when the history has grown to this size
    #[arg(long, value_name = "SIZE", default_value = "4GiB", value_parser = quantity::size, help_heading = "Run")]
    pub(crate) max_disk: u64,
    /// Stop, heal and judge after this long, whatever phase it is
    #[arg(long, value_name = "DURATION", value_parser = quantity::duration, help_heading = "Run")]
    pub(crate) max_duration: Option<Duration>,
}

/// Where a run happens.
#[derive(Args, Debug, Clone, PartialEq)]
#[command(next_help_heading = "Target")]
pub(crate) struct TargetArgs {
    /// Where it happens
    #[arg(long, value_enum, default_value_t = Target::Reference)]
    pub(crate) target: Target,
    /// Brokers to start from, with --target kafka
    #[arg(long, value_name = "HOST:PORT,…")]
    pub(crate) bootstrap: Option<String>,
    /// The hosts of that cluster, to break its brokers over SSH
    #[arg(long, value_name = "FILE")]
    pub(crate) cluster: Option<PathBuf>,
    /// Name of the topic [default: highwater-RUN]
    #[arg(long, value_name = "NAME")]
    pub(crate) topic: Option<String>,
    /// Use the topic if it exists already
    #[arg(long, requires = "topic")]
    pub(crate) allow_existing_topic: bool,
    /// Leave the topic on the target
    #[arg(long)]
    pub(crate) keep_topics: bool,
}

/// A target that is built.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// The built-in cluster of three brokers, child processes on this machine
    Reference,
    /// Any Kafka cluster; its brokers are broken only with --cluster
    Kafka,
    /// Apache Kafka in network namespaces of this machine; built for the run unless `lab up` has done it
    Lab,
}

impl From<Target> for TargetKind {
    fn from(target: Target) -> Self {
        match target {
            Target::Reference => Self::Reference,
            Target::Kafka => Self::Kafka,
            Target::Lab => Self::Lab,
        }
    }
}

/// What has to be said before hosts of somebody are broken.
#[derive(Args, Debug, Clone, PartialEq)]
#[command(next_help_heading = "Real hosts")]
pub(crate) struct GuardArgs {
    /// Break brokers that the cluster file calls breakable
    #[arg(long)]
    pub(crate) allow_destructive: bool,
    /// The cluster's id, as in the cluster file
    #[arg(long, value_name = "ID")]
    pub(crate) confirm_cluster_id: Option<String>,
    /// More than a minority may be down at once
    #[arg(long)]
    pub(crate) allow_quorum_loss: bool,
}

/// What is sent.
#[derive(Args, Debug, Clone, PartialEq)]
#[command(next_help_heading = "Load")]
pub(crate) struct LoadArgs {
    /// What is done
    #[arg(long, value_name = "NAME", default_value = "log", value_parser = workloads())]
    pub(crate) workload: String,
    /// How long the load lasts [default: 10s; 30s with --target lab]
    #[arg(long, value_name = "DURATION", value_parser = quantity::duration)]
    pub(crate) duration: Option<Duration>,
    /// Records a second and producer, or `max`
    #[arg(long, value_name = "N|max", default_value = "500", value_parser = quantity::rate)]
    pub(crate) rate: Rate,
    /// Stop after so many records in all
    #[arg(long, value_name = "N")]
    pub(crate) records: Option<u64>,
    /// Partitions of the topic
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) partitions: u32,
    /// Producers, a process each
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) producers: u32,
    /// Consumers, a process each: readers that follow the whole log, or members of one group, as the workload
    /// has it [default: 1 reader, 3 members]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub(crate) consumers: Option<u32>,
    /// Bytes of every payload; its tag takes the first 32
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(32..=100_000_000))]
    pub(crate) payload_bytes: u32,
    /// Distinct keys; 0 sends without key, to the partitions in turn
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) keys: u64,
    /// Wait for the report on each record before the next one
    #[arg(long)]
    pub(crate) sync: bool,
}

/// How clients, topic and brokers are set.
#[derive(Args, Debug, Clone, PartialEq)]
#[command(next_help_heading = "Settings")]
pub(crate) struct SettingsArgs {
    /// A setting by Kafka's own name: acks=1, min.insync.replicas=2, linger.ms=5; topic, producer, consumer
    /// or broker is told from the name, or from a prefix (consumer.request.timeout.ms=500)
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = quantity::pair)]
    pub(crate) set: Vec<(String, String)>,
    /// A librdkafka property, passed verbatim to every client
    #[arg(short = 'X', value_name = "KEY=VALUE", value_parser = quantity::pair)]
    pub(crate) property: Vec<(String, String)>,
    /// A file of librdkafka properties, one KEY=VALUE a line; -X wins
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Time-outs where none are given [default: short; production with --target kafka]
    #[arg(long, value_enum)]
    pub(crate) profile: Option<ProfileName>,
}

/// A profile of time-outs.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProfileName {
    /// Time-outs that fit a run of seconds
    Short,
    /// Kafka's and librdkafka's own defaults
    Production,
}

impl From<ProfileName> for Profile {
    fn from(name: ProfileName) -> Self {
        match name {
            ProfileName::Short => Self::Short,
            ProfileName::Production => Self::Production,
        }
    }
}

fn workloads() -> PossibleValuesParser {
    workloads::CATALOG.iter().map(|spec| PossibleValue::new(spec.name).help(spec.summary)).into()
}

/// Names of nemeses, shown in help and completed; or steps of a script, which planning reads.
#[derive(Clone)]
struct NemesisWords(PossibleValuesParser);

impl TypedValueParser for NemesisWords {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        match value.to_str().filter(|word| nemesis::script::is_step(word)) {
            Some(step) => Ok(step.to_owned()),
            None => self.0.parse_ref(command, arg, value),
        }
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        self.0.possible_values()
    }
}

fn nemeses_or_none() -> NemesisWords {
    let none = PossibleValue::new(NO_NEMESIS).help("break nothing");
    NemesisWords(std::iter::once(none).chain(built_nemeses()).into())
}

/// The nemeses by name.
pub(super) fn built_nemeses() -> impl Iterator<Item = PossibleValue> {
    nemesis::CATALOG.iter().map(|spec| PossibleValue::new(spec.name).help(spec.summary))
}

/// The flaws by name.
pub(super) fn flaws() -> PossibleValuesParser {
    use broker::flaws::FLAWS;
    FLAWS.iter().map(|spec| PossibleValue::new(spec.name).help(spec.summary)).into()
}
