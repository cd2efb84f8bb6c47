//! A lock: free or held, by whom does not matter.

use history::exchange::operations::Action;

use super::{Object, scramble};

/// A lock that is free at first.
pub(in crate::linearizability) struct Mutex;

impl Object for Mutex {
    /// It is held.
    type State = bool;

    fn initial(&self) -> bool {
        false
    }

    fn step(&self, held: &bool, action: Action, _known: bool) -> Option<bool> {
        match (action, *held) {
            (Action::Acquire, false) => Some(true),
            (Action::Release, true) => Some(false),
            _ => None,
        }
    }

    fn is_pure(&self, _action: Action) -> bool {
        false
    }

    fn fingerprint(&self, held: &bool) -> u128 {
        scramble(u64::from(*held) | 1 << 41)
    }
}
