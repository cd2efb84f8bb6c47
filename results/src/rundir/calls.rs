//! A run that holds calls on objects (registers, strings, logs…) rather than records: the file they came in,
//! and what they are to be judged by.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::RunDir;
use crate::files::{self, ResultsError};

const CALLS: &str = "operations.jsonl";
const MODEL: &str = "operations.json";
/// Version of `operations.json`; readers refuse a newer one.
const CALLS_VERSION: u32 = 1;

/// What calls are judged by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calls {
    schema_version: u32,
    /// The model, by name.
    pub model: String,
    /// First value of every register, as `--init` takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<String>,
}

impl Calls {
    /// Calls on a model.
    #[must_use]
    pub const fn new(model: String, init: Option<String>) -> Self {
        Self { schema_version: CALLS_VERSION, model, init }
    }
}

impl RunDir {
    /// Where the calls are, if there are any.
    #[must_use]
    pub fn calls(&self) -> PathBuf {
        self.path.join(CALLS)
    }

    /// Writes what calls are judged by, at once.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_calls(&self, calls: &Calls) -> Result<(), ResultsError> {
        files::write_json(&self.path.join(MODEL), calls)
    }

    /// Reads what calls are judged by; `None` if the run holds a history of records.
    ///
    /// # Errors
    /// If it is damaged, or of a newer format.
    pub fn read_calls(&self) -> Result<Option<Calls>, ResultsError> {
        files::read_json(&self.path.join(MODEL), "schema_version", CALLS_VERSION)
    }
}
