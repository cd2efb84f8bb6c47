//! The run's clock: raw `CLOCK_MONOTONIC`, the same for every process of a host, so that intervals
//! stamped by different actors compare without error (ε = 0 within a host).

use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::ids::Nanos;

/// Now, in raw monotonic nanoseconds.
///
/// # Panics
/// Never on Linux or macOS, where the monotonic clock always exists.
#[must_use]
pub fn now() -> Nanos {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("the monotonic clock exists");
    Nanos(
        u64::try_from(time.tv_sec()).unwrap_or(0) * 1_000_000_000
            + u64::try_from(time.tv_nsec()).unwrap_or(0),
    )
}

/// Which clock stamped a segment: stamps compare where all fields agree, or as far as the clocks were
/// measured against each other.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ClockIdentity {
    /// `/proc/sys/kernel/random/boot_id`, empty where there is none.
    pub boot_id: String,
    /// The time namespace (`/proc/self/ns/time`), empty where there is none.
    pub time_namespace: String,
    /// Nanoseconds by which its stamps, moved to the clock of the run by the measured offset, may still be
    /// off; `None` on the host of the run itself, and where nobody measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_ns: Option<u64>,
}

impl ClockIdentity {
    /// Reads the identity of this host's clock.
    #[must_use]
    pub fn here() -> Self {
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let namespace = std::fs::read_link("/proc/self/ns/time").unwrap_or_default();
        Self {
            boot_id: boot_id.trim().to_owned(),
            time_namespace: namespace.to_string_lossy().into_owned(),
            error_ns: None,
        }
    }
}
