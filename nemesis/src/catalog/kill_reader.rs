//! `kill-reader`: a reading application dies by SIGKILL, and another session of it reads later.

use history::FaultClass;

use crate::applications::Kills;
use crate::spec::Spec;

pub(crate) static SPEC: Spec = Spec {
    name: "kill-reader",
    summary: "SIGKILL a reading application, start a new session of it later",
    docs: "\
The application dies by SIGKILL, and a new session of it is started when the fault is healed, which reads from \
the start of the log again. What the old session had read must still be there; what it had not read yet it owes \
nobody. The new one must be given everything. It has bitten if a session ended that way and another began. Brokers \
and links stay whole: it needs no host and works on every target.",
    class: FaultClass::KillReader,
    duration_ms: |_| 700,
    nemesis: &Kills,
};
