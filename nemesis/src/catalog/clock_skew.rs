//! `clock-skew`: the clock of the broker that leads a partition runs fast or slow.

use history::FaultClass;

use super::clock_bump::ahead_or_back;
use crate::affliction::{Affliction, Afflicts};
use crate::spec::Spec;

/// What adjtimex can do by its ticks.
const PPM: i64 = 100_000;

pub(crate) static SPEC: Spec = Spec {
    name: "clock-skew",
    summary: "the clock of the broker that leads a partition runs a tenth fast or slow",
    docs: "\
The time of day of the broker gains or loses up to a tenth, as the seed says, and is right again when the fault \
is over. Time-outs come early or late. Nothing acknowledged may be lost. On hosts by adjtimex, where the kernel \
allows a tenth, or under libfaketime; on the reference cluster the broker's own time of day. It has bitten when \
the clock was read, and wrong.",
    class: FaultClass::ClockSkew,
    duration_ms: |_| 2500,
    nemesis: &Afflicts(|fault, _| Affliction::ClockSkew { ppm: ahead_or_back(fault.draw, PPM) }),
};
