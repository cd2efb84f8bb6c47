//! Values of flags: durations, sizes, rates and `KEY=VALUE` pairs, and how they are written back.

use std::time::Duration;

const DURATION_UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
const SIZE_UNITS: [(&str, u64); 7] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

/// Records a second and producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rate {
    /// So many.
    PerSecond(u64),
    /// As fast as the client takes them.
    Max,
}

/// `10s`, `500ms`, `1m30s`; more than zero, and at most a week.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let expected = || "give a number and a unit: 500ms, 10s, 1m30s, 2h".to_owned();
    let mut total = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let (count, behind) = leading_number(rest).ok_or_else(expected)?;
        let letters = behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(letters);
        let (_, ms) = DURATION_UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(expected)?;
        total = count.checked_mul(*ms).and_then(|ms| total.checked_add(ms)).ok_or_else(expected)?;
        rest = behind;
    }
    match total {
        0 => Err("it must be longer than nothing: 500ms, 10s, 1m30s".to_owned()),
        total if total > 7 * 24 * 3_600_000 => Err("it must be at most a week: 168h".to_owned()),
        total => Ok(Duration::from_millis(total)),
    }
}

/// The shortest way to write a duration of whole milliseconds.
pub(crate) fn write_duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    if ms.is_multiple_of(1000) { format!("{}s", ms / 1000) } else { format!("{ms}ms") }
}

/// `4GiB`, `500MB`, `1048576`; in bytes.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let expected = || "give a number of bytes, or one with a unit: 500MiB, 4GiB".to_owned();
    let (count, unit) = leading_number(text).ok_or_else(expected)?;
    let unit = if unit.is_empty() { "B" } else { unit };
    let (_, bytes) = SIZE_UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(expected)?;
    count.checked_mul(*bytes).ok_or_else(expected)
}

/// `500` or `max`.
pub(super) fn rate(text: &str) -> Result<Rate, String> {
    match text.parse() {
        _ if text == "max" => Ok(Rate::Max),
        Ok(rate) if (1..=10_000_000).contains(&rate) => Ok(Rate::PerSecond(rate)),
        _ => Err("give records a second and producer from 1 to 10000000, or `max`".to_owned()),
    }
}

/// `KEY=VALUE`.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.trim().to_owned())),
        _ => Err("give KEY=VALUE".to_owned()),
    }
}

fn leading_number(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(digits);
    Some((number.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_back() {
        for (text, ms) in [("10s", 10_000), ("500ms", 500), ("1m30s", 90_000), ("2h", 7_200_000)] {
            let read = duration(text).unwrap();
            assert_eq!(read.as_millis(), ms, "{text}");
            assert_eq!(duration(&write_duration(read)).unwrap(), read);
        }
        for text in
            ["", "10", "s", "0s", "-1s", "1.5s", "10 s", "ten", "1s2", "99999999999999999999s", "169h"]
        {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_and_rates_are_read() {
        assert_eq!(size("4GiB"), Ok(4 << 30));
        assert_eq!(size("1048576"), Ok(1 << 20));
        for text in ["", "GiB", "4 GiB", "4gib", "-1", "99999999999GiB"] {
            assert!(size(text).is_err(), "{text}");
        }
        assert_eq!(rate("max"), Ok(Rate::Max));
        assert_eq!(rate("500"), Ok(Rate::PerSecond(500)));
        for text in ["0", "-5", "fast", "1e3"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn pairs_split_at_the_first_equals_sign() {
        assert_eq!(pair("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert_eq!(pair("a="), Ok(("a".to_owned(), String::new())));
        assert!(pair("a").is_err() && pair("=b").is_err());
    }
}
