//! `highwater doctor`: whether this machine, a cluster and the hosts of a cluster file have what runs and faults
//! need, and what was left behind.

mod cluster;
mod here;
mod host;
mod look;

use std::path::PathBuf;

use clap::Args;
use targets::causes::with_causes;
use targets::nodes::{self, ClusterFile};

use self::look::{Look, State};
use super::survey::Place;
use super::{Outcome, claim, print, quantity};
use crate::exit::Exit;
use crate::state;

const EXAMPLES: &str = "\
Examples:
  highwater doctor                               what this machine has for a lab
  highwater doctor --bootstrap broker1:9092      can a run be made there?
  highwater doctor --cluster c.toml --format json
  highwater doctor --cluster c.toml --clean      and remove what faults left behind";

const AFTER: &str = "\
Creates, describes and deletes a topic `highwater-doctor-…` where a cluster is named, to see whether a run may.
Exit 3 if something a run or a fault cannot do without has failed.";

/// Look what runs and faults need, and what was left behind
#[derive(Args, Debug)]
#[command(before_help = EXAMPLES, after_help = AFTER)]
pub(super) struct DoctorCommand {
    /// Look at the cluster and the hosts of this cluster file
    #[arg(long, value_name = "FILE")]
    cluster: Option<PathBuf>,
    /// Look at the cluster with these brokers
    #[arg(long, value_name = "HOST:PORT,…", conflicts_with = "cluster")]
    bootstrap: Option<String>,
    /// A librdkafka property, passed verbatim
    #[arg(short = 'X', value_name = "KEY=VALUE", value_parser = quantity::pair)]
    properties: Vec<(String, String)>,
    /// Remove what was left behind, is ours without doubt, and has no living owner
    #[arg(long)]
    clean: bool,
    /// For people or for a script
    #[arg(long, value_parser = ["human", "json"], default_value = "human", help_heading = "Output")]
    format: String,
}

impl DoctorCommand {
    pub(super) fn execute(self) -> Outcome {
        let file = self.cluster.as_deref().map(ClusterFile::read).transpose()?;
        // What is being applied at this moment is no leftover.
        let _alone = match &file {
            Some(file) if self.clean => Some(claim(file, "doctor --clean")?),
            _ => None,
        };
        let mut looks = here::look(self.clean)?;
        let mut place = file.as_ref().map(Place::from);
        if let Some(bootstrap) = self.bootstrap {
            place = Some(Place { bootstrap, ..Place::default() });
        }
        if let Some(place) = &mut place {
            place.properties.extend(self.properties);
            let topic = format!("highwater-doctor-{}", state::unique());
            looks.extend(cluster::look(place, file.as_ref(), topic)?);
        }
        if let Some(file) = &file {
            let hosts = file.hosts()?;
            looks
                .extend(nodes::each(&hosts, |spec| host::look(file, spec, self.clean)).into_iter().flatten());
        }
        if self.format == "json" {
            let report = serde_json::json!({ "schema_version": 1, "looks": looks });
            print(&format!("{}\n", serde_json::to_string_pretty(&report)?))?;
        } else {
            for Look { host, what, state, text } in &looks {
                print(&format!("{:<8}{host}: {what}: {text}\n", state.word()))?;
            }
        }
        let failed = looks.iter().any(|look| look.state == State::Failed);
        Ok(if failed { Exit::Unreachable } else { Exit::Held })
    }
}

/// A look at something that could not be looked at.
fn failed(host: &str, what: &str, error: &(dyn std::error::Error + 'static)) -> Look {
    Look::new(host, what, State::Failed, with_causes(error))
}
