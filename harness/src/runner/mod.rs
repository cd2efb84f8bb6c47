//! Conducts one run through its phases: set-up, quiet, load with faults, heal, progress, drain, check,
//! report, teardown.

mod administration;
mod backstage;
mod breakable;
mod conductor;
mod crew;
mod failure;
mod faults;
mod ground;
mod message;
mod phases;
mod progress;
pub(crate) mod signals;
mod succession;

pub(crate) use self::signals::SignalWatch;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use checkers::{Ending, Judgement};
use history::{Phase, Plan};
use results::{Format, RunDir};

use self::conductor::Conductor;
use self::failure::Failure;
use self::ground::Ground;
use self::message::Message;
use crate::exit::Exit;
use crate::planning::Hosts;
use targets::causes::with_causes;

/// What a run needs besides its plan: nothing here changes what is judged.
#[derive(Debug, Clone)]
pub(crate) struct RunOptions {
    /// Where run directories go.
    pub(crate) results: PathBuf,
    /// Client properties that must not be stored (`-X`, `--config`), unredacted.
    pub(crate) secrets: BTreeMap<String, String>,
    /// The hosts whose brokers may be broken, unless they are the reference cluster's.
    pub(crate) hosts: Option<Hosts>,
    /// More than a minority of hosts may be down at once.
    pub(crate) allow_quorum_loss: bool,
    /// Leave the topic on the target.
    pub(crate) keep_topics: bool,
    /// The topic may exist already.
    pub(crate) allow_existing_topic: bool,
    /// The size guard of the history, in bytes.
    pub(crate) max_disk_bytes: u64,
    /// The run is stopped, healed and checked after this long.
    pub(crate) max_duration: Option<Duration>,
    /// How much goes to stderr.
    pub(crate) verbosity: Verbosity,
    /// What produces.
    pub(crate) arm: Arm,
}

/// What produces, and whether it is put on record: a run, or an arm of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arm {
    /// The workload, recorded, drained and judged.
    Recorded,
    /// The workload, without a record: nothing can be judged.
    Unrecorded,
    /// Bare librdkafka loops with the same settings and payload size.
    Bare,
}

/// How much goes to stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verbosity {
    /// Errors only.
    Quiet,
    /// Seed, rerun line and progress.
    Normal,
    /// Also every leader change.
    Verbose,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct RunOutcome {
    /// The judgement, unless the run never came to one.
    pub(crate) judgement: Option<Judgement>,
    /// The exit code, by the contract's precedence.
    pub(crate) exit: Exit,
    /// The run directory, if one was made.
    pub(crate) dir: Option<PathBuf>,
    /// What kept the run from a judgement, or went wrong beside it.
    pub(crate) error: Option<String>,
    /// What the producers acknowledged together, and how long the slowest of them took, in nanoseconds.
    pub(crate) produced: (u64, u64),
}

/// Runs a plan, stores everything about it in its run directory, and judges it.
pub(crate) fn run(plan: Plan, options: &RunOptions) -> RunOutcome {
    let mut outcome =
        RunOutcome { judgement: None, exit: Exit::Held, dir: None, error: None, produced: (0, 0) };
    let dir = match RunDir::create(&options.results, &plan.run) {
        Ok(dir) => dir,
        Err(error) => return outcome.failed(&Failure::usage(with_causes(&error))),
    };
    if let Err(error) = dir.write_plan(&plan) {
        let _ = std::fs::remove_dir_all(dir.path());
        return outcome.failed(&Failure::indeterminate(with_causes(&error)));
    }
    outcome.dir = Some(dir.path().to_owned());
    let ground = match Ground::prepare(options) {
        Ok(ground) => ground,
        Err(failure) => return outcome.failed(&failure),
    };
    let conducted = conduct(&plan, options, &dir, &ground, &mut outcome);
    if let Err(failure) = ground.leave() {
        outcome.fail(&failure);
    }
    match conducted {
        Ok(signals) => {
            if options.arm == Arm::Recorded {
                judge(plan, &dir, &mut outcome);
            }
            for signal in signals {
                let stopped =
                    if signal == signal_hook::consts::SIGTERM { Exit::Terminated } else { Exit::Interrupted };
                outcome.exit = outcome.exit.worst(stopped);
            }
        }
        Err(failure) => outcome.fail(&failure),
    }
    outcome
}

impl RunOutcome {
    fn fail(&mut self, failure: &Failure) {
        self.exit = self.exit.worst(failure.exit);
        self.error = Some(match self.error.take() {
            Some(error) => format!("{error}; {}", failure.text),
            None => failure.text.clone(),
        });
    }

    fn failed(mut self, failure: &Failure) -> Self {
        self.fail(failure);
        self
    }
}

/// Goes through the phases and tears down, whatever happened; returns the signals that came.
fn conduct(
    plan: &Plan,
    options: &RunOptions,
    dir: &RunDir,
    ground: &Ground,
    outcome: &mut RunOutcome,
) -> Result<Vec<i32>, Failure> {
    let mut run = Conductor::new(plan, options, dir)?;
    if let Some(signal) = ground.caught() {
        // It came before the run heard signals itself.
        let _ = run.sender().send(Message::Signal(signal));
    }
    run.progress.say(&format!("seed {}; again: {}", plan.seed, plan.rerun));
    let mut done = phases(&mut run);
    let totals = run.crew.totals();
    let elapsed_ns = run.crew.of(crew::is_producer).map(|actor| actor.elapsed_ns).max().unwrap_or(0);
    outcome.produced = (totals.acked, elapsed_ns);
    run.tear_down();
    if done.is_ok() {
        done = run.enter(Phase::End, "checking").and_then(|()| run.close());
    }
    let signals = std::mem::take(&mut run.signals);
    let mut troubles = std::mem::take(&mut run.troubles);
    run.progress.finish();
    if let Err(failure) = done {
        troubles.insert(0, failure);
    }
    for trouble in troubles.iter().skip(1) {
        outcome.fail(trouble);
    }
    match troubles.into_iter().next() {
        Some(failure) => Err(failure),
        None => Ok(signals),
    }
}

fn phases(run: &mut Conductor<'_>) -> Result<(), Failure> {
    run.set_up()?;
    run.load()?;
    run.mend()?;
    if run.signals.len() > 1 || run.options.arm != Arm::Recorded {
        return Ok(());
    }
    let fences = run.fence()?;
    run.drain(fences)
}

/// Judges the stored history, and writes the verdict and the summary.
fn judge(plan: Plan, dir: &RunDir, outcome: &mut RunOutcome) {
    let history = match history::load(plan.clone(), &dir.history()) {
        Ok(history) => history,
        Err(error) => {
            let failure = Failure::indeterminate(with_causes(&error));
            outcome.error = Some(failure.text);
            outcome.exit = outcome.exit.worst(failure.exit);
            return;
        }
    };
    let judgement = checkers::judge(&history);
    outcome.exit = outcome.exit.worst(Ending::of(judgement.word).into());
    let Format::Human { width, color } = Format::DEFAULT else { unreachable!("the default is for people") };
    let summary = results::render_human(&plan, &judgement, width, color);
    let written = dir.write_verdict(&judgement).and_then(|()| dir.write_summary(&summary));
    if let Err(error) = written {
        outcome.error = Some(with_causes(&error));
        outcome.exit = outcome.exit.worst(Exit::Indeterminate);
    }
    outcome.judgement = Some(judgement);
}
