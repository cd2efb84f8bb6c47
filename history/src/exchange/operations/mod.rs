//! Generic operations on single objects, as JSON Lines: what any recorder of calls and returns can write.
//!
//! An operation a line: `{"process":0,"f":"write","key":"x","input":1,"output":"ok","call_ns":0,"return_ns":9}`.
//! Intervals are closed, keys are independent objects. `return_ns` null: the outcome is unknown, the
//! operation may take effect at any time after its call, or never, and its output says nothing.
//! `"type":"fail"` (or the output `"fail"`): it certainly did not happen and tells nothing.
//!
//! Everything is kept in columns of small numbers: names and values are stored once ([`Texts`]).

mod describe;
mod error;
mod functions;
mod line;
mod read;
mod texts;
mod values;

pub use describe::plain;
pub use error::{OperationsError, Reason};
pub use read::{LINE_BYTES_MAX, read};
pub use texts::Texts;
pub use values::{NULL_TEXT, canonical};

use crate::Outcome;

/// A text by its number in [`Operations::values`], [`Operations::keys`] or [`Operations::processes`].
pub type TextId = u32;

/// What the objects are, and with it which functions they have and what inputs and outputs look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Model {
    /// `read` → `{"value":v}`; `write` v.
    Register,
    /// A register with `cas` `[from,to]` → true, or false where the value was not `from`.
    CasRegister,
    /// Strings, at first empty: `get` → `{"value":s}`; `put` s; `append` s.
    Kv,
    /// `acquire`, `release`; at first free; whoever holds it may release it.
    Mutex,
    /// `enqueue` v; `dequeue` → `{"value":v}`, null if it was empty. First in, first out; at first empty.
    Queue,
    /// `append` `[values]` → `{"offset":base}`; `read` `{"offset":o,"strict_end":b}` → `{"values":[…]}`;
    /// `end_offset`, weak if `{"weak":true}` → `{"offset":n}`. At first empty.
    Log,
}

impl Model {
    /// Every model.
    pub const ALL: [Self; 6] =
        [Self::Register, Self::CasRegister, Self::Kv, Self::Mutex, Self::Queue, Self::Log];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::CasRegister => "cas-register",
            Self::Kv => "kv",
            Self::Mutex => "mutex",
            Self::Queue => "queue",
            Self::Log => "log",
        }
    }

    /// The functions its operations may name.
    #[must_use]
    pub const fn functions(self) -> &'static [&'static str] {
        match self {
            Self::Register => &["read", "write"],
            Self::CasRegister => &["read", "write", "cas"],
            Self::Kv => &["get", "put", "append"],
            Self::Mutex => &["acquire", "release"],
            Self::Queue => &["enqueue", "dequeue"],
            Self::Log => &["append", "read", "end_offset"],
        }
    }
}

/// What an operation did. What an operation of unknown outcome saw is not known: its fields that say so
/// (a value read, an offset) are meaningless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// A register or string read, with what it saw.
    Read(TextId),
    /// A register write or a `put`.
    Write(TextId),
    /// A compare-and-set; `swapped` is what it said.
    Cas {
        /// The value it asked for.
        from: TextId,
        /// The value it was to leave.
        to: TextId,
        /// It said that it did.
        swapped: bool,
    },
    /// Adds to the end of a string.
    Concat(TextId),
    /// Takes a lock.
    Acquire,
    /// Gives a lock back.
    Release,
    /// Adds to a queue.
    Enqueue(TextId),
    /// Takes from a queue; `None` found it empty.
    Dequeue(Option<TextId>),
    /// Adds values to a log, at once and side by side.
    Append {
        /// The values.
        values: Values,
        /// The first one's offset, if it was told.
        base: Option<u64>,
    },
    /// Reads a log.
    ReadLog {
        /// From here on.
        offset: u64,
        /// What it saw.
        values: Values,
        /// It saw everything up to the end.
        strict_end: bool,
    },
    /// Asks for the first offset not yet written.
    EndOffset {
        /// The answer.
        end: u64,
        /// The answer is only a lower bound.
        weak: bool,
    },
}

/// A run of values, to be looked up with [`Operations::run`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Values {
    /// Where it begins.
    pub start: u32,
    /// How many.
    pub count: u32,
}

/// One operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// When it was called, nanoseconds.
    pub call: i64,
    /// When it returned; `i64::MAX` if it never did.
    pub returned: i64,
    /// What it did.
    pub action: Action,
    /// Whose it is, in [`Operations::processes`].
    pub process: TextId,
    /// Its object, in [`Operations::keys`].
    pub key: TextId,
    /// Its line in the file, from 1.
    pub line: u32,
    /// What is certain about it.
    pub outcome: Outcome,
}

/// A history of operations on objects of one model.
#[derive(Debug, Clone)]
pub struct Operations {
    /// What the objects are.
    pub model: Model,
    /// In the order of the file.
    pub all: Vec<Operation>,
    /// The runs that [`Values`] point into.
    pub runs: Vec<TextId>,
    /// Every distinct value: strings of [`Model::Kv`] as they are, everything else as canonical JSON.
    pub values: Texts,
    /// Every distinct key, as canonical JSON.
    pub keys: Texts,
    /// Every distinct process, as canonical JSON.
    pub processes: Texts,
}

impl Operations {
    /// An empty history, to add to.
    #[must_use]
    pub fn new(model: Model) -> Self {
        Self {
            model,
            all: Vec::new(),
            runs: Vec::new(),
            values: Texts::default(),
            keys: Texts::default(),
            processes: Texts::default(),
        }
    }

    /// The values of a run.
    #[must_use]
    pub fn run(&self, values: Values) -> &[TextId] {
        &self.runs[values.start as usize..][..values.count as usize]
    }

    /// Stores a run of values.
    pub fn add_run(&mut self, values: impl IntoIterator<Item = TextId>) -> Values {
        let start = self.runs.len();
        self.runs.extend(values);
        Values { start: start as u32, count: (self.runs.len() - start) as u32 }
    }
}
