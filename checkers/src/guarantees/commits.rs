//! What is promised of the offsets that consumers commit.

use super::{Cause, Promise, Terms};

/// A consumer's own commits follow what it is given: its position moves only where it polls, seeks or is
/// assigned anew, and a commit without offsets is that position. Says nothing where nothing was committed.
/// Committing a lower offset is legal, so a finding that a seek may explain carries its excuse with it.
pub(super) fn follow(terms: &Terms) -> Option<Promise> {
    terms.commits.then_some(Promise::must_hold(Cause::CommitsFollow))
}
