//! Tables and paragraphs that fit a terminal.

use tabled::builder::Builder;
use tabled::settings::object::Cell;
use tabled::settings::peaker::Priority;
use tabled::settings::{Color, Modify, Style, Width};

use crate::format::Format;

/// No table is squeezed below this: it would be a column of letters.
const NARROWEST: usize = 60;

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
        let mut builder = Builder::default();
        builder.push_record(self.header);
        for row in self.rows {
            // A control character (a log line may hold any) would tear the frame.
            builder.push_record(row.iter().map(|cell| printable(cell)));
        }
        let mut table = builder.build();
        table.with(Style::rounded());
        if color {
            for (row, column, color) in self.colors {
                table.with(Modify::new(Cell::new(row, column)).with(color));
            }
        }
        let width = width.max(NARROWEST);
        table.with(Width::wrap(width).priority(Priority::max(true)).keep_words(true));
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

/// Wraps a line at spaces; `indent` goes before every line but the first.
pub(crate) fn wrap(text: &str, width: usize, indent: &str) -> String {
    let width = width.max(NARROWEST);
    let (mut lines, mut line, mut used) = (String::new(), String::new(), 0);
    for word in printable(text).split(' ') {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > width {
            lines.push_str(line.trim_end());
            lines.push('\n');
            line = indent.to_owned();
            used = indent.chars().count();
        } else if !line.is_empty() {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += length;
    }
    lines.push_str(&line);
    lines.push('\n');
    lines
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
