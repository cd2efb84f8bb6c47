//! Machines with brokers: how they are reached, what a cluster file says of them, and the cluster they make.

mod cluster_file;
mod each;
pub(crate) mod exec;
mod local;
mod owner;
mod shell;
mod ssh;

pub use cluster_file::{ClusterFile, ClusterFileError, Reach};
pub use each::each;
pub use local::LocalNode;
pub use owner::abandoned;
pub use ssh::{SshNode, SshOptions};
