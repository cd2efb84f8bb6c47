//! The schedule of a run: which fault when, for how long, on whom. All of it comes from the seed.

use history::{FaultClass, FaultTarget, Manner, Partition, PlannedFault};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::spec::Spec;

/// Load before the first fault.
const LEAD_MS: u64 = 700;
/// Load that goes on after the last heal.
const TAIL_MS: u64 = 300;

/// The cluster's time-outs, which decide how long a fault must last to bite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timings {
    /// `broker.session.timeout.ms`.
    pub session_timeout_ms: u64,
    /// `replica.lag.time.max.ms`.
    pub replica_lag_ms: u64,
    /// After so long without a heartbeat a member is out of its consumer group.
    pub group_session_ms: u64,
    /// Time from the heal of one fault to the next: brokers start, leaders settle, producers resend.
    pub recovery_ms: u64,
}

/// No schedule fits.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ScheduleError {
    /// The load is over before every nemesis has had a turn.
    #[error(
        "a load of {load_ms} ms is too short for `{nemeses}` to bite (give --duration {}s or more, or fewer nemeses)",
        needed_ms.div_ceil(1000)
    )]
    TooShort {
        /// The load.
        load_ms: u64,
        /// The nemeses asked for.
        nemeses: String,
        /// The shortest load that would do.
        needed_ms: u64,
    },
}

/// Whom a fault of this class hits, where that is no partition's leader.
pub(crate) const fn target(class: FaultClass) -> Option<FaultTarget> {
    match class {
        FaultClass::KillCoordinator | FaultClass::IsolateCoordinator => Some(FaultTarget::Coordinator),
        _ if class.applications().is_some() => Some(FaultTarget::Application),
        _ if class.is_of_the_whole_topic() => Some(FaultTarget::Topic),
        _ => None,
    }
}

/// The shortest load in which every one of these, of which there is at least one, has a turn and bites.
fn shortest_load_ms(specs: &[&Spec], timings: &Timings) -> u64 {
    let turns = specs.iter().map(|spec| (spec.duration_ms)(timings) + timings.recovery_ms);
    LEAD_MS + turns.sum::<u64>() - timings.recovery_ms + TAIL_MS
}

/// Draws the faults of a load of `load_ms`: every nemesis at least once, then more while they fit, the last one
/// healed before the load ends. One at a time, or, with `overlap`, half of them begin while the one before is in
/// force; what that saves is quiet.
///
/// # Errors
/// If the load is too short for each to bite once.
pub fn schedule(
    seed: u64,
    specs: &[&Spec],
    load_ms: u64,
    partitions: u32,
    timings: &Timings,
    overlap: bool,
) -> Result<Vec<PlannedFault>, ScheduleError> {
    if specs.is_empty() {
        return Ok(Vec::new());
    }
    let shortest = |spec: &Spec| (spec.duration_ms)(timings);
    let needed_ms = shortest_load_ms(specs, timings);
    if load_ms < needed_ms {
        let nemeses = specs.iter().map(|spec| spec.name).collect::<Vec<_>>().join(",");
        return Err(ScheduleError::TooShort { load_ms, nemeses, needed_ms });
    }

    let mut random = ChaCha8Rng::seed_from_u64(seed);
    // Shapes have a stream of their own: whether a nemesis draws one changes nobody's time.
    let mut shapes = ChaCha8Rng::seed_from_u64(seed);
    shapes.set_stream(1);
    let mut turns: Vec<&Spec> = Vec::new();
    let mut spare_ms = load_ms - needed_ms;
    turns.extend(specs);
    turns.shuffle(&mut random);
    // More faults while there is room for a generous one.
    loop {
        let more = specs[random.random_range(0..specs.len())];
        let cost_ms = shortest(more) + 2 * timings.recovery_ms;
        if cost_ms > spare_ms {
            break;
        }
        spare_ms -= cost_ms;
        turns.push(more);
    }

    let mut faults = Vec::with_capacity(turns.len());
    let mut at_ms = LEAD_MS;
    // What is left is spread over the faults: a part before each, a part into its length.
    let share_ms = spare_ms / turns.len() as u64;
    for (id, spec) in (1..).zip(turns) {
        at_ms += random.random_range(0..=share_ms / 2);
        let duration_ms = shortest(spec) + random.random_range(0..=(share_ms / 2).min(shortest(spec)));
        let manner = if random.random_range(0..4) == 0 { Manner::Reset } else { Manner::Held };
        let leader = FaultTarget::LeaderOf(Partition(random.random_range(0..partitions.max(1))));
        faults.push(PlannedFault {
            id,
            nemesis: spec.name.to_owned(),
            class: spec.class,
            at_ms,
            duration_ms,
            target: target(spec.class).unwrap_or(leader),
            manner,
            draw: shapes.random(),
        });
        at_ms += duration_ms + timings.recovery_ms;
    }
    if overlap {
        for place in 1..faults.len() {
            let before: &PlannedFault = &faults[place - 1];
            let (begins, ends) = (before.at_ms, before.at_ms + before.duration_ms);
            if random.random_range(0..2) == 0 {
                faults[place].at_ms = random.random_range(begins..ends);
            }
        }
        faults.sort_by_key(|fault| fault.at_ms);
    }
    Ok(faults)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CATALOG;

    const TIMINGS: Timings =
        Timings { session_timeout_ms: 1500, replica_lag_ms: 1500, group_session_ms: 2000, recovery_ms: 1200 };

    #[test]
    fn faults_fit_do_not_overlap_and_last_long_enough() {
        for seed in 0..1000 {
            for load_ms in [1, 2].map(|times| times * shortest_load_ms(CATALOG, &TIMINGS)) {
                let faults = schedule(seed, CATALOG, load_ms, 4, &TIMINGS, false).unwrap();
                for spec in CATALOG {
                    let mine = faults.iter().filter(|fault| fault.nemesis == spec.name);
                    assert!(mine.clone().count() > 0, "seed {seed}: every nemesis has a turn");
                    assert!(mine.clone().all(|fault| fault.duration_ms >= (spec.duration_ms)(&TIMINGS)));
                }
                for pair in faults.windows(2) {
                    assert!(
                        pair[0].at_ms + pair[0].duration_ms + TIMINGS.recovery_ms <= pair[1].at_ms,
                        "seed {seed}"
                    );
                }
                let last = faults.last().unwrap();
                assert!(last.at_ms + last.duration_ms + TAIL_MS <= load_ms, "seed {seed}");
            }
        }
    }

    #[test]
    fn with_overlap_some_begin_while_another_is_in_force_and_all_end_in_time() {
        let mut overlapping = 0;
        let load_ms = 2 * shortest_load_ms(CATALOG, &TIMINGS);
        for seed in 0..200 {
            let faults = schedule(seed, CATALOG, load_ms, 4, &TIMINGS, true).unwrap();
            assert!(faults.is_sorted_by_key(|fault| fault.at_ms));
            assert!(faults.iter().all(|fault| fault.at_ms + fault.duration_ms + TAIL_MS <= load_ms));
            overlapping +=
                faults.windows(2).filter(|pair| pair[1].at_ms < pair[0].at_ms + pair[0].duration_ms).count();
        }
        assert!(overlapping > 200, "{overlapping}");
    }

    #[test]
    fn the_same_seed_draws_the_same_schedule() {
        let load_ms = shortest_load_ms(CATALOG, &TIMINGS);
        let draw = |seed| schedule(seed, CATALOG, load_ms, 4, &TIMINGS, false).unwrap();
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }

    #[test]
    fn the_default_run_fits_ten_seconds() {
        let specs: Vec<_> = ["kill", "isolate-leader"].iter().filter_map(|name| crate::find(name)).collect();
        assert_eq!(schedule(1, &specs, 10_000, 4, &TIMINGS, false).unwrap().len(), 2);
    }

    #[test]
    fn a_load_too_short_to_bite_is_refused_with_one_that_is_not() {
        let error = schedule(1, CATALOG, 3000, 4, &TIMINGS, false).unwrap_err();
        let ScheduleError::TooShort { needed_ms, .. } = error;
        assert!(schedule(1, CATALOG, needed_ms, 4, &TIMINGS, false).is_ok());
        assert!(error.to_string().contains("--duration"));
        assert!(schedule(1, &[], 100, 4, &TIMINGS, false).unwrap().is_empty());
    }
}
