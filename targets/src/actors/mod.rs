//! The applications under test, and the clients the runner needs: child processes of the runner, each with
//! its share of the plan and its own history segment.
//!
//! SIGKILL of an actor is real: what was in librdkafka's buffer is gone, what was invoked is on record.

mod admin;
mod administration;
mod bare;
mod drain;
mod entry;
mod member;
mod producer;
pub mod protocol;
mod reader;
mod shared;
#[cfg(test)]
mod tests;

pub use entry::{ActorError, run_stdin};
