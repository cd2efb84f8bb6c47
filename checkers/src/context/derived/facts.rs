//! What is known of every record, in a few bits each.

/// Something known of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Fact {
    /// Its operation came back as done.
    Acked = 1,
    /// It must have taken effect: acknowledged, or of a transaction of which something was read.
    Committed = 2,
    /// Its operation certainly failed.
    Failed = 4,
    /// Some poll returned it.
    Read = 8,
    /// A poll that came back as done returned it.
    ReadOk = 16,
    /// A poll of unknown outcome returned it.
    ReadUnsure = 32,
    /// It is at several offsets, or another record is at its offset: its place proves nothing.
    Doubtful = 64,
    /// It is gone.
    Lost = 128,
}

/// What is known of every record.
#[derive(Debug)]
pub(super) struct Facts(Vec<u8>);

impl Facts {
    pub(super) fn none(count: usize) -> Self {
        Self(vec![0; count])
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn has(&self, record: u32, fact: Fact) -> bool {
        self.0[record as usize] & fact as u8 != 0
    }

    pub(super) fn any(&self, fact: Fact) -> bool {
        self.0.iter().any(|facts| facts & fact as u8 != 0)
    }

    /// Whether both are known of any record.
    pub(super) fn any_both(&self, fact: Fact, other: Fact) -> bool {
        let both = fact as u8 | other as u8;
        self.0.iter().any(|facts| facts & both == both)
    }

    /// Records of which something is known and something else is not.
    pub(super) fn with_without(&self, fact: Fact, other: Fact) -> impl Iterator<Item = u32> + use<'_> {
        let fits = move |facts: u8| facts & (fact as u8 | other as u8) == fact as u8;
        (0_u32..).zip(&self.0).filter(move |(_, facts)| fits(**facts)).map(|(record, _)| record)
    }

    /// Learns all that the other knows of the same records.
    pub(super) fn and(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(one, other)| *one |= other);
    }

    pub(super) fn learn(&mut self, record: u32, fact: Fact) {
        self.0[record as usize] |= fact as u8;
    }
}
