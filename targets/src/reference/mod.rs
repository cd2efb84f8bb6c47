//! The reference cluster: a controller and brokers as child processes on loopback, every link that a
//! fault may cut through the proxy.

mod afflictions;
mod cluster;
mod damage;
mod error;
mod faults;
mod launch;
mod links;
mod member;
mod options;
mod watch;

pub use cluster::ReferenceCluster;
pub use error::ClusterError;
pub use options::{ClusterOptions, Proxied};
