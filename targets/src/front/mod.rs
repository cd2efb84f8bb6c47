//! A front for a Kafka cluster that nobody may break: clients reach its brokers through the link proxy, and
//! stay there, because every answer that names a broker names the proxy's port for it.

mod cluster;
mod relay;
#[cfg(test)]
mod tests;

pub use cluster::{FrontCluster, FrontError};
