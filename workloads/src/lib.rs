//! What to do: workloads as data and small state machines, and the clients they need.
//!
//! Nothing here touches a network or a clock: a target implements [`client::Producer`] and
//! [`client::Reader`], an actor asks the workload's [`Script`] what to send next.

pub mod catalog;
pub mod client;
mod spec;

pub use catalog::CATALOG;
pub use spec::{Commit, Consumers, Script, Spec, Step, find};
