//! Why a run could not go on, with the exit code that says so.

use crate::exit::Exit;

/// What ended a run before its judgement, or went wrong beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: Exit,
    /// Why, and what to do.
    pub(crate) text: String,
}

impl Failure {
    /// The target cannot be reached or is not ready.
    pub(crate) fn preflight(error: impl std::fmt::Display) -> Self {
        Self { exit: Exit::Unreachable, text: error.to_string() }
    }

    /// The user asked for something that cannot be.
    pub(crate) fn usage(error: impl std::fmt::Display) -> Self {
        Self { exit: Exit::Usage, text: error.to_string() }
    }

    /// The history is not whole.
    pub(crate) fn indeterminate(error: impl std::fmt::Display) -> Self {
        Self { exit: Exit::Indeterminate, text: error.to_string() }
    }

    /// Something may still be broken.
    pub(crate) fn clean_up(error: impl std::fmt::Display) -> Self {
        Self { exit: Exit::CleanUpFailed, text: error.to_string() }
    }

    /// A bug of ours.
    pub(crate) fn bug(error: impl std::fmt::Display) -> Self {
        Self { exit: Exit::Bug, text: error.to_string() }
    }
}

/// An error with its causes, on one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
