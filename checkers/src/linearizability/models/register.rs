//! One value; compare-and-set succeeds where it finds what it asked for, and says so where it does not.

use history::exchange::operations::{Action, TextId};

use super::{Object, scramble};

/// A register, with or without compare-and-set.
pub(in crate::linearizability) struct Register {
    /// Its first value.
    pub(in crate::linearizability) initial: TextId,
}

impl Object for Register {
    type State = TextId;

    fn initial(&self) -> TextId {
        self.initial
    }

    fn step(&self, state: &TextId, action: Action, _known: bool) -> Option<TextId> {
        match action {
            Action::Read(value) => (*state == value).then_some(value),
            Action::Write(value) => Some(value),
            Action::Cas { from, to, swapped: true } => (*state == from).then_some(to),
            Action::Cas { from, swapped: false, .. } => (*state != from).then_some(*state),
            _ => None,
        }
    }

    fn is_pure(&self, action: Action) -> bool {
        match action {
            Action::Read(_) | Action::Cas { swapped: false, .. } => true,
            Action::Cas { from, to, .. } => from == to,
            _ => false,
        }
    }

    fn fingerprint(&self, state: &TextId) -> u128 {
        scramble(u64::from(*state) | 1 << 40)
    }
}
