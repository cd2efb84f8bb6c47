//! Whether the run meant anything: did every kind of fault bite, was enough acknowledged?

use crate::Finding;
use crate::context::Context;
use crate::evidence::shortfalls;
use crate::spec::{Basis, Kind, Spec};

pub(crate) static SPEC: Spec = Spec {
    name: "exercise",
    summary: "whether the planned faults bit and enough was acknowledged",
    docs: "\
Each planned kind of fault must have bitten at least once. kill: a partition that the node led got a new \
leader epoch. pause: the node was fenced. isolate-leader: a partition it led got a new epoch elsewhere during \
the cut, and, unless acks=all waits for replicas that were cut off, the old leader confirmed records \
afterwards; so for isolate-minority. isolate-followers, bridge and majorities-ring: an in-sync replica set \
shrank; for isolate-one-way it may also be a new epoch elsewhere. stop and rolling-restart: as kill. Power \
failures: bytes that were not synced are gone. isolate-clients: records had to wait. drop-responses: answers \
were thrown away and clients sent again. slow-links, slow-clients and narrow-links: bytes came late, or had to wait. \
isolate-controller: brokers were fenced. kill-producer: the session ended with records in doubt or being sent. \
pause-producer: nothing was sent meanwhile. kill-reader: a session ended and another began. \
disk-full and read-only-disk: the broker gave up, or what it had not synced is gone. slow-disk, truncate-log, \
flip-bit, stale-disk and drop-cache: bytes had to wait, were cut, turned or missing, or left the cache. Clocks: \
they were read, and wrong. Packets: they were touched. At least 10 records \
must have been confirmed, and some in every \
partition that was tried. Otherwise the run is vacuous: what held was not put to the test. Leader changes that no planned fault explains are counted apart and credited to none.",
    kinds: &[NOT_EXERCISED],
    check,
};

const NOT_EXERCISED: Kind = Kind {
    name: "not-exercised",
    summary: "a planned kind of fault did not bite, or too little was confirmed",
    noun: "things the run did not put to the test",
    of: Basis::Nothing,
    guarantee: None,
};

fn check(context: &Context<'_>) -> Vec<Finding> {
    let shortfalls = shortfalls(context);
    if shortfalls.is_empty() {
        return Vec::new();
    }
    let count = shortfalls.len() as u64;
    let summary = shortfalls.join("; ");
    let examples = shortfalls.into_iter().map(|text| context.witness(text, None, None, None, None)).collect();
    vec![NOT_EXERCISED.finding(&SPEC, count, summary, examples)]
}
