//! The column of sends.

use std::ops::Range;

use crate::view::rows::Send;

/// Sends, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct SendColumn {
    rows: Vec<Send>,
}

/// A stretch of sends, in order.
#[derive(Debug, Clone)]
pub struct Sends<'a> {
    rows: std::slice::Iter<'a, Send>,
}

impl SendColumn {
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn get(&self, index: usize) -> Send {
        self.rows[index]
    }

    pub(crate) fn range(&self, range: Range<usize>) -> Sends<'_> {
        Sends { rows: self.rows[range].iter() }
    }

    pub(crate) fn push(&mut self, row: &Send) {
        self.rows.push(*row);
    }

    pub(crate) fn seal(&mut self) {
        self.rows.shrink_to_fit();
    }
}

impl Iterator for Sends<'_> {
    type Item = Send;

    fn next(&mut self) -> Option<Send> {
        self.rows.next().copied()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl ExactSizeIterator for Sends<'_> {}
