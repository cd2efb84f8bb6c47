//! The table of runs.

use std::time::{SystemTime, UNIX_EPOCH};

use tabled::settings::Color;

use crate::format::Format;
use crate::runs::{RunState, RunSummary};
use crate::table::Rows;
use crate::words;

/// Renders a listing of runs, in the order given.
#[must_use]
pub fn render_runs(runs: &[RunSummary], format: Format) -> String {
    let mut rows = Rows::new(["run", "when (UTC)", "verdict", "headline", "target", "nemeses", "seed"]);
    for run in runs {
        let (verdict, color) = match run.state {
            RunState::Judged(word) => (words::word(word), words::color(word)),
            RunState::Unfinished => ("unfinished", Color::FG_YELLOW),
            RunState::Unreadable => ("unreadable", Color::FG_RED),
        };
        let mut cells = vec![run.name.clone(), utc(run.when), verdict.to_owned(), run.headline.clone()];
        match &run.planned {
            Some(planned) => {
                let nemeses = match planned.nemeses.as_slice() {
                    [] => "none".to_owned(),
                    names => names.join(", "),
                };
                let nemeses = match &planned.flaw {
                    Some(flaw) => format!("{nemeses} (flaw {flaw})"),
                    None => nemeses,
                };
                cells.extend([planned.target.to_string(), nemeses, planned.seed.to_string()]);
            }
            None => cells.extend([const { String::new() }; 3]),
        }
        rows.push(cells, 2, color);
    }
    rows.render(format)
}

/// `2026-01-31 23:59`; the epoch for times before it.
fn utc(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, minutes) = (seconds / 86_400, seconds % 86_400 / 60);
    let (year, month, day) = civil(days);
    format!("{year}-{month:02}-{day:02} {:02}:{:02}", minutes / 60, minutes % 60)
}

/// Year, month and day of a day since 1970-01-01, by counting years from March on, so that a leap day is
/// the last of its year (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_are_read_as_a_calendar_says() {
        let at = |seconds| utc(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01 00:00");
        assert_eq!(at(951_782_400), "2000-02-29 00:00");
        assert_eq!(at(1_798_761_599), "2026-12-31 23:59");
        assert_eq!(at(4_107_542_400), "2100-03-01 00:00");
    }
}
