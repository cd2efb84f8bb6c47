//! What is promised of transactions (guarantees §4).

use super::{Cause, Promise, Terms, loss};

/// Markers and the coordinator's decisions are records of replicated logs too: where those may vanish,
/// nothing about transactions is certain.
fn unless_lost(terms: &Terms, promise: Promise) -> Promise {
    match loss::visible(terms) {
        Some(kept) if !kept.is_must_hold() => kept,
        _ => promise,
    }
}

/// Transaction version 1, which every librdkafka up to 2.15 speaks, lets the late end of one transaction
/// decide the next (KAFKA-17754).
fn unless_late(terms: &Terms, cause: Cause) -> Promise {
    if terms.envelope.delays_requests() {
        Promise::may_break(Cause::LateEnd)
    } else {
        Promise::must_hold(cause)
    }
}

/// Nothing of a failed operation is read.
pub(super) fn aborted_reads(terms: &Terms) -> Option<Promise> {
    Some(match (terms.transactional, terms.read_committed) {
        // What certainly failed outside of a transaction was never written.
        (false, _) => Promise::must_hold(Cause::CommittedOnly),
        (true, false) => Promise::none(Cause::ReadUncommitted),
        (true, true) => unless_lost(terms, unless_late(terms, Cause::CommittedOnly)),
    })
}

/// Nothing is read before its transaction is over, so that no two transactions read one another.
pub(super) fn isolation(terms: &Terms) -> Option<Promise> {
    terms.transactional.then(|| {
        if terms.read_committed {
            unless_lost(terms, Promise::must_hold(Cause::CommittedOnly))
        } else {
            Promise::none(Cause::ReadUncommitted)
        }
    })
}

/// All of a transaction or nothing.
pub(super) fn atomicity(terms: &Terms) -> Option<Promise> {
    terms.transactional.then(|| unless_lost(terms, unless_late(terms, Cause::AllOrNothing)))
}

/// A newer session of a transactional id shuts the older one out.
pub(super) fn fencing(terms: &Terms) -> Option<Promise> {
    terms.transactional.then(|| unless_lost(terms, Promise::must_hold(Cause::Fenced)))
}

/// One order of all transactions. Not Kafka's: its polls are no snapshots and its writes are not isolated.
pub(super) fn serializability(terms: &Terms) -> Option<Promise> {
    Some(if terms.strict_serializable {
        Promise::must_hold(Cause::PromisedByTarget)
    } else {
        Promise::none(Cause::NoSnapshots)
    })
}
