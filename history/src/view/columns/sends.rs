//! The column of sends.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::ids::{Nanos, Offset, Partition, Tag};
use crate::outcome::{ErrorCode, Outcome, Told};
use crate::view::rows::Send;

use super::blocks::{Blocks, Codec, Rows};
use super::pack;

/// Partitions share this many predictions of the next offset.
const SLOTS: usize = 16;

const OUTCOMES: [Outcome; 4] = [Outcome::Ok, Outcome::Fail, Outcome::Unknown, Outcome::Unknown];
const TOLDS: [Told; 4] = [Told::Acked, Told::Sent, Told::Failed, Told::Nothing];
/// A byte follows that says what became of it; without, it was acknowledged at an offset of a partition.
const UNUSUAL: u8 = 1;
const HAS_KEY: u8 = 2;
const HAS_TAG: u8 = 4;
const HAS_ERROR: u8 = 8;
// Of that byte: outcome, told, and what there is.
const TOLD_SHIFT: u8 = 2;
const HAS_PARTITION: u8 = 1 << 4;
const HAS_OFFSET: u8 = 1 << 5;
const HAS_COMPLETED: u8 = 1 << 6;
const USUAL: u8 = HAS_PARTITION | HAS_OFFSET | HAS_COMPLETED;

/// Sends, in order of invocation.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct SendColumn {
    rows: Blocks<Packed>,
    /// Sends that changed after they were packed: reports that came late.
    late: BTreeMap<usize, Send>,
}

/// Sends of a session, in order of invocation.
#[derive(Debug, Clone)]
pub struct Sends<'a> {
    rows: Rows<'a, Packed>,
    late: &'a BTreeMap<usize, Send>,
}

impl Sends<'_> {
    /// Goes on with those of these indices; see [`Deliveries::seek`](super::deliveries::Deliveries::seek).
    ///
    /// # Panics
    /// If the range ends beyond the session's sends.
    pub fn seek(&mut self, range: Range<usize>) -> &mut Self {
        self.rows.seek(range);
        self
    }
}

impl SendColumn {
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn get(&self, index: usize) -> Send {
        self.late.get(&index).copied().unwrap_or_else(|| self.rows.get(index))
    }

    pub(crate) fn range(&self, range: Range<usize>) -> Sends<'_> {
        Sends { rows: self.rows.range(range), late: &self.late }
    }

    pub(crate) fn push(&mut self, send: &Send) {
        self.rows.push(send);
    }

    /// Puts another send in the place of one that is packed already.
    pub(crate) fn amend(&mut self, index: usize, send: Send) {
        self.late.insert(index, send);
    }

    /// Bytes it takes.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.rows.bytes()
    }

    pub(crate) fn seal(&mut self) {
        self.rows.seal();
    }
}

impl Iterator for Sends<'_> {
    type Item = Send;

    #[inline]
    fn next(&mut self) -> Option<Send> {
        let index = self.rows.index();
        let row = self.rows.next()?;
        if self.late.is_empty() {
            return Some(row);
        }
        Some(self.late.get(&index).copied().unwrap_or(row))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl ExactSizeIterator for Sends<'_> {}

/// How sends are packed: partition, offset, invocation, schedule and report, each against what came before,
/// and the key; a tag only where it is not the next one of its session.
#[derive(Debug, Clone, PartialEq)]
enum Packed {}

#[derive(Debug, Clone, PartialEq)]
struct State {
    tag: Tag,
    partition: u32,
    offsets: [u64; SLOTS],
    invoked: u64,
    /// Of a report behind its invocation.
    took: u64,
}

impl State {
    fn offset(&mut self, partition: Option<Partition>) -> &mut u64 {
        &mut self.offsets[partition.map_or(0, |partition| partition.0 as usize) % SLOTS]
    }

    fn go_on(&mut self, send: &Send) {
        self.tag = Tag { seq: send.tag.seq.wrapping_add(1), ..send.tag };
        self.partition = send.partition.map_or(self.partition, |partition| partition.0);
        if let Some(offset) = send.offset {
            *self.offset(send.partition) = offset.0.cast_unsigned().wrapping_add(1);
        }
        if let Some(completed) = send.completed {
            self.took = completed.0.wrapping_sub(send.invoked.0);
        }
        self.invoked = send.invoked.0;
    }
}

impl Codec for Packed {
    type Row = Send;
    type State = State;

    fn fresh(first: &Send, index: usize) -> State {
        let tag = Tag { seq: first.tag.seq.wrapping_add(index as u64), ..first.tag };
        let invoked = first.invoked.0;
        State { tag, partition: 0, offsets: [0; SLOTS], invoked, took: 0 }
    }

    fn put(state: &mut State, send: &Send, out: &mut Vec<u8>) {
        let mut fate = send.outcome as u8 | ((send.told as u8) << TOLD_SHIFT);
        let mut fields = [0; pack::FIELDS];
        if let Some(partition) = send.partition {
            fate |= HAS_PARTITION;
            fields[0] = pack::zigzag(state.partition.into(), partition.0.into());
        }
        if let Some(offset) = send.offset {
            fate |= HAS_OFFSET;
            fields[1] = pack::zigzag(*state.offset(send.partition), offset.0.cast_unsigned());
        }
        fields[2] = pack::zigzag(state.invoked, send.invoked.0);
        fields[3] = pack::zigzag(send.invoked.0, send.intended.0);
        if let Some(completed) = send.completed {
            fate |= HAS_COMPLETED;
            fields[4] = pack::zigzag(send.invoked.0.wrapping_add(state.took), completed.0);
        }
        fields[5] = send.key.unwrap_or(0);
        let mut flags = 0;
        flags |= if fate != USUAL { UNUSUAL } else { 0 };
        flags |= if send.key.is_some() { HAS_KEY } else { 0 };
        flags |= if send.tag != state.tag { HAS_TAG } else { 0 };
        flags |= if send.error != ErrorCode::NONE { HAS_ERROR } else { 0 };
        pack::put(out, flags, fields);
        if flags & UNUSUAL != 0 {
            out.push(fate);
        }
        if flags & HAS_TAG != 0 {
            out.extend_from_slice(&send.tag.producer.to_le_bytes());
            out.extend_from_slice(&send.tag.session.to_le_bytes());
            out.extend_from_slice(&send.tag.seq.to_le_bytes());
        }
        if flags & HAS_ERROR != 0 {
            out.extend_from_slice(&send.error.0.to_le_bytes());
        }
        state.go_on(send);
    }

    #[inline]
    fn take(state: &mut State, bytes: &[u8], at: &mut usize) -> Send {
        let (flags, fields) = pack::take(bytes, at);
        let [fate] = if flags & UNUSUAL != 0 { pack::raw(bytes, at) } else { [USUAL] };
        let has = |flag: u8| fate & flag != 0;
        let partition =
            has(HAS_PARTITION).then(|| Partition(pack::unzigzag(state.partition.into(), fields[0]) as u32));
        let offset = has(HAS_OFFSET)
            .then(|| Offset(pack::unzigzag(*state.offset(partition), fields[1]).cast_signed()));
        let invoked = pack::unzigzag(state.invoked, fields[2]);
        let completed =
            has(HAS_COMPLETED).then(|| Nanos(pack::unzigzag(invoked.wrapping_add(state.took), fields[4])));
        let mut send = Send {
            tag: state.tag,
            key: (flags & HAS_KEY != 0).then_some(fields[5]),
            partition,
            offset,
            intended: Nanos(pack::unzigzag(invoked, fields[3])),
            invoked: Nanos(invoked),
            completed,
            outcome: OUTCOMES[usize::from(fate & 3)],
            told: TOLDS[usize::from((fate >> TOLD_SHIFT) & 3)],
            error: ErrorCode::NONE,
        };
        if flags & HAS_TAG != 0 {
            send.tag = Tag {
                producer: u32::from_le_bytes(pack::raw(bytes, at)),
                session: u32::from_le_bytes(pack::raw(bytes, at)),
                seq: u64::from_le_bytes(pack::raw(bytes, at)),
            };
        }
        if flags & HAS_ERROR != 0 {
            send.error = ErrorCode(i32::from_le_bytes(pack::raw(bytes, at)));
        }
        state.go_on(&send);
        send
    }
}
