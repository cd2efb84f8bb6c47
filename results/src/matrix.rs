//! The table of a matrix: one row a cell.

use checkers::{Expectation, Word};

use crate::format::Format;
use crate::lines::{millis, seconds};
use crate::table::Rows;
use crate::words;

/// One cell of a matrix, over all its repeats.
#[derive(Debug, Clone, PartialEq)]
pub struct MatrixRow {
    /// The cell's settings as (name, value).
    pub settings: Vec<(String, String)>,
    /// The fault, `none` for none.
    pub nemesis: String,
    /// What the cell's first guarantee promises.
    pub expectation: Expectation,
    /// The worst word of the repeats.
    pub word: Word,
    /// What was seen, in one phrase.
    pub seen: String,
    /// Repeats that ended with this word, of how many.
    pub k_of_n: (u32, u32),
    /// Acknowledged records a second.
    pub throughput: f64,
    /// 99th percentile of the latency, milliseconds.
    pub p99_ms: f64,
    /// Longest time to recover from a fault, milliseconds; `None` without a fault or recovery.
    pub recovery_ms: Option<u64>,
    /// How long the cell took, seconds.
    pub seconds: f64,
}

/// Renders a matrix. `axes` names the settings that vary, in the order of their columns.
#[must_use]
pub fn render_matrix(cells: &[MatrixRow], axes: &[String], format: Format) -> String {
    // Numbers without units, a column each, for programs; what is read by people is put together.
    let plain = format == Format::Csv;
    let fixed: &[&str] = if plain {
        &[
            "fault",
            "promised",
            "seen",
            "k",
            "n",
            "evidence",
            "records_per_s",
            "p99_ms",
            "recovery_ms",
            "seconds",
        ]
    } else {
        &["fault", "promised", "seen", "k of n", "evidence", "rec/s", "p99 ms", "recovery", "took s"]
    };
    let mut rows = Rows::new(axes.iter().map(String::as_str).chain(fixed.iter().copied()));
    for cell in cells {
        let setting = |axis: &String| {
            let known = cell.settings.iter().find(|(name, _)| name == axis);
            known.map_or_else(|| "-".to_owned(), |(_, value)| value.clone())
        };
        let mut row: Vec<String> = axes.iter().map(setting).collect();
        row.extend([
            cell.nemesis.clone(),
            words::promised(cell.expectation).to_owned(),
            words::word(cell.word).to_owned(),
        ]);
        let (k, n) = cell.k_of_n;
        if plain {
            row.extend([k.to_string(), n.to_string()]);
        } else {
            row.push(format!("{k} of {n}"));
        }
        let recovery = match cell.recovery_ms {
            Some(ms) if plain => ms.to_string(),
            Some(ms) => seconds(ms),
            None if plain => String::new(),
            None => "-".to_owned(),
        };
        row.extend([
            cell.seen.clone(),
            format!("{:.0}", cell.throughput),
            millis(cell.p99_ms),
            recovery,
            format!("{:.1}", cell.seconds),
        ]);
        rows.push(row, axes.len() + 2, words::color(cell.word));
    }
    rows.render(format)
}

#[cfg(test)]
mod tests;
