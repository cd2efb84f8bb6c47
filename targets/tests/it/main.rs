//! Child processes as the real thing: supervision and the reference cluster, tried with this very test
//! program as child, runner and node.

mod cells;
mod cluster;
mod orderly;
mod stand_in;
mod supervision;

use std::time::Duration;

use history::clock;

/// No step takes longer than this.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Polls until there is an answer, at most so long.
pub(crate) fn until_within<T>(within: Duration, what: &str, mut poll: impl FnMut() -> Option<T>) -> T {
    let started = clock::now();
    loop {
        if let Some(value) = poll() {
            return value;
        }
        let waited = Duration::from_nanos(clock::now().since(started));
        assert!(waited < within, "deadline passed before {what}");
        std::thread::yield_now();
    }
}

/// Polls until there is an answer, at most [`DEADLINE`].
pub(crate) fn until<T>(what: &str, poll: impl FnMut() -> Option<T>) -> T {
    until_within(DEADLINE, what, poll)
}
