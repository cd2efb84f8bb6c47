//! Numbers drawn from a seed.

use crate::linearizability::models::scramble;

/// A stream of numbers that a seed decides.
pub(super) struct Draw {
    seed: u64,
    drawn: u64,
}

impl Draw {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed: scramble(seed) as u64, drawn: 0 }
    }

    /// A number below `bound`.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.drawn += 1;
        (scramble(self.seed ^ self.drawn) as u64) % bound
    }

    /// True once in `n`.
    pub(super) fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}
