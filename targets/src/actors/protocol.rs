//! What the runner and an actor say to each other: one [`ActorSpec`] as the first line of the actor's
//! stdin, then [`Command`]s; [`ActorEvent`]s on its stdout. All are lines of JSON. No operation of a
//! workload crosses these pipes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use history::{Nanos, NodeId, Offset, Partition, Plan, Role};
use serde::{Deserialize, Serialize};

use crate::kafka::admin::{ClusterView, PartitionView};

/// What an actor is to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActorSpec {
    /// Process id of the runner: the actor exits if its parent is another.
    pub parent: u32,
    /// What it does.
    pub job: Job,
    /// Its number among actors of its role, from 0.
    pub index: u32,
    /// Its session, from 0.
    pub session: u32,
    /// Records of its share of the workload that earlier sessions of a producer have invoked; it goes on behind them.
    pub sent_before: u64,
    /// The plan.
    pub plan: Plan,
    /// Partitions that the topic has by now: those of the plan, and those that the run has had added.
    pub partitions: u32,
    /// `HOST:PORT,…`.
    pub bootstrap: String,
    /// Properties passed verbatim, secrets included.
    pub verbatim: BTreeMap<String, String>,
    /// Where its history segment goes; `None` records nothing.
    pub history: Option<PathBuf>,
    /// The size guard of its segment, in bytes.
    pub history_bytes_max: u64,
}

/// What an actor does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Job {
    /// Produces the workload's records between [`Command::Go`] and the end of the load.
    Producer,
    /// Follows the log until [`Command::Finish`] and the fences.
    Reader,
    /// Joins the run's group, and processes what it is handed until [`Command::Finish`] and the group is past the
    /// fences.
    Member,
    /// Reads every partition to its fence.
    Drain {
        /// The fences.
        fences: BTreeMap<Partition, Offset>,
        /// How long it may take, in milliseconds.
        deadline_ms: u64,
    },
    /// Answers [`AdminRequest`]s.
    Admin,
    /// Produces records of the same size as fast as librdkafka takes them, without tags or history: the
    /// other arm of the benchmark.
    Bare,
}

impl Job {
    /// The role under which the actor's history is kept.
    #[must_use]
    pub fn role(&self) -> Role {
        match self {
            Self::Producer | Self::Bare => Role::Producer,
            Self::Reader => Role::Reader,
            Self::Member => Role::Member,
            Self::Drain { .. } => Role::Drain,
            Self::Admin => Role::Admin,
        }
    }
}

/// What the runner asks of an actor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// The load begins at this time.
    Go {
        /// On the run's clock.
        start: Nanos,
    },
    /// Stop in an orderly way: resolve what is open, then exit.
    Stop,
    /// A reader may stop once it has read these fences, or the deadline has passed.
    Finish {
        /// The fences.
        fences: BTreeMap<Partition, Offset>,
        /// How long it may take, in milliseconds.
        deadline_ms: u64,
    },
    /// The topic has more partitions now; readers begin to follow them.
    Partitions {
        /// So many.
        total: u32,
    },
    /// A question to the admin actor.
    Admin {
        /// Comes back in the reply.
        id: u64,
        /// What is wanted.
        request: AdminRequest,
    },
}

/// A question to the admin actor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AdminRequest {
    /// Who is there?
    Probe {
        /// How long to wait, in milliseconds.
        timeout_ms: u64,
    },
    /// Create the topic of the plan, and wait until every partition has a leader and a full ISR.
    CreateTopic {
        /// Use it if it is there.
        may_exist: bool,
        /// How long to wait, in milliseconds.
        timeout_ms: u64,
    },
    /// Put the topic's effective settings on record.
    DescribeTopic {
        /// How long to wait, in milliseconds.
        timeout_ms: u64,
    },
    /// The brokers, and the partitions of the topic; put on record where these changed, if asked to.
    View {
        /// Record changes.
        record: bool,
        /// How long to wait, in milliseconds.
        timeout_ms: u64,
    },
    /// Write one fence record to every partition, acks=all.
    Fence {
        /// So many there are.
        partitions: u32,
        /// How long to try, in milliseconds.
        timeout_ms: u64,
    },
    /// Delete the run's consumer group.
    DeleteGroup {
        /// How long to wait, in milliseconds.
        timeout_ms: u64,
    },
    /// Have a partition moved to other replicas, or their order changed.
    Reassign {
        /// The partition.
        partition: Partition,
        /// All its replicas, the preferred leader first.
        replicas: Vec<NodeId>,
        /// How long to wait, in milliseconds.
        timeout_ms: u64,
    },
    /// Have leaders elected.
    Elect {
        /// Whoever lives, where nobody leads, instead of the preferred leaders.
        unclean: bool,
        /// Of these partitions.
        partitions: Vec<Partition>,
        /// How long to wait, in milliseconds.
        timeout_ms: u64,
    },
    /// Have partitions added to the topic.
    AddPartitions {
        /// Until there are so many.
        total: u32,
        /// How long to wait, in milliseconds.
        timeout_ms: u64,
    },
    /// The settings that are the topic's own.
    OwnSettings {
        /// How long to wait, in milliseconds.
        timeout_ms: u64,
    },
    /// Change one of the topic's own settings.
    AlterTopic {
        /// Its name.
        name: String,
        /// Its value; `None` takes it away.
        value: Option<String>,
        /// How long to wait, in milliseconds.
        timeout_ms: u64,
    },
    /// Delete the topic of the plan.
    DeleteTopic {
        /// How long to wait, in milliseconds.
        timeout_ms: u64,
    },
}

/// The admin actor's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AdminReply {
    /// It is done.
    Done,
    /// Who is there.
    Cluster {
        /// The cluster.
        cluster: ClusterView,
    },
    /// The partitions.
    Partitions {
        /// In order of their number.
        partitions: Vec<PartitionView>,
    },
    /// The brokers and the partitions.
    View {
        /// Brokers that are there.
        brokers: Vec<NodeId>,
        /// In order of their number.
        partitions: Vec<PartitionView>,
    },
    /// The topic's settings.
    Settings {
        /// By Kafka's names.
        settings: BTreeMap<String, String>,
    },
    /// The fences that were acknowledged; the other partitions' were not.
    Fences {
        /// Offset by partition.
        fences: BTreeMap<Partition, Offset>,
    },
    /// It could not be done.
    Failed {
        /// Why, with the remedy.
        reason: String,
        /// Nobody answered, rather than refused.
        unreachable: bool,
    },
}

/// Running totals of an actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Records handed to the client.
    pub sent: u64,
    /// Acknowledged (with acks=0: written to a socket).
    pub acked: u64,
    /// Reported failed, for certain.
    pub failed: u64,
    /// Not reported on yet, or reported with an error that leaves it open.
    pub in_doubt: u64,
    /// Records delivered to this reader.
    pub delivered: u64,
}

/// Why an actor gave up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// Its history could not be recorded.
    Recording,
    /// The history reached its size guard; what was recorded is whole.
    SizeGuard,
    /// The client refused its configuration or failed for good.
    Client,
}

/// What an actor tells the runner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActorEvent {
    /// Its client is made and its segment begun.
    Ready,
    /// How far it is; several times a second.
    Progress {
        /// Running totals.
        totals: Totals,
    },
    /// Its history reached its size guard: it sends nothing more, and reports on what it sent.
    SizeGuard {
        /// Why, with the remedy.
        reason: String,
    },
    /// The admin's answer.
    Reply {
        /// Of the request.
        id: u64,
        /// The answer.
        reply: AdminReply,
    },
    /// It has done what it was for, and exits.
    Done {
        /// Final totals.
        totals: Totals,
        /// How long it produced, in nanoseconds (producers only).
        elapsed_ns: u64,
    },
    /// It gave up, and exits.
    Failed {
        /// Why, to branch on.
        kind: FailureKind,
        /// Why, to read.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tagged inside, these enums would turn the partitions into text that serde does not read back.
    #[test]
    fn partitions_as_keys_survive_the_pipe() {
        let fences = BTreeMap::from([(Partition(3), Offset(7))]);
        let event = ActorEvent::Reply { id: 1, reply: AdminReply::Fences { fences: fences.clone() } };
        let line = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<ActorEvent>(&line).unwrap(), event);
        let command = Command::Finish { fences, deadline_ms: 1 };
        let line = serde_json::to_string(&command).unwrap();
        assert_eq!(serde_json::from_str::<Command>(&line).unwrap(), command);
    }
}
