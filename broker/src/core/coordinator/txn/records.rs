//! The records of `__transaction_state`, in Kafka's own schemas (`TransactionLogKey.json` and
//! `TransactionLogValue.json` in Apache Kafka's `transaction-coordinator`), so that other people's tools can
//! read the topic. Values are written in version 1, which is flexible (KIP-482), and read in 0 and 1.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::super::{Entry, Reader, Writer};
use super::state::{Meta, TxnState};

const PREVIOUS_ID: u32 = 0;
const NEXT_ID: u32 = 1;
const CLIENT_VERSION: u32 = 2;

/// What is written of a transactional id; no metadata is a tombstone.
pub(super) fn entry(transactional_id: &str, meta: Option<&Meta>) -> Entry {
    let key = Writer::new(0).text(transactional_id).done();
    Entry { key, value: meta.map(write) }
}

/// What a record says; `None` if it is of a kind or version that is not known here.
pub(super) fn read(entry: Entry) -> Option<(String, Option<Meta>)> {
    let mut key = Reader::new(entry.key);
    let transactional_id = (key.i16()? == 0).then(|| key.text())??;
    match entry.value {
        None => Some((transactional_id, None)),
        Some(value) => Some((transactional_id, Some(read_meta(value)?))),
    }
}

/// An unsigned varint: seven bits a byte, the lowest first.
fn varint(out: &mut BytesMut, mut value: usize) {
    while value >= 0x80 {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

fn write(meta: &Meta) -> Bytes {
    let mut out = BytesMut::new();
    out.put_i16(1);
    out.put_i64(meta.producer.0);
    out.put_i16(meta.producer.1);
    out.put_i32(meta.timeout_ms);
    out.put_i8(meta.state as i8);
    if meta.state == TxnState::Empty {
        // As Kafka writes it: no transaction, no list.
        varint(&mut out, 0);
    } else {
        let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
        for (topic, partition) in &meta.places {
            topics.entry(topic).or_default().push(*partition);
        }
        varint(&mut out, topics.len() + 1);
        for (topic, partitions) in topics {
            varint(&mut out, topic.len() + 1);
            out.put_slice(topic.as_bytes());
            varint(&mut out, partitions.len() + 1);
            partitions.into_iter().for_each(|partition| out.put_i32(partition));
            varint(&mut out, 0);
        }
    }
    out.put_i64(meta.updated_ms);
    out.put_i64(meta.started_ms);
    let tagged = [(PREVIOUS_ID, meta.previous_id), (NEXT_ID, meta.next_id)];
    let tagged: Vec<_> = tagged.into_iter().filter(|(_, id)| *id >= 0).collect();
    varint(&mut out, tagged.len() + usize::from(meta.client_version != 0));
    for (tag, id) in tagged {
        varint(&mut out, tag as usize);
        varint(&mut out, 8);
        out.put_i64(id);
    }
    if meta.client_version != 0 {
        varint(&mut out, CLIENT_VERSION as usize);
        varint(&mut out, 2);
        out.put_i16(meta.client_version);
    }
    out.freeze()
}

/// A reader of either version.
struct Value {
    rest: Bytes,
    flexible: bool,
}

impl Value {
    fn varint(&mut self) -> Option<u32> {
        let mut value = 0;
        for place in 0..5 {
            let byte = self.rest.try_get_u8().ok()?;
            value |= u32::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// A length or a count; the inner `None` is a null.
    fn length(&mut self, wide: bool) -> Option<Option<usize>> {
        if self.flexible {
            return Some(usize::try_from(self.varint()?).ok()?.checked_sub(1));
        }
        let length = if wide { self.rest.try_get_i32().ok()? } else { self.rest.try_get_i16().ok()?.into() };
        Some(usize::try_from(length).ok())
    }

    fn text(&mut self) -> Option<String> {
        let length = self.length(false)??;
        let bytes = (length <= self.rest.len()).then(|| self.rest.split_to(length))?;
        String::from_utf8(bytes.to_vec()).ok()
    }

    fn tags(&mut self, mut take: impl FnMut(u32, Bytes)) -> Option<()> {
        if !self.flexible {
            return Some(());
        }
        for _ in 0..self.varint()? {
            let tag = self.varint()?;
            let size = usize::try_from(self.varint()?).ok()?;
            let bytes = (size <= self.rest.len()).then(|| self.rest.split_to(size))?;
            take(tag, bytes);
        }
        Some(())
    }
}

fn read_meta(mut rest: Bytes) -> Option<Meta> {
    let version = rest.try_get_i16().ok().filter(|version| (0..=1).contains(version))?;
    let mut value = Value { rest, flexible: version == 1 };
    let producer = (value.rest.try_get_i64().ok()?, value.rest.try_get_i16().ok()?);
    let timeout_ms = value.rest.try_get_i32().ok()?;
    let state = TxnState::of_code(value.rest.try_get_i8().ok()?)?;
    let mut places = BTreeSet::new();
    for _ in 0..value.length(true)?.unwrap_or(0) {
        let topic = value.text()?;
        for _ in 0..value.length(true)?.unwrap_or(0) {
            places.insert((topic.clone(), value.rest.try_get_i32().ok()?));
        }
        value.tags(|_, _| ())?;
    }
    let mut meta = Meta {
        state,
        places,
        updated_ms: value.rest.try_get_i64().ok()?,
        started_ms: value.rest.try_get_i64().ok()?,
        ..Meta::new(producer.0, timeout_ms, 0)
    };
    meta.producer = producer;
    value.tags(|tag, mut bytes| match (tag, bytes.len()) {
        (PREVIOUS_ID, 8) => meta.previous_id = bytes.get_i64(),
        (NEXT_ID, 8) => meta.next_id = bytes.get_i64(),
        (CLIENT_VERSION, 2) => meta.client_version = bytes.get_i16(),
        _ => {}
    })?;
    Some(meta)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta() -> Meta {
        let places = [("a", 0), ("a", 7), ("b", 2)].map(|(topic, partition)| (topic.to_owned(), partition));
        Meta {
            producer: (1_234, 5),
            previous_id: 17,
            next_id: 99,
            state: TxnState::Ongoing,
            places: places.into_iter().collect(),
            started_ms: 800,
            client_version: 2,
            ..Meta::new(0, 60_000, 900)
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let empty = Meta { producer: (8, 0), ..Meta::new(8, 1, 2) };
        for meta in [meta(), empty] {
            let entry = entry("app", Some(&meta));
            assert_eq!(read(entry), Some(("app".to_owned(), Some(meta))));
        }
        assert_eq!(read(entry("app", None)), Some(("app".to_owned(), None)));
    }

    #[test]
    fn damage_is_none_and_never_a_panic() {
        let Entry { key, value } = entry("app", Some(&meta()));
        let value = value.expect("a value");
        for cut in 0..value.len() {
            assert_eq!(
                read(Entry { key: key.clone(), value: Some(value.slice(..cut)) }),
                None,
                "cut at {cut}"
            );
        }
    }

    /// Laid out by hand after the schema: version 0 has fixed lengths and no tagged fields.
    #[test]
    fn version_0_is_read() {
        let mut out = BytesMut::new();
        out.put_i16(0);
        out.put_i64(4_000);
        out.put_i16(3);
        out.put_i32(60_000);
        out.put_i8(2);
        out.put_i32(1);
        out.put_i16(2);
        out.put_slice(b"in");
        out.put_i32(2);
        out.put_i32(0);
        out.put_i32(3);
        out.put_i64(11);
        out.put_i64(12);
        let read = read_meta(out.freeze()).expect("reads");
        assert_eq!((read.producer, read.state), ((4_000, 3), TxnState::PrepareCommit));
        assert_eq!(read.places, [("in".to_owned(), 0), ("in".to_owned(), 3)].into_iter().collect());
        assert_eq!((read.updated_ms, read.started_ms, read.previous_id), (11, 12, -1));
    }
}
