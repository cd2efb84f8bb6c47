//! What to do: workloads as data and small state machines, and the clients they need.
//!
//! Nothing here touches a network or a clock: a target implements [`client::Producer`] and
//! [`client::Reader`], an actor asks the workload's script what to send next.

pub mod client;
