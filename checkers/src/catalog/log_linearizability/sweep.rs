//! The real-time check of one partition on plain columns. A log whose records have offsets is linearizable
//! exactly if no record was invoked after one behind it was already known to be there: pairs of records are
//! enough, because the log itself is the order (`x ~> y` and `r(y) < c(x)` is the only way to fail).

use std::collections::BTreeMap;

/// No time: the record was never known to be there, or nobody knows when it was sent.
pub(crate) const NEVER: u64 = u64::MAX;

/// The records of one log in order of offsets, in nanoseconds of one clock.
#[derive(Debug, Default)]
pub(crate) struct Times {
    /// The earliest time at which each can have been sent; 0 if nobody knows.
    pub(crate) called: Vec<u64>,
    /// The latest time by which each is known to have been there: its acknowledgement, or the end of a poll
    /// that returned it; [`NEVER`] if nothing tells.
    pub(crate) known: Vec<u64>,
}

/// Records in an order that real time forbids.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reorder {
    /// The fewest records that can be blamed: those sent too late for their place, or those known too early.
    pub(crate) count: usize,
    /// The first of these, as positions `(sent late, known early)`: the first lies before the second.
    pub(crate) pairs: Vec<(usize, usize)>,
}

impl Times {
    /// Finds what is out of order, with at most `most` pairs. Equal times overlap. O(n).
    pub(crate) fn reorder(&self, most: usize) -> Option<Reorder> {
        let late = self.late();
        if late.is_empty() {
            return None;
        }
        let early = self.early();
        // One record in the wrong place sets many others wrong against it: blame the one.
        let (count, mut pairs) =
            if late.len() <= early.len() { (late.len(), late) } else { (early.len(), early) };
        pairs.truncate(most);
        Some(Reorder { count, pairs })
    }

    /// Leaves out every record that is out of order with another of its own session: that is a finding of
    /// `order`, and must not set all others wrong against it here. `sessions` says whose each record is.
    pub(crate) fn leave_out_own_disorder(&mut self, sessions: &[u32]) {
        let mut own: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (position, session) in sessions.iter().enumerate() {
            own.entry(*session).or_default().push(position);
        }
        for positions in own.values() {
            let pick = |times: &[u64]| positions.iter().map(|position| times[*position]).collect();
            let times = Self { called: pick(&self.called), known: pick(&self.known) };
            for (late, early) in times.late().into_iter().chain(times.early()) {
                for position in [positions[late], positions[early]] {
                    (self.called[position], self.known[position]) = (0, NEVER);
                }
            }
        }
    }

    /// Records sent after one behind them was known, each with the first known of those.
    fn late(&self) -> Vec<(usize, usize)> {
        let mut late = Vec::new();
        let mut first: Option<usize> = None;
        for at in (0..self.called.len()).rev() {
            if let Some(known) = first.filter(|known| self.known[*known] < self.called[at]) {
                late.push((at, known));
            }
            if first.is_none_or(|known| self.known[at] < self.known[known]) {
                first = Some(at);
            }
        }
        late.reverse();
        late
    }

    /// Records known before one in front of them was sent, each with the last sent of those.
    fn early(&self) -> Vec<(usize, usize)> {
        let mut early = Vec::new();
        let mut last: Option<usize> = None;
        for at in 0..self.known.len() {
            if let Some(called) = last.filter(|called| self.called[*called] > self.known[at]) {
                early.push((called, at));
            }
            if last.is_none_or(|called| self.called[at] > self.called[called]) {
                last = Some(at);
            }
        }
        early
    }
}
