//! The entries of a coordinator's log: keyed records in ordinary v2 batches, written and read back.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::records::{
    Compression, Record, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use wire::batch::{self, Header};

use super::super::batch::{Batch, BatchInfo};
use super::super::types::Uuid;

/// A record to be written: no value is a tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::core) struct Entry {
    pub(in crate::core) key: Bytes,
    pub(in crate::core) value: Option<Bytes>,
}

/// What a log says, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::core) enum Replayed {
    /// A record; with a producer id it belongs to a transaction that a marker will end.
    Entry {
        /// The record.
        entry: Entry,
        /// The transaction's producer.
        producer_id: Option<i64>,
        /// The offset after its batch.
        end: i64,
    },
    /// The end of a transaction.
    Marker {
        /// Whose.
        producer_id: i64,
        /// Or aborted.
        committed: bool,
    },
}

/// One batch of these entries, to be appended by the leader itself. A batch of a transaction names its
/// producer and carries no sequence numbers, as Kafka's own does.
pub(in crate::core) fn batch(entries: &[Entry], producer: Option<(i64, i16)>, wall_ms: i64) -> Option<Batch> {
    let (producer_id, producer_epoch) = producer.unwrap_or((-1, -1));
    let record = |(at, entry): (i32, &Entry)| Record {
        transactional: producer.is_some(),
        control: false,
        partition_leader_epoch: -1,
        producer_id,
        producer_epoch,
        timestamp_type: TimestampType::Creation,
        offset: i64::from(at),
        // The encoder starts a batch wherever offset and sequence drift apart.
        sequence: at - 1,
        timestamp: wall_ms,
        key: Some(entry.key.clone()),
        value: entry.value.clone(),
        headers: Default::default(),
        delete_horizon: false,
    };
    let records: Vec<Record> = (0..).zip(entries).map(record).collect();
    let mut bytes = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut bytes, &records, &options).ok()?;
    let header = Header::parse(&bytes).ok()?;
    Some(Batch { info: BatchInfo::read(&header, &bytes), bytes: bytes.freeze() })
}

/// Everything in these whole batches, in order. What cannot be read is passed over: a log that was written by
/// this module holds nothing of the kind, and one damaged record must not take the group of another with it.
pub(in crate::core) fn replay(bytes: Bytes) -> Vec<Replayed> {
    let mut out = Vec::new();
    for (header, bytes) in batch::iter(bytes).map_while(Result::ok) {
        let Ok(set) = RecordBatchDecoder::decode(&mut bytes.clone()) else { continue };
        for record in set.records {
            let Some(key) = record.key else { continue };
            if header.is_control() {
                // Control record key: version, then type (0 abort, 1 commit).
                if let Some(kind @ (0 | 1)) = key.get(2..4).map(|kind| i16::from_be_bytes([kind[0], kind[1]]))
                {
                    out.push(Replayed::Marker { producer_id: header.producer_id, committed: kind == 1 });
                }
                continue;
            }
            let producer_id = header.is_transactional().then_some(header.producer_id);
            let (entry, end) = (Entry { key, value: record.value }, header.last_offset() + 1);
            out.push(Replayed::Entry { entry, producer_id, end });
        }
    }
    out
}

/// Kafka's schemas by hand: what coordinators' records are made of.
pub(in crate::core) struct Writer(BytesMut);

impl Writer {
    /// Starts with the schema's version (of a value) or the record's type (of a key).
    pub(in crate::core) fn new(version: i16) -> Self {
        let mut bytes = BytesMut::new();
        bytes.put_i16(version);
        Self(bytes)
    }

    pub(in crate::core) fn i16(mut self, value: i16) -> Self {
        self.0.put_i16(value);
        self
    }

    pub(in crate::core) fn i32(mut self, value: i32) -> Self {
        self.0.put_i32(value);
        self
    }

    pub(in crate::core) fn i64(mut self, value: i64) -> Self {
        self.0.put_i64(value);
        self
    }

    /// A string with a length of two bytes; nobody's is longer than 32767 bytes, since requests carry the same.
    pub(in crate::core) fn text(mut self, text: &str) -> Self {
        self.0.put_i16(i16::try_from(text.len()).unwrap_or(i16::MAX));
        self.0.put_slice(&text.as_bytes()[..text.len().min(i16::MAX as usize)]);
        self
    }

    pub(in crate::core) fn maybe_text(self, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.text(text),
            None => self.i16(-1),
        }
    }

    pub(in crate::core) fn blob(mut self, bytes: &[u8]) -> Self {
        self.0.put_i32(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
        self.0.put_slice(bytes);
        self
    }

    pub(in crate::core) fn i8(mut self, value: i8) -> Self {
        self.0.put_i8(value);
        self
    }

    /// A length as flexible versions write it (KIP-482): one more than it is, 0 is null.
    pub(in crate::core) fn length(mut self, length: Option<usize>) -> Self {
        let mut rest = length.map_or(0, |length| u32::try_from(length).unwrap_or(u32::MAX - 1) + 1);
        while rest >= 0x80 {
            self.0.put_u8((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        self.0.put_u8(rest as u8);
        self
    }

    pub(in crate::core) fn compact_text(self, text: Option<&str>) -> Self {
        let mut out = self.length(text.map(str::len));
        out.0.put_slice(text.unwrap_or_default().as_bytes());
        out
    }

    pub(in crate::core) fn uuid(mut self, id: Uuid) -> Self {
        self.0.put_slice(&id.0);
        self
    }

    /// No tagged field.
    pub(in crate::core) fn no_tags(self) -> Self {
        self.i8(0)
    }

    pub(in crate::core) fn done(self) -> Bytes {
        self.0.freeze()
    }
}

/// Reads what [`Writer`] writes; `None` at the first thing that is not there.
pub(in crate::core) struct Reader(Bytes);

impl Reader {
    pub(in crate::core) const fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let chunk = *self.0.first_chunk::<N>()?;
        let _ = self.0.split_to(N);
        Some(chunk)
    }

    pub(in crate::core) fn i16(&mut self) -> Option<i16> {
        self.take().map(i16::from_be_bytes)
    }

    pub(in crate::core) fn i32(&mut self) -> Option<i32> {
        self.take().map(i32::from_be_bytes)
    }

    pub(in crate::core) fn i64(&mut self) -> Option<i64> {
        self.take().map(i64::from_be_bytes)
    }

    fn bytes(&mut self, length: usize) -> Option<Bytes> {
        (length <= self.0.len()).then(|| self.0.split_to(length))
    }

    pub(in crate::core) fn i8(&mut self) -> Option<i8> {
        self.take().map(i8::from_be_bytes)
    }

    pub(in crate::core) fn uuid(&mut self) -> Option<Uuid> {
        self.take().map(Uuid)
    }

    fn varint(&mut self) -> Option<u32> {
        let mut value = 0;
        for place in 0..5 {
            let [byte] = self.take()?;
            value |= u32::from(byte & 0x7f) << (place * 7);
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// The outer `None` is an error, the inner one a null.
    pub(in crate::core) fn length(&mut self) -> Option<Option<usize>> {
        Some(self.varint()?.checked_sub(1).map(|length| length as usize))
    }

    /// The outer `None` is an error, the inner one a null.
    pub(in crate::core) fn compact_text(&mut self) -> Option<Option<String>> {
        let Some(length) = self.length()? else { return Some(None) };
        let bytes = self.bytes(length)?;
        Some(Some(String::from_utf8(bytes.to_vec()).ok()?))
    }

    /// Passes over tagged fields, whatever they are.
    pub(in crate::core) fn skip_tags(&mut self) -> Option<()> {
        for _ in 0..self.varint()? {
            self.varint()?;
            let size = self.varint()? as usize;
            self.bytes(size)?;
        }
        Some(())
    }

    pub(in crate::core) fn text(&mut self) -> Option<String> {
        self.maybe_text()?
    }

    /// The outer `None` is an error, the inner one a null.
    pub(in crate::core) fn maybe_text(&mut self) -> Option<Option<String>> {
        match self.i16()? {
            ..0 => Some(None),
            length => {
                let bytes = self.bytes(usize::try_from(length).ok()?)?;
                Some(Some(String::from_utf8(bytes.to_vec()).ok()?))
            }
        }
    }

    pub(in crate::core) fn blob(&mut self) -> Option<Bytes> {
        let length = usize::try_from(self.i32()?).ok()?;
        self.bytes(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: &str, value: Option<&str>) -> Entry {
        let bytes = |text: &str| Bytes::from(text.to_owned());
        Entry { key: bytes(key), value: value.map(bytes) }
    }

    #[test]
    fn what_is_written_is_one_batch_and_is_read_back() {
        let entries = [entry("a", Some("1")), entry("b", None), entry("c", Some("3"))];
        let plain = batch(&entries, None, 7).expect("encodes");
        assert_eq!(
            (plain.info.last_offset_delta, plain.info.producer_id, plain.info.base_sequence),
            (2, -1, -1)
        );
        Header::check(&plain.bytes).expect("a sound batch");
        let marked = batch(&entries[..1], Some((9, 4)), 7).expect("encodes");
        assert!(marked.info.transactional);
        assert_eq!(
            (marked.info.producer_id, marked.info.producer_epoch, marked.info.base_sequence),
            (9, 4, -1)
        );
        let both = [plain.bytes, marked.bytes].concat();
        let read = replay(both.into());
        let plain = |entry: &Entry| Replayed::Entry { entry: entry.clone(), producer_id: None, end: 3 };
        let plain = entries.iter().map(plain);
        let marked = Replayed::Entry { entry: entries[0].clone(), producer_id: Some(9), end: 1 };
        assert_eq!(read, plain.chain([marked]).collect::<Vec<_>>());
    }

    #[test]
    fn a_cut_off_value_is_none() {
        let bytes = Writer::new(3).text("group").maybe_text(None).i64(5).blob(b"xyz").done();
        let mut reader = Reader::new(bytes.clone());
        assert_eq!((reader.i16(), reader.text().as_deref()), (Some(3), Some("group")));
        assert_eq!((reader.maybe_text(), reader.i64()), (Some(None), Some(5)));
        assert_eq!(reader.blob().as_deref(), Some(&b"xyz"[..]));
        assert_eq!(reader.i16(), None);
        let mut cut = Reader::new(bytes.slice(..4));
        assert_eq!((cut.i16(), cut.text()), (Some(3), None));
    }
}
