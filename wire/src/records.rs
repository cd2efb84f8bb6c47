//! The records inside a v2 batch, for what cannot be decided by its header: compaction, what a broker checks
//! before it appends, and another codec.
//!
//! A record (Kafka documentation, "Record"): length, attributes (1 byte), timestamp delta, offset delta, key,
//! value, headers; every number but the attributes a zigzag varint, lengths of -1 meaning null.

use std::io;

use bytes::{BufMut, Bytes, BytesMut};

use crate::batch::{HEADER, Header, PREFIX, varint};
use crate::codec;

/// Attribute bit of a batch whose base timestamp is when its tombstones and markers may go (KIP-534).
const HAS_DELETE_HORIZON: i16 = 0x40;
/// Compression codec bits.
const CODEC: i16 = 0x07;

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its offset in the log.
    pub offset: i64,
    /// Its timestamp in ms.
    pub timestamp: i64,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value; none is a tombstone.
    pub value: Option<&'a [u8]>,
    attributes: u8,
    /// From its offset delta to its end.
    tail: &'a [u8],
    /// Its headers, unread.
    headers: &'a [u8],
}

/// A batch with its records decompressed.
#[derive(Debug, Clone)]
pub struct Opened {
    header: Header,
    records: Bytes,
}

impl Opened {
    /// Opens a whole batch, whose checksum is not looked at.
    ///
    /// # Errors
    /// If it is no batch, or its records cannot be decompressed.
    pub fn of(batch: &Bytes) -> io::Result<Self> {
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        let header = Header::parse(batch).map_err(invalid)?;
        if batch.len() < header.size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let records = batch.slice(HEADER..header.size);
        let records = match header.compression() {
            0 => records,
            codec => Bytes::from(codec::decompress(codec, &records)?),
        };
        Ok(Self { header, records })
    }

    /// The batch's header.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// When its tombstones and markers may go, if that was decided before (KIP-534).
    #[must_use]
    pub const fn delete_horizon(&self) -> Option<i64> {
        if self.header.attributes & HAS_DELETE_HORIZON == 0 { None } else { Some(self.header.base_timestamp) }
    }

    /// Its records, in order. An error ends it: what does not parse has no end.
    pub fn records(&self) -> impl Iterator<Item = io::Result<Record<'_>>> {
        let mut rest = &self.records[..];
        let mut left = self.header.count;
        std::iter::from_fn(move || {
            if left <= 0 {
                return None;
            }
            left -= 1;
            let record = next(&self.header, &mut rest);
            if record.is_none() {
                left = 0;
            }
            Some(record.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a record is cut off")))
        })
    }

    /// Reads every record to its end, headers included, and hands each to `look`.
    ///
    /// # Errors
    /// If one cannot be read, or there are more or fewer than the header says.
    pub fn inspect(&self, mut look: impl FnMut(&Record<'_>)) -> io::Result<()> {
        let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let mut rest = &self.records[..];
        for _ in 0..self.header.count {
            let record = next(&self.header, &mut rest).ok_or_else(|| wrong("a record is cut off"))?;
            let mut headers = record.headers;
            if skip_headers(&mut headers).is_none() || !headers.is_empty() {
                return Err(wrong("the headers of a record do not add up"));
            }
            look(&record);
        }
        if rest.is_empty() { Ok(()) } else { Err(wrong("there are more records than the batch says")) }
    }

    /// The batch with these of its records only, in the same codec: its offsets, producer and sequence numbers
    /// stay, and with none left it is an empty batch. `horizon` says when its tombstones and markers may go.
    #[must_use]
    pub fn rewritten(&self, kept: &[Record<'_>], horizon: Option<i64>) -> Bytes {
        let header = &self.header;
        let first = kept.iter().map(|record| record.timestamp).next().unwrap_or(header.base_timestamp);
        let base = horizon.unwrap_or(first);
        let newest = kept.iter().map(|record| record.timestamp).max();
        let mut records = BytesMut::new();
        for record in kept {
            let mut body = BytesMut::with_capacity(record.tail.len() + 11);
            body.put_u8(record.attributes);
            put_varint(&mut body, record.timestamp.wrapping_sub(base));
            body.put_slice(record.tail);
            put_varint(&mut records, i64::try_from(body.len()).unwrap_or(i64::MAX));
            records.put_slice(&body);
        }
        let codec = if kept.is_empty() { 0 } else { header.compression() };
        let mut attributes = header.attributes & !HAS_DELETE_HORIZON;
        if horizon.is_some() {
            attributes |= HAS_DELETE_HORIZON;
        }
        let fields = Header {
            attributes,
            base_timestamp: base,
            max_timestamp: newest.unwrap_or(header.max_timestamp),
            count: i32::try_from(kept.len()).unwrap_or(i32::MAX),
            ..*header
        };
        // It has been read in that codec, so the codec is known; were it not, plain would do.
        assemble(&fields, codec, &records).unwrap_or_else(|_| plain(&fields, &records))
    }

    /// The whole batch in another codec, by Kafka's number.
    ///
    /// # Errors
    /// If there is no such codec.
    pub fn recoded(&self, codec: i16) -> io::Result<Bytes> {
        assemble(&self.header, codec, &self.records)
    }
}

/// A batch of these header fields; length, checksum and codec are computed.
fn assemble(header: &Header, codec: i16, records: &[u8]) -> io::Result<Bytes> {
    if codec == 0 {
        return Ok(plain(header, records));
    }
    let packed = codec::compress(codec, records)?;
    let attributes = header.attributes & !CODEC | codec;
    Ok(written(&Header { attributes, ..*header }, &packed))
}

fn plain(header: &Header, records: &[u8]) -> Bytes {
    written(&Header { attributes: header.attributes & !CODEC, ..*header }, records)
}

fn written(header: &Header, records: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(HEADER + records.len());
    out.put_i64(header.base_offset);
    out.put_i32(i32::try_from(HEADER - PREFIX + records.len()).unwrap_or(i32::MAX));
    out.put_i32(header.leader_epoch);
    out.put_i8(2);
    // The checksum, once it is known.
    out.put_u32(0);
    out.put_i16(header.attributes);
    out.put_i32(header.last_offset_delta);
    out.put_i64(header.base_timestamp);
    out.put_i64(header.max_timestamp);
    out.put_i64(header.producer_id);
    out.put_i16(header.producer_epoch);
    out.put_i32(header.base_sequence);
    out.put_i32(header.count);
    out.put_slice(records);
    let crc = crc32c::crc32c(&out[21..]);
    out[17..21].copy_from_slice(&crc.to_be_bytes());
    out.freeze()
}

fn next<'a>(header: &Header, rest: &mut &'a [u8]) -> Option<Record<'a>> {
    let length = usize::try_from(varint(rest)?).ok()?;
    let (record, after) = rest.split_at_checked(length)?;
    *rest = after;
    let (attributes, mut record) = record.split_first()?;
    let timestamp = header.base_timestamp.checked_add(varint(&mut record)?)?;
    let tail = record;
    let offset = header.base_offset.checked_add(varint(&mut record)?)?;
    let key = blob(&mut record)?;
    let value = blob(&mut record)?;
    let timestamp = if header.is_log_append_time() { header.max_timestamp } else { timestamp };
    Some(Record { offset, timestamp, key, value, attributes: *attributes, tail, headers: record })
}

/// A count, and that many pairs of a key and a value that may be null.
fn skip_headers(rest: &mut &[u8]) -> Option<()> {
    for _ in 0..usize::try_from(varint(rest)?).ok()? {
        blob(rest)??;
        blob(rest)?;
    }
    Some(())
}

/// A length and that many bytes; the outer `None` is a malformed one, the inner null.
fn blob<'a>(rest: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let length = varint(rest)?;
    if length < 0 {
        return (length == -1).then_some(None);
    }
    let (bytes, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = after;
    Some(Some(bytes))
}

fn put_varint(out: &mut BytesMut, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        out.put_u8((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.put_u8(rest as u8);
}
