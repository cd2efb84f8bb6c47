//! The column of operations that were recorded as such.

use crate::ids::Nanos;
use crate::outcome::Outcome;
use crate::view::operation::{Detail, Function, Operation, Run, short};
use crate::view::session::Ended;

/// Operations, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::view) struct OperationColumn {
    rows: Vec<Row>,
    /// Micro-operations of those that are not made as usual.
    runs: Vec<Run>,
    details: Vec<Detail>,
}

/// One operation; its rows begin where those of the one before it end.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Row {
    function: Function,
    outcome: Outcome,
    invoked: Nanos,
    completed: Option<Nanos>,
    line: Option<u64>,
    sends_end: usize,
    deliveries_end: usize,
    runs_end: usize,
    detail: Option<u32>,
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
        let before = self.rows.last();
        let sends = sends_end - before.map_or(0, |row| row.sends_end);
        let deliveries = deliveries_end - before.map_or(0, |row| row.deliveries_end);
        if !is_usual(&runs, ended.function, sends, deliveries) {
            self.runs.extend(runs);
        }
        let detail = ended.detail.map(|detail| {
            self.details.push(detail);
            short(self.details.len() - 1)
        });
        self.rows.push(Row {
            function: ended.function,
            outcome: ended.outcome,
            invoked: ended.invoked,
            completed: ended.completed,
            line: ended.line,
            sends_end,
            deliveries_end,
            runs_end: self.runs.len(),
            detail,
        });
    }

    pub(in crate::view) fn get(&self, index: usize) -> Operation<'_> {
        let row = &self.rows[index];
        let before = index.checked_sub(1).map(|before| &self.rows[before]);
        let from = |end: fn(&Row) -> usize| before.map_or(0, end);
        Operation {
            function: row.function,
            invoked: row.invoked,
            completed: row.completed,
            outcome: row.outcome,
            sends: from(|row| row.sends_end)..row.sends_end,
            deliveries: from(|row| row.deliveries_end)..row.deliveries_end,
            line: row.line,
            detail: row.detail.and_then(|detail| self.details.get(detail as usize)),
            runs: &self.runs[from(|row| row.runs_end)..row.runs_end],
        }
    }

    pub(in crate::view) fn iter(&self) -> impl Iterator<Item = Operation<'_>> {
        (0..self.rows.len()).map(|index| self.get(index))
    }
}

/// Whether the micro-operations are what [`Operation::steps`] takes for granted.
fn is_usual(runs: &[Run], function: Function, sends: usize, deliveries: usize) -> bool {
    let polls = deliveries > 0 || function == Function::Poll;
    let sends = (sends > 0).then(|| Run::Sends(short(sends)));
    let poll = polls.then(|| Run::Poll(short(deliveries)));
    let usual = sends.into_iter().chain(poll);
    // A poll that was not begun explicitly is there all the same.
    runs.iter().copied().eq(usual) || runs.is_empty()
}
