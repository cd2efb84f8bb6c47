//! `flip-bit`: a broker that was stopped in an orderly way comes back with one bit of a log turned.

use history::FaultClass;

use crate::affliction::{Affliction, Afflicts};
use crate::spec::Spec;

pub(crate) static SPEC: Spec = Spec {
    name: "flip-bit",
    summary: "turn one bit in a log of a broker that was stopped in an orderly way",
    docs: "\
The broker that leads a partition is asked to end, one bit of the newest segment of that partition is turned, at \
a place that the seed draws, and the broker is started again. Kafka trusts its disk after an orderly end, and \
hands on what it reads. Readers that check (check.crcs: the default of the Java client, not of librdkafka) \
refuse the batch: librdkafka goes on behind it, the Java client stops there. With several replicas nobody sees \
it until that broker leads again. The bit stays turned. It has bitten when it was.",
    class: FaultClass::FlipBit,
    duration_ms: |_| 2000,
    nemesis: &Afflicts(|fault, partition| Affliction::FlipBit { partition, seed: u64::from(fault.draw) }),
};
