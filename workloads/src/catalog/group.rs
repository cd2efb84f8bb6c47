//! `group`: producers append uniquely tagged records, and the members of one consumer group share the partitions,
//! process what they are given and commit it.

use super::log;
use crate::spec::{Commit, Consumers, Spec};

pub(crate) static SPEC: Spec = Spec {
    name: "group",
    summary: "append tagged records, process them in a consumer group that commits after it",
    docs: "\
Producers send as in `log`. The consumers are members of one group, named after the run: each processes the \
records it is handed in batches (`max.poll.records`), puts each on record when it has processed it, and commits the \
batch afterwards and before it gives a partition up, and waits for the answer (at least once). With \
`enable.auto.commit=true` the client commits by itself what it has handed over, processed or not. A member that \
is killed has a successor, which joins again. At the end the group must have committed past a fence in every \
partition, and the whole log is read as in `log`. An error is, besides those of `log`, a record that the group went \
past and no member processed, a partition with two owners whose commits are both taken, and a committed offset that \
is forgotten. A record that is processed again after a member died or lost a partition is what at-least-once means. \
Unless set otherwise, members begin at the start of the log (`auto.offset.reset=earliest`) and commit themselves \
(`enable.auto.commit=false`).",
    checks: &[
        "availability",
        "duplicates",
        "exercise",
        "groups",
        "log-linearizability",
        "loss",
        "offsets",
        "order",
        "phantoms",
        "visibility",
    ],
    consumers: Consumers::Members(Commit::AfterProcessing),
    script: log::script,
};
