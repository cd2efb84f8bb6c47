//! One look at a cluster: the hidden command that a child of this program runs, and the asking for it.

use std::collections::BTreeMap;

use targets::nodes::ClusterFile;
use targets::survey::{Order, Report, SurveyError, Way, survey};

use super::{Failure, Outcome};
use crate::exit::Exit;

/// As `dispatch` knows it.
const SUBCOMMAND: &str = "survey";
/// How long a broker may take to answer.
const TIMEOUT_MS: u64 = 5000;

/// The child's part.
pub(super) fn execute() -> Outcome {
    match targets::survey::run_stdin() {
        Ok(()) => Ok(Exit::Held),
        Err(error) => Err(Failure::new(Exit::Unreachable, error)),
    }
}

/// Where a cluster is, and how its brokers are spoken to.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    pub(super) bootstrap: String,
    pub(super) properties: BTreeMap<String, String>,
    pub(super) namespace: Option<String>,
}

impl From<&ClusterFile> for Place {
    fn from(file: &ClusterFile) -> Self {
        Self {
            bootstrap: file.bootstrap.clone(),
            properties: file.kafka.clone(),
            namespace: file.namespace.clone(),
        }
    }
}

impl Place {
    /// Asks for the cluster's id and its brokers; for what these speak and how they are set, if `closely`; and
    /// whether we may create a topic, describe and delete it.
    pub(super) fn look(&self, closely: bool, topic: Option<String>) -> Result<Report, SurveyError> {
        let order = Order {
            parent: std::process::id(),
            bootstrap: self.bootstrap.clone(),
            properties: self.properties.clone(),
            timeout_ms: TIMEOUT_MS,
            brokers: closely,
            topic,
        };
        survey(&order, &Way { subcommand: SUBCOMMAND.to_owned(), namespace: self.namespace.clone() })
    }
}
