//! A queue: first in, first out.

use std::collections::VecDeque;

use history::exchange::operations::{Action, TextId};

use super::{Object, scramble_all};

/// A queue that is empty at first.
pub(in crate::linearizability) struct Fifo;

impl Object for Fifo {
    type State = VecDeque<TextId>;

    fn initial(&self) -> Self::State {
        VecDeque::new()
    }

    fn step(&self, state: &Self::State, action: Action, known: bool) -> Option<Self::State> {
        match action {
            Action::Enqueue(value) => {
                let mut longer = state.clone();
                longer.push_back(value);
                Some(longer)
            }
            // Of one that took nobody knows what, it is known that it took the first, if there was one.
            Action::Dequeue(value) if !known || state.front().copied() == value => {
                let mut shorter = state.clone();
                shorter.pop_front();
                Some(shorter)
            }
            _ => None,
        }
    }

    fn is_pure(&self, action: Action) -> bool {
        // Only one that found it empty, and an unknown one is never asked.
        action == Action::Dequeue(None)
    }

    fn fingerprint(&self, state: &Self::State) -> u128 {
        scramble_all(state.iter().copied())
    }

    fn bytes(&self, state: &Self::State) -> usize {
        // Kept twice: as it was before, and as what an unknown operation may not have been needed for.
        2 * 4 * state.len()
    }
}
