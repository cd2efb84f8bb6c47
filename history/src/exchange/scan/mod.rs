//! A pull scanner over one line of text. JSON and EDN differ in their separators and their scalars; what
//! reads operations is written once, over [`Scan`].
//!
//! Nothing is built: a reader asks for what it wants and skips the rest (which is checked all the same).

mod edn;
mod json;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub(crate) use edn::Edn;
pub(crate) use json::Json;

/// Arrays and maps within each other; deeper is refused.
const DEPTH_MAX: u32 = 128;

/// What is wrong with a line. Boxed, so that the way of success stays narrow.
#[derive(Debug)]
pub(crate) struct Problem(Box<Cow<'static, str>>);

impl Problem {
    pub(crate) fn new(what: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(what.into()))
    }

    pub(crate) fn at(column: usize, what: &str) -> Self {
        Self::new(format!("column {}: {what}", column + 1))
    }
}

impl From<String> for Problem {
    fn from(what: String) -> Self {
        Self::new(what)
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A key or value: a whole number, or a text in the line's arena (where numbers that are not `i64` are too).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// A whole number, also where it stood in quotes (as JSON's names of fields do).
    Number(i64),
    /// Bytes of the arena.
    Text(u32, u32),
}

impl Word {
    /// Puts a text into the arena, unless it is a number.
    pub(super) fn of(text: &str, arena: &mut String) -> Self {
        canonical(text.as_bytes()).map_or_else(|| Self::store(text, arena), Self::Number)
    }

    /// Puts a text into the arena.
    pub(super) fn store(text: &str, arena: &mut String) -> Self {
        let from = arena.len();
        arena.push_str(text);
        Self::since(from, arena)
    }

    /// What was put into the arena since it had a length.
    fn since(from: usize, arena: &str) -> Self {
        let place = |at| u32::try_from(at).unwrap_or(u32::MAX);
        Self::Text(place(from), place(arena.len()))
    }
}

/// The number that a text is the usual way of writing; identity of keys and values is by this text.
fn canonical(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if digits.is_empty() || digits.len() > 19 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    if digits[0] == b'0' && text.len() > 1 {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// What comes next in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// An array, vector or list.
    Array,
    /// A map.
    Map,
    /// Neither.
    Scalar,
}

/// An array or map that has been entered.
#[derive(Debug)]
pub(crate) struct Inside {
    first: bool,
    left: bool,
    close: u8,
}

impl Inside {
    const fn of(open: u8) -> Self {
        let close = match open {
            b'[' => b']',
            b'(' => b')',
            _ => b'}',
        };
        Self { first: true, left: false, close }
    }
}

/// A scanner at a place in its line. Every method first skips white space.
pub(crate) trait Scan<'a> {
    /// What comes next.
    fn shape(&mut self) -> Shape;
    /// Where it is, to come back to with [`Scan::rewind`].
    fn place(&self) -> usize;
    /// Goes back to a place.
    fn rewind(&mut self, place: usize);
    /// The text from a place up to here.
    fn since(&self, place: usize) -> &'a str;
    /// Enters an array or map; it is an error if neither comes.
    fn open(&mut self) -> Result<Inside, Problem>;
    /// Whether another element (or field) follows; if none does, the array or map is left,
    /// and stays so.
    fn more(&mut self, inside: &mut Inside) -> Result<bool, Problem>;
    /// The name of a field, without escapes undone (no name of ours has any).
    fn name(&mut self) -> Result<&'a [u8], Problem>;
    /// The name of a field, as a key.
    fn key(&mut self, arena: &mut String) -> Result<Word, Problem>;
    /// A string, keyword or symbol, without escapes undone.
    fn symbol(&mut self) -> Result<&'a [u8], Problem>;
    /// A scalar; `None` is null.
    fn word(&mut self, arena: &mut String) -> Result<Option<Word>, Problem>;
    /// Skips a whole value.
    fn skip(&mut self) -> Result<(), Problem>;
    /// Makes sure that nothing follows.
    fn finish(&mut self) -> Result<(), Problem>;
    /// An error here.
    fn problem(&self, what: &str) -> Problem;
}
