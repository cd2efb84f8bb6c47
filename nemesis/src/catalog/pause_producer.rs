//! `pause-producer`: a producing application is stopped (SIGSTOP) and continued later.

use history::FaultClass;

use crate::applications::Pauses;
use crate::spec::Spec;

pub(crate) static SPEC: Spec = Spec {
    name: "pause-producer",
    summary: "stop a producing application (SIGSTOP), continue it later",
    docs: "\
The application stands still, as in a long garbage collection or on a frozen machine, for longer than its \
requests may take: when it goes on, answers wait in its sockets that came long ago, and its client takes requests \
for lost that were served. It has bitten if the application sent nothing in that time. Brokers and links stay \
whole: it needs no host and works on every target.",
    class: FaultClass::PauseProducer,
    duration_ms: |timings| timings.session_timeout_ms + 1000,
    nemesis: &Pauses,
};
