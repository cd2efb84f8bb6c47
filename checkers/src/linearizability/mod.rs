//! Linearizability of generic operations: is there an order of them, each between its call and its return,
//! that the object could have gone through one at a time (Herlihy & Wing, 1990)?
//!
//! Intervals are closed: operations that touch are concurrent. Objects (keys, partitions) are judged each
//! alone, which is complete because linearizability is local.

mod answer;
mod check;
pub mod log;
mod models;
mod queue;
mod register;
mod search;
#[cfg(test)]
mod tests;

pub use answer::{Answer, Flaw};
pub use check::{Judged, Report, Settings, check};

/// The return of an operation that never returned: after everything.
pub const NEVER: i64 = i64::MAX;
