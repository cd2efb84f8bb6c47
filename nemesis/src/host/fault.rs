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

/// Which packets of a link a fault touches, as the host that is hit sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Those that arrive from the peers: this host is deaf.
    In,
    /// Those that leave for the peers: this host is mute.
    Out,
    /// All.
    #[default]
    Both,
}

/// A partition's log on a host's disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogName {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: u32,
}

/// A fault of one host, with everything it needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostFault {
    /// The broker dies by SIGKILL and stays dead.
    Kill,
    /// The broker is told to stop, and stays down.
    Stop,
    /// The broker is stopped by SIGSTOP.
    Pause,
    /// The broker dies by SIGKILL and is started again at once.
    Restart,
    /// Packets of these links are dropped, or answered by a reset.
    Cut {
        /// The far ends.
        peers: Vec<Peer>,
        /// What comes, what goes, or both.
        #[serde(default)]
        direction: Direction,
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
        /// And so much more or less, in milliseconds.
        #[serde(default)]
        jitter_ms: u32,
        /// Where the kernel has nothing to hold packets back with, they queue for so many kilobits a second instead;
        /// without this the fault is refused there.
        #[serde(default)]
        or_kbit: Option<u32>,
    },
    /// Packets to the peers overtake each other.
    Reorder {
        /// The far ends.
        peers: Vec<Peer>,
        /// How many of a hundred overtake.
        percent: u8,
        /// By how long the others wait, in milliseconds.
        ms: u32,
    },
    /// Packets to the peers arrive twice.
    Duplicate {
        /// The far ends.
        peers: Vec<Peer>,
        /// How many of a hundred.
        percent: u8,
    },
    /// Packets to the peers have a bit turned.
    Corrupt {
        /// The far ends.
        peers: Vec<Peer>,
        /// How many of a hundred.
        percent: u8,
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
    /// The broker's disk is slow.
    SlowDisk {
        /// As if it did so many KiB a second, reading and writing apart.
        kib: u32,
    },
    /// The broker's disk is full.
    DiskFull,
    /// The broker's file system turns read-only.
    ReadOnly,
    /// The end of a partition's newest segment is cut off while the broker is stopped.
    TruncateLog {
        /// Which log; otherwise that which was written last.
        log: Option<LogName>,
        /// So many bytes, at most the segment.
        bytes: u64,
    },
    /// One bit of a partition's newest segment is turned while the broker is stopped.
    FlipBit {
        /// Which log; otherwise that which was written last.
        log: Option<LogName>,
        /// Where: drawn from this.
        seed: u64,
        /// The undo leaves it turned, for a run that wants to read it back.
        #[serde(default)]
        stays: bool,
    },
    /// A copy of the data directory is kept, for `restore-snapshot`.
    Snapshot,
    /// The broker comes back with the data directory of its snapshot.
    RestoreSnapshot {
        /// What it knows of the cluster's metadata, and its vote, stay as they are: the logs alone are old.
        #[serde(default)]
        keep_metadata: bool,
    },
    /// The host's clock jumps.
    ClockBump {
        /// By so many milliseconds, backwards if negative.
        ms: i64,
    },
    /// The host's clock runs fast or slow.
    ClockSkew {
        /// By so many microseconds a second, slow if negative; at most a tenth.
        ppm: i64,
    },
    /// The host's clock jumps to and fro.
    ClockStrobe {
        /// By so many milliseconds, backwards if negative.
        ms: i64,
        /// It is right for so many milliseconds, and wrong for as many.
        period_ms: u32,
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
    pub const KINDS: [Kind; 23] = [
        Kind { name: "kill", summary: "SIGKILL, and kept down" },
        Kind { name: "stop", summary: "SIGTERM or `systemctl stop`, and kept down" },
        Kind { name: "pause", summary: "SIGSTOP" },
        Kind { name: "restart", summary: "SIGKILL, and started again at once" },
        Kind { name: "cut", summary: "iptables: packets between this node and its peers are dropped" },
        Kind { name: "loss", summary: "iptables: a part of these packets is dropped" },
        Kind { name: "delay", summary: "tc netem: packets to its peers wait" },
        Kind { name: "reorder", summary: "tc netem: packets to its peers overtake each other" },
        Kind { name: "duplicate", summary: "tc netem: packets to its peers arrive twice" },
        Kind { name: "corrupt", summary: "tc netem: packets to its peers have a bit turned" },
        Kind { name: "bandwidth", summary: "tc htb: what leaves for its peers is slowed down" },
        Kind { name: "drop-cache", summary: "the page cache forgets what is clean" },
        Kind {
            name: "power-failure",
            summary: "SIGKILL, file system shut down without a flush, mounted again",
        },
        Kind { name: "slow-disk", summary: "cgroup io.max or blkio: the broker's disk is slowed down" },
        Kind { name: "disk-full", summary: "a file fills the data directory's file system" },
        Kind { name: "read-only", summary: "the data directory's file system turns read-only" },
        Kind { name: "truncate-log", summary: "a stopped broker's newest segment loses its end" },
        Kind { name: "flip-bit", summary: "a bit of a stopped broker's newest segment is turned" },
        Kind { name: "snapshot", summary: "a copy of the data directory is kept, for restore-snapshot" },
        Kind { name: "restore-snapshot", summary: "the broker comes back with the data of its snapshot" },
        Kind { name: "clock-bump", summary: "the host's clock jumps" },
        Kind { name: "clock-skew", summary: "the host's clock runs fast or slow" },
        Kind { name: "clock-strobe", summary: "the host's clock jumps to and fro" },
    ];

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        let place = match self {
            Self::Kill => 0,
            Self::Stop => 1,
            Self::Pause => 2,
            Self::Restart => 3,
            Self::Cut { .. } => 4,
            Self::Loss { .. } => 5,
            Self::Delay { .. } => 6,
            Self::Reorder { .. } => 7,
            Self::Duplicate { .. } => 8,
            Self::Corrupt { .. } => 9,
            Self::Bandwidth { .. } => 10,
            Self::DropCache => 11,
            Self::PowerFailure => 12,
            Self::SlowDisk { .. } => 13,
            Self::DiskFull => 14,
            Self::ReadOnly => 15,
            Self::TruncateLog { .. } => 16,
            Self::FlipBit { .. } => 17,
            Self::Snapshot => 18,
            Self::RestoreSnapshot { .. } => 19,
            Self::ClockBump { .. } => 20,
            Self::ClockSkew { .. } => 21,
            Self::ClockStrobe { .. } => 22,
        };
        Self::KINDS[place].name
    }

    /// Whether it holds back packets, or drops them.
    #[must_use]
    pub const fn touches_network(&self) -> bool {
        matches!(
            self,
            Self::Cut { .. }
                | Self::Loss { .. }
                | Self::Delay { .. }
                | Self::Reorder { .. }
                | Self::Duplicate { .. }
                | Self::Corrupt { .. }
                | Self::Bandwidth { .. }
        )
    }

    /// Whether the broker itself is down while it lasts, or for a moment of it.
    #[must_use]
    pub const fn takes_down(&self) -> bool {
        matches!(
            self,
            Self::Kill
                | Self::Stop
                | Self::Pause
                | Self::Restart
                | Self::PowerFailure
                | Self::TruncateLog { .. }
                | Self::FlipBit { .. }
                | Self::Snapshot
                | Self::RestoreSnapshot { .. }
        )
    }
}

impl fmt::Display for HostFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
