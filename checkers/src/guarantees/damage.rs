//! What is promised where a disk was damaged behind its broker's back. Kafka trusts its logs after an orderly end:
//! it checks neither what it serves nor what it copies, and a reader that checks (`check.crcs`) stops there.

use history::FaultClass;

use super::{Cause, Promise, Terms};

/// Records are read as they were sent.
pub(super) fn whole(terms: &Terms) -> Option<Promise> {
    let flipped = terms.envelope.classes.contains(&FaultClass::FlipBit) && terms.damage_may_lead();
    Some(if flipped {
        Promise::may_break(Cause::FlippedBit)
    } else {
        Promise::must_hold(Cause::NothingInvented)
    })
}

/// A healed cluster serves, unless what is to be served cannot be read.
pub(super) fn served(terms: &Terms) -> Option<Promise> {
    Some(if terms.damage_may_lead() {
        Promise::may_break(Cause::Unreadable)
    } else {
        Promise::must_hold(Cause::HealedServes)
    })
}
