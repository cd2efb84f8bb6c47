//! The plan of a run: everything decided before it starts, every random value drawn from the seed.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::fault::PlannedFault;
use crate::ids::RunHash;

/// Format version of `plan.json`: readers refuse a newer major.
pub const PLAN_VERSION: u32 = 1;

/// Where a run happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetKind {
    /// The built-in reference cluster, child processes on loopback.
    Reference,
    /// Any Kafka cluster, reached by its bootstrap addresses.
    Kafka,
    /// Apache Kafka in network namespaces of this machine.
    Lab,
}

impl fmt::Display for TargetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reference => "reference",
            Self::Kafka => "kafka",
            Self::Lab => "lab",
        })
    }
}

/// Which time-outs apply where the user named none (`guarantees.md` §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Time-outs that fit a run of seconds.
    Short,
    /// Kafka's and librdkafka's own defaults.
    Production,
}

/// Which part of a system a setting belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// The topic under test.
    Topic,
    /// Every producer.
    Producer,
    /// Every consumer.
    Consumer,
    /// Every broker.
    Broker,
}

/// The settings of one run, by Kafka's own names; what `--set` and the profile say, before defaults.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cell {
    /// Topic settings, `replication.factor` among them.
    pub topic: BTreeMap<String, String>,
    /// Producer settings (Kafka names).
    pub producer: BTreeMap<String, String>,
    /// Consumer settings (Kafka names).
    pub consumer: BTreeMap<String, String>,
    /// Broker settings.
    pub broker: BTreeMap<String, String>,
    /// librdkafka properties passed verbatim to every client (`-X`), secrets redacted.
    pub librdkafka: BTreeMap<String, String>,
}

impl Cell {
    /// The settings of one scope.
    #[must_use]
    pub fn scope(&self, scope: Scope) -> &BTreeMap<String, String> {
        match scope {
            Scope::Topic => &self.topic,
            Scope::Producer => &self.producer,
            Scope::Consumer => &self.consumer,
            Scope::Broker => &self.broker,
        }
    }

    /// The settings of one scope, to change.
    pub fn scope_mut(&mut self, scope: Scope) -> &mut BTreeMap<String, String> {
        match scope {
            Scope::Topic => &mut self.topic,
            Scope::Producer => &mut self.producer,
            Scope::Consumer => &mut self.consumer,
            Scope::Broker => &mut self.broker,
        }
    }
}

/// How much is sent, by whom, and how it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// How long the load lasts, in milliseconds.
    pub duration_ms: u64,
    /// Records a second and producer; `None` is as fast as the client takes them.
    pub rate: Option<u64>,
    /// Stop after this many records in all (whichever of this and the duration comes first).
    pub records: Option<u64>,
    /// Producer actors.
    pub producers: u32,
    /// Consuming actors: readers that follow the whole log, or members of one group, as the workload has it.
    pub readers: u32,
    /// Partitions of the topic.
    pub partitions: u32,
    /// Bytes of every payload, header included.
    pub payload_bytes: u32,
    /// Distinct record keys; 0 sends without key, to explicit partitions in turn.
    pub keys: u64,
    /// Wait for each record's report before sending the next.
    pub sync: bool,
}

/// Everything decided before a run starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// [`PLAN_VERSION`] of the writer.
    pub version: u32,
    /// Name of the run, also of its directory.
    pub run: String,
    /// Marks this run's records.
    pub run_hash: RunHash,
    /// The seed all random values were drawn from.
    pub seed: u64,
    /// Where it happens.
    pub target: TargetKind,
    /// `HOST:PORT,…` of a target that is not started by us.
    pub bootstrap: Option<String>,
    /// Brokers that can be broken: those of the reference cluster, of the lab, of a cluster file.
    pub nodes: u32,
    /// The workload, by catalog name.
    pub workload: String,
    /// The nemeses, by catalog name; empty is `none`.
    pub nemeses: Vec<String>,
    /// The checkers that judge, by catalog name.
    pub checkers: Vec<String>,
    /// The load.
    pub load: Load,
    /// The settings.
    pub cell: Cell,
    /// Which time-outs were filled in.
    pub profile: Profile,
    /// What the profile filled in, as `scope.name=value` (printed in every report).
    pub profile_settings: Vec<String>,
    /// Name of the topic under test.
    pub topic: String,
    /// Planted flaw of the reference broker, by catalog name.
    pub flaw: Option<String>,
    /// The faults, in order of injection.
    pub schedule: Vec<PlannedFault>,
    /// The command line that runs this plan again.
    pub rerun: String,
}

/// The workload of a history that was not recorded by a run of ours.
const IMPORTED: &str = "imported";

impl Plan {
    /// The plan of a history that was made elsewhere: what its name is, and what settings it is said to have
    /// run under. Nothing else is known.
    #[must_use]
    pub fn imported(name: &str, cell: Cell) -> Self {
        Self {
            version: PLAN_VERSION,
            run: name.to_owned(),
            run_hash: RunHash(0),
            seed: 0,
            target: TargetKind::Kafka,
            bootstrap: None,
            nodes: 0,
            workload: IMPORTED.to_owned(),
            nemeses: Vec::new(),
            checkers: Vec::new(),
            load: Load {
                duration_ms: 0,
                rate: None,
                records: None,
                producers: 0,
                readers: 0,
                partitions: 0,
                payload_bytes: 0,
                keys: 0,
                sync: false,
            },
            cell,
            profile: Profile::Production,
            profile_settings: Vec::new(),
            topic: String::new(),
            flaw: None,
            schedule: Vec::new(),
            rerun: String::new(),
        }
    }

    /// Whether this is the plan of a history that was made elsewhere.
    #[must_use]
    pub fn is_imported(&self) -> bool {
        self.workload == IMPORTED
    }
}
