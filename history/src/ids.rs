//! Small newtypes: numbers that must never be mixed up.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

number! {
    /// Raw `CLOCK_MONOTONIC` nanoseconds of the host that stamped them.
    Nanos(u64)
}
number! {
    /// A partition of the topic under test.
    Partition(u32)
}
number! {
    /// Position of a record in a partition's log.
    Offset(i64)
}
number! {
    /// A broker of the target, by its Kafka broker id.
    NodeId(i32)
}
number! {
    /// Marks the records of one run, so that leftovers of another run are recognised.
    RunHash(u64)
}

impl Nanos {
    /// Elapsed nanoseconds since `earlier`; 0 if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The producer number of fence records, which no workload uses.
pub const FENCE_PRODUCER: u32 = u32::MAX;

/// What makes a record unique within a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Tag {
    /// The producing actor, from 0.
    pub producer: u32,
    /// Its session: a restarted actor is a new session, from 0.
    pub session: u32,
    /// Sequence number within the session, from 0, in the order of invocation.
    pub seq: u64,
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.producer == FENCE_PRODUCER {
            write!(f, "fence#{}", self.seq)
        } else if self.session == 0 {
            write!(f, "p{}#{}", self.producer, self.seq)
        } else {
            write!(f, "p{}.{}#{}", self.producer, self.session, self.seq)
        }
    }
}
