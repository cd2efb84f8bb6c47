//! `power-failure-torn`: as `power-failure`, but writes were under way.

use history::FaultClass;

use super::power_failure::PowerFailure;
use crate::spec::Spec;

pub(crate) static SPEC: Spec = Spec {
    name: "power-failure-torn",
    summary: "as power-failure, with the last write half on the disk",
    docs: "\
As power-failure, but half of what was not synced has got to the disk, and the last sector of it in pieces. A \
broker must find the first damaged batch when it recovers and cut its log there. It has bitten when bytes were \
cut, or, where flush.messages=1 leaves none to cut, when another epoch began.",
    class: FaultClass::PowerFailure,
    duration_ms: |timings| timings.session_timeout_ms + 700,
    nemesis: &PowerFailure { torn: true },
};
