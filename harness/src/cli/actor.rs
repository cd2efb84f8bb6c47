//! `highwater actor`: one application under test, as the runner says on stdin.

use super::{Failure, Outcome};
use crate::exit::Exit;

pub(super) fn execute() -> Outcome {
    match targets::actors::run_stdin() {
        Ok(()) => Ok(Exit::Held),
        Err(error) => Err(Failure::new(Exit::Unreachable, error)),
    }
}
