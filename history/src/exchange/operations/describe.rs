//! Operations in words, short enough for a line.

use std::borrow::Cow;
use std::fmt::Write;

use super::{Action, Model, Operation, Operations, TextId, Values};
use crate::Outcome;

/// Values of a run that are written out, and characters of each.
const VALUES_SHOWN: usize = 5;
const CHARS_SHOWN: usize = 40;

impl Operations {
    /// A value as people read it, shortened.
    #[must_use]
    pub fn show(&self, value: TextId) -> String {
        let text = self.values.get(value);
        // Most of what a long string has in common with others is its beginning.
        let short = match text.char_indices().nth_back(CHARS_SHOWN) {
            Some((start, first)) => format!("…{}", &text[start + first.len_utf8()..]),
            None => text.to_owned(),
        };
        if self.model == Model::Kv { format!("{short:?}") } else { short }
    }

    /// Several values, shortened.
    #[must_use]
    pub fn show_run(&self, values: Values) -> String {
        let run = self.run(values);
        let mut text = String::from("[");
        for (place, value) in run.iter().take(VALUES_SHOWN).enumerate() {
            text.push_str(if place == 0 { "" } else { ", " });
            text.push_str(&self.show(*value));
        }
        if run.len() > VALUES_SHOWN {
            let _ = write!(text, ", … {} in all", run.len());
        }
        text.push(']');
        text
    }

    /// What an operation did and saw: `cas 1 to 2: swapped`.
    #[must_use]
    pub fn describe(&self, operation: &Operation) -> String {
        let done = operation.outcome == Outcome::Ok;
        let name = |register: &'static str, string: &'static str| {
            if self.model == Model::Kv { string } else { register }
        };
        let said = match operation.action {
            Action::Read(value) if done => format!("{}: {}", name("read", "get"), self.show(value)),
            Action::Read(_) => name("read", "get").to_owned(),
            Action::Write(value) => format!("{} {}", name("write", "put"), self.show(value)),
            Action::Cas { from, to, swapped } => {
                let answer = match (done, swapped) {
                    (false, _) => "",
                    (true, true) => ": swapped",
                    (true, false) => ": was another value",
                };
                format!("cas {} to {}{answer}", self.show(from), self.show(to))
            }
            Action::Concat(value) => format!("append {}", self.show(value)),
            Action::Acquire => "acquire".to_owned(),
            Action::Release => "release".to_owned(),
            Action::Enqueue(value) => format!("enqueue {}", self.show(value)),
            Action::Dequeue(Some(value)) if done => format!("dequeue: {}", self.show(value)),
            Action::Dequeue(None) if done => "dequeue: empty".to_owned(),
            Action::Dequeue(_) => "dequeue".to_owned(),
            Action::Append { values, base: Some(base) } if done => {
                format!("append {}: offset {base}", self.show_run(values))
            }
            Action::Append { values, .. } => format!("append {}", self.show_run(values)),
            Action::ReadLog { offset, values, strict_end } => {
                let end = if strict_end { " to the end" } else { "" };
                let seen = if done { format!(": {}", self.show_run(values)) } else { String::new() };
                format!("read from {offset}{end}{seen}")
            }
            Action::EndOffset { end, weak } => match (done, weak) {
                (false, _) => "end offset".to_owned(),
                (true, false) => format!("end offset: {end}"),
                (true, true) => format!("end offset: {end} or more"),
            },
        };
        match operation.outcome {
            Outcome::Ok => said,
            Outcome::Fail => format!("{said} (failed)"),
            Outcome::Unknown => format!("{said} (outcome unknown)"),
        }
    }
}

/// A name as people wrote it: a JSON string without its quotes, anything else as it is.
#[must_use]
pub fn plain(json: &str) -> Cow<'_, str> {
    match serde_json::from_str::<String>(json) {
        Ok(text) => Cow::Owned(text),
        Err(_) => Cow::Borrowed(json),
    }
}
