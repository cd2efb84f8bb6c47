//! Operations of Jepsen's Kafka workload, an operation's invocation or completion a line, as JSON or EDN.
//!
//! A key is a partition, a value is a record; values are unique within a key. `send` and `poll` may come
//! back with offsets and records whatever their type, and then these are evidence: a failed operation's
//! poll was a poll. An invocation that nothing completes is unknown. Processes with names (nemeses) and
//! functions that touch no record are passed over.

mod assemble;
mod line;
mod names;
mod pipeline;
mod values;
mod write;

use super::lines::Stop;
use super::scan::Problem;
use super::{Import, Source};
use crate::plan::Plan;
use assemble::{Assembler, Foreseen, Odd};
pub(super) use values::Values;

pub use write::{Unsaid, write_jepsen};

/// How the lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notation {
    /// A JSON object a line.
    Json,
    /// An EDN map a line.
    Edn,
}

/// Reads a history, twice if records were polled before they were sent.
pub(super) fn import(source: &mut Source, notation: Notation, plan: Plan) -> Result<Import, Stop<Problem>> {
    let mut foreseen = Foreseen::new();
    loop {
        let mut assembler = Assembler::new(plan.clone(), foreseen);
        let (reader, mut lines) = (source.rewound().map_err(Stop::Io)?, 0);
        let bytes = pipeline::each(reader, notation, |number, line| {
            lines = number;
            assembler.take(number, line)
        })?;
        foreseen = match assembler.finish() {
            Ok((history, odd)) => return Ok(Import { history, bytes, lines, remarks: remarks(&odd) }),
            Err(late) => late,
        };
    }
}

/// What is legal and makes one wonder, in words.
fn remarks(odd: &Odd) -> Vec<String> {
    let mut remarks = Vec::new();
    let mut say = |count: u64, text: String| {
        if count > 0 {
            remarks.push(text);
        }
    };
    let Odd { named, backwards: (backwards, first), open, strange, unsent } = *odd;
    say(named, format!("{named} lines of processes that are no clients (nemeses) are passed over"));
    say(backwards, format!("time goes backwards on {backwards} lines, first on line {first}"));
    say(open, format!("{open} operations were never completed: their outcome is unknown"));
    say(strange, format!("{strange} operations have a function that touches no record"));
    say(unsent, format!("{unsent} polled records were sent by nobody"));
    remarks
}
