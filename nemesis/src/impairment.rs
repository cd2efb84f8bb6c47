//! What may be wrong with a link that is not simply cut.

use std::fmt;

/// One direction of a link's connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// What the end that connects sends to the end that listens.
    Requests,
    /// What the end that listens sends back.
    Answers,
}

impl Direction {
    /// The other one.
    #[must_use]
    pub const fn reverse(self) -> Self {
        match self {
            Self::Requests => Self::Answers,
            Self::Answers => Self::Requests,
        }
    }
}

/// What is wrong with a link while its connections go on. A connection can be opened all the same; what it
/// then carries is treated as the impairment says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Impairment {
    /// Bytes of one direction, and its ends, are held back until healing, as TCP does; the other flows.
    Hold(Direction),
    /// Bytes of one direction are thrown away; the other flows. A stream with a hole is no stream, so on
    /// healing every connection that lost some is reset.
    Swallow(Direction),
    /// Bytes of both directions come late, in order. Healing gives what is under way at once.
    Delay {
        /// Every byte is late by this many milliseconds at least.
        at_least_ms: u64,
        /// And by up to so many more, drawn for each chunk.
        jitter_ms: u64,
        /// What the jitter is drawn from.
        seed: u64,
    },
    /// The connections of the link share this many bytes a second in each direction; 0 is taken for 1.
    Narrow {
        /// Bytes a second.
        bytes_per_second: u64,
    },
    /// Packets are lost: TCP sends them again, late. Where there are packets at all; a proxy of connections has none.
    Lose {
        /// How many of a hundred.
        percent: u8,
    },
    /// Packets overtake each other.
    Reorder {
        /// How many of a hundred overtake.
        percent: u8,
        /// By how long the others wait, in milliseconds.
        ms: u32,
    },
    /// Packets arrive twice.
    Duplicate {
        /// How many of a hundred.
        percent: u8,
    },
    /// Packets have a bit turned: TCP's checksum finds it, and they are sent again.
    Corrupt {
        /// How many of a hundred.
        percent: u8,
    },
}

impl Impairment {
    /// Whether it is done to packets, which only a host has.
    #[must_use]
    pub const fn is_of_packets(&self) -> bool {
        match self {
            Self::Lose { .. } | Self::Reorder { .. } | Self::Duplicate { .. } | Self::Corrupt { .. } => true,
            Self::Hold(_) | Self::Swallow(_) | Self::Delay { .. } | Self::Narrow { .. } => false,
        }
    }
}

impl fmt::Display for Impairment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hold(Direction::Requests) => f.write_str("with its requests held back"),
            Self::Hold(Direction::Answers) => f.write_str("with its answers held back"),
            Self::Swallow(Direction::Requests) => f.write_str("with its requests thrown away"),
            Self::Swallow(Direction::Answers) => f.write_str("with its answers thrown away"),
            Self::Delay { at_least_ms, jitter_ms, .. } => {
                write!(f, "late by {at_least_ms} to {} ms", at_least_ms.saturating_add(*jitter_ms))
            }
            Self::Narrow { bytes_per_second } => write!(f, "narrowed to {bytes_per_second} bytes a second"),
            Self::Lose { percent } => write!(f, "with {percent} of 100 packets lost"),
            Self::Reorder { percent, ms } => {
                write!(f, "with {percent} of 100 packets {ms} ms ahead of the others")
            }
            Self::Duplicate { percent } => write!(f, "with {percent} of 100 packets sent twice"),
            Self::Corrupt { percent } => write!(f, "with a bit turned in {percent} of 100 packets"),
        }
    }
}
