//! What is promised of real time: the order of a log, and its end.

use super::{Cause, Promise, Terms, loss};

/// What was acknowledged lies before what is sent afterwards, exactly where it is kept (guarantees §3): an
/// acknowledged record that is taken back may be written again behind later ones. Without acknowledgements
/// only reads tell what was there, so that the promise is that of what readers see.
pub(super) fn order(terms: &Terms) -> Option<Promise> {
    loss::offsets(terms)
}

/// An end offset may lag while an old leader can answer; without such a fault it is exact.
pub(super) fn ends(terms: &Terms) -> Option<Promise> {
    Some(if terms.envelope.moves_leadership() {
        Promise::may_break(Cause::OldLeader)
    } else {
        Promise::must_hold(Cause::OneLeader)
    })
}
