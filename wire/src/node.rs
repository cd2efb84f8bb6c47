//! What a node and the process that started it say to each other.
//!
//! A node reads one [`NodeSpec`] as a line of JSON from stdin, and exits when stdin ends. It writes
//! [`NodeEvent`]s as lines of JSON to stdout, and its log, for people, to stderr. While it runs, a broker may be given
//! [`NodeOrder`]s, further lines of stdin, and answers each.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What a node process is to be.
// Tagged from outside: serde cannot read the integer keys of `peers` below an inner tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum NodeSpec {
    /// The controller, which keeps the cluster's metadata.
    Controller(ControllerSpec),
    /// A broker.
    Broker(BrokerSpec),
}

/// How to start the controller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControllerSpec {
    /// Process id of the starter: the node exits if its parent is another.
    pub parent: u32,
    /// Where its metadata log lies.
    pub data: PathBuf,
    /// Where to listen for brokers.
    pub listen: SocketAddr,
    /// Broker settings by Kafka name (those that concern the controller).
    pub settings: BTreeMap<String, String>,
    /// A planted flaw, by catalog name.
    pub flaw: Option<String>,
}

/// How to start a broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerSpec {
    /// Process id of the starter: the node exits if its parent is another.
    pub parent: u32,
    /// Kafka broker id.
    pub node_id: i32,
    /// Where its partitions lie.
    pub data: PathBuf,
    /// Where to listen; port 0 takes any.
    pub listen: SocketAddr,
    /// The address clients are told; `None` is the one it listens on.
    pub advertised: Option<SocketAddr>,
    /// Addresses under which it reaches other brokers, where they differ from the registered ones.
    pub peers: BTreeMap<i32, SocketAddr>,
    /// The address under which it reaches the controller.
    pub controller: SocketAddr,
    /// Broker settings by Kafka name.
    pub settings: BTreeMap<String, String>,
    /// A planted flaw, by catalog name.
    pub flaw: Option<String>,
}

/// What a broker is told while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "order")]
pub enum NodeOrder {
    /// Its disk is like that from now on.
    Disk {
        /// Like what.
        state: DiskState,
    },
    /// Its time of day is like that from now on.
    Clock {
        /// Like what.
        state: ClockState,
    },
}

/// What a disk is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum DiskState {
    /// Nothing is wrong with it.
    Whole,
    /// It takes no byte more: ENOSPC.
    Full,
    /// It takes no change at all: EROFS.
    ReadOnly,
    /// It does so many KiB a second.
    Slow {
        /// KiB a second.
        kib: u32,
    },
}

/// What a time of day is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum ClockState {
    /// As the machine has it.
    Right,
    /// Ahead by so many milliseconds, behind if negative.
    Ahead {
        /// Milliseconds.
        ms: i64,
    },
    /// Gains so many microseconds a second, loses them if negative.
    Fast {
        /// Parts per million.
        ppm: i64,
    },
    /// Ahead and right in turn.
    Strobes {
        /// Ahead by so many milliseconds, behind if negative.
        ms: i64,
        /// For so many milliseconds each.
        period_ms: u32,
    },
}

/// What a node tells its starter. Times are raw `CLOCK_MONOTONIC` nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum NodeEvent {
    /// It listens, and (a broker) may be registering still.
    Listening {
        /// On this port.
        port: u16,
    },
    /// A broker is registered and unfenced for the first time.
    Ready,
    /// Controller: a broker was fenced or unfenced.
    Fenced {
        /// When.
        at: u64,
        /// Which broker.
        node: i32,
        /// Its new state.
        fenced: bool,
    },
    /// Controller: a partition changed.
    PartitionState {
        /// When.
        at: u64,
        /// Its topic.
        topic: String,
        /// Its number.
        partition: i32,
        /// Who leads; -1 is nobody.
        leader: i32,
        /// Leader epoch.
        epoch: i32,
        /// In-sync replicas.
        isr: Vec<i32>,
        /// All replicas.
        replicas: Vec<i32>,
    },
    /// A broker: an order is carried out.
    Obeyed {
        /// Bytes that had to wait for the disk as it was until then.
        slowed_bytes: u64,
        /// By so many milliseconds its time of day was ahead until then.
        clock_ahead_ms: i64,
        /// So often it had jumped, and back.
        clock_jumps: u64,
    },
    /// The node cannot go on and is about to exit.
    Failed {
        /// Why.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_one_line_each() {
        for order in [
            NodeOrder::Disk { state: DiskState::Slow { kib: 32 } },
            NodeOrder::Disk { state: DiskState::ReadOnly },
            NodeOrder::Clock { state: ClockState::Strobes { ms: -5, period_ms: 100 } },
            NodeOrder::Clock { state: ClockState::Right },
        ] {
            let line = serde_json::to_string(&order).expect("plain data");
            assert_eq!(serde_json::from_str::<NodeOrder>(&line).expect("its own line"), order);
        }
    }

    #[test]
    fn a_spec_survives_its_line() {
        let address: SocketAddr = ([127, 0, 0, 1], 9092).into();
        let spec = NodeSpec::Broker(BrokerSpec {
            parent: 1,
            node_id: 1,
            data: PathBuf::from("data"),
            listen: address,
            advertised: Some(address),
            peers: BTreeMap::from([(2, address)]),
            controller: address,
            settings: BTreeMap::from([("log.flush.interval.messages".to_owned(), "1".to_owned())]),
            flaw: None,
        });
        let line = serde_json::to_string(&spec).expect("plain data");
        assert_eq!(serde_json::from_str::<NodeSpec>(&line).expect("its own line"), spec);
    }
}
