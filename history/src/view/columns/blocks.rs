//! Rows packed one against the row before it, in blocks that are read independently, so that any row can be
//! reached by reading at most a block.

use std::fmt;
use std::ops::Range;

/// Rows of a block: few enough for reading one row by its index, enough for what a fresh start costs.
pub(super) const BLOCK: usize = 32;

/// How rows of one sort are packed.
pub(super) trait Codec {
    /// The row as others see it.
    type Row: Copy + PartialEq + fmt::Debug;
    /// What is known of the rows before, from which the next one is predicted.
    type State: Clone + PartialEq + fmt::Debug;

    /// What to predict the first row of a block from: the first row of all, and its own index.
    fn fresh(first: &Self::Row, index: usize) -> Self::State;

    /// Packs a row.
    fn put(state: &mut Self::State, row: &Self::Row, out: &mut Vec<u8>);

    /// Unpacks the row at `at`, and moves `at` behind it.
    fn take(state: &mut Self::State, bytes: &[u8], at: &mut usize) -> Self::Row;
}

/// Packed rows.
#[derive(Clone, PartialEq)]
pub(super) struct Blocks<C: Codec> {
    bytes: Vec<u8>,
    /// Where each block begins.
    starts: Vec<u64>,
    len: usize,
    /// The first row, and the state behind the last.
    ends: Option<(C::Row, C::State)>,
}

impl<C: Codec> Default for Blocks<C> {
    fn default() -> Self {
        Self { bytes: Vec::new(), starts: Vec::new(), len: 0, ends: None }
    }
}

impl<C: Codec> fmt::Debug for Blocks<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.range(0..self.len)).finish()
    }
}

impl<C: Codec> Blocks<C> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push(&mut self, row: &C::Row) {
        let (first, state) = self.ends.get_or_insert_with(|| (*row, C::fresh(row, 0)));
        if self.len.is_multiple_of(BLOCK) {
            self.starts.push(self.bytes.len() as u64);
            *state = C::fresh(first, self.len);
        }
        C::put(state, row, &mut self.bytes);
        self.len += 1;
    }

    pub(super) fn get(&self, index: usize) -> C::Row {
        assert!(index < self.len, "row {index} of {}", self.len);
        self.range(index..index + 1).next().expect("a row of a range that is not empty")
    }

    pub(super) fn range(&self, range: Range<usize>) -> Rows<'_, C> {
        assert!(range.start <= range.end && range.end <= self.len, "rows {range:?} of {}", self.len);
        let block = range.start / BLOCK;
        let mut rows = Rows {
            blocks: self,
            at: self.starts.get(block).map_or(0, |start| *start as usize),
            next: block * BLOCK,
            end: range.end,
            state: None,
        };
        while rows.next < range.start {
            rows.step();
        }
        rows
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len() + 8 * self.starts.len()
    }

    pub(super) fn seal(&mut self) {
        self.bytes.shrink_to_fit();
        self.starts.shrink_to_fit();
    }
}

/// A stretch of rows, in order.
pub(super) struct Rows<'a, C: Codec> {
    blocks: &'a Blocks<C>,
    at: usize,
    next: usize,
    end: usize,
    state: Option<C::State>,
}

impl<C: Codec> Rows<'_, C> {
    /// Index of the next row.
    pub(super) fn index(&self) -> usize {
        self.next
    }

    /// Goes to another range; forward within a block, or into the next one, it reads on.
    pub(super) fn seek(&mut self, range: Range<usize>) {
        assert!(range.start <= range.end && range.end <= self.blocks.len, "rows {range:?}");
        let near = (self.next..self.next + BLOCK).contains(&range.start);
        if !near || self.state.is_none() {
            *self = self.blocks.range(range);
            return;
        }
        self.end = range.end;
        while self.next < range.start {
            self.step();
        }
    }

    #[inline]
    fn step(&mut self) -> C::Row {
        if self.next.is_multiple_of(BLOCK) {
            let (first, _) = self.blocks.ends.as_ref().expect("there is a row");
            self.state = Some(C::fresh(first, self.next));
        }
        let state = self.state.as_mut().expect("a range begins with its block");
        let row = C::take(state, &self.blocks.bytes, &mut self.at);
        self.next += 1;
        row
    }
}

impl<C: Codec> Clone for Rows<'_, C> {
    fn clone(&self) -> Self {
        Self { state: self.state.clone(), ..*self }
    }
}

impl<C: Codec> fmt::Debug for Rows<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rows {}..{}", self.next, self.end)
    }
}

impl<C: Codec> Iterator for Rows<'_, C> {
    type Item = C::Row;

    #[inline]
    fn next(&mut self) -> Option<C::Row> {
        (self.next < self.end).then(|| self.step())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.end - self.next, Some(self.end - self.next))
    }
}

impl<C: Codec> ExactSizeIterator for Rows<'_, C> {}
