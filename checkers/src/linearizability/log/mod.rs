//! Logs: appends with offsets, and reads that show a lower and perhaps an upper bound of the end.
//!
//! The offsets give the order, so nothing is searched: sorting the appends by offset and one pass over time
//! decide, exactly, in O(n log n).
//!
//! [`real_time`] works on plain columns and judges time alone; the caller has made sure that every offset
//! has one owner.

mod batches;
mod content;
mod generic;
mod order;
mod slots;
#[cfg(test)]
mod tests;

pub(super) use generic::judge;
pub use order::{Found, Violation, real_time};

/// The upper bound of a read that shows none.
pub const NO_END: u64 = u64::MAX;

/// An append whose place in the log is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Append {
    /// Its first offset.
    pub base: u64,
    /// How many offsets it takes, at least one.
    pub count: u32,
    /// The caller's name for it.
    pub id: u32,
    /// When it was called, nanoseconds; a caller whose clocks differ by ±ε takes ε off.
    pub call: i64,
    /// When it returned, [`super::NEVER`] if it did not; a caller whose clocks differ by ±ε adds ε.
    pub returned: i64,
}

impl Append {
    /// The first offset after it.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.base.saturating_add(u64::from(self.count))
    }
}

/// An operation that saw the log's end, the first offset not yet written, within bounds: `lo ≤ end ≤ hi`.
///
/// A read of offsets `o..o+m` (m > 0) has `lo = o + m`; one that claims to have reached the end also has
/// `hi = o + m`. An end offset `n` is `lo = n`, and `hi = n` unless it is only a lower bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The end is here or later.
    pub lo: u64,
    /// The end is here or earlier, [`NO_END`] if nothing is claimed.
    pub hi: u64,
    /// The caller's name for it.
    pub id: u32,
    /// When it was called, nanoseconds.
    pub call: i64,
    /// When it returned, [`super::NEVER`] if it did not.
    pub returned: i64,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An append called after another had returned lies before it.
    RealtimeReorder,
    /// A read returned a record before its append was called, or one behind a record appended later.
    FutureRead,
    /// A read that claims the log's end is called after a record beyond it was acknowledged or read.
    StaleEnd,
    /// A read saw an atomic append in part.
    TornAppend,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::RealtimeReorder, Self::FutureRead, Self::StaleEnd, Self::TornAppend];
}

/// An operation of a violation, by the caller's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// An append.
    Append(u32),
    /// A read or an end offset.
    Window(u32),
}
