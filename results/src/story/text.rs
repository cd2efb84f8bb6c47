//! A story as people read it.

use super::events::Event;
use super::sides::Side;
use super::{Promise, Story};
use crate::table::wrap;
use crate::words;

impl Story {
    /// The story as text of at most `width` columns; lines to copy are never wrapped.
    #[must_use]
    pub fn text(&self, width: usize) -> String {
        let mut page = Page { text: String::new(), width };
        let Self { kind, number, count, checker, what, .. } = self;
        page.line(&format!("{kind} {number} of {count} (checker {checker}): {what}"), "  ");
        if let Some(meaning) = self.meaning {
            page.line(&format!("{kind}: {meaning}"), "  ");
        }
        let mut promised = self.promise.as_ref().map_or_else(nothing, promised);
        promised.extend(self.allowed.as_ref().map(|why| format!("here it is legal: {why}")));
        promised.extend(self.settings.iter().cloned());
        page.section("what was promised", &promised);
        page.section("what happened", &self.happened());
        page.section("what each side saw", &self.sides.iter().map(saw).collect::<Vec<_>>());
        page.section("the fault then", &self.faults);
        page.text.push_str("\nsee it again\n");
        for line in &self.again {
            page.text.push_str(&format!("  {line}\n"));
        }
        page.text
    }

    fn happened(&self) -> Vec<String> {
        let names: Vec<String> = self.events.iter().map(name).collect();
        let who = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let times: Vec<String> = self.events.iter().map(|event| relative(event.after_start_ns)).collect();
        let when = times.iter().map(String::len).max().unwrap_or(0);
        let mut lines: Vec<String> = times
            .iter()
            .zip(names.iter().zip(&self.events))
            .map(|(time, (name, event))| format!("{time:>when$}  {name:who$}  {}", event.what))
            .collect();
        if self.omitted > 0 {
            lines.push(format!("({} more that say less about it)", self.omitted));
        }
        lines.push(self.totals.clone());
        lines
    }
}

/// Who it was, and by how much the time may be off.
fn name(event: &Event) -> String {
    match event.error_ns {
        0 => event.who.clone(),
        error => format!("{} (±{:.1} ms)", event.who, error as f64 / 1e6),
    }
}

fn saw(side: &Side) -> String {
    let Side { side, who, saw } = side;
    if who.starts_with(side) { format!("{who}: {saw}") } else { format!("{who} ({side}): {saw}") }
}

fn nothing() -> Vec<String> {
    vec!["nothing: no configuration promises that this does not happen".to_owned()]
}

fn promised(promise: &Promise) -> Vec<String> {
    let reason =
        if promise.reason.is_empty() { String::new() } else { format!(", because {}", promise.reason) };
    let mut lines = vec![
        format!("{}: {}{reason}", promise.promise, words::promised(promise.expectation)),
        format!("it is {}: {}", words::word(promise.word), promise.seen),
    ];
    if !promise.source.is_empty() {
        lines.push(format!("source: {}", promise.source));
    }
    lines
}

/// `+1.204817 s`, to the microsecond.
fn relative(nanos: i64) -> String {
    let micros = nanos.unsigned_abs() / 1000;
    let sign = if nanos < 0 { '-' } else { '+' };
    format!("{sign}{}.{:06} s", micros / 1_000_000, micros % 1_000_000)
}

struct Page {
    text: String,
    width: usize,
}

impl Page {
    fn line(&mut self, line: &str, indent: &str) {
        self.text.push_str(&wrap(line, self.width, indent));
    }

    fn section(&mut self, title: &str, lines: &[String]) {
        if !lines.is_empty() {
            self.text.push_str(&format!("\n{title}\n"));
        }
        for line in lines {
            self.line(&format!("  {line}"), "    ");
        }
    }
}
