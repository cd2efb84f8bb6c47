//! `highwater bench run`: what the harness costs, as ratios within one sitting: bare librdkafka loops, the
//! harness without recording, and the harness as it runs, on the same kind of cluster with the same settings.

use std::time::Duration;

use clap::Args;

use super::super::flags::{LoadArgs, NO_NEMESIS, PlanArgs, SettingsArgs};
use super::super::output::{self, VerbosityArgs};
use super::super::quantity::{self, Rate};
use super::super::{Failure, Outcome};
use super::Scratch;
use crate::exit::Exit;
use crate::planning::{self, Drawn};
use crate::runner::{self, Arm, RunOptions, Verbosity};

const EXAMPLES: &str = "\
Examples:
  highwater bench run
  highwater bench run --duration 10s --rounds 5 --payload-bytes 100 --set acks=1";

/// The harness against bare librdkafka loops, recording on and off
#[derive(Args, Debug)]
#[command(before_help = EXAMPLES)]
pub(super) struct RunBench {
    /// How long each arm produces
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = quantity::duration)]
    duration: Duration,
    /// How often all arms take their turn
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Bytes of every payload
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(32..=1_000_000))]
    payload_bytes: u32,
    /// Partitions of the topic
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1000))]
    partitions: u32,
    /// Producers, a process each
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    producers: u32,
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(flatten)]
    verbosity: VerbosityArgs,
}

/// The arms, the baseline first.
const ARMS: [Arm; 3] = [Arm::Bare, Arm::Unrecorded, Arm::Recorded];

const fn name(arm: Arm) -> &'static str {
    match arm {
        Arm::Bare => "bare librdkafka loop",
        Arm::Unrecorded => "harness, recording off",
        Arm::Recorded => "harness, recording on",
    }
}

impl RunBench {
    pub(super) fn execute(self) -> Outcome {
        let plan = self.plan()?;
        let scratch = Scratch::within(&std::env::temp_dir(), "run");
        let mut speeds = ARMS.map(|_| Vec::new());
        for round in 0..self.rounds as usize {
            // Each round begins with another arm, so that none is always first on a warm or a cold machine.
            for turn in 0..ARMS.len() {
                let place = (round + turn) % ARMS.len();
                let speed = self.measure(&plan, ARMS[place], &scratch)?;
                if self.verbosity.level() >= Verbosity::Normal {
                    eprintln!("round {}: {}: {speed:.0} records/s", round + 1, name(ARMS[place]));
                }
                speeds[place].push(speed);
            }
        }
        output::print(&self.report(&speeds))?;
        Ok(Exit::Held)
    }

    /// The plan of every arm: as fast as it goes, nothing broken, nobody reading.
    fn plan(&self) -> anyhow::Result<PlanArgs> {
        let usual = planning::defaults();
        Ok(PlanArgs {
            load: LoadArgs {
                duration: Some(self.duration),
                rate: Rate::Max,
                partitions: self.partitions,
                producers: self.producers,
                consumers: Some(0),
                payload_bytes: self.payload_bytes,
                ..usual.load
            },
            settings: self.settings.clone(),
            nemesis: Some(vec![NO_NEMESIS.to_owned()]),
            ..usual
        })
    }

    /// Acknowledged records a second of one arm.
    fn measure(&self, args: &PlanArgs, arm: Arm, scratch: &Scratch) -> Result<f64, Failure> {
        let Drawn { plan, secrets, hosts } = planning::plan(args)?;
        let options = RunOptions {
            results: scratch.0.join(format!("{arm:?}")),
            secrets,
            hosts,
            allow_quorum_loss: args.guard.allow_quorum_loss,
            keep_topics: false,
            allow_existing_topic: false,
            max_disk_bytes: args.max_disk,
            max_duration: None,
            verbosity: match self.verbosity.level() {
                Verbosity::Verbose => Verbosity::Verbose,
                _ => Verbosity::Quiet,
            },
            arm,
        };
        let outcome = runner::run(plan, &options);
        // Gone at once: a history at full speed is large.
        if let Some(dir) = &outcome.dir {
            let _ = std::fs::remove_dir_all(dir);
        }
        let failed =
            |exit, text| Err(Failure::new(exit, anyhow::anyhow!("{} came to nothing: {text}", name(arm))));
        match outcome.produced {
            _ if outcome.error.is_some() => failed(outcome.exit, outcome.error.unwrap_or_default()),
            _ if matches!(outcome.exit, Exit::Interrupted | Exit::Terminated) => {
                failed(outcome.exit, "stopped by a signal".to_owned())
            }
            (acked, elapsed_ns) if acked > 0 && elapsed_ns > 0 => Ok(acked as f64 * 1e9 / elapsed_ns as f64),
            _ => failed(Exit::Vacuous, "nothing was acknowledged (raise --duration)".to_owned()),
        }
    }

    fn report(&self, speeds: &[Vec<f64>; 3]) -> String {
        let mut text = String::new();
        for (arm, speeds) in ARMS.iter().zip(speeds) {
            let speed = median(speeds.clone());
            let mib = speed * f64::from(self.payload_bytes) / f64::from(1 << 20);
            text.push_str(&format!("{:24} {speed:>10.0} records/s {mib:>8.1} MiB/s\n", name(*arm)));
        }
        let [bare, unrecorded, recorded] = speeds;
        text.push_str(&format!("harness / bare loop      {:.3}\n", ratio(recorded, bare)));
        text.push_str(&format!("recording on / off       {:.3}\n", ratio(recorded, unrecorded)));
        text.push_str(&format!("medians of {} rounds; ratios are medians of each round's\n", self.rounds));
        text
    }
}

/// The median of the ratios within each round.
fn ratio(of: &[f64], to: &[f64]) -> f64 {
    median(of.iter().zip(to).map(|(of, to)| of / to).collect())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_medians_of_rounds() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(vec![4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!((ratio(&[9.0, 20.0, 30.0], &[10.0, 20.0, 10.0]) - 1.0).abs() < 1e-9);
    }
}
