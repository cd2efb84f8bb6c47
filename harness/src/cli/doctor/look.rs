//! One thing that was looked at, and what came of it.

use serde::Serialize;

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    /// As it should be.
    Ok,
    /// Works, and somebody may want to know.
    Note,
    /// Some faults are not to be had.
    Missing,
    /// Nothing is to be had.
    Failed,
}

impl State {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Missing => "missing",
            Self::Failed => "failed",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(super) struct Look {
    pub(super) host: String,
    pub(super) what: String,
    pub(super) state: State,
    /// What was found, and the remedy.
    pub(super) text: String,
}

impl Look {
    pub(super) fn new(host: &str, what: &str, state: State, text: impl Into<String>) -> Self {
        Self { host: host.to_owned(), what: what.to_owned(), state, text: text.into() }
    }
}
