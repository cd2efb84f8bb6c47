//! When records may vanish: acknowledged ones, unconfirmed ones, and those a reader has seen.

use super::{Acks, Cause, Promise, Terms};
use crate::Expectation;

/// Acknowledged records are kept. The table of guarantees §2, row by row.
pub(super) fn acknowledged(terms: &Terms) -> Option<Promise> {
    Some(match terms.acks {
        Acks::None => Promise::none(Cause::Unacknowledged),
        Acks::Leader if terms.replicas <= 1 && terms.envelope.moves_replicas() => {
            Promise::may_break(Cause::LeaderMoves)
        }
        _ if terms.replicas <= 1 => lone(terms),
        Acks::Leader if terms.envelope.moves_leadership() => Promise::may_break(Cause::LeaderMoves),
        Acks::Leader if !terms.unclean => Promise::must_hold(Cause::LeaderStays),
        Acks::Leader | Acks::All => replicated(terms),
    })
}

/// RF 1: leadership has nowhere to go, and the page cache outlives the process, though not the power.
///
/// Where that replica is moved, two brokers have the partition for a while. The new one leads once it is in sync, with
/// everything below the high watermark; before that, only an unclean election would choose it.
fn lone(terms: &Terms) -> Promise {
    if terms.envelope.damages > 0 {
        return Promise::may_break(Cause::LoneDamage);
    }
    if terms.envelope.moves_replicas() && terms.envelope.outages > 0 {
        if terms.unclean {
            return Promise::may_break(Cause::UncleanElection);
        }
        if terms.envelope.asks_for_unclean_election() {
            return Promise::may_break(Cause::UncleanRequest);
        }
    }
    match (terms.envelope.loses_power(), terms.flush_each) {
        (false, _) => Promise::must_hold(Cause::LoneReplica),
        (true, false) => Promise::may_break(Cause::LoneBlackout),
        (true, true) => Promise::must_hold(Cause::Flushed),
    }
}

/// Records that every in-sync replica has are kept (RF ≥ 2).
fn replicated(terms: &Terms) -> Promise {
    if terms.unclean && terms.envelope.can_empty_isr() {
        Promise::may_break(Cause::UncleanElection)
    } else if terms.envelope.asks_for_unclean_election() && terms.envelope.outages > 0 {
        // It takes effect only where every in-sync replica is out, however that came about; else the run is vacuous.
        Promise::may_break(Cause::UncleanRequest)
    } else if terms.envelope.damages > 0 {
        damaged(terms)
    } else if terms.envelope.loses_power() {
        powerless(terms)
    } else if terms.unclean {
        Promise::must_hold(Cause::UncleanSpared)
    } else if terms.min_isr <= 1 {
        Promise::must_hold(Cause::InSyncOne)
    } else {
        Promise::must_hold(Cause::InSyncSeveral)
    }
}

/// The same where brokers lose their power, and election is clean or has an in-sync replica to choose.
fn powerless(terms: &Terms) -> Promise {
    if terms.flush_each {
        Promise::must_hold(Cause::Flushed)
    } else if terms.min_isr <= 1 {
        Promise::may_break(Cause::BlackoutOfTheLast)
    } else if terms.envelope.is_one_blackout() {
        Promise::must_hold(Cause::OneBlackout)
    } else {
        Promise::may_break(Cause::Blackouts)
    }
}

/// The same where brokers lose what they had on their disks, or have it damaged: flush.messages is no help.
fn damaged(terms: &Terms) -> Promise {
    if terms.min_isr <= 1 {
        Promise::may_break(Cause::DamageOfTheLast)
    } else if !terms.envelope.is_one_damage() {
        Promise::may_break(Cause::Damages)
    } else if terms.damage_may_lead() {
        Promise::may_break(Cause::DamageLeads)
    } else {
        Promise::must_hold(Cause::OneDamage)
    }
}

/// acks=0: what was written to a socket arrives. Nobody promises that; it is `may-break` and not `noted`,
/// so that a loss is shown with its count.
pub(super) fn unconfirmed(terms: &Terms) -> Option<Promise> {
    (terms.acks == Acks::None).then(|| Promise::may_break(Cause::Unacknowledged))
}

/// What a reader was given stays. Readers are served below the high watermark whatever `acks` is, so this
/// is the rule of acknowledged loss for acks=all.
pub(super) fn visible(terms: &Terms) -> Option<Promise> {
    if terms.replicas <= 1 {
        return Some(lone(terms));
    }
    let promise = replicated(terms);
    Some(match promise.cause {
        Cause::InSyncOne | Cause::InSyncSeveral => Promise::must_hold(Cause::BelowHighWatermark),
        _ => promise,
    })
}

/// A reader is given every record of the log. Where no drain tells a record that was lost from one that was
/// never given (a history from elsewhere), records must be kept as well for this to be promised.
pub(super) fn given(terms: &Terms) -> Option<Promise> {
    match acknowledged(terms).filter(|_| terms.envelope.unknown) {
        Some(kept) if kept.expectation != Expectation::MustHold => Some(kept),
        _ => visible(terms),
    }
}

/// Two reads of one offset agree: below the high watermark as acknowledged loss, and nothing that a
/// reader is given lies above it.
pub(super) fn offsets(terms: &Terms) -> Option<Promise> {
    match acknowledged(terms) {
        Some(promise) if promise.cause != Cause::Unacknowledged => Some(promise),
        _ => visible(terms),
    }
}

/// A client that was closed has reported on every record it took.
pub(super) fn silent(_: &Terms) -> Option<Promise> {
    Some(Promise::must_hold(Cause::EveryRecordReported))
}

/// Nothing is promised for what a killed application left in memory.
pub(super) fn in_client(_: &Terms) -> Option<Promise> {
    Some(Promise::none(Cause::ApplicationDied))
}
