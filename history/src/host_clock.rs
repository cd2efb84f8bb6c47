//! The clock of another host against the run's: what was read of it, so that times in its logs can be told in the
//! run's own, with how far they may be off. A wall clock may be set, and runs at a speed of its own; so it is read
//! when the run begins and when it ends.

use serde::{Deserialize, Serialize};

use crate::ids::Nanos;

/// Version of what is stored of a host's clock.
pub const HOST_CLOCK_VERSION: u32 = 1;

/// One look at a host's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockReading {
    /// What it showed, in nanoseconds since 1970 in UTC.
    pub host_ns: i64,
    /// When that was, by the run's clock.
    pub ours_ns: u64,
    /// How far that may be off: half the way there and back.
    pub error_ns: u64,
}

impl ClockReading {
    fn ahead(&self) -> i128 {
        i128::from(self.host_ns) - i128::from(self.ours_ns)
    }
}

/// A host's wall clock, and what its broker writes into its log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostClock {
    /// [`HOST_CLOCK_VERSION`] of who wrote it.
    pub version: u32,
    /// When the run began.
    pub begin: ClockReading,
    /// When it ended.
    pub end: ClockReading,
    /// The host's time zone, in seconds east of UTC; its processes may have another.
    pub zone_s: Option<i32>,
    /// When the broker's log was last written, in nanoseconds since 1970 by the host's clock.
    pub written_ns: Option<i64>,
}

impl HostClock {
    /// When it was by the run's clock as the host's showed this, and how far that may be off, in nanoseconds.
    ///
    /// Between the readings the clock is taken to have run evenly. Where it was set meanwhile, nobody knows when:
    /// by how much it was set is how far all may be off.
    #[must_use]
    pub fn ours(&self, host_ns: i64) -> (Nanos, u64) {
        let (begin, end) = (self.begin.ahead(), self.end.ahead());
        let drift = end - begin;
        let whole = i128::from(self.end.host_ns) - i128::from(self.begin.host_ns);
        let gone = (i128::from(host_ns) - i128::from(self.begin.host_ns)).clamp(0, whole.max(0));
        let ahead = if whole > 0 { begin + drift * gone / whole } else { begin };
        let ours = u64::try_from(i128::from(host_ns) - ahead).unwrap_or(0);
        let error = u64::try_from(drift.unsigned_abs()).unwrap_or(u64::MAX);
        (Nanos(ours), error.saturating_add(self.begin.error_ns.max(self.end.error_ns)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(begin: (i64, u64, u64), end: (i64, u64, u64)) -> HostClock {
        let reading = |(host_ns, ours_ns, error_ns)| ClockReading { host_ns, ours_ns, error_ns };
        let (begin, end) = (reading(begin), reading(end));
        HostClock { version: HOST_CLOCK_VERSION, begin, end, zone_s: None, written_ns: None }
    }

    #[test]
    fn a_clock_that_runs_evenly_is_off_by_its_readings() {
        let clock = clock((1_000_000, 100, 5), (1_001_000, 1100, 7));
        assert_eq!(clock.ours(1_000_500), (Nanos(600), 7));
        assert_eq!(clock.ours(999_950), (Nanos(50), 7), "before the first reading, too");
    }

    #[test]
    fn one_that_is_too_fast_is_put_right_in_between() {
        let clock = clock((1000, 1000, 0), (2100, 2000, 0));
        assert_eq!(clock.ours(1550), (Nanos(1500), 100));
        assert_eq!(clock.ours(2200), (Nanos(2100), 100));
    }

    #[test]
    fn one_that_was_set_back_beyond_the_first_reading_is_not_divided_by() {
        let clock = clock((5000, 1000, 1), (1000, 2000, 1));
        assert_eq!(clock.ours(5100), (Nanos(1100), 5001));
    }
}
