//! When records may be copied or change their order.

use super::{Cause, Promise, Terms, loss};

/// One send is one record. Guarantees §3, stricter in two places where librdkafka 2.12 was found to send
/// again unnoticed (`rd_kafka_handle_Produce_error`): records put back into their partition's queue are
/// not counted in `txretries`, and after NOT_LEADER_OR_FOLLOWER they go back even with retries=0, although
/// the old leader may have appended and replicated them (KAFKA-13574). So a count of 0 proves something
/// only where no fault was planned and no client raised an error, and retries=0 only where leadership stays.
pub(super) fn duplicates(terms: &Terms) -> Option<Promise> {
    Some(if terms.idempotent && terms.gave_up && terms.retry {
        // What it had in flight then is sent again under another epoch, which the broker has no numbers of
        // (librdkafka's INTRODUCTION.md, "Message timeout considerations"; seen on Apache Kafka 4.1).
        Promise::may_break(Cause::IdempotentGaveUp)
    } else if terms.idempotent {
        numbered(terms)
    } else if !terms.retry && terms.envelope.moves_leadership() {
        Promise::may_break(Cause::HiddenRetries)
    } else if !terms.retry {
        Promise::must_hold(Cause::NoRetries)
    } else if terms.undisturbed && terms.envelope.classes.is_empty() {
        Promise::must_hold(Cause::NothingRetried)
    } else {
        Promise::may_break(Cause::Retries)
    })
}

/// The acknowledged records of a session lie in the order of sending.
pub(super) fn order(terms: &Terms) -> Option<Promise> {
    Some(if terms.idempotent { numbered(terms) } else { Promise::may_break(Cause::NotIdempotent) })
}

/// Sequence numbers protect as far as the brokers remember them, and they forget them with the records.
fn numbered(terms: &Terms) -> Promise {
    if loss::acknowledged(terms).is_some_and(Promise::is_must_hold) {
        Promise::must_hold(Cause::Idempotent)
    } else {
        Promise::may_break(Cause::IdempotentLossy)
    }
}
