//! `kill-producer`: a producing application dies by SIGKILL, and another session of it goes on later.

use history::FaultClass;

use crate::applications::Kills;
use crate::spec::Spec;

pub(crate) static SPEC: Spec = Spec {
    name: "kill-producer",
    summary: "SIGKILL a producing application, go on later with a new session of it",
    docs: "\
The application dies by SIGKILL, and what its client had not handed to a broker is gone (`lost-in-client`, which \
nobody promises to keep). What a broker had acknowledged must be there as without the fault. A new session of it is \
started when the fault is healed; it has numbers of its own, goes on with the next record at the rate of the load, \
and sends nothing of the old session again. It has bitten if the session ended while records were in doubt or \
being sent. Brokers and links stay whole: it needs no host and works on every target.",
    class: FaultClass::KillProducer,
    duration_ms: |_| 700,
    nemesis: &Kills,
};
