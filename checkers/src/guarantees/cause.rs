//! Why a rule says what it says: one reason and one source each, shown in every verdict.

/// The reason behind a promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// acks=0.
    Unacknowledged,
    /// One replica, and faults that leave its page cache.
    LoneReplica,
    /// One replica, and a planned power failure.
    LoneBlackout,
    /// flush.messages=1, and planned power failures.
    Flushed,
    /// min.insync.replicas=1, and a planned power failure.
    BlackoutOfTheLast,
    /// Several in-sync replicas, of which one loses its power and nothing else is planned.
    OneBlackout,
    /// Several in-sync replicas, and power failures that can meet or follow a shrink of the ISR.
    Blackouts,
    /// acks=1, and nothing that moves leadership.
    LeaderStays,
    /// acks=1, and leadership can move.
    LeaderMoves,
    /// acks=all, min.insync.replicas=1, clean election.
    InSyncOne,
    /// acks=all, min.insync.replicas ≥ 2, clean election.
    InSyncSeveral,
    /// Unclean election, and a fault plan that cannot take the whole ISR out.
    UncleanSpared,
    /// Unclean election, and one that can.
    UncleanElection,
    /// An unclean election by request, and a fault plan that takes brokers out.
    UncleanRequest,
    /// Readers get what every in-sync replica has.
    BelowHighWatermark,
    /// Idempotent producer, nothing acknowledged can be lost.
    Idempotent,
    /// Idempotent producer, but acknowledged records may be lost.
    IdempotentLossy,
    /// Idempotent producer that gave up records.
    IdempotentGaveUp,
    /// retries=0 and leadership stays.
    NoRetries,
    /// retries=0, but leadership can move.
    HiddenRetries,
    /// Nothing planned and nothing seen that makes a client send twice.
    NothingRetried,
    /// Retries without idempotence.
    Retries,
    /// No idempotence.
    NotIdempotent,
    /// The client must report on every record it took.
    EveryRecordReported,
    /// The application died with records in its client.
    ApplicationDied,
    /// Nobody may invent or damage a record.
    NothingInvented,
    /// Producers share a log.
    ProducersInterleave,
    /// A healed cluster must serve again.
    HealedServes,
    /// Nothing that moves leadership.
    OneLeader,
    /// An old leader may still answer.
    OldLeader,
    /// Readers are given committed records only.
    CommittedOnly,
    /// Readers are given everything.
    ReadUncommitted,
    /// A commit reaches every partition.
    AllOrNothing,
    /// The end of one transaction may arrive in the next.
    LateEnd,
    /// A newer epoch shuts out the older.
    Fenced,
    /// Polls are no snapshots, writes are not isolated.
    NoSnapshots,
    /// A consumer commits where it is.
    CommitsFollow,
    /// Members commit what they have processed.
    CommitAfter,
    /// Members commit what they have not processed yet, and may be ended.
    CommitFirst,
    /// Clients commit what members may not have processed yet, and members may be ended.
    CommitAutomatic,
    /// No member is ended.
    MembersLive,
    /// Members begin elsewhere than at the start.
    ResetToEnd,
    /// A group that commits first, and whose offsets are kept.
    AtMostOnce,
    /// A group that commits afterwards.
    AtLeastOnce,
    /// An old coordinator may answer.
    OldCoordinator,
    /// Committed offsets are in memory only.
    OffsetsInMemory,
    /// A group without members takes anybody's commit.
    EmptyGroup,
    /// Older generations are refused.
    OneOwner,
    /// The user says that the target promises it.
    PromisedByTarget,
    /// The user says that each record takes effect once.
    EffectsExactlyOnce,
    /// The user says that each record takes effect once or more often.
    EffectsAtLeastOnce,
    /// The user says that each record takes effect once or never.
    EffectsAtMostOnce,
    /// Nobody says how often.
    EffectsUnsaid,
    /// One replica, and a planned fault that takes from its disk or damages it.
    LoneDamage,
    /// min.insync.replicas=1, and such a fault.
    DamageOfTheLast,
    /// Several in-sync replicas, of which one has its disk damaged and nothing else is planned.
    OneDamage,
    /// Several in-sync replicas, and damage beside other faults.
    Damages,
    /// A damaged replica may lead again by itself.
    DamageLeads,
    /// Brokers hand on what they read.
    FlippedBit,
    /// What is damaged may not be read.
    Unreadable,
}

impl Cause {
    /// The reason, one sentence.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Unacknowledged => {
                "with acks=0 no broker confirms anything, and a record may vanish unnoticed"
            }
            Self::LoneReplica => {
                "the only replica keeps what it wrote through kills, pauses and cuts: the page cache outlives the \
                 process"
            }
            Self::LoneBlackout => {
                "the only replica acknowledges what is in its page cache, which a planned power failure takes"
            }
            Self::Flushed => "flush.messages=1 syncs a record before it is acknowledged",
            Self::BlackoutOfTheLast => {
                "with min.insync.replicas=1 the last in-sync replica may acknowledge alone, lose its power and be \
                 elected again"
            }
            Self::OneBlackout => {
                "one broker loses its power, and nothing else planned keeps the other in-sync replicas from having \
                 every acknowledged record"
            }
            Self::Blackouts => {
                "the planned power failures can hit replicas before the others are in sync again, and what is \
                 acknowledged is in memory only"
            }
            Self::LeaderStays => "acks=1 needs the leader alone, and no planned fault moves leadership",
            Self::LeaderMoves => {
                "acks=1 confirms before any follower has the record, and a planned fault can move leadership to one \
                 that lacks it"
            }
            Self::InSyncOne => {
                "acks=all waits for every in-sync replica and only those are elected, so process and network faults \
                 lose nothing"
            }
            Self::InSyncSeveral => {
                "acks=all with min.insync.replicas of 2 or more confirms what at least two replicas have, and only \
                 those are elected"
            }
            Self::UncleanSpared => {
                "unclean election is on, but the planned faults cannot take every in-sync replica out at once"
            }
            Self::UncleanElection => {
                "unclean election may choose a replica that lacks records once every in-sync one is out, as these \
                 faults allow"
            }
            Self::UncleanRequest => {
                "an unclean election is asked for, which may choose a replica that lacks records once every in-sync one \
                 is out, as the other faults allow"
            }
            Self::BelowHighWatermark => {
                "readers are served only what every in-sync replica has, and only those are elected"
            }
            Self::Idempotent => {
                "an idempotent producer numbers its batches, and brokers that lose nothing refuse copies and gaps"
            }
            Self::IdempotentLossy => {
                "brokers forget a producer's numbers together with its records, and this configuration may lose \
                 acknowledged ones"
            }
            Self::IdempotentGaveUp => {
                "a producer that gave up records after delivery.timeout.ms begins a new epoch, and sends what it had \
                 in flight again under it"
            }
            Self::NoRetries => "retries=0 sends nothing twice while leadership stays",
            Self::HiddenRetries => {
                "librdkafka sends again after `not leader` even with retries=0, and the old leader may have appended \
                 and replicated"
            }
            Self::NothingRetried => "no fault was planned and no client reported a retry or an error",
            Self::Retries => "without idempotence a retry whose first try arrived is a second copy",
            Self::NotIdempotent => {
                "without idempotence a retried batch may land behind the ones sent after it"
            }
            Self::EveryRecordReported => {
                "a client that is closed in an orderly way has reported on every record"
            }
            Self::ApplicationDied => "what a killed application left in its client's memory is gone",
            Self::NothingInvented => "no configuration allows records that nobody sent, or damaged ones",
            Self::ProducersInterleave => {
                "records of other producers may lie between those of one transaction"
            }
            Self::HealedServes => {
                "once every fault is healed, every partition must be writable and readable again"
            }
            Self::CommittedOnly => "readers of committed records are given what has certainly taken effect",
            Self::ReadUncommitted => {
                "with isolation.level=read_uncommitted readers are given what may yet be aborted"
            }
            Self::AllOrNothing => {
                "a transaction's markers go to every partition it wrote to, or it is aborted in all"
            }
            Self::LateEnd => {
                "a planned fault can hold a request back, and the end of one transaction may then decide the next one \
                 of the same producer epoch"
            }
            Self::Fenced => {
                "a new session of a transactional id raises its epoch, and brokers refuse the older one"
            }
            Self::NoSnapshots => {
                "Kafka's polls are no snapshots, and the writes of its transactions are not isolated"
            }
            Self::CommitsFollow => {
                "a consumer's position moves with what it is given, unless it seeks or its partitions are moved"
            }
            Self::CommitAfter => {
                "members commit what they have processed, so that whoever follows begins at what is not"
            }
            Self::CommitFirst => {
                "members commit before they process: what one that is killed had committed and not processed, nobody is \
                 given again"
            }
            Self::CommitAutomatic => {
                "with enable.auto.commit=true the client commits what it has handed over, and a member that is killed \
                 may not have processed it"
            }
            Self::MembersLive => {
                "no planned fault ends a member, and one that lives processes what it was handed"
            }
            Self::ResetToEnd => {
                "auto.offset.reset is not earliest: a group that has committed nothing begins where the log ends"
            }
            Self::AtMostOnce => "members commit before they process, and a group begins at what is committed",
            Self::AtLeastOnce => {
                "what was processed and not committed is processed again by whoever is given the partition next"
            }
            Self::OldCoordinator => {
                "a coordinator that is paused or cut off may tell committed offsets of the past before it learns of its \
                 successor"
            }
            Self::OffsetsInMemory => {
                "committed offsets are records that no broker syncs before it answers, and a power failure may take them"
            }
            Self::EmptyGroup => {
                "a group that has lost all its members takes the commit of one that was paused and is none any more"
            }
            Self::OneOwner => {
                "a coordinator gives a partition to one member a generation, and refuses commits of older ones"
            }
            Self::PromisedByTarget => "strict-serializable=true says that the target promises it",
            Self::EffectsExactlyOnce => {
                "effects=exactly-once says that each record takes effect once and only once"
            }
            Self::EffectsAtLeastOnce => {
                "effects=at-least-once says that each record takes effect, and may do so again"
            }
            Self::EffectsAtMostOnce => {
                "effects=at-most-once says that each record takes effect once or never"
            }
            Self::EffectsUnsaid => "nobody says how often a record takes effect",
            Self::LoneDamage => {
                "the only replica has its disk taken from or damaged by a planned fault, synced or not"
            }
            Self::DamageOfTheLast => {
                "with min.insync.replicas=1 the last in-sync replica may acknowledge alone, have its disk damaged and \
                 be elected again"
            }
            Self::OneDamage => {
                "one broker has its disk damaged while it is out of the ISR, and nothing else planned keeps the other \
                 in-sync replicas from having every acknowledged record"
            }
            Self::Damages => {
                "a planned fault damages a disk, and another can take out the replicas that have what is missing there"
            }
            Self::DamageLeads => {
                "Kafka trusts its disk after an orderly end, and a damaged replica may lead again: by itself \
                 (auto.leader.rebalance.enable), or because it is asked for"
            }
            Self::FlippedBit => {
                "Kafka trusts its disk after an orderly end, and a damaged replica that leads hands on what it reads"
            }
            Self::Unreadable => {
                "a damaged replica may lead, and what is damaged there may not be read, nor what lies behind it"
            }
            Self::OneLeader => "no planned fault moves leadership, and a leader knows its own end",
            Self::OldLeader => "after a fault that moves leadership an old leader may still answer",
        }
    }

    /// Where that is written.
    #[must_use]
    pub const fn source(self) -> &'static str {
        match self {
            Self::Unacknowledged => "guarantees §1; Kafka producer configuration, acks",
            Self::LoneReplica | Self::LeaderStays | Self::LeaderMoves | Self::InSyncOne => {
                "guarantees §2; Kafka documentation, replication"
            }
            Self::LoneBlackout | Self::Flushed => {
                "guarantees §2; Kafka documentation, log flush; topic configuration, flush.messages"
            }
            Self::InSyncSeveral | Self::BlackoutOfTheLast | Self::OneBlackout | Self::Blackouts => {
                "guarantees §2; KIP-966"
            }
            Self::UncleanSpared | Self::UncleanElection => {
                "guarantees §2; topic configuration, unclean.leader.election.enable"
            }
            Self::UncleanRequest => "guarantees §2; KIP-460",
            Self::BelowHighWatermark => "guarantees §3; KIP-101, KIP-207",
            Self::Idempotent | Self::IdempotentLossy | Self::IdempotentGaveUp => "guarantees §3; KIP-98",
            Self::NoRetries | Self::HiddenRetries => {
                "guarantees §3; KAFKA-13574; librdkafka, produce error handling"
            }
            Self::NothingRetried | Self::Retries | Self::NotIdempotent => {
                "guarantees §3; librdkafka introduction, reliability"
            }
            Self::EveryRecordReported | Self::ApplicationDied => "guarantees §1",
            Self::NothingInvented => "KIP-98, record batch checksum",
            Self::ProducersInterleave => "guarantees §4; KIP-98",
            Self::HealedServes => "guarantees §8",
            Self::CommittedOnly | Self::AllOrNothing | Self::Fenced => "guarantees §4; KIP-98",
            Self::ReadUncommitted => "guarantees §4; Kafka consumer configuration, isolation.level",
            Self::LateEnd => "guarantees §4; KAFKA-17754, KIP-890",
            Self::NoSnapshots => "guarantees §4; KIP-98",
            Self::CommitsFollow => {
                "guarantees §3; Kafka documentation, consumer position and committed offset"
            }
            Self::CommitAfter | Self::AtLeastOnce => "Kafka documentation, message delivery semantics",
            Self::CommitFirst | Self::AtMostOnce => "Kafka documentation, message delivery semantics",
            Self::CommitAutomatic => "librdkafka configuration, enable.auto.offset.store",
            Self::MembersLive => "guarantees §4; librdkafka configuration, enable.auto.offset.store",
            Self::ResetToEnd => "Kafka consumer configuration, auto.offset.reset",
            Self::OldCoordinator => {
                "guarantees §4; KIP-447, OffsetFetch is not replicated before it is answered"
            }
            Self::OffsetsInMemory => "guarantees §2; KIP-966",
            Self::EmptyGroup => "Kafka's group coordinator, commits of generation -1",
            Self::OneOwner => "guarantees §4; Kafka protocol guide, ILLEGAL_GENERATION; KIP-848",
            Self::PromisedByTarget => "the user's --set strict-serializable=true",
            Self::EffectsExactlyOnce | Self::EffectsAtLeastOnce | Self::EffectsAtMostOnce => {
                "the user's --set effects"
            }
            Self::LoneDamage | Self::DamageOfTheLast | Self::OneDamage | Self::Damages => {
                "guarantees §2; Kafka documentation, replication"
            }
            Self::DamageLeads | Self::FlippedBit | Self::Unreadable => {
                "guarantees §2; Kafka consumer configuration, check.crcs; broker configuration, \
                 auto.leader.rebalance.enable"
            }
            Self::EffectsUnsaid => "guarantees §4; KIP-98, exactly-once ends where the log ends",
            Self::OneLeader | Self::OldLeader => "guarantees §3; KIP-207",
        }
    }

    /// The reason as a clause after `as` or `though`: `acks=1 allows when a leader moves`.
    #[must_use]
    pub const fn clause(self) -> &'static str {
        match self {
            Self::Unacknowledged => "acks=0 promises nothing",
            Self::LoneReplica => "a single replica survives such faults",
            Self::LoneBlackout => "a single replica without power allows",
            Self::Flushed => "flush.messages=1 keeps them",
            Self::BlackoutOfTheLast => "a last in-sync replica without power allows",
            Self::OneBlackout => "the other in-sync replicas have them",
            Self::Blackouts => "replication in memory allows without power",
            Self::LeaderStays => "acks=1 keeps them while no leader moves",
            Self::LeaderMoves => "acks=1 allows when a leader moves",
            Self::InSyncOne => "acks=all with clean election keeps them",
            Self::InSyncSeveral => "acks=all with min.insync.replicas of 2 or more keeps them",
            Self::UncleanSpared => "these faults leave an in-sync replica",
            Self::UncleanElection => "unclean election allows",
            Self::UncleanRequest => "an unclean election by request allows",
            Self::BelowHighWatermark => "readers see only what every in-sync replica has",
            Self::Idempotent => "an idempotent producer rules that out",
            Self::IdempotentLossy => "a configuration that loses records allows even with idempotence",
            Self::IdempotentGaveUp => "giving up records allows even with idempotence",
            Self::NoRetries => "retries=0 sends nothing twice",
            Self::HiddenRetries => "librdkafka allows when a leader moves, even with retries=0",
            Self::NothingRetried => "nothing made a client retry",
            Self::Retries => "retries without idempotence allow",
            Self::NotIdempotent => "a producer without idempotence allows",
            Self::EveryRecordReported => "a closed client has reported on every record",
            Self::ApplicationDied => "nothing is promised for a killed application",
            Self::NothingInvented => "no configuration allows it",
            Self::ProducersInterleave => "producers share a log",
            Self::HealedServes => "a healed cluster must serve",
            Self::CommittedOnly => "readers are given committed records only",
            Self::ReadUncommitted => "isolation.level=read_uncommitted allows",
            Self::AllOrNothing => "a transaction is all or nothing",
            Self::LateEnd => "a late end of a transaction allows (KAFKA-17754)",
            Self::Fenced => "a newer session fences the older",
            Self::NoSnapshots => "Kafka does not promise otherwise",
            Self::CommitsFollow => "a consumer commits where it is",
            Self::CommitAfter => "members commit what they have processed",
            Self::CommitFirst => "committing before processing allows",
            Self::CommitAutomatic => "enable.auto.commit=true allows",
            Self::MembersLive => "no member was to die",
            Self::ResetToEnd => "auto.offset.reset allows",
            Self::AtMostOnce => "committing before processing rules that out",
            Self::AtLeastOnce => "at-least-once allows",
            Self::OldCoordinator => "an old coordinator allows",
            Self::OffsetsInMemory => "offsets in memory allow without power",
            Self::EmptyGroup => "a group without members allows",
            Self::OneOwner => "older generations are refused",
            Self::PromisedByTarget => "the target promises strict serializability",
            Self::EffectsExactlyOnce => "effects=exactly-once is promised",
            Self::EffectsAtLeastOnce => "effects=at-least-once is promised",
            Self::EffectsAtMostOnce => "effects=at-most-once is promised",
            Self::EffectsUnsaid => "nobody says how often a record takes effect",
            Self::LoneDamage => "a single replica with a damaged disk allows",
            Self::DamageOfTheLast => "a last in-sync replica with a damaged disk allows",
            Self::OneDamage => "the other in-sync replicas have them whole",
            Self::Damages => "damaged disks beside other faults allow",
            Self::DamageLeads => "a damaged replica that leads again allows",
            Self::FlippedBit => "a damaged replica that leads allows",
            Self::Unreadable => "a damaged replica that leads allows",
            Self::OneLeader => "a leader that stays knows its own end",
            Self::OldLeader => "a moved leadership allows",
        }
    }
}
