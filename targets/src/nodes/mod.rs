//! Machines with brokers: how they are reached, what a cluster file says of them, and the cluster they make.

mod cluster_file;
mod each;
mod exec;
mod local;
mod shell;
mod ssh;

pub use cluster_file::{ClusterFile, ClusterFileError, Reach};
pub use each::each;
pub use local::LocalNode;
pub use ssh::{SshNode, SshOptions};
