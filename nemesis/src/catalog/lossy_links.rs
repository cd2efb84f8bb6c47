//! `lossy-links`: a fifth of the packets between brokers is lost.

use history::FaultClass;

use super::slow_links::aim;
use crate::impairment::Impairment;
use crate::shape::Impairs;
use crate::spec::Spec;

pub(crate) static SPEC: Spec = Spec {
    name: "lossy-links",
    summary: "a fifth of the packets between brokers is lost",
    docs: "\
A fifth of the packets of every link between two brokers is lost, both ways; clients and controllers are as near \
as ever. TCP sends them again, later and later: followers fall behind and out of the ISR. Nothing may be lost \
for good. By iptables -m statistic on hosts; a proxy of connections has no packets to lose. Takes two brokers. \
It has bitten when packets were dropped.",
    class: FaultClass::LossyLinks,
    duration_ms: |_| 3000,
    nemesis: &Impairs { aim, how: |_, _, _| Impairment::Lose { percent: 20 } },
};
