//! A scripted sequence: which nemesis when, for how long, on whom, in the user's own words, instead of a schedule
//! drawn from the seed. Steps may overlap.
//!
//! A step is `NAME@AT+FOR`, optionally followed by `:node=N` or `:partition=P` (default: the leader of partition 0
//! at that moment), by `:reset` (cut links by resets) and by `:draw=N` (another shape of a fault that draws one):
//! `isolate-followers@1s+9s,kill@9s+10s`. A fault of applications takes `:draw=N` alone, and hits the N-th
//! of those at work, from 0 and round again; unsaid, the seed chooses. A request to the cluster takes `:partition=P`, if
//! it is about one, and `:draw=N`; one of the group's coordinator neither node nor partition.

use std::time::Duration;

use history::{FaultTarget, Manner, NodeId, Partition, PlannedFault};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::schedule::target;
use crate::spec::find;

/// A step cannot be read or followed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ScriptError {
    /// It is no step.
    #[error("`{step}` is no step of a script: {reason} (write NAME@AT+FOR, as in `kill@2s+3s:node=1`)")]
    Step {
        /// The step.
        step: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It would go on after the load.
    #[error("`{step}` ends after {end_ms} ms, and the load after {load_ms} ms (give --duration {}s or more)", end_ms.div_ceil(1000))]
    TooLong {
        /// The step.
        step: String,
        /// Its end.
        end_ms: u64,
        /// The end of the load.
        load_ms: u64,
    },
}

/// Whether a word is a step of a script rather than the name of a nemesis.
#[must_use]
pub fn is_step(word: &str) -> bool {
    word.contains('@')
}

/// The faults of a script, in order of their beginnings; `duration` reads `500ms`, `2s`, and `seed` chooses
/// applications.
///
/// # Errors
/// If a step cannot be read, names no nemesis, or ends after the load.
pub fn read(
    steps: &[String],
    load_ms: u64,
    partitions: u32,
    seed: u64,
    duration: impl Fn(&str) -> Option<Duration>,
) -> Result<Vec<PlannedFault>, ScriptError> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut faults = steps
        .iter()
        .map(|step| one(step, partitions, random.random(), &duration))
        .collect::<Result<Vec<_>, _>>()?;
    for (fault, step) in faults.iter().zip(steps) {
        let end_ms = fault.at_ms + fault.duration_ms;
        if end_ms > load_ms {
            return Err(ScriptError::TooLong { step: step.clone(), end_ms, load_ms });
        }
    }
    faults.sort_by_key(|fault| fault.at_ms);
    for (id, fault) in (1..).zip(&mut faults) {
        fault.id = id;
    }
    Ok(faults)
}

fn one(
    step: &str,
    partitions: u32,
    drawn: u32,
    duration: &impl Fn(&str) -> Option<Duration>,
) -> Result<PlannedFault, ScriptError> {
    let wrong = |reason: String| ScriptError::Step { step: step.to_owned(), reason };
    let mut words = step.split(':');
    let (name, when) = words
        .next()
        .and_then(|word| word.split_once('@'))
        .ok_or_else(|| wrong("it has no `@`".to_owned()))?;
    let spec = find(name)
        .ok_or_else(|| wrong(format!("there is no nemesis `{name}`; `highwater list nemeses` shows them")))?;
    let (at, lasts) = when.split_once('+').ok_or_else(|| wrong(format!("`{when}` does not say how long")))?;
    let ms = |text: &str| {
        let read = duration(text).and_then(|read| u64::try_from(read.as_millis()).ok());
        read.ok_or_else(|| wrong(format!("`{text}` is no duration")))
    };
    let (at_ms, duration_ms) = (ms(at)?, ms(lasts)?);
    let of_applications = spec.class.applications().is_some();
    let given = target(spec.class);
    let mut draw = if of_applications { drawn } else { 0 };
    let mut target = given.unwrap_or(FaultTarget::LeaderOf(Partition(0)));
    let mut manner = Manner::Held;
    for word in words {
        if given == Some(FaultTarget::Coordinator) && word.contains('=') {
            return Err(wrong(format!(
                "`{word}` says nothing of a coordinator, which is who it is (leave it out)"
            )));
        }
        let known = match spec.class {
            class if class.is_of_the_whole_topic() => word.starts_with("draw="),
            class if class.is_administrative() => {
                ["draw=", "partition="].iter().any(|of| word.starts_with(of))
            }
            _ => true,
        };
        if !known {
            return Err(wrong(format!("`{word}` says nothing of a request to the cluster about its topic")));
        }
        if of_applications && !word.starts_with("draw=") {
            return Err(wrong(format!("`{word}` says nothing of an application (give `draw=N` or nothing)")));
        }
        let number = |text: &str| text.parse::<u32>().map_err(|_| wrong(format!("`{text}` is no number")));
        target = match word.split_once('=') {
            Some(("node", node)) => {
                FaultTarget::Node(NodeId(i32::try_from(number(node)?).unwrap_or(i32::MAX)))
            }
            Some(("partition", partition)) => {
                let partition = number(partition)?;
                if partition >= partitions {
                    return Err(wrong(format!("there are {partitions} partitions, from 0")));
                }
                FaultTarget::LeaderOf(Partition(partition))
            }
            Some(("draw", shape)) => {
                draw = number(shape)?;
                continue;
            }
            None if word == "reset" => {
                manner = Manner::Reset;
                continue;
            }
            _ => {
                return Err(wrong(format!(
                    "`{word}` is neither `node=N`, `partition=P`, `draw=N` nor `reset`"
                )));
            }
        };
    }
    Ok(PlannedFault {
        id: 0,
        nemesis: name.to_owned(),
        class: spec.class,
        at_ms,
        duration_ms,
        target,
        manner,
        draw,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(steps: &[&str]) -> Result<Vec<PlannedFault>, ScriptError> {
        let steps: Vec<_> = steps.iter().map(|step| (*step).to_owned()).collect();
        let seconds = |text: &str| text.strip_suffix('s')?.parse().ok().map(Duration::from_secs);
        read(&steps, 20_000, 2, 5, seconds)
    }

    #[test]
    fn steps_are_followed_in_order_of_their_beginnings() {
        let faults = script(&["kill@9s+10s:node=2", "isolate-followers@1s+9s:partition=1:reset"]).unwrap();
        let told: Vec<_> = faults.iter().map(|fault| (fault.id, fault.at_ms, fault.duration_ms)).collect();
        assert_eq!(told, [(1, 1000, 9000), (2, 9000, 10_000)]);
        assert_eq!(faults[0].target, FaultTarget::LeaderOf(Partition(1)));
        assert_eq!((faults[0].manner, faults[1].manner), (Manner::Reset, Manner::Held));
        assert_eq!(faults[1].target, FaultTarget::Node(NodeId(2)));
    }

    #[test]
    fn applications_are_chosen_by_the_seed_or_by_name() {
        let steps = ["kill-producer@1s+1s", "kill-producer@3s+1s", "pause-producer@5s+1s:draw=3"];
        let faults = script(&steps).unwrap();
        assert!(faults.iter().all(|fault| fault.target == FaultTarget::Application));
        assert_ne!(faults[0].draw, faults[1].draw);
        assert_eq!(faults[2].draw, 3);
        assert_eq!(script(&steps).unwrap(), faults);
        let refused = script(&["unclean-election@1s+1s:partition=0"]).unwrap_err().to_string();
        assert!(refused.contains("`partition=0` says nothing of a request"), "{refused}");
        let refused = script(&["reassign-replicas@1s+1s:node=1"]).unwrap_err().to_string();
        assert!(refused.contains("`node=1` says nothing of a request"), "{refused}");
        let asked = script(&["add-partitions@1s+1s", "preferred-election@1s+1s:partition=1"]).unwrap();
        let targets: Vec<_> = asked.iter().map(|fault| fault.target).collect();
        assert_eq!(targets, [FaultTarget::Topic, FaultTarget::LeaderOf(Partition(1))]);
        let refused = script(&["kill-reader@1s+1s:node=1"]).unwrap_err().to_string();
        assert!(refused.contains("`node=1` says nothing of an application"), "{refused}");
    }

    #[test]
    fn what_is_no_step_says_why() {
        let reason = |step: &str| script(&[step]).unwrap_err().to_string();
        assert!(reason("kill@1s").contains("does not say how long"));
        assert!(reason("kil@1s+1s").contains("there is no nemesis `kil`"));
        assert!(reason("kill@x+1s").contains("`x` is no duration"));
        assert!(reason("kill@1s+1s:node=x").contains("`x` is no number"));
        assert!(reason("kill@1s+1s:partition=2").contains("there are 2 partitions"));
        assert!(reason("kill@1s+1s:fast").contains("neither"));
        assert!(reason("kill@15s+6s").contains("--duration 21s"));
    }
}
