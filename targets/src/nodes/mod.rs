//! Machines with brokers: how they are reached, what a cluster file says of them, and the cluster they make.

mod cluster_file;
mod each;
pub(crate) mod exec;
mod libssh2;
mod local;
mod options;
mod owner;
mod shell;
mod ssh;

pub use cluster_file::{ClusterFile, ClusterFileError, Reach};
pub use each::each;
pub use libssh2::Libssh2Node;
pub use local::LocalNode;
pub use options::{Backend, SshOptions};
pub use owner::abandoned;
pub use ssh::SshNode;
