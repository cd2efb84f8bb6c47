//! One line: a JSON object to an operation of the model.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::functions;
use super::{Operation, Operations, Reason, canonical};
use crate::Outcome;

/// The fields of a line; others are passed over. Null and absent are one, except for `return_ns`.
#[derive(Deserialize)]
pub(super) struct Line<'a> {
    #[serde(borrow)]
    process: &'a RawValue,
    #[serde(borrow)]
    pub(super) f: Cow<'a, str>,
    #[serde(borrow, default)]
    key: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) input: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) output: Option<&'a RawValue>,
    call_ns: i64,
    // Named, so that serde does not take an absent field for null: unknown has to be said.
    #[serde(deserialize_with = "nullable")]
    return_ns: Option<i64>,
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
}

fn nullable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Option::deserialize(deserializer)
}

/// Reads one line, without its line break, into a history.
pub(super) fn read_line(bytes: &[u8], number: u32, into: &mut Operations) -> Result<(), Reason> {
    let text = std::str::from_utf8(bytes).map_err(|error| Reason::Encoding(error.valid_up_to() + 1))?;
    let line: Line<'_> = serde_json::from_str(text)
        .map_err(|error| Reason::Json(format!("{}, column {}", explain(&error), error.column())))?;
    if let Some(returned) = line.return_ns.filter(|returned| *returned < line.call_ns) {
        return Err(Reason::Backwards { call: line.call_ns, returned });
    }
    let process = canonical(line.process.get())?;
    if !process.starts_with(['"', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']) {
        return Err(Reason::Json(format!("`process` is `{}`, not a number or a string", short(&process))));
    }
    let process = into.processes.try_add(&process).ok_or(Reason::TooMany("processes"))?;
    let key = canonical(line.key.map_or("null", RawValue::get))?;
    let key = into.keys.try_add(&key).ok_or(Reason::TooMany("keys"))?;
    let outcome = line.outcome()?;
    let action = functions::action(&line, outcome, into)?;
    let returned = if outcome == Outcome::Unknown { None } else { line.return_ns };
    into.all.push(Operation {
        call: line.call_ns,
        returned: returned.unwrap_or(i64::MAX),
        action,
        process,
        key,
        line: number,
        outcome,
    });
    Ok(())
}

impl Line<'_> {
    /// What is certain about it. Without a return nothing is, whatever else is said, unless it is a failure.
    fn outcome(&self) -> Result<Outcome, Reason> {
        let output = self.output.map(RawValue::get);
        let returned = if self.return_ns.is_some() { Outcome::Ok } else { Outcome::Unknown };
        match self.kind.as_deref() {
            Some("ok") => Ok(returned),
            Some("info" | "unknown") => Ok(Outcome::Unknown),
            Some("fail") => Ok(Outcome::Fail),
            Some(other) => Err(Reason::Type(short(other))),
            None if output == Some("\"fail\"") => Ok(Outcome::Fail),
            // Where false is no observation it can only mean that nothing was done.
            None if output == Some("false") && !matches!(&*self.f, "cas" | "read" | "get" | "dequeue") => {
                Ok(Outcome::Fail)
            }
            None => Ok(returned),
        }
    }
}

/// What a JSON parser says, without the position, which counts from wherever it began.
pub(super) fn explain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.as_str(), |(said, _)| said).to_owned()
}

/// At most a few dozen characters of something, for a message.
pub(super) fn short(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
