//! What the functions of each model take and give.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::line::{Line, short};
use super::{Action, Model, Operations, Reason, TextId, Values, canonical};
use crate::Outcome;

/// What an operation did. Outputs are read only of operations that completed.
pub(super) fn action(line: &Line<'_>, outcome: Outcome, into: &mut Operations) -> Result<Action, Reason> {
    let model = into.model;
    let form = Form { line, done: outcome == Outcome::Ok };
    match (model, &*line.f) {
        (Model::Register | Model::CasRegister, "read") => Ok(Action::Read(form.value_read(into, false)?)),
        (Model::Register | Model::CasRegister, "write") => Ok(Action::Write(add(form.input(), into)?)),
        (Model::CasRegister, "cas") => form.cas(into),
        (Model::Kv, "get") => Ok(Action::Read(form.value_read(into, true)?)),
        (Model::Kv, "put") => Ok(Action::Write(form.string(into)?)),
        (Model::Kv, "append") => Ok(Action::Concat(form.string(into)?)),
        (Model::Mutex, "acquire") => Ok(Action::Acquire),
        (Model::Mutex, "release") => Ok(Action::Release),
        (Model::Queue, "enqueue") => match form.input() {
            "null" => Err(form.bad_input("a value other than null, which an empty queue gives")),
            value => Ok(Action::Enqueue(add(value, into)?)),
        },
        (Model::Queue, "dequeue") => {
            let value = form.value_read(into, false)?;
            let empty = into.values.get(value) == super::NULL_TEXT;
            Ok(Action::Dequeue((!empty).then_some(value)))
        }
        (Model::Log, "append") => form.append(into),
        (Model::Log, "read") => form.read_log(into),
        (Model::Log, "end_offset") => form.end_offset(),
        (_, function) => Err(Reason::Function {
            model: model.name(),
            function: short(function),
            has: model.functions().join(", "),
        }),
    }
}

/// The number of a value given as JSON.
fn add(json: &str, into: &mut Operations) -> Result<TextId, Reason> {
    into.values.try_add(&canonical(json)?).ok_or(Reason::TooMany("values"))
}

/// The output of an operation that reads one value.
#[derive(Deserialize)]
struct ValueRead<'a> {
    #[serde(borrow)]
    value: &'a RawValue,
}

#[derive(Deserialize)]
struct Offset {
    offset: Option<u64>,
}

#[derive(Deserialize)]
struct ReadInput {
    offset: u64,
    #[serde(default)]
    strict_end: bool,
}

#[derive(Deserialize)]
struct ReadOutput<'a> {
    #[serde(borrow)]
    values: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct EndInput {
    #[serde(default)]
    weak: bool,
}

/// Offsets are signed in every protocol that has them.
const OFFSET_MAX: u64 = i64::MAX as u64;

const CAS: &str = "`[from,to]`";
const STRING: &str = "a string";

/// A line, read as its function demands.
struct Form<'l, 'a> {
    line: &'l Line<'a>,
    /// It completed, so that its output means something.
    done: bool,
}

impl<'l, 'a> Form<'l, 'a> {
    fn input(&self) -> &'a str {
        self.line.input.map_or("null", RawValue::get)
    }

    fn output(&self) -> &'a str {
        self.line.output.map_or("null", RawValue::get)
    }

    fn bad_input(&self, expected: &'static str) -> Reason {
        Reason::Input { function: self.line.f.to_string(), input: short(self.input()), expected }
    }

    fn bad_output(&self, expected: &'static str) -> Reason {
        Reason::Output { function: self.line.f.to_string(), output: short(self.output()), expected }
    }

    fn take_input<T: Deserialize<'a>>(&self, expected: &'static str) -> Result<T, Reason> {
        serde_json::from_str(self.input()).map_err(|_| self.bad_input(expected))
    }

    fn take_output<T: Deserialize<'a>>(&self, expected: &'static str) -> Result<T, Reason> {
        serde_json::from_str(self.output()).map_err(|_| self.bad_output(expected))
    }

    /// The value that a read gave: `{"value":v}`, or `v` where that can mean nothing else.
    fn value_read(&self, into: &mut Operations, string: bool) -> Result<TextId, Reason> {
        let expected = if string { "`{\"value\":\"…\"}`" } else { "`{\"value\":…}`" };
        if !self.done {
            return add("null", into);
        }
        let output = self.output();
        let json = match output.as_bytes().first() {
            Some(b'{') => self.take_output::<ValueRead<'_>>(expected)?.value.get(),
            Some(b'"') => output,
            Some(b'[' | b'n') | None => return Err(self.bad_output(expected)),
            Some(_) if string => return Err(self.bad_output(expected)),
            Some(_) => output,
        };
        if !string {
            return add(json, into);
        }
        let text: Cow<'_, str> = unquote(json).ok_or_else(|| self.bad_output(expected))?;
        into.values.try_add(&text).ok_or(Reason::TooMany("values"))
    }

    fn string(&self, into: &mut Operations) -> Result<TextId, Reason> {
        let text = unquote(self.input()).ok_or_else(|| self.bad_input(STRING))?;
        into.values.try_add(&text).ok_or(Reason::TooMany("values"))
    }

    fn cas(&self, into: &mut Operations) -> Result<Action, Reason> {
        let [from, to] = self.take_input::<[&RawValue; 2]>(CAS)?;
        let swapped = match self.output() {
            _ if !self.done => true,
            "true" => true,
            "false" => false,
            _ => return Err(self.bad_output("true or false")),
        };
        Ok(Action::Cas { from: add(from.get(), into)?, to: add(to.get(), into)?, swapped })
    }

    /// A run of values; nothing is added if one of them is wrong.
    fn values(parts: &[&RawValue], into: &mut Operations) -> Result<Values, Reason> {
        let start = into.runs.len();
        if start + parts.len() > u32::MAX as usize {
            return Err(Reason::TooMany("values"));
        }
        for part in parts {
            let value = add(part.get(), into)?;
            into.runs.push(value);
        }
        Ok(Values { start: start as u32, count: parts.len() as u32 })
    }

    fn append(&self, into: &mut Operations) -> Result<Action, Reason> {
        const EXPECTED: &str = "`{\"offset\":n}`, n from 0, or null if it was not told";
        let parts: Vec<&RawValue> = self.take_input("`[values]`")?;
        let base = match self.output() {
            _ if !self.done => None,
            // What was done is known, where it went is not.
            "null" | "true" | "\"ok\"" => None,
            _ => self.take_output::<Offset>(EXPECTED)?.offset,
        };
        if base.is_some_and(|base| base > OFFSET_MAX) {
            return Err(self.bad_output(EXPECTED));
        }
        Ok(Action::Append { values: Self::values(&parts, into)?, base })
    }

    fn read_log(&self, into: &mut Operations) -> Result<Action, Reason> {
        const EXPECTED: &str = "`{\"offset\":n}`, n from 0, and perhaps `\"strict_end\":true`";
        let ReadInput { offset, strict_end } = self.take_input(EXPECTED)?;
        if offset > OFFSET_MAX {
            return Err(self.bad_input(EXPECTED));
        }
        let values = if self.done {
            let output: ReadOutput<'_> = self.take_output("`{\"values\":[…]}`")?;
            Self::values(&output.values, into)?
        } else {
            Values::default()
        };
        Ok(Action::ReadLog { offset, values, strict_end })
    }

    fn end_offset(&self) -> Result<Action, Reason> {
        const EXPECTED: &str = "`{\"offset\":n}`, n from 0";
        let weak = match self.input() {
            "null" => false,
            _ => self.take_input::<EndInput>("null, or `{\"weak\":true}` for a lower bound")?.weak,
        };
        let end = if self.done {
            self.take_output::<Offset>(EXPECTED)?
                .offset
                .filter(|end| *end <= OFFSET_MAX)
                .ok_or_else(|| self.bad_output(EXPECTED))?
        } else {
            0
        };
        Ok(Action::EndOffset { end, weak })
    }
}

/// The text of a JSON string, `None` if it is none.
fn unquote(json: &str) -> Option<Cow<'_, str>> {
    if json.contains('\\') {
        return serde_json::from_str(json).ok().map(Cow::Owned);
    }
    json.strip_prefix('"')?.strip_suffix('"').map(Cow::Borrowed)
}
