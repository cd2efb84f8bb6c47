//! The faults of a host, by name.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The far end of a link that a fault touches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Its address, or a name the host resolves.
    pub address: String,
    /// Ports of this host that the peer connects to; empty is all but ssh's.
    pub here: Vec<u16>,
    /// Ports of the peer that this host connects to; empty is all but ssh's.
    pub there: Vec<u16>,
}

/// A fault of one host, with everything it needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostFault {
    /// The broker dies by SIGKILL and stays dead.
    Kill,
    /// The broker is stopped by SIGSTOP.
    Pause,
    /// The broker dies by SIGKILL and is started again at once.
    Restart,
    /// Packets of these links are dropped, or answered by a reset.
    Cut {
        /// The far ends.
        peers: Vec<Peer>,
        /// Connections are reset.
        reset: bool,
    },
    /// A part of the packets is dropped.
    Loss {
        /// The far ends.
        peers: Vec<Peer>,
        /// How many of a hundred.
        percent: u8,
    },
    /// Every packet to the peers waits.
    Delay {
        /// The far ends.
        peers: Vec<Peer>,
        /// For how long, in milliseconds.
        ms: u32,
    },
    /// What leaves for the peers is slowed down.
    Bandwidth {
        /// The far ends.
        peers: Vec<Peer>,
        /// To so many kilobits a second.
        kbit: u32,
    },
    /// The page cache forgets what is clean.
    DropCache,
    /// Power is lost: what was not synced is gone.
    PowerFailure,
    /// The broker's disk is full.
    DiskFull,
    /// The broker's file system turns read-only.
    ReadOnly,
    /// The host's clock jumps.
    ClockBump {
        /// By so many milliseconds, backwards if negative.
        ms: i64,
    },
}

/// A fault's name and what it is, for lists.
#[derive(Debug)]
pub struct Kind {
    /// Kebab-case.
    pub name: &'static str,
    /// What it does, in a line.
    pub summary: &'static str,
}

impl HostFault {
    /// Every kind, in the order they are listed.
    pub const KINDS: [Kind; 12] = [
        Kind { name: "kill", summary: "SIGKILL, and kept down" },
        Kind { name: "pause", summary: "SIGSTOP" },
        Kind { name: "restart", summary: "SIGKILL, and started again at once" },
        Kind { name: "cut", summary: "iptables: packets between this node and its peers are dropped" },
        Kind { name: "loss", summary: "iptables: a part of these packets is dropped" },
        Kind { name: "delay", summary: "tc netem: packets to its peers wait" },
        Kind { name: "bandwidth", summary: "tc: what leaves for its peers is slowed down" },
        Kind { name: "drop-cache", summary: "the page cache forgets what is clean" },
        Kind {
            name: "power-failure",
            summary: "SIGKILL, file system shut down without a flush, mounted again",
        },
        Kind { name: "disk-full", summary: "a file fills the data directory's file system" },
        Kind { name: "read-only", summary: "the data directory's file system turns read-only" },
        Kind { name: "clock-bump", summary: "the host's clock jumps" },
    ];

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        let place = match self {
            Self::Kill => 0,
            Self::Pause => 1,
            Self::Restart => 2,
            Self::Cut { .. } => 3,
            Self::Loss { .. } => 4,
            Self::Delay { .. } => 5,
            Self::Bandwidth { .. } => 6,
            Self::DropCache => 7,
            Self::PowerFailure => 8,
            Self::DiskFull => 9,
            Self::ReadOnly => 10,
            Self::ClockBump { .. } => 11,
        };
        Self::KINDS[place].name
    }

    /// Whether the broker itself is down while it lasts.
    #[must_use]
    pub const fn takes_down(&self) -> bool {
        matches!(self, Self::Kill | Self::Pause | Self::Restart | Self::PowerFailure)
    }
}

impl fmt::Display for HostFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
