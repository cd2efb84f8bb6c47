//! Times that brokers begin the lines of their logs with: log4j's `[2026-01-31 12:00:00,123]`, ISO 8601, and what
//! slf4j-simple writes. Where a line names no zone, the clock of its host must tell.

use chrono::NaiveDate;
use history::{HostClock, Nanos};

/// A zone that is guessed from when a log was last written is believed if the guess is as near as this: zones are
/// quarters of hours.
const GUESS_NS: i64 = 120 * 1_000_000_000;
const QUARTER_S: i64 = 15 * 60;
const SECOND_NS: i64 = 1_000_000_000;

/// A time as it is written, and what stands behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp<'a> {
    /// Nanoseconds since 1970, as if the zone were UTC.
    local_ns: i64,
    /// Its zone, in seconds east of UTC, if it names one.
    zone_s: Option<i32>,
    /// The rest of the line.
    pub(super) text: &'a str,
}

/// Reads the time that a line begins with.
pub(super) fn stamp(line: &str) -> Option<Stamp<'_>> {
    let inside = line.strip_prefix('[');
    let mut rest = Reader(inside.unwrap_or(line));
    let (year, month, day) = (rest.number(4)?, rest.after("-")?.number(2)?, rest.after("-")?.number(2)?);
    let between = if rest.0.starts_with('T') { "T" } else { " " };
    rest.after(between)?;
    let (hour, minute, second) = (rest.number(2)?, rest.after(":")?.number(2)?, rest.after(":")?.number(2)?);
    let nanos = rest.fraction();
    let zone_s = rest.zone();
    let text = if inside.is_some() { rest.0.strip_prefix(']')? } else { rest.0 };
    // A leap second, and whatever else is no time, is nobody's.
    let time = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?
        .and_hms_nano_opt(hour, minute, second, nanos)?;
    let local_ns = time.and_utc().timestamp_nanos_opt()?;
    text.starts_with(' ').then(|| Stamp { local_ns, zone_s, text: text.trim_start() })
}

/// Reads a text from its beginning.
#[derive(Clone, Copy)]
struct Reader<'a>(&'a str);

impl<'a> Reader<'a> {
    /// Exactly so many digits.
    fn number(&mut self, digits: usize) -> Option<u32> {
        let (number, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok())?
    }

    /// Behind this word, if it is next.
    fn after(&mut self, word: &str) -> Option<&mut Self> {
        self.0 = self.0.strip_prefix(word)?;
        Some(self)
    }

    /// `,123` or `.123456` in nanoseconds; 0 without.
    fn fraction(&mut self) -> u32 {
        let Some(behind) = self.0.strip_prefix([',', '.']) else { return 0 };
        let count = behind.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = behind.split_at(count);
        self.0 = rest;
        let kept = &digits[..count.min(9)];
        kept.parse::<u32>().unwrap_or(0) * 10_u32.pow(u32::try_from(9 - kept.len()).unwrap_or(0))
    }

    /// `Z`, `+01:00`, `-0330`, in seconds east of UTC.
    fn zone(&mut self) -> Option<i32> {
        if let Some(rest) = self.0.strip_prefix('Z') {
            self.0 = rest;
            return Some(0);
        }
        let sign = if self.0.starts_with('+') { 1 } else { -1 };
        let mut rest = Self(self.0.strip_prefix(['+', '-'])?);
        let hours = rest.number(2)?;
        rest.0 = rest.0.strip_prefix(':').unwrap_or(rest.0);
        let minutes = rest.number(2)?;
        self.0 = rest.0;
        Some(sign * i32::try_from(hours * 3600 + minutes * 60).ok()?)
    }
}

/// Tells times of one log in the run's.
pub(super) struct Teller<'a> {
    clock: &'a HostClock,
    /// The zone of times that name none.
    zone_s: i64,
}

impl<'a> Teller<'a> {
    /// For a log whose last time is this: it was written when the log was last written, which tells the broker's
    /// zone; where it does not, the host's is taken.
    pub(super) fn new(clock: &'a HostClock, last: Option<Stamp<'_>>) -> Self {
        let guess =
            last.filter(|last| last.zone_s.is_none()).zip(clock.written_ns).and_then(|(last, written)| {
                let ahead_s = last.local_ns.checked_sub(written)? as f64 / SECOND_NS as f64;
                let zone_s = (ahead_s / QUARTER_S as f64).round() as i64 * QUARTER_S;
                let off = (last.local_ns - written - zone_s * SECOND_NS).abs();
                (off <= GUESS_NS && zone_s.abs() <= 14 * 3600).then_some(zone_s)
            });
        Self { clock, zone_s: guess.unwrap_or_else(|| clock.zone_s.unwrap_or(0).into()) }
    }

    /// When that was by the run's clock, and how far it may be off, in nanoseconds.
    pub(super) fn when(&self, stamp: &Stamp<'_>) -> (Nanos, u64) {
        let zone_s = stamp.zone_s.map_or(self.zone_s, i64::from);
        self.clock.ours(stamp.local_ns.saturating_sub(zone_s * SECOND_NS))
    }
}

#[cfg(test)]
mod tests {
    use history::{ClockReading, HOST_CLOCK_VERSION};

    use super::*;

    /// 2026-01-31 12:00:00 UTC.
    const NOON: i64 = 1_769_860_800 * SECOND_NS;

    fn read(line: &str) -> Option<(i64, Option<i32>, &str)> {
        stamp(line).map(|stamp| (stamp.local_ns - NOON, stamp.zone_s, stamp.text))
    }

    #[test]
    fn the_usual_forms_are_read() {
        let ms = 123_000_000;
        for (line, expected) in [
            ("[2026-01-31 12:00:00,123] INFO hello (kafka.X)", (ms, None, "INFO hello (kafka.X)")),
            (
                "2026-01-31 12:00:00,123+0100 [main] INFO k.X - hello",
                (ms, Some(3600), "[main] INFO k.X - hello"),
            ),
            ("2026-01-31T12:00:00.123456789Z INFO hello", (123_456_789, Some(0), "INFO hello")),
            ("[2026-01-31T12:00:00.1-03:30] WARN hello", (100_000_000, Some(-12_600), "WARN hello")),
            ("2026-01-31 12:00:01 INFO hello", (SECOND_NS, None, "INFO hello")),
        ] {
            assert_eq!(read(line), Some(expected), "{line}");
        }
        for line in [
            "",
            "[2026-01-31 12:00:00,123 INFO hello",
            "[2026-02-30 12:00:00,123] INFO hello",
            "2026-01-31 25:00:00 INFO hello",
            "\tat kafka.server.X(X.scala:1)",
            "java.io.IOException: gone",
            "2026-01-3é 12:00:00 INFO hello",
            "[main] INFO kafka.X - hello",
        ] {
            assert_eq!(read(line), None, "{line}");
        }
    }

    fn clock(zone_s: Option<i32>, written_ns: Option<i64>) -> HostClock {
        let reading = |host_ns, ours_ns| ClockReading { host_ns, ours_ns, error_ns: 4 };
        let (begin, end) = (reading(NOON, 1000), reading(NOON + 60 * SECOND_NS, 60_000_001_000));
        HostClock { version: HOST_CLOCK_VERSION, begin, end, zone_s, written_ns }
    }

    #[test]
    fn a_zone_is_named_or_told_by_when_the_log_was_written_or_is_the_hosts() {
        let told = |line: &str, clock: &HostClock, last: Option<&str>| {
            let last = last.and_then(stamp);
            Teller::new(clock, last).when(&stamp(line).expect("a time"))
        };
        let here = (Nanos(1_000_001_000), 4);
        let utc = clock(Some(3600), None);
        assert_eq!(told("2026-01-31 12:00:01,000+0000 INFO x", &utc, None), here);
        assert_eq!(told("2026-01-31 13:00:01,000 INFO x", &utc, None), here, "the host's");
        // The broker's own zone is India's, whatever its host's.
        let written = clock(Some(0), Some(NOON + 59 * SECOND_NS));
        let last = Some("[2026-01-31 17:30:58,000] INFO y");
        assert_eq!(told("[2026-01-31 17:30:01,000] INFO x", &written, last), here);
        // Nobody's zone is seven minutes off: that log says nothing.
        let odd = Some("[2026-01-31 12:07:00,000] INFO y");
        assert_eq!(told("[2026-01-31 12:00:01,000] INFO x", &written, odd), here);
    }
}
