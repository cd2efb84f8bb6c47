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

    /// A signal ended it, in an orderly way.
    pub(crate) fn stopped(exit: Exit, why: impl std::fmt::Display) -> Self {
        Self { exit, text: why.to_string() }
    }

    /// A bug of ours.
    pub(crate) fn bug(error: impl std::fmt::Display) -> Self {
        Self { exit: Exit::Bug, text: error.to_string() }
    }
}
