//! `clock-bump`: the clock of the broker that leads a partition jumps.

use history::FaultClass;

use crate::affliction::{Affliction, Afflicts};
use crate::spec::Spec;

/// At least by so much.
const LEAST_MS: i64 = 60_000;
/// And by less than so much more.
const SPREAD_MS: i64 = 540_000;

/// Half of the draws go one way, half the other.
pub(super) const fn ahead_or_back(draw: u32, by: i64) -> i64 {
    if draw.is_multiple_of(2) { by } else { -by }
}

pub(crate) static SPEC: Spec = Spec {
    name: "clock-bump",
    summary: "the clock of the broker that leads a partition jumps, by up to ten minutes",
    docs: "\
The time of day of the broker jumps by one to ten minutes, ahead or back as the seed says, and back when the \
fault is over. What is measured by it is early or late: the ISR, time-outs of requests and transactions, the \
stamps of LogAppendTime, and retention. Nothing acknowledged may be lost, unless retention.ms is so short that \
records are old by the clock that has jumped. On hosts with a clock of their own, or under libfaketime; on the \
reference cluster the broker's own time of day. It has bitten when the clock was read, and wrong.",
    class: FaultClass::ClockBump,
    duration_ms: |_| 2500,
    nemesis: &Afflicts(|fault, _| Affliction::ClockBump {
        ms: ahead_or_back(fault.draw, LEAST_MS + i64::from(fault.draw / 2) % SPREAD_MS),
    }),
};
