//! The v2 record batch, read by its 61-byte header: parse, check, patch, stamp, iterate. Its records stay opaque.
//!
//! Layout (Kafka documentation, "Record batch"): baseOffset 0..8, batchLength 8..12, partitionLeaderEpoch
//! 12..16, magic 16, crc 17..21, attributes 21..23, lastOffsetDelta 23..27, baseTimestamp 27..35, maxTimestamp
//! 35..43, producerId 43..51, producerEpoch 51..53, baseSequence 53..57, records count 57..61. The CRC-32C
//! covers everything from the attributes on, so base offset and leader epoch can be patched without it.

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;

/// Bytes before the first record.
pub const HEADER: usize = 61;
/// Bytes before those the batch length counts.
pub const PREFIX: usize = 12;
/// The bytes that [`patched_prefix`] rewrites.
pub const PATCHED: usize = 16;

/// Why bytes are not a batch.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BatchError {
    /// It ends before its length says: a torn write, or the end of a size-limited read.
    #[error("batch is cut off: {have} of {need} bytes")]
    Torn {
        /// Bytes there are.
        have: usize,
        /// Bytes there should be.
        need: usize,
    },
    /// Its length cannot be.
    #[error("batch length {0} is impossible")]
    Length(i32),
    /// Not the v2 format.
    #[error("batch has magic {0} instead of 2")]
    Magic(i8),
    /// The checksum is another.
    #[error("batch has CRC-32C {found:08x} instead of {expected:08x}")]
    Crc {
        /// Computed.
        found: u32,
        /// Written in it.
        expected: u32,
    },
    /// Records and offsets do not fit.
    #[error("batch of {count} records has last offset delta {delta}")]
    Count {
        /// Records it says it has.
        count: i32,
        /// Its last offset delta.
        delta: i32,
    },
}

/// The header of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Offset of its first record.
    pub base_offset: i64,
    /// Bytes in all, prefix included.
    pub size: usize,
    /// Epoch of the leader that appended it.
    pub leader_epoch: i32,
    /// Checksum written in it.
    pub crc: u32,
    /// Compression, timestamp type, transactional, control.
    pub attributes: i16,
    /// Offset of the last record, less the first.
    pub last_offset_delta: i32,
    /// Timestamp of the first record, ms.
    pub base_timestamp: i64,
    /// Highest timestamp, ms.
    pub max_timestamp: i64,
    /// Who produced it; -1 without idempotence.
    pub producer_id: i64,
    /// The producer's epoch; -1 without idempotence.
    pub producer_epoch: i16,
    /// Sequence number of the first record; -1 without idempotence.
    pub base_sequence: i32,
    /// How many records it holds.
    pub count: i32,
}

impl Header {
    /// Reads the header at the start of `bytes`, which may hold less or more than the batch. The checksum is
    /// not looked at.
    ///
    /// # Errors
    /// [`BatchError`], but [`BatchError::Torn`] only if the header itself is cut off.
    pub fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        let mut at = bytes.get(..HEADER).ok_or(BatchError::Torn { have: bytes.len(), need: HEADER })?;
        let base_offset = at.get_i64();
        let length = at.get_i32();
        let leader_epoch = at.get_i32();
        let magic = at.get_i8();
        if magic != 2 {
            return Err(BatchError::Magic(magic));
        }
        let size = usize::try_from(length).ok().map(|length| length + PREFIX);
        let size = size.filter(|size| *size >= HEADER).ok_or(BatchError::Length(length))?;
        Ok(Self {
            base_offset,
            size,
            leader_epoch,
            crc: at.get_u32(),
            attributes: at.get_i16(),
            last_offset_delta: at.get_i32(),
            base_timestamp: at.get_i64(),
            max_timestamp: at.get_i64(),
            producer_id: at.get_i64(),
            producer_epoch: at.get_i16(),
            base_sequence: at.get_i32(),
            count: at.get_i32(),
        })
    }

    /// Reads and fully checks the batch at the start of `bytes`: complete, right checksum, a record per
    /// offset as a producer writes it.
    ///
    /// # Errors
    /// [`BatchError`] says what is wrong.
    pub fn check(bytes: &[u8]) -> Result<Self, BatchError> {
        let header = Self::parse(bytes)?;
        let batch =
            bytes.get(..header.size).ok_or(BatchError::Torn { have: bytes.len(), need: header.size })?;
        let found = crc32c::crc32c(&batch[21..]);
        if found != header.crc {
            return Err(BatchError::Crc { found, expected: header.crc });
        }
        // Compaction leaves gaps; nothing leaves more records than offsets.
        if header.count < 0
            || header.last_offset_delta < 0
            || header.count > header.last_offset_delta.saturating_add(1)
        {
            return Err(BatchError::Count { count: header.count, delta: header.last_offset_delta });
        }
        Ok(header)
    }

    /// Offset of its last record.
    #[must_use]
    pub fn last_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta))
    }

    /// A marker of a transaction, not data.
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.attributes & 0x20 != 0
    }

    /// Part of a transaction.
    #[must_use]
    pub fn is_transactional(&self) -> bool {
        self.attributes & 0x10 != 0
    }

    /// The broker stamped it at append.
    #[must_use]
    pub fn is_log_append_time(&self) -> bool {
        self.attributes & 0x08 != 0
    }

    /// Kafka's number of the codec; 0 is none.
    #[must_use]
    pub fn compression(&self) -> i16 {
        self.attributes & 0x07
    }
}

/// The first 16 bytes of the batch with this base offset and leader epoch instead of its own.
///
/// # Panics
/// If `batch` is shorter than that.
#[must_use]
pub fn patched_prefix(batch: &[u8], base_offset: i64, leader_epoch: i32) -> [u8; PATCHED] {
    let mut out = [0; PATCHED];
    out.copy_from_slice(&batch[..PATCHED]);
    out[..8].copy_from_slice(&base_offset.to_be_bytes());
    out[12..].copy_from_slice(&leader_epoch.to_be_bytes());
    out
}

/// The batch with another highest timestamp (ms), given by the broker (`append_time`) or by the producer.
///
/// # Panics
/// If `batch` is shorter than a header.
#[must_use]
pub fn stamped(batch: &[u8], max_timestamp: i64, append_time: bool) -> Bytes {
    let mut out = BytesMut::from(batch);
    // The second byte of the attributes holds the low bits.
    out[22] = if append_time { out[22] | 0x08 } else { out[22] & !0x08 };
    out[35..43].copy_from_slice(&max_timestamp.to_be_bytes());
    let crc = crc32c::crc32c(&out[21..]);
    out[17..21].copy_from_slice(&crc.to_be_bytes());
    out.freeze()
}

/// The complete batches of a blob, in order, each with its bytes (a slice, not a copy). Ends after the first
/// error; a batch cut off at the end of the blob is one ([`BatchError::Torn`]). Checksums are not looked at.
pub fn iter(records: Bytes) -> impl Iterator<Item = Result<(Header, Bytes), BatchError>> {
    let mut rest = records;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let next = Header::parse(&rest).and_then(|header| {
            let torn = BatchError::Torn { have: rest.len(), need: header.size };
            if rest.len() < header.size { Err(torn) } else { Ok((header, rest.split_to(header.size))) }
        });
        if next.is_err() {
            rest.clear();
        }
        Some(next)
    })
}

/// Reads a zigzag varint of up to ten bytes.
pub(crate) fn varint(bytes: &mut &[u8]) -> Option<i64> {
    let mut value = 0_u64;
    for place in 0..10 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << (place * 7);
        if *byte < 0x80 {
            let half = (value >> 1).cast_signed();
            return Some(if value & 1 == 0 { half } else { !half });
        }
    }
    None
}
