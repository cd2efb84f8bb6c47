//! What may be wrong with a node whose process, for all that, runs and whose links are whole: its disk, its files,
//! its clock. And the nemeses that do nothing but put nodes under one of these.

use std::fmt;

use history::{Partition, PlannedFault};

use crate::cluster::{Cluster, FaultError, Touched};
use crate::shape::hit;
use crate::spec::{Injected, Nemesis, resolve};

/// What a node is under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Affliction {
    /// Its disk takes no byte more.
    DiskFull,
    /// Its file system takes no write at all, and what was not synced is gone.
    ReadOnlyDisk,
    /// Its disk does so many KiB a second, reading and writing apart.
    SlowDisk {
        /// KiB a second.
        kib: u32,
    },
    /// It was stopped in an orderly way, and a log lost its end meanwhile.
    TruncateLog {
        /// Of the topic under test.
        partition: Partition,
        /// So many bytes, at most the newest segment.
        bytes: u64,
    },
    /// It was stopped in an orderly way, and one bit of a log was turned meanwhile. It stays so: nobody knows.
    FlipBit {
        /// Of the topic under test.
        partition: Partition,
        /// Where: drawn from this.
        seed: u64,
    },
    /// A copy of its logs is kept, taken while it was stopped in an orderly way; relieved, it dies and comes back
    /// with that copy.
    StaleDisk,
    /// Its host has forgotten what it had read or written: that is on the disk alone.
    DropCache,
    /// Its clock is wrong by so many milliseconds, behind if negative.
    ClockBump {
        /// Milliseconds.
        ms: i64,
    },
    /// Its clock gains so many microseconds a second, loses them if negative.
    ClockSkew {
        /// Parts per million.
        ppm: i64,
    },
    /// Its clock is right and wrong in turn.
    ClockStrobe {
        /// By so many milliseconds.
        ms: i64,
        /// For so many milliseconds each.
        period_ms: u32,
    },
}

impl Affliction {
    /// What a target does that puts a node under it.
    #[must_use]
    pub const fn verb(&self) -> &'static str {
        match self {
            Self::DiskFull => "fill the disk of",
            Self::ReadOnlyDisk => "turn read-only the file system of",
            Self::SlowDisk { .. } => "slow down the disk of",
            Self::TruncateLog { .. } => "cut off the end of a log of",
            Self::FlipBit { .. } => "turn a bit in a log of",
            Self::StaleDisk => "keep a copy of the logs of",
            Self::DropCache => "drop the page cache of",
            Self::ClockBump { .. } | Self::ClockSkew { .. } | Self::ClockStrobe { .. } => "move the clock of",
        }
    }

    /// Whether the broker is down under it, or for a moment of it.
    #[must_use]
    pub const fn takes_down(&self) -> bool {
        match self {
            Self::DiskFull
            | Self::ReadOnlyDisk
            | Self::TruncateLog { .. }
            | Self::FlipBit { .. }
            | Self::StaleDisk => true,
            Self::SlowDisk { .. }
            | Self::DropCache
            | Self::ClockBump { .. }
            | Self::ClockSkew { .. }
            | Self::ClockStrobe { .. } => false,
        }
    }
}

impl fmt::Display for Affliction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DiskFull => f.write_str("a full disk"),
            Self::ReadOnlyDisk => f.write_str("a read-only disk"),
            Self::SlowDisk { kib } => write!(f, "a disk of {kib} KiB a second"),
            Self::TruncateLog { partition, bytes } => {
                write!(f, "{bytes} bytes off the log of partition {partition}")
            }
            Self::FlipBit { partition, .. } => write!(f, "a turned bit in the log of partition {partition}"),
            Self::StaleDisk => f.write_str("a stale disk"),
            Self::DropCache => f.write_str("a dropped page cache"),
            Self::ClockBump { ms } => write!(f, "a clock that is {ms} ms off"),
            Self::ClockSkew { ppm } => write!(f, "a clock that gains {ppm} ppm"),
            Self::ClockStrobe { ms, period_ms } => {
                write!(f, "a clock that jumps by {ms} ms every {period_ms} ms")
            }
        }
    }
}

/// Puts the broker that a fault is aimed at under something.
pub(crate) struct Afflicts(pub(crate) fn(&PlannedFault, Partition) -> Affliction);

impl Nemesis for Afflicts {
    fn aim(&self, fault: &PlannedFault, cluster: &dyn Cluster) -> Result<Injected, FaultError> {
        let (node, partitions) = resolve(fault.target, cluster)?;
        // Whoever leads nothing has replicas all the same: of the first partition, most likely.
        let log = partitions.first().copied().unwrap_or(Partition(0));
        let affliction = Some((self.0)(fault, log));
        Ok(Injected { affliction, ..hit(cluster, vec![node], Vec::new()) })
    }

    fn inject(&self, _: &PlannedFault, aim: &Injected, cluster: &mut dyn Cluster) -> Result<(), FaultError> {
        aim.affliction.as_ref().map_or(Ok(()), |what| cluster.afflict(&aim.nodes, what))
    }

    fn verify(&self, aim: &Injected, cluster: &dyn Cluster) -> bool {
        aim.affliction.iter().all(|what| aim.nodes.iter().all(|node| cluster.is_afflicted(*node, what)))
    }

    fn heal(&self, aim: &Injected, cluster: &mut dyn Cluster) -> Result<Touched, FaultError> {
        aim.affliction.as_ref().map_or(Ok(Touched::default()), |what| cluster.relieve(&aim.nodes, what))
    }
}
