//! Histories from elsewhere, and ours to elsewhere.
//!
//! Everything is streamed: memory holds the history, never the file. A file that is not what it claims to
//! be is an error that names file, line and reason. What is legal and merely makes one wonder is a remark.

mod jepsen;
mod lines;
mod native;
pub mod operations;
#[cfg(feature = "parquet")]
pub mod parquet;
mod scan;
mod source;
mod verifiable;

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::plan::Plan;
use crate::view::History;

pub use jepsen::{Notation, Unsaid, write_jepsen};
use lines::Stop;
pub use native::write_lines;
use scan::Problem;
pub use source::Source;
pub use verifiable::import_verifiable;

/// What a file's lines are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Operations of Jepsen's Kafka workload.
    Jepsen(Notation),
    /// What kafka-verifiable-producer and kafka-verifiable-consumer print.
    Verifiable,
    /// Our own histories as JSON Lines.
    Lines,
    /// Operations on registers, logs and the like.
    Operations,
}

/// A history that was read.
#[derive(Debug)]
pub struct Import {
    /// The history.
    pub history: History,
    /// Bytes read.
    pub bytes: u64,
    /// Lines read.
    pub lines: u64,
    /// What is legal and makes one wonder, a sentence each.
    pub remarks: Vec<String>,
}

/// A file that cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The operating system refused.
    #[error("failed to read `{path}`")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// A line is not what it should be.
    #[error("failed to import `{path}`: line {line}: {reason}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
}

impl ImportError {
    fn of<E: fmt::Display>(file: &Source, stop: Stop<E>) -> Self {
        let path = file.path.clone();
        match stop {
            Stop::Io(source) => Self::Io { path, source },
            Stop::Line(line, reason) => Self::Line { path, line, reason: reason.to_string() },
        }
    }
}

/// Tells by its first line what a file is; `None` if it is nothing known.
///
/// # Errors
/// If it cannot be read.
pub fn detect(source: &mut Source) -> Result<Option<Format>, ImportError> {
    let line = source.first_line();
    let line = line.map_err(|error| ImportError::of::<Problem>(source, Stop::Io(error)))?;
    let fields = |names: &[&str]| names.iter().all(|name| line.contains(&format!("\"{name}\"")));
    Ok(match line.as_bytes() {
        [b'{', b':', ..] | [b'#', ..] => Some(Format::Jepsen(Notation::Edn)),
        [b'{', ..] if line[1..].trim_start().starts_with(':') => Some(Format::Jepsen(Notation::Edn)),
        [b'{', ..] if fields(&["highwater"]) => Some(Format::Lines),
        [b'{', ..] if fields(&["call_ns"]) => Some(Format::Operations),
        [b'{', ..] if fields(&["type", "f"]) => Some(Format::Jepsen(Notation::Json)),
        [b'{', ..] if fields(&["name", "timestamp"]) => Some(Format::Verifiable),
        _ => None,
    })
}

/// Reads a history; `plan` says what is known of how it came about. A file without operations is an empty
/// history, of which nothing can be said.
///
/// # Errors
/// If the file cannot be read or is not of this format. Nothing of it is kept then.
pub fn import(source: &mut Source, format: Format, plan: Plan) -> Result<Import, ImportError> {
    let read = match format {
        Format::Jepsen(notation) => jepsen::import(source, notation, plan),
        Format::Lines => native::import(source),
        Format::Verifiable => return import_verifiable(std::slice::from_mut(source), plan),
        Format::Operations => Err(Stop::Line(
            1,
            Problem::new("operations on a model are no history of records (see `check --model`)"),
        )),
    };
    read.map_err(|stop| ImportError::of(source, stop))
}

/// A mistake that serde found in a line.
fn json_problem(error: &serde_json::Error) -> Problem {
    // The line within the text it was given is always the first.
    Problem::new(error.to_string().replace(" at line 1 column ", ", column "))
}
