//! The durable half of a history: one append-only segment per worker session, which survives SIGKILL of
//! its writer without a system call a row (`docs/results-format.md` has the layout).
//!
//! A segment is two files. `<worker>.rows` holds fixed 64-byte rows in a shared mapping; what is stored
//! there belongs to the kernel, so the process that stored it may die. `<worker>.wide` holds notes as
//! JSON, each written whole before the row that refers to it.

mod header;
mod mapping;
mod reader;
mod recorder;
mod row;
mod wide;

pub use recorder::{RecordError, Recorder};

pub(crate) use header::{Header, MAJOR};
pub(crate) use reader::{file_name, read};

/// Ending of the file of rows.
pub(crate) const ROWS: &str = "rows";
/// Ending of the side table.
pub(crate) const WIDE: &str = "wide";
