//! A log, for the few histories that its own check leaves to a search, and as the definition that check is
//! held against.

use history::exchange::operations::{Action, Operations, TextId};

use super::{Object, scramble_all};

/// A log that is empty at first.
pub(in crate::linearizability) struct Log<'a> {
    pub(in crate::linearizability) operations: &'a Operations,
}

impl Object for Log<'_> {
    type State = Vec<TextId>;

    fn initial(&self) -> Self::State {
        Vec::new()
    }

    fn step(&self, state: &Self::State, action: Action, known: bool) -> Option<Self::State> {
        let end = state.len() as u64;
        match action {
            Action::Append { values, base } if !known || base.is_none_or(|base| base == end) => {
                let mut longer = state.clone();
                longer.extend_from_slice(self.operations.run(values));
                Some(longer)
            }
            Action::ReadLog { offset, values, strict_end } => {
                let values = self.operations.run(values);
                let last = offset + values.len() as u64;
                let there = || values.is_empty() || state.get(offset as usize..last as usize) == Some(values);
                ((!strict_end || end <= last) && there()).then(|| state.clone())
            }
            Action::EndOffset { end: told, weak } => {
                (end == told || weak && end > told).then(|| state.clone())
            }
            _ => None,
        }
    }

    fn is_pure(&self, action: Action) -> bool {
        match action {
            Action::Append { values, .. } => values.count == 0,
            _ => true,
        }
    }

    fn fingerprint(&self, state: &Self::State) -> u128 {
        scramble_all(state.iter().copied())
    }

    fn bytes(&self, state: &Self::State) -> usize {
        // Kept twice: as it was before, and as what an unknown operation may not have been needed for.
        2 * 4 * state.len()
    }
}
