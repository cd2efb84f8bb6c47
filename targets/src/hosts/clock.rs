//! The clocks of hosts, read against the run's own: what their brokers' logs say is told by it.

use std::time::Duration;

use history::{ClockReading, clock};
use nemesis::node::{Node, NodeError, Request};

/// How long a host may take to answer.
const WITHIN: Duration = Duration::from_secs(15);
/// How often a clock is read at most: the quickest answer says most.
const READINGS: usize = 6;
/// Better need not be had, in nanoseconds: logs tell milliseconds.
const GOOD_NS: u64 = 2_000_000;

/// Reads a host's wall clock; `None` if the host cannot tell it to the nanosecond.
///
/// # Errors
/// If the host cannot be asked.
pub(super) fn read(node: &dyn Node) -> Result<Option<ClockReading>, NodeError> {
    let request =
        Request { what: "read the clock", script: "date +%s%N", stdin: &[], within: WITHIN, root: false };
    let mut best: Option<ClockReading> = None;
    for _ in 0..READINGS {
        let asked = clock::now();
        let said = node.script(&request)?;
        let both_ways = clock::now().since(asked);
        let Ok(host_ns) = said.trim().parse() else { return Ok(None) };
        let error_ns = both_ways / 2;
        if best.is_none_or(|best| error_ns < best.error_ns) {
            best = Some(ClockReading { host_ns, ours_ns: asked.0 + error_ns, error_ns });
        }
        if error_ns <= GOOD_NS {
            break;
        }
    }
    Ok(best)
}
