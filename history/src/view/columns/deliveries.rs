//! The column of deliveries.

use std::ops::Range;

use crate::view::rows::Delivery;

/// Deliveries, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct DeliveryColumn {
    rows: Vec<Delivery>,
}

/// A stretch of deliveries, in order.
#[derive(Debug, Clone)]
pub struct Deliveries<'a> {
    rows: std::slice::Iter<'a, Delivery>,
}

impl DeliveryColumn {
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn get(&self, index: usize) -> Delivery {
        self.rows[index]
    }

    pub(crate) fn range(&self, range: Range<usize>) -> Deliveries<'_> {
        Deliveries { rows: self.rows[range].iter() }
    }

    pub(crate) fn push(&mut self, row: &Delivery) {
        self.rows.push(*row);
    }

    pub(crate) fn seal(&mut self) {
        self.rows.shrink_to_fit();
    }
}

impl Iterator for Deliveries<'_> {
    type Item = Delivery;

    fn next(&mut self) -> Option<Delivery> {
        self.rows.next().copied()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl ExactSizeIterator for Deliveries<'_> {}
