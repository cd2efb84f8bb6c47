//! The ground a run on hosts stands on: the lab, built for it unless it is there; the network its addresses exist
//! in; and the claim on the cluster, since two runs that break one cluster know nothing of each other. A signal while
//! the lab is built takes down what there is of it.

use std::path::PathBuf;

use targets::causes::with_causes;
use targets::lab::{self, Entered, Kafka, LabError, LabOptions};

use super::failure::Failure;
use super::{RunOptions, Verbosity};
use crate::claim::Claim;
use crate::cli::interrupt::Interrupt;
use crate::cli::lab::Building;
use crate::planning::Hosts;
use crate::state;

/// What a run on hosts holds while it lasts; empty for every other run.
#[derive(Debug, Default)]
pub(crate) struct Ground {
    inside: Option<Entered>,
    built: Option<PathBuf>,
    /// Catches signals from before the building on: none is lost until the run itself hears them.
    interrupt: Option<Interrupt>,
    _claim: Option<Claim>,
}

impl Ground {
    /// Claims the cluster, builds the lab if it is to be built, and goes where its addresses exist.
    ///
    /// # Errors
    /// If another run has the cluster, or the lab cannot be built or entered.
    pub(super) fn prepare(options: &RunOptions) -> Result<Self, Failure> {
        let Some(hosts) = &options.hosts else { return Ok(Self::default()) };
        let claim =
            Claim::take(&hosts.file, "run").map_err(|error| Failure::preflight(format!("{error:#}")))?;
        let interrupt = Interrupt::watch().map_err(|error| Failure::bug(format!("{error:#}")))?;
        let built = match hosts.build.is_some() {
            true => Some(build(hosts, options.verbosity, &interrupt)?),
            false => None,
        };
        let mut ground = Self { inside: None, built, interrupt: Some(interrupt), _claim: Some(claim) };
        if let Some(namespace) = &hosts.file.namespace {
            let inside = Entered::new(namespace).map_err(|error| {
                Failure::preflight(format!(
                    "failed to enter network namespace `{namespace}`: {error} (be root)"
                ))
            });
            ground.inside = Some(inside.inspect_err(|_| {
                // That it could not be entered is the better news.
                let _ = ground.take_down();
            })?);
        }
        Ok(ground)
    }

    /// The signal that came first since the run began, if any.
    pub(super) fn caught(&self) -> Option<i32> {
        self.interrupt.as_ref().and_then(Interrupt::caught)
    }

    /// Goes back, and takes down what was built.
    ///
    /// # Errors
    /// If something of it is left.
    pub(super) fn leave(mut self) -> Result<(), Failure> {
        // Taking the lab down ends whoever is inside.
        self.inside.take();
        self.take_down()
    }

    fn take_down(&mut self) -> Result<(), Failure> {
        let Some(dir) = self.built.take() else { return Ok(()) };
        lab::down(&dir).map_err(|error| Failure::clean_up(with_causes(&error)))
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        self.inside.take();
        // Only a panic comes here with something to take down.
        let _ = self.take_down();
    }
}

fn build(hosts: &Hosts, verbosity: Verbosity, interrupt: &Interrupt) -> Result<PathBuf, Failure> {
    let dir = state::lab();
    let kafka =
        state::kafka_home().map_or_else(|| Kafka::Version(lab::KAFKA_VERSION.to_owned()), Kafka::Home);
    let mut options = LabOptions::new(dir.clone(), state::cache(), kafka);
    options.brokers = hosts.brokers;
    options.faketime = hosts.faketime;
    options.settings = hosts.build.clone().unwrap_or_default();
    let quiet = verbosity < Verbosity::Normal;
    match lab::up(&options, &mut Building { beginning: "  lab", interrupt, quiet }) {
        Ok(_) => Ok(dir),
        Err(error) => Err(match (&error, interrupt.exit()) {
            (LabError::Stopped, Some(exit)) => Failure::stopped(exit, error),
            (LabError::Left(_), _) => Failure::clean_up(error),
            _ => Failure::preflight(with_causes(&error)),
        }),
    }
}
