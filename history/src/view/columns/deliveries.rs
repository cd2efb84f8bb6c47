//! The column of deliveries.

use std::ops::Range;

use crate::event::Contents;
use crate::ids::{Nanos, Offset, Partition, Tag};
use crate::view::rows::Delivery;

use super::blocks::{Blocks, Codec, Rows};
use super::pack;

/// Partitions share this many predictions of the next offset, producers as many of the next record.
const SLOTS: usize = 16;

const CONTENTS: [Contents; 4] = [Contents::Intact, Contents::Corrupt, Contents::Foreign, Contents::Foreign];
const HAS_TAG: u8 = 1 << 2;
/// The session of the tag follows.
const HAS_SESSION: u8 = 1 << 3;
/// The poll is that of the row before.
const SAME_POLL: u8 = 1 << 4;

/// Deliveries, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct DeliveryColumn {
    rows: Blocks<Packed>,
}

/// Deliveries to a session, in order.
#[derive(Debug, Clone)]
pub struct Deliveries<'a> {
    rows: Rows<'a, Packed>,
}

impl Deliveries<'_> {
    /// Goes on with those of these indices. Ranges that follow one another are read in one go, which is much
    /// quicker than to ask the session for each of them.
    ///
    /// # Panics
    /// If the range ends beyond the session's deliveries.
    pub fn seek(&mut self, range: Range<usize>) -> &mut Self {
        self.rows.seek(range);
        self
    }
}

impl DeliveryColumn {
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn get(&self, index: usize) -> Delivery {
        self.rows.get(index)
    }

    pub(crate) fn range(&self, range: Range<usize>) -> Deliveries<'_> {
        Deliveries { rows: self.rows.range(range) }
    }

    pub(crate) fn push(&mut self, delivery: &Delivery) {
        self.rows.push(delivery);
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

impl Iterator for Deliveries<'_> {
    type Item = Delivery;

    #[inline]
    fn next(&mut self) -> Option<Delivery> {
        self.rows.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl ExactSizeIterator for Deliveries<'_> {}

/// How deliveries are packed: poll, return, partition, offset, producer and sequence number, each against
/// what came before. Records of one poll share their times, the next poll begins where the last one ended and
/// takes as long, and records of a partition follow each other.
#[derive(Debug, Clone, PartialEq)]
enum Packed {}

#[derive(Debug, Clone, PartialEq)]
struct State {
    polled: u64,
    returned: u64,
    partition: u32,
    offsets: [u64; SLOTS],
    producer: u32,
    session: u32,
    seqs: [u64; SLOTS],
}

impl State {
    /// When a poll returns that takes as long as the last one.
    fn return_of(&self, polled: u64) -> u64 {
        polled.wrapping_add(self.returned.wrapping_sub(self.polled))
    }

    fn go_on(&mut self, delivery: &Delivery) {
        (self.polled, self.returned) = (delivery.polled.0, delivery.returned.0);
        self.partition = delivery.partition.0;
        self.offsets[self.partition as usize % SLOTS] = delivery.offset.0.cast_unsigned().wrapping_add(1);
        if let Some(tag) = delivery.tag {
            (self.producer, self.session) = (tag.producer, tag.session);
            self.seqs[tag.producer as usize % SLOTS] = tag.seq.wrapping_add(1);
        }
    }
}

impl Codec for Packed {
    type Row = Delivery;
    type State = State;

    fn fresh(first: &Delivery, _: usize) -> State {
        State {
            polled: first.polled.0,
            returned: first.returned.0,
            partition: first.partition.0,
            offsets: [0; SLOTS],
            producer: 0,
            session: 0,
            seqs: [0; SLOTS],
        }
    }

    fn put(state: &mut State, delivery: &Delivery, out: &mut Vec<u8>) {
        let mut flags = delivery.contents as u8;
        let partition = delivery.partition.0;
        let mut fields = [
            pack::zigzag(state.returned, delivery.polled.0),
            pack::zigzag(state.return_of(delivery.polled.0), delivery.returned.0),
            pack::zigzag(state.partition.into(), partition.into()),
            pack::zigzag(state.offsets[partition as usize % SLOTS], delivery.offset.0.cast_unsigned()),
            0,
            0,
        ];
        if (delivery.polled.0, delivery.returned.0) == (state.polled, state.returned) {
            flags |= SAME_POLL;
            (fields[0], fields[1]) = (0, 0);
        }
        let mut session = None;
        if let Some(tag) = delivery.tag {
            flags |= HAS_TAG;
            fields[4] = pack::zigzag(state.producer.into(), tag.producer.into());
            fields[5] = pack::zigzag(state.seqs[tag.producer as usize % SLOTS], tag.seq);
            session = (tag.session != state.session).then_some(tag.session);
        }
        flags |= if session.is_some() { HAS_SESSION } else { 0 };
        pack::put(out, flags, fields);
        if let Some(session) = session {
            out.extend_from_slice(&session.to_le_bytes());
        }
        state.go_on(delivery);
    }

    #[inline]
    fn take(state: &mut State, bytes: &[u8], at: &mut usize) -> Delivery {
        let (flags, fields) = pack::take(bytes, at);
        let partition = pack::unzigzag(state.partition.into(), fields[2]) as u32;
        let offset = pack::unzigzag(state.offsets[partition as usize % SLOTS], fields[3]);
        let tag = (flags & HAS_TAG != 0).then(|| {
            let producer = pack::unzigzag(state.producer.into(), fields[4]) as u32;
            let session = if flags & HAS_SESSION != 0 {
                u32::from_le_bytes(pack::raw(bytes, at))
            } else {
                state.session
            };
            Tag { producer, session, seq: pack::unzigzag(state.seqs[producer as usize % SLOTS], fields[5]) }
        });
        let (polled, returned) = if flags & SAME_POLL != 0 {
            (state.polled, state.returned)
        } else {
            let polled = pack::unzigzag(state.returned, fields[0]);
            (polled, pack::unzigzag(state.return_of(polled), fields[1]))
        };
        let delivery = Delivery {
            partition: Partition(partition),
            offset: Offset(offset.cast_signed()),
            tag,
            contents: CONTENTS[usize::from(flags & 3)],
            polled: Nanos(polled),
            returned: Nanos(returned),
        };
        state.go_on(&delivery);
        delivery
    }
}
