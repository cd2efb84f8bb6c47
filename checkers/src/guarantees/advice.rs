//! What to change: one sentence per guarantee and cause, as data.

use super::{Cause, Guarantee};
use crate::Word;

/// Advice where a guarantee may break.
static ADVICE: &[(&str, Cause, &str)] = &[
    (
        "acknowledged-loss",
        Cause::LeaderMoves,
        "set acks=all and min.insync.replicas=2: a record is then confirmed only when a second replica has it",
    ),
    (
        "acknowledged-loss",
        Cause::UncleanElection,
        "set unclean.leader.election.enable=false: the partition then waits for a replica that has every record",
    ),
    (
        "acknowledged-loss",
        Cause::UncleanRequest,
        "wait for a replica that was in sync instead of asking for an unclean election: it has every record",
    ),
    (
        "acknowledged-loss",
        Cause::LoneBlackout,
        "set replication.factor=3, acks=all and min.insync.replicas=2, or flush.messages=1: a record is then on \
         several brokers, or on the disk",
    ),
    (
        "acknowledged-loss",
        Cause::BlackoutOfTheLast,
        "set min.insync.replicas=2, or flush.messages=1: nothing is then acknowledged by one replica's memory alone",
    ),
    (
        "acknowledged-loss",
        Cause::Blackouts,
        "set flush.messages=1, or keep the replicas on separate power: acks=all is replication in memory",
    ),
    (
        "acknowledged-loss",
        Cause::LoneDamage,
        "set replication.factor=3, acks=all and min.insync.replicas=2: no setting of one broker survives its disk",
    ),
    (
        "acknowledged-loss",
        Cause::DamageOfTheLast,
        "set min.insync.replicas=2: nothing is then acknowledged by one replica's disk alone",
    ),
    (
        "acknowledged-loss",
        Cause::DamageLeads,
        "let a broker whose disk was tampered with copy its logs anew before it leads: remove them while it is down",
    ),
    (
        "phantoms",
        Cause::FlippedBit,
        "set check.crcs=true for consumers: they then stop at a damaged batch instead of taking it",
    ),
    (
        "visibility",
        Cause::UncleanElection,
        "set unclean.leader.election.enable=false: readers then never see records that vanish",
    ),
    (
        "unseen",
        Cause::CommitFirst,
        "commit offsets after the records are processed, and make processing idempotent",
    ),
    (
        "unseen",
        Cause::CommitAutomatic,
        "set enable.auto.commit=false and commit after processing; or set enable.auto.offset.store=false and store offsets \
         when records are processed",
    ),
    (
        "unseen",
        Cause::ResetToEnd,
        "set auto.offset.reset=earliest: a group that has committed nothing then begins at the start of the log",
    ),
    (
        "unconfirmed-loss",
        Cause::Unacknowledged,
        "set acks=all and min.insync.replicas=2: with acks=0 the application is never told of a loss",
    ),
    (
        "duplicates",
        Cause::Retries,
        "set enable.idempotence=true: brokers then recognise a retried batch and keep one copy",
    ),
    (
        "duplicates",
        Cause::HiddenRetries,
        "set enable.idempotence=true: retries=0 does not keep this client from sending a batch twice",
    ),
    (
        "duplicates",
        Cause::IdempotentLossy,
        "set acks=all, min.insync.replicas=2 and clean election: idempotence is as good as the brokers' memory",
    ),
    (
        "duplicates",
        Cause::IdempotentGaveUp,
        "raise delivery.timeout.ms above the longest outage: a producer that gives nothing up keeps its numbers",
    ),
    (
        "order",
        Cause::NotIdempotent,
        "set enable.idempotence=true: it keeps the order with up to five requests in flight",
    ),
    (
        "order",
        Cause::IdempotentLossy,
        "set acks=all, min.insync.replicas=2 and clean election: idempotence is as good as the brokers' memory",
    ),
    (
        "effect-loss",
        Cause::EffectsUnsaid,
        "say what the application promises: --set effects=exactly-once, at-least-once or at-most-once",
    ),
    (
        "effect-loss",
        Cause::EffectsAtMostOnce,
        "commit offsets after the effect, not before it: a record is then tried again after a crash",
    ),
    (
        "effect-duplicates",
        Cause::EffectsUnsaid,
        "say what the application promises: --set effects=exactly-once, at-least-once or at-most-once",
    ),
    (
        "effect-duplicates",
        Cause::EffectsAtLeastOnce,
        "make the effect idempotent (a unique key in the sink), or keep the offsets in the sink's own transaction",
    ),
];

/// What to change after a verdict, if anything should be.
pub(crate) fn advice(guarantee: &Guarantee, cause: Cause, word: Word) -> Option<&'static str> {
    match word {
        Word::Broken => Some(
            "the system broke its promise: run the same seed again, and look at the witnesses and the node logs \
             around them",
        ),
        Word::Shown | Word::NotSeen | Word::Noted => ADVICE
            .iter()
            .find(|(name, when, _)| *name == guarantee.name && *when == cause)
            .map(|(_, _, text)| *text),
        Word::Held | Word::NotExercised | Word::Indeterminate => None,
    }
}
