//! What breaks: faults as inject, verify and heal, and the seeded schedule of a run.
//!
//! A nemesis speaks to a [`Cluster`], which a target implements; it knows nothing of processes or sockets.

pub mod cluster;

pub use cluster::{Cluster, End, FaultError, Link, Touched};
