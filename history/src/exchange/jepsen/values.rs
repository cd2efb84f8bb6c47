//! Which record a value is: (key, value) → the send that carried it. Values are counters a key nearly
//! always, so they index a dense table; whatever else they are goes to a hash table.

use std::collections::HashMap;

use crate::ids::Tag;
use crate::view::Value;

const EMPTY: u64 = u64::MAX;

/// Records by partition and value.
#[derive(Debug, Default)]
pub(in crate::exchange) struct Values {
    partitions: Vec<Dense>,
    sparse: HashMap<(u32, Value), u64>,
}

#[derive(Debug, Default)]
struct Dense {
    slots: Vec<u64>,
    used: usize,
}

impl Values {
    /// Notes who sent a value; gives the first sender back if there was one.
    pub(in crate::exchange) fn insert(&mut self, partition: u32, value: &Value, tag: Tag) -> Result<(), Tag> {
        if let Some(first) = self.get(partition, value) {
            return Err(first);
        }
        let place = partition as usize;
        if place >= self.partitions.len() {
            self.partitions.resize_with(place + 1, Dense::default);
        }
        let dense = &mut self.partitions[place];
        if let Value::Number(number) = value
            && let Ok(slot) = usize::try_from(*number)
            // At least a quarter is in use, so that a file cannot ask for more room than it fills.
            && slot < 4 * dense.used + 64
        {
            if slot >= dense.slots.len() {
                dense.slots.resize(slot + 1, EMPTY);
            }
            dense.slots[slot] = pack(tag);
            dense.used += 1;
        } else {
            self.sparse.insert((partition, value.clone()), pack(tag));
        }
        Ok(())
    }

    /// Who sent a value.
    #[inline]
    pub(in crate::exchange) fn get(&self, partition: u32, value: &Value) -> Option<Tag> {
        let dense = || {
            let Value::Number(number) = value else { return None };
            let dense = self.partitions.get(partition as usize)?;
            dense.slots.get(usize::try_from(*number).ok()?).copied().filter(|slot| *slot != EMPTY)
        };
        let sparse = || {
            if self.sparse.is_empty() { None } else { self.sparse.get(&(partition, value.clone())).copied() }
        };
        dense().or_else(sparse).map(unpack)
    }
}

/// Sends are numbered by session; no session has four thousand million.
const fn pack(tag: Tag) -> u64 {
    ((tag.producer as u64) << 32) | (tag.seq & 0xffff_ffff)
}

const fn unpack(packed: u64) -> Tag {
    Tag { producer: (packed >> 32) as u32, session: 0, seq: packed & 0xffff_ffff }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_found_where_it_was_sent() {
        let mut values = Values::default();
        let odd = [0, 5, 1023, 1024, 1 << 40, -3, i64::MAX, i64::MIN].map(Value::Number);
        let texts = ["", "a", "99999999999999999999"].map(|text| Value::Text(text.to_owned()));
        let all: Vec<Value> = odd.into_iter().chain(texts).chain((2000..9000).map(Value::Number)).collect();
        let tag = |seq: usize, partition| Tag { producer: partition, session: 0, seq: seq as u64 };
        for (seq, value) in all.iter().enumerate() {
            for partition in [0, 7] {
                assert_eq!(values.get(partition, value), None);
                assert_eq!(values.insert(partition, value, tag(seq, partition)), Ok(()));
                assert_eq!(values.insert(partition, value, tag(0, 9)), Err(tag(seq, partition)), "twice");
            }
        }
        for (seq, value) in all.iter().enumerate() {
            assert_eq!(values.get(7, value), Some(tag(seq, 7)));
            assert_eq!(values.get(3, value), None);
        }
        assert!(values.partitions[0].slots.len() < 5 * all.len() + 64);
    }
}
