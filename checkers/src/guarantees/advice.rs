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
        "visibility",
        Cause::UncleanElection,
        "set unclean.leader.election.enable=false: readers then never see records that vanish",
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
        "order",
        Cause::NotIdempotent,
        "set enable.idempotence=true: it keeps the order with up to five requests in flight",
    ),
    (
        "order",
        Cause::IdempotentLossy,
        "set acks=all, min.insync.replicas=2 and clean election: idempotence is as good as the brokers' memory",
    ),
];

/// What to change after a verdict, if anything should be.
pub(crate) fn advice(guarantee: &Guarantee, cause: Cause, word: Word) -> Option<&'static str> {
    match word {
        Word::Broken => Some(
            "the system broke its promise: run the same seed again, and look at the witnesses and the node logs \
             around them",
        ),
        Word::Shown | Word::NotSeen => ADVICE
            .iter()
            .find(|(name, when, _)| *name == guarantee.name && *when == cause)
            .map(|(_, _, text)| *text),
        Word::Held | Word::NotExercised | Word::Noted | Word::Indeterminate => None,
    }
}
