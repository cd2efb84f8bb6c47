//! Tables and paragraphs that fit a terminal.

use tabled::builder::Builder;
use tabled::settings::object::Cell;
use tabled::settings::{Color, Modify, Style};

use crate::format::Format;

/// No table is squeezed below this: it would be a column of letters.
const NARROWEST: usize = 60;
/// No column is squeezed below this, even if the table gets too wide.
const SHORTEST: usize = 6;

/// Rows of text under a header, some cells of them coloured.
pub(crate) struct Rows {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    colors: Vec<(usize, usize, Color)>,
}

impl Rows {
    pub(crate) fn new<S: Into<String>>(header: impl IntoIterator<Item = S>) -> Self {
        Self { header: header.into_iter().map(Into::into).collect(), rows: Vec::new(), colors: Vec::new() }
    }

    /// Adds a row; `column` of it is shown in `color` where there are colours.
    pub(crate) fn push(&mut self, row: Vec<String>, column: usize, color: Color) {
        self.colors.push((self.rows.len() + 1, column, color));
        self.rows.push(row);
    }

    /// The table, ending in a line break.
    pub(crate) fn render(self, format: Format) -> String {
        match format {
            Format::Human { width, color } => self.human(width, color),
            Format::Markdown => self.markdown(),
            Format::Csv => self.csv(),
        }
    }

    fn human(self, width: usize, color: bool) -> String {
        let cells: Vec<Vec<String>> = [self.header]
            .into_iter()
            .chain(self.rows)
            // A control character (a log line may hold any) would tear the frame.
            .map(|row| row.iter().map(|cell| printable(cell)).collect())
            .collect();
        let widths = column_widths(&cells, width.max(NARROWEST));
        let mut builder = Builder::default();
        for row in cells {
            builder.push_record(row.iter().zip(&widths).map(|(cell, width)| fold(cell, *width)));
        }
        let mut table = builder.build();
        table.with(Style::rounded());
        if color {
            for (row, column, color) in self.colors {
                table.with(Modify::new(Cell::new(row, column)).with(color));
            }
        }
        format!("{table}\n")
    }

    fn markdown(self) -> String {
        let mut text = String::new();
        let rule = self.header.iter().map(|_| "---".to_owned()).collect();
        for row in [self.header, rule].into_iter().chain(self.rows) {
            let cells: Vec<String> =
                row.iter().map(|cell| printable(cell).replace('|', "\\|").replace('\n', "<br>")).collect();
            text.push_str(&format!("| {} |\n", cells.join(" | ")));
        }
        text
    }

    fn csv(self) -> String {
        let mut text = String::new();
        for row in [self.header].into_iter().chain(self.rows) {
            let cells: Vec<String> = row.into_iter().map(quoted).collect();
            text.push_str(&cells.join(","));
            text.push('\n');
        }
        text
    }
}

fn quoted(cell: String) -> String {
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| *c == '\n' || !c.is_control()).collect()
}

/// How wide each column may be for the table to fit `width`: the widest give way first, none below its
/// longest word as long as that can be had.
fn column_widths(rows: &[Vec<String>], width: usize) -> Vec<usize> {
    let columns = rows.first().map_or(0, Vec::len);
    let longest = |column: usize, separators: &[char]| {
        let parts = rows.iter().flat_map(|row| row[column].split(separators));
        parts.map(|part| part.chars().count()).max().unwrap_or(0)
    };
    let mut widths: Vec<usize> = (0..columns).map(|column| longest(column, &['\n'])).collect();
    let words: Vec<usize> = (0..columns).map(|column| longest(column, &['\n', ' '])).collect();
    // A frame and two spaces a column, and the last frame.
    let room = width.saturating_sub(3 * columns + 1);
    for floors in [words, vec![SHORTEST; columns]] {
        while widths.iter().sum::<usize>() > room {
            let above = (0..columns).filter(|column| widths[*column] > floors[*column]);
            let Some(widest) = above.max_by_key(|column| widths[*column]) else { break };
            widths[widest] -= 1;
        }
    }
    widths
}

/// Breaks a cell into lines of at most `width`.
fn fold(cell: &str, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for paragraph in cell.split('\n') {
        let (mut line, mut used) = (String::new(), 0);
        for word in paragraph.split(' ') {
            let mut word: Vec<char> = word.chars().collect();
            if used > 0 && used + 1 + word.len() > width {
                lines.push(std::mem::take(&mut line));
                used = 0;
            } else if used > 0 {
                line.push(' ');
                used += 1;
            }
            while word.len() > width {
                lines.push(word.drain(..width).collect());
            }
            used += word.len();
            line.extend(word);
        }
        lines.push(line);
    }
    lines.join("\n")
}

/// Wraps a line at spaces and keeps its own indent; `indent` goes before every line but the first.
pub(crate) fn wrap(text: &str, width: usize, indent: &str) -> String {
    let width = width.max(NARROWEST);
    let text = printable(text).replace('\n', " ");
    let words = text.trim_start_matches(' ');
    let (mut wrapped, mut line) = (String::new(), " ".repeat(text.len() - words.len()));
    let mut used = line.len();
    let mut empty = true;
    for word in words.split(' ') {
        let length = word.chars().count();
        if !empty && used + 1 + length > width {
            wrapped.push_str(line.trim_end());
            wrapped.push('\n');
            line = indent.to_owned();
            used = indent.len();
        } else if !empty {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += length;
        empty = false;
    }
    wrapped.push_str(line.trim_end());
    wrapped.push('\n');
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_wrap_at_spaces_and_keep_their_indent() {
        let text = wrap(&format!("  - {}", "word ".repeat(20)), 60, "    ");
        assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
        assert!(text.lines().skip(1).all(|line| line.starts_with("    word")), "{text}");
        assert!(text.starts_with("  - word"), "{text}");
    }

    #[test]
    fn long_words_are_cut_only_where_nothing_else_helps() {
        let table = |width| {
            let mut rows = Rows::new(["min.insync.replicas", "evidence"]);
            let long = "0123456789".repeat(if width < 100 { 9 } else { 1 });
            rows.push(vec!["2".to_owned(), format!("{} {long}", "word ".repeat(30))], 0, Color::FG_RED);
            rows.render(Format::Human { width, color: false })
        };
        for width in [60, 100] {
            let text = table(width);
            assert!(text.lines().all(|line| line.chars().count() <= width), "{text}");
        }
        assert!(table(100).contains("│ min.insync.replicas │"));
    }

    #[test]
    fn cells_cannot_break_out_of_their_format() {
        let rows = || {
            let mut rows = Rows::new(["a", "b"]);
            rows.push(vec!["x|y".to_owned(), "say \"1,2\"\u{1b}[31m".to_owned()], 0, Color::FG_RED);
            rows
        };
        assert_eq!(rows().render(Format::Markdown).lines().last(), Some("| x\\|y | say \"1,2\"[31m |"));
        assert_eq!(rows().render(Format::Csv), "a,b\nx|y,\"say \"\"1,2\"\"\u{1b}[31m\"\n");
        let plain = rows().render(Format::DEFAULT);
        assert!(!plain.contains('\u{1b}'), "{plain}");
        let colored = rows().render(Format::Human { width: 100, color: true });
        assert!(colored.contains("\u{1b}[31mx|y"), "{colored}");
    }
}
