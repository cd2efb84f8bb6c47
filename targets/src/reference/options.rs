//! How to start a reference cluster.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Which connections run through the link proxy, so that they can be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proxied {
    /// None: no link can be cut.
    Nothing,
    /// Those of brokers with each other and with the controller. Clients connect to the brokers themselves,
    /// on ports that stay the same.
    Nodes,
    /// Those of clients too.
    Everything,
}

/// What a reference cluster is to be.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// The program that runs as a node.
    pub program: PathBuf,
    /// Its arguments that make it one.
    pub args: Vec<String>,
    /// Brokers, with ids from 1.
    pub nodes: u32,
    /// Where the nodes keep their data, a folder each; created where it is missing.
    pub data: PathBuf,
    /// Where the nodes' logs go (`controller.log`, `node-1.log` …); created where it is missing.
    pub logs: PathBuf,
    /// Broker settings by Kafka name; the controller gets them too.
    pub settings: BTreeMap<String, String>,
    /// A planted flaw, by catalog name.
    pub flaw: Option<String>,
    /// Which links can be cut.
    pub proxied: Proxied,
    /// The port of each broker, in order of their ids; 0, or none given, is any.
    pub ports: Vec<u16>,
    /// How long the cluster may take until every broker is ready, and a broker until it listens again.
    pub start_within: Duration,
    /// How long a node may take to exit when asked to, before it is killed.
    pub stop_within: Duration,
}

impl ClusterOptions {
    /// Brokers of this very program (`highwater broker`), unproxied, with default settings.
    ///
    /// # Errors
    /// If the path of the running program cannot be found out.
    pub fn new(nodes: u32, data: PathBuf, logs: PathBuf) -> std::io::Result<Self> {
        Ok(Self {
            program: crate::process::this_program()?,
            args: vec!["broker".to_owned()],
            nodes,
            data,
            logs,
            settings: BTreeMap::new(),
            flaw: None,
            proxied: Proxied::Nothing,
            ports: Vec::new(),
            start_within: Duration::from_secs(20),
            stop_within: Duration::from_secs(5),
        })
    }
}
