//! `kill-member`: a member of the run's consumer group dies by SIGKILL, and another session of it joins later.

use history::FaultClass;

use crate::applications::Kills;
use crate::spec::Spec;

pub(crate) static SPEC: Spec = Spec {
    name: "kill-member",
    summary: "SIGKILL a member of the consumer group, start a new session of it later",
    docs: "\
The member dies by SIGKILL with whatever it was processing. Its group notices when its session is over \
(`session.timeout.ms`, or when somebody joins), and gives its partitions to others, who begin at what it had \
committed: what it had processed and not committed is processed again, what it had committed and not processed by \
nobody. A new session of it is started when the fault is healed, and joins. It has bitten if the member had \
partitions and another one was given one of them afterwards. Brokers and links stay whole: it works on every target. \
Needs a workload whose consumers are a group.",
    class: FaultClass::KillMember,
    duration_ms: |timings| timings.group_session_ms + 1000,
    nemesis: &Kills,
};
