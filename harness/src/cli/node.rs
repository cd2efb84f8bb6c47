//! `highwater broker`: one node of a reference cluster, as the process that started it says on stdin.

use super::{Failure, Outcome};
use crate::exit::Exit;

pub(super) fn execute() -> Outcome {
    match broker::serve_stdin() {
        Ok(()) => Ok(Exit::Held),
        Err(error) => Err(Failure::new(Exit::Unreachable, error)),
    }
}
