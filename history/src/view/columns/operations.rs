//! The column of operations that were recorded as such.

use crate::ids::Nanos;
use crate::outcome::Outcome;
use crate::view::operation::{Detail, Function, Operation, Run, short};
use crate::view::session::Ended;

use super::blocks::{BLOCK, Blocks, Codec};
use super::pack;

const FUNCTIONS: [Function; 8] = [
    Function::Send,
    Function::Poll,
    Function::Txn,
    Function::Assign,
    Function::Subscribe,
    Function::Commit,
    Function::Crash,
    Function::Other,
];
const OUTCOMES: [Outcome; 4] = [Outcome::Ok, Outcome::Fail, Outcome::Unknown, Outcome::Unknown];
const OUTCOME_SHIFT: u8 = 3;
const HAS_COMPLETED: u8 = 1 << 5;
/// Lines beyond this are not told apart.
const LAST_LINE: u64 = (1 << 61) - 1;

/// Operations, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::view) struct OperationColumn {
    rows: Blocks<Packed>,
    /// Where the first operation of each block begins.
    begins: Vec<Ends>,
    /// Where the last operation ends.
    ends: Ends,
    /// Micro-operations of those that are not made as usual.
    runs: Vec<Run>,
    /// The wide parts by operation, in order.
    details: Vec<(u32, Detail)>,
}

/// Numbers of sends, deliveries and runs: those of an operation, or of all up to its end.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Ends {
    sends: usize,
    deliveries: usize,
    runs: usize,
}

impl Ends {
    fn and(self, more: Self) -> Self {
        Self {
            sends: self.sends + more.sends,
            deliveries: self.deliveries + more.deliveries,
            runs: self.runs + more.runs,
        }
    }
}

/// One operation.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Row {
    function: Function,
    outcome: Outcome,
    invoked: Nanos,
    completed: Option<Nanos>,
    /// 0 is none.
    line: u64,
    has: Ends,
    has_detail: bool,
}

impl OperationColumn {
    pub(in crate::view) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(in crate::view) fn push(
        &mut self,
        ended: Ended,
        sends_end: usize,
        deliveries_end: usize,
        runs: Vec<Run>,
    ) {
        if self.rows.len().is_multiple_of(BLOCK) {
            self.begins.push(self.ends);
        }
        let (sends, deliveries) = (sends_end - self.ends.sends, deliveries_end - self.ends.deliveries);
        let usual = is_usual(&runs, ended.function, sends, deliveries);
        let runs = if usual { Vec::new() } else { runs };
        let has = Ends { sends, deliveries, runs: runs.len() };
        self.runs.extend(runs);
        self.ends = self.ends.and(has);
        let has_detail = ended.detail.is_some();
        if let Some(detail) = ended.detail {
            self.details.push((short(self.rows.len()), detail));
        }
        self.rows.push(&Row {
            function: ended.function,
            outcome: ended.outcome,
            invoked: ended.invoked,
            completed: ended.completed,
            line: ended.line.unwrap_or(0).min(LAST_LINE),
            has,
            has_detail,
        });
    }

    pub(in crate::view) fn get(&self, index: usize) -> Operation<'_> {
        assert!(index < self.len(), "operation {index} of {}", self.len());
        self.from(index / BLOCK).nth(index % BLOCK).expect("an operation of its block")
    }

    /// The operation with this send, and its index.
    pub(in crate::view) fn of_send(&self, send: usize) -> Option<(usize, Operation<'_>)> {
        let block = self.begins.partition_point(|begins| begins.sends <= send).checked_sub(1)?;
        let first = block * BLOCK;
        (first..).zip(self.from(block)).find(|(_, operation)| operation.sends.end > send)
    }

    pub(in crate::view) fn iter(&self) -> impl Iterator<Item = Operation<'_>> {
        self.from(0)
    }

    /// The wide parts of those that have one.
    pub(in crate::view) fn details(&self) -> impl Iterator<Item = &Detail> {
        self.details.iter().map(|(_, detail)| detail)
    }

    /// The operations from the first of a block on.
    fn from(&self, block: usize) -> impl Iterator<Item = Operation<'_>> {
        let mut begins = self.begins.get(block).copied().unwrap_or_default();
        let first = (block * BLOCK).min(self.len());
        (first..).zip(self.rows.range(first..self.len())).map(move |(index, row)| {
            let ends = begins.and(row.has);
            self.operation(index, &row, std::mem::replace(&mut begins, ends), ends)
        })
    }

    pub(in crate::view) fn seal(&mut self) {
        self.rows.seal();
        self.begins.shrink_to_fit();
        self.runs.shrink_to_fit();
        self.details.shrink_to_fit();
    }

    fn operation(&self, index: usize, row: &Row, begins: Ends, ends: Ends) -> Operation<'_> {
        let detail = || {
            let found = self.details.binary_search_by_key(&short(index), |(of, _)| *of).ok()?;
            Some(&self.details[found].1)
        };
        Operation {
            function: row.function,
            invoked: row.invoked,
            completed: row.completed,
            outcome: row.outcome,
            sends: begins.sends..ends.sends,
            deliveries: begins.deliveries..ends.deliveries,
            line: (row.line > 0).then_some(row.line),
            detail: if row.has_detail { detail() } else { None },
            runs: &self.runs[begins.runs..ends.runs],
        }
    }
}

/// Whether the micro-operations are what [`Operation::steps`] takes for granted.
fn is_usual(runs: &[Run], function: Function, sends: usize, deliveries: usize) -> bool {
    let polls = deliveries > 0 || function == Function::Poll;
    let sends = (sends > 0).then(|| Run::Sends(short(sends)));
    let poll = polls.then(|| Run::Poll(short(deliveries)));
    // A poll that was not begun explicitly is there all the same.
    runs.is_empty() || runs.iter().copied().eq(sends.into_iter().chain(poll))
}

/// How operations are packed: invocation, completion and line (with a bit for the wide part), each against the
/// one before, and how many sends, deliveries and runs it has.
#[derive(Debug, Clone, PartialEq)]
enum Packed {}

#[derive(Debug, Clone, PartialEq)]
struct State {
    invoked: u64,
    took: u64,
    line: u64,
}

impl State {
    fn go_on(&mut self, row: &Row) {
        self.took = row.completed.map_or(self.took, |completed| completed.0.wrapping_sub(row.invoked.0));
        (self.invoked, self.line) = (row.invoked.0, row.line);
    }
}

impl Codec for Packed {
    type Row = Row;
    type State = State;

    fn fresh(first: &Row, _: usize) -> State {
        State { invoked: first.invoked.0, took: 0, line: first.line }
    }

    fn put(state: &mut State, row: &Row, out: &mut Vec<u8>) {
        let mut flags = row.function as u8 | ((row.outcome as u8) << OUTCOME_SHIFT);
        let ended = row.completed.map_or(0, |completed| {
            flags |= HAS_COMPLETED;
            pack::zigzag(row.invoked.0.wrapping_add(state.took), completed.0)
        });
        let fields = [
            pack::zigzag(state.invoked, row.invoked.0),
            ended,
            pack::zigzag(state.line, row.line) << 1 | u64::from(row.has_detail),
            row.has.sends as u64,
            row.has.deliveries as u64,
            row.has.runs as u64,
        ];
        pack::put(out, flags, fields);
        state.go_on(row);
    }

    #[inline]
    fn take(state: &mut State, bytes: &[u8], at: &mut usize) -> Row {
        let (flags, fields) = pack::take(bytes, at);
        let invoked = pack::unzigzag(state.invoked, fields[0]);
        let completed = pack::unzigzag(invoked.wrapping_add(state.took), fields[1]);
        let [sends, deliveries, runs] = [fields[3], fields[4], fields[5]].map(|count| count as usize);
        let row = Row {
            function: FUNCTIONS[usize::from(flags & 7)],
            outcome: OUTCOMES[usize::from((flags >> OUTCOME_SHIFT) & 3)],
            invoked: Nanos(invoked),
            completed: (flags & HAS_COMPLETED != 0).then_some(Nanos(completed)),
            line: pack::unzigzag(state.line, fields[2] >> 1),
            has: Ends { sends, deliveries, runs },
            has_detail: fields[2] & 1 != 0,
        };
        state.go_on(&row);
        row
    }
}
