//! A cluster of real hosts as nemeses see it: its brokers broken and mended over SSH with the undo journal kept,
//! its leaders followed by asking every broker.

mod afflictions;
mod clock;
mod cluster;
mod cuts;
mod impairments;
mod lease;
mod logs;
mod watch;

pub(crate) use watch::Watch;

pub use cluster::{HostCluster, HostsError, HostsOptions};
