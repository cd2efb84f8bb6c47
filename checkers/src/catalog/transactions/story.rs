//! Names of operations, as people can find them again.

use history::Session;
use history::view::Operation;

use super::facts::is_transaction;
use crate::context::Context;

/// `client-3's transaction of line 17`, `producer-0.1's send 1204 ms into the load`.
pub(super) fn name(context: &Context<'_>, session: &Session, operation: &Operation<'_>) -> String {
    let what = match (is_transaction(operation), operation.sends.is_empty()) {
        (true, _) => "transaction",
        (false, false) => "send",
        (false, true) => "poll",
    };
    let place = match (operation.line, context.timeline.at_ms(operation.invoked)) {
        (Some(line), _) => format!(" of line {line}"),
        (None, Some(ms)) => format!(" {ms} ms into the load"),
        (None, None) => format!(" at {} ms", operation.invoked.0 / 1_000_000),
    };
    format!("{}'s {what}{place}", session.name())
}
