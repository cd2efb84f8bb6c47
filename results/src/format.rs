//! The shapes a table can be given.

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For a terminal.
    Human {
        /// Columns of the terminal; longer cells are wrapped.
        width: usize,
        /// With ANSI colours.
        color: bool,
    },
    /// A Markdown table.
    Markdown,
    /// Comma-separated values with a header line (RFC 4180).
    Csv,
}

impl Format {
    /// For a terminal of unknown width, without colours.
    pub const DEFAULT: Self = Self::Human { width: 100, color: false };
}
