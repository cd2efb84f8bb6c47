//! `pause-member`: a member of the run's consumer group is stopped (SIGSTOP) for longer than its session.

use history::FaultClass;

use crate::applications::Pauses;
use crate::spec::Spec;

pub(crate) static SPEC: Spec = Spec {
    name: "pause-member",
    summary: "stop a member of the consumer group for longer than its session: a zombie",
    docs: "\
The member stands still for longer than `session.timeout.ms`, as in a long garbage collection: its group takes it for \
dead and gives its partitions to others. When it is continued it believes for a moment that it still owns them, \
goes on with what it was processing, and tries to commit it. That its records are processed twice is allowed; \
that its commit is taken is not. It has bitten if one of its partitions was given to another member meanwhile. \
Brokers and links stay whole: it works on every target. Needs a workload whose consumers are a group.",
    class: FaultClass::PauseMember,
    duration_ms: |timings| timings.group_session_ms + 1500,
    nemesis: &Pauses,
};
