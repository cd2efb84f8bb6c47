//! What people read: the directory of a run, and its verdict as tables. No network, no async; nothing is
//! decided here.

mod files;
mod format;
mod human;
mod lines;
mod listing;
mod markdown;
mod matrix;
mod operations;
mod rundir;
mod runs;
mod story;
mod table;
#[cfg(test)]
mod testing;
mod words;

pub use files::ResultsError;
pub use format::Format;
pub use human::render_human;
pub use listing::render_runs;
pub use markdown::render_markdown;
pub use matrix::{MatrixRow, render_matrix};
pub use operations::{render_operations, render_timeline};
pub use rundir::{Calls, NodeLine, RunDir, StagedRun};
pub use runs::{Planned, RunState, RunSummary, list_runs};
pub use story::Story;
pub use words::word;
