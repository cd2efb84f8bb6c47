//! `duplicate-packets`: packets between brokers arrive twice.

use history::FaultClass;

use super::slow_links::aim;
use crate::impairment::Impairment;
use crate::shape::Impairs;
use crate::spec::Spec;

pub(crate) static SPEC: Spec = Spec {
    name: "duplicate-packets",
    summary: "a fifth of the packets between brokers arrives twice",
    docs: "\
A fifth of the packets of every link between two brokers arrives twice; clients and controllers are as near as \
ever. TCP throws the second one away: nothing may be there twice. By tc netem on hosts whose kernel has it, and \
not elsewhere. Takes two brokers. It has bitten when packets passed through.",
    class: FaultClass::DuplicatePackets,
    duration_ms: |_| 3000,
    nemesis: &Impairs { aim, how: |_, _, _| Impairment::Duplicate { percent: 20 } },
};
