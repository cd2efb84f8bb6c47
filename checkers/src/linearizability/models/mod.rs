//! What the objects are, one at a time: a state, and what each operation may do to it.

mod fifo;
mod kv;
mod log;
mod mutex;
mod register;

pub(super) use fifo::Fifo;
pub(super) use kv::Kv;
pub(super) use log::Log;
pub(super) use mutex::Mutex;
pub(super) use register::Register;

use history::exchange::operations::Action;

/// A sequential object.
pub(super) trait Object: Sync {
    /// What it is between two operations.
    type State: Clone + PartialEq + Send;

    /// What it is at first.
    fn initial(&self) -> Self::State;

    /// What it is after an operation that saw what it says it saw; `None` if it cannot have seen that.
    /// `known` is false for an operation of unknown outcome, which saw nothing that counts.
    fn step(&self, state: &Self::State, action: Action, known: bool) -> Option<Self::State>;

    /// The operation leaves every state as it is.
    fn is_pure(&self, action: Action) -> bool;

    /// A state in 128 bits: equal states have equal ones, others differ but by a freak of chance.
    fn fingerprint(&self, state: &Self::State) -> u128;

    /// Bytes that a state holds on the heap.
    fn bytes(&self, _state: &Self::State) -> usize {
        0
    }
}

/// Scrambles a number so that every bit of it counts everywhere (the finaliser of `SplitMix64`, twice with
/// different beginnings).
pub(super) fn scramble(seed: u64) -> u128 {
    let half = |seed: u64| {
        let mut bits = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    };
    u128::from(half(seed)) << 64 | u128::from(half(seed ^ 0x5851_f42d_4c95_7f2d))
}

/// The fingerprint of a sequence: order counts.
pub(super) fn scramble_all(values: impl IntoIterator<Item = u32>) -> u128 {
    values.into_iter().fold(scramble(u64::MAX), |sum, value| {
        let mixed = sum ^ scramble(u64::from(value));
        scramble(mixed as u64) ^ scramble((mixed >> 64) as u64).rotate_left(32)
    })
}
