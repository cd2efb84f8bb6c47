//! Seeds, and the names and numbers that follow from them.

use std::fs::File;
use std::io::{self, Read};
use std::time::{SystemTime, UNIX_EPOCH};

/// Draws a seed from the operating system: 32 bits, so that people can copy it.
pub(crate) fn draw() -> io::Result<u64> {
    let mut bytes = [0; 4];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u64::from(u32::from_le_bytes(bytes)))
}

/// Mixes texts into a number: FNV-1a, then the finalizer of `SplitMix64`. It never changes: stored seeds
/// depend on it.
pub(crate) fn mix<'a>(parts: impl IntoIterator<Item = &'a str>) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        // A separator, so that ("ab", "c") and ("a", "bc") differ.
        for byte in part.bytes().chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// The seed of one run of a matrix.
pub(crate) fn of_cell(seed: u64, cell: &str, repeat: u32) -> u64 {
    mix([seed.to_string().as_str(), cell, &repeat.to_string()]) & u64::from(u32::MAX)
}

/// `20260131-235959-1f2e3d4c`: when (UTC), and the seed. The wall clock names a run and decides nothing.
pub(crate) fn run_name(seed: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (year, month, day) = civil(now / 86_400);
    let (hour, minute, second) = (now / 3600 % 24, now / 60 % 60, now % 60);
    format!("{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}-{seed:08x}")
}

/// Year, month and day of a day since 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date
/// algorithms", `civil_from_days`).
const fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + if month <= 2 { 1 } else { 0 }, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(19_782), (2024, 2, 29));
        assert_eq!(civil(20_454), (2026, 1, 1));
    }

    #[test]
    fn mixing_is_stable_and_tells_parts_apart() {
        assert_eq!(mix(["a"]), mix(["a"]));
        assert_ne!(mix(["ab", "c"]), mix(["a", "bc"]));
        assert_ne!(of_cell(1, "acks=1", 0), of_cell(1, "acks=1", 1));
        assert_ne!(of_cell(1, "acks=1", 0), of_cell(2, "acks=1", 0));
        assert_eq!(of_cell(1, "acks=1", 0), 3_306_117_672);
    }
}
