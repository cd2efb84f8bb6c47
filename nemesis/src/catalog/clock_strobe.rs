//! `clock-strobe`: the clock of the broker that leads a partition jumps to and fro.

use history::FaultClass;

use super::clock_bump::ahead_or_back;
use crate::affliction::{Affliction, Afflicts};
use crate::spec::Spec;

/// At least by so much.
const LEAST_MS: i64 = 30_000;
/// And by less than so much more.
const SPREAD_MS: i64 = 60_000;
/// For so long it is right, and for so long wrong.
const PERIOD_MS: u32 = 100;

pub(crate) static SPEC: Spec = Spec {
    name: "clock-strobe",
    summary: "the clock of the broker that leads a partition jumps to and fro",
    docs: "\
The time of day of the broker is right and wrong in turn, five times a second, by 30 s to a minute and a half, \
ahead or back as the seed says, and right again when the fault is over. Whatever was measured by two looks at it \
is nonsense. Nothing acknowledged may be lost, unless retention.ms is very short. On hosts with a clock of their \
own, or under libfaketime; on the reference cluster the broker's own time of day. It has bitten when the clock \
was read, and wrong.",
    class: FaultClass::ClockStrobe,
    duration_ms: |_| 2500,
    nemesis: &Afflicts(|fault, _| Affliction::ClockStrobe {
        ms: ahead_or_back(fault.draw, LEAST_MS + i64::from(fault.draw / 2) % SPREAD_MS),
        period_ms: PERIOD_MS,
    }),
};
