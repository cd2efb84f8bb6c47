//! `reorder-packets`: packets between brokers overtake each other.

use history::FaultClass;

use super::slow_links::aim;
use crate::impairment::Impairment;
use crate::shape::Impairs;
use crate::spec::Spec;

pub(crate) static SPEC: Spec = Spec {
    name: "reorder-packets",
    summary: "a quarter of the packets between brokers overtakes the others",
    docs: "\
A quarter of the packets of every link between two brokers leaves at once, the others 20 ms late, so that it \
overtakes them; clients and controllers are as near as ever. TCP puts them in order again: nothing may be lost, \
and nothing may be out of order. By tc netem on hosts whose kernel has it, and not elsewhere. Takes two brokers. \
It has bitten when packets passed through.",
    class: FaultClass::ReorderPackets,
    duration_ms: |_| 3000,
    nemesis: &Impairs { aim, how: |_, _, _| Impairment::Reorder { percent: 25, ms: 20 } },
};
