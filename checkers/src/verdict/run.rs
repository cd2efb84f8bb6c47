//! Runs checkers so that one that panics harms nobody else and is never taken for a pass.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::Finding;
use crate::context::Context;
use crate::spec::Spec;

/// What the checkers said.
pub(super) struct Outcome {
    pub(super) findings: Vec<Finding>,
    /// Names of those that panicked.
    pub(super) panicked: Vec<&'static str>,
    pub(super) caveats: Vec<String>,
}

pub(super) fn all(context: &Context<'_>, specs: &[&'static Spec]) -> Outcome {
    let mut outcome = Outcome { findings: Vec::new(), panicked: Vec::new(), caveats: Vec::new() };
    for spec in specs {
        match caught(|| (spec.check)(context)) {
            Ok(findings) => outcome.findings.extend(findings),
            Err(message) => {
                outcome.panicked.push(spec.name);
                outcome.caveats.push(format!("checker `{}` gave up: {message}", spec.name));
            }
        }
    }
    outcome
}

/// Runs a pure function; a panic becomes its message. Nothing is left half-changed, since nothing that
/// outlives the call is changed at all.
pub(super) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| message(panic.as_ref()))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "it panicked without a message".to_owned())
}
