//! What breaks: faults as inject, verify and heal, and the seeded schedule of a run.
//!
//! A nemesis speaks to a [`Cluster`], which a target implements; it knows nothing of processes or sockets.

pub mod administrator;
mod affliction;
pub mod applications;
pub mod catalog;
pub mod cluster;
pub mod host;
mod impairment;
pub mod journal;
pub mod node;
pub mod schedule;
pub mod script;
mod shape;
mod spec;
#[cfg(test)]
mod testing;

pub use administrator::{Administrator, Change, Election, Placement, View};
pub use affliction::Affliction;
pub use applications::Applications;
pub use catalog::CATALOG;
pub use cluster::{Cluster, End, FaultError, Link, Touched};
pub use impairment::{Direction, Impairment};
pub use schedule::{ScheduleError, Timings, schedule};
pub use spec::{Injected, Nemesis, Spec, find};
