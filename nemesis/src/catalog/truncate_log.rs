//! `truncate-log`: a broker that was stopped in an orderly way comes back with the end of a log cut off.

use history::FaultClass;

use crate::affliction::{Affliction, Afflicts};
use crate::spec::Spec;

/// At least so many bytes are cut off.
const LEAST: u64 = 4 << 10;
/// And fewer than so many more.
const SPREAD: u64 = 28 << 10;

pub(crate) static SPEC: Spec = Spec {
    name: "truncate-log",
    summary: "cut off the end of a log of a broker that was stopped in an orderly way",
    docs: "\
The broker that leads a partition is asked to end, the newest segment of that partition loses 4 to 32 KiB of its \
end (the seed says how much), and the broker is started again. It believes what it finds: after an orderly end \
it looks through nothing. With one replica what was cut off is lost, synced or not. With several the others lead \
by then, and have it. Apache Kafka's replica does not come back in sync by itself: its index knows of records \
that its log has lost, and its fetcher gives up. It has bitten when bytes were cut off.",
    class: FaultClass::TruncateLog,
    duration_ms: |_| 2000,
    nemesis: &Afflicts(|fault, partition| Affliction::TruncateLog {
        partition,
        bytes: LEAST + u64::from(fault.draw) % SPREAD,
    }),
};
