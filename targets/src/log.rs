//! Log lines of child processes, for people.

use std::fmt::Display;
use std::io::Write;

/// Writes a line to stderr. A log that cannot be written, on a full disk say, is no reason to die, least of
/// all within a callback of a C library.
pub(crate) fn line(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
