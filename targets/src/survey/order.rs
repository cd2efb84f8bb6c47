//! What is to be looked at, what was found, and the child that is asked.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use history::NodeId;
use serde::{Deserialize, Serialize};

use crate::nodes::exec;
use crate::process::this_program;

/// How long the child may take beyond what its questions may.
const GRACE: Duration = Duration::from_secs(10);

/// What is to be looked at; the first and only line of the child's stdin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The process that asks: the child ends with it.
    pub parent: u32,
    /// `HOST:PORT,…`.
    pub bootstrap: String,
    /// Properties passed verbatim to librdkafka, secrets included.
    pub properties: BTreeMap<String, String>,
    /// How long an answer is waited for, in milliseconds.
    pub timeout_ms: u64,
    /// Connect to every broker and ask what it speaks, and how it is set.
    pub brokers: bool,
    /// Create, describe and delete a topic of this name, to see whether we may.
    pub topic: Option<String>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Report {
    /// The cluster's id, if it tells.
    pub cluster_id: Option<String>,
    /// Its brokers, in order of their ids.
    pub brokers: Vec<BrokerReport>,
    /// What became of the topic, in order.
    pub steps: Vec<Step>,
}

/// A broker as it shows itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerReport {
    /// Its id.
    pub node: NodeId,
    /// Where it says that clients reach it.
    pub address: String,
    /// Why it cannot be reached there; `None` if it can, or was not tried.
    pub unreached: Option<String>,
    /// The APIs it serves, with the lowest and highest version; `None` if it does not say so in the clear.
    pub apis: Option<BTreeMap<i16, (i16, i16)>>,
    /// Its settings by Kafka's names, or why it does not tell them.
    pub settings: Result<BTreeMap<String, String>, String>,
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What, as a verb.
    pub action: String,
    /// Why it failed.
    pub error: Option<String>,
}

/// The cluster could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// The child could not be run.
    #[error("failed to run a client process `{program}`")]
    Spawn {
        /// Which program.
        program: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The child ended without an answer.
    #[error("the client process ended without an answer ({how}): {stderr}")]
    Silent {
        /// How it ended.
        how: String,
        /// What it said last.
        stderr: String,
    },
    /// The cluster did not answer.
    #[error("{0}")]
    Cluster(String),
}

/// Where the child runs.
#[derive(Debug, Clone, Default)]
pub struct Way {
    /// The subcommand under which this program surveys.
    pub subcommand: String,
    /// The network namespace from which the cluster is reached.
    pub namespace: Option<String>,
}

/// Looks, by a child process.
///
/// # Errors
/// If it cannot be run, or no broker answers.
pub fn survey(order: &Order, way: &Way) -> Result<Report, SurveyError> {
    let mut words = Vec::new();
    let program: PathBuf = match &way.namespace {
        None => this_program(),
        // `/proc/self/exe` would be that of nsenter.
        Some(namespace) => {
            words.extend(["nsenter".to_owned(), format!("--net=/run/netns/{namespace}")]);
            std::env::current_exe()
        }
    }
    .map_err(|source| SurveyError::Spawn { program: "highwater".to_owned(), source })?;
    words.push(program.display().to_string());
    words.push(way.subcommand.clone());
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    let line = serde_json::to_vec(order).unwrap_or_default();
    // Metadata, then every broker's settings, then three questions about a topic.
    let within = Duration::from_millis(order.timeout_ms) * 8 + GRACE;
    let ended = exec::run(command, &line, within)
        .map_err(|source| SurveyError::Spawn { program: words[0].clone(), source })?;
    let answer = ended
        .stdout
        .split(|byte| *byte == b'\n')
        .find_map(|line| serde_json::from_slice::<Result<Report, String>>(line).ok());
    match answer {
        Some(answer) => answer.map_err(SurveyError::Cluster),
        None => Err(SurveyError::Silent {
            how: ended.code.map_or("it took too long".to_owned(), |code| format!("exit {code}")),
            stderr: nemesis::node::one_line(&String::from_utf8_lossy(&ended.stderr)),
        }),
    }
}
