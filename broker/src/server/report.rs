//! What a node tells: events for its starter, lines for people.

use std::io::Write;

use wire::node::NodeEvent;

use super::clock;

/// Where events go.
pub(super) type Sink = Box<dyn Fn(&NodeEvent) + Send>;

/// The voice of a node.
pub(super) struct Reporter {
    who: String,
    sink: Sink,
}

impl Reporter {
    pub(super) fn new(who: String, sink: Sink) -> Self {
        Self { who, sink }
    }

    /// Tells the starter.
    pub(super) fn event(&self, event: &NodeEvent) {
        (self.sink)(event);
    }

    /// A line on stderr, with the monotonic time in seconds.
    pub(super) fn log(&self, line: impl std::fmt::Display) {
        let now = clock::nanos();
        // A log that cannot be written, on a full disk say, is no reason to die.
        let (seconds, micros) = (now / 1_000_000_000, now / 1_000 % 1_000_000);
        let _ = writeln!(std::io::stderr(), "{seconds}.{micros:06} {}: {line}", self.who);
    }
}
