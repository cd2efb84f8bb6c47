//! `corrupt-packets`: packets between brokers have a bit turned.

use history::FaultClass;

use super::slow_links::aim;
use crate::impairment::Impairment;
use crate::shape::Impairs;
use crate::spec::Spec;

pub(crate) static SPEC: Spec = Spec {
    name: "corrupt-packets",
    summary: "a tenth of the packets between brokers has a bit turned",
    docs: "\
A tenth of the packets of every link between two brokers has a bit turned; clients and controllers are as near \
as ever. TCP's checksum finds every single bit, and so does that of a record batch: nothing damaged may be read, \
and nothing lost. By tc netem on hosts whose kernel has it, and not elsewhere. Takes two brokers. It has bitten \
when packets passed through.",
    class: FaultClass::CorruptPackets,
    duration_ms: |_| 3000,
    nemesis: &Impairs { aim, how: |_, _, _| Impairment::Corrupt { percent: 10 } },
};
