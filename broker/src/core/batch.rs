//! What the core knows of a record batch: the fields of its header, and what a marker says; never its records.

use bytes::Bytes;
use wire::batch::Header;
use wire::marker::Marker;

/// Header fields of one v2 record batch, as the server parsed them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchInfo {
    /// Offset of the first record. Meaningless in a batch fresh from a producer.
    pub base_offset: i64,
    /// Offset of the last record, relative to the first.
    pub last_offset_delta: i32,
    /// `partitionLeaderEpoch`. Meaningless in a batch fresh from a producer.
    pub leader_epoch: i32,
    /// Producer id; -1 without idempotence.
    pub producer_id: i64,
    /// Producer epoch; -1 without idempotence.
    pub producer_epoch: i16,
    /// Sequence number of the first record; -1 without idempotence.
    pub base_sequence: i32,
    /// A control batch.
    pub control: bool,
    /// Part of a transaction.
    pub transactional: bool,
    /// How a transaction ends, if this is its marker.
    pub marker: Option<Marker>,
    /// Highest timestamp of its records, ms since 1970: how long a producer is remembered rests on it.
    pub max_timestamp: i64,
    /// Bytes of the whole batch, header included.
    pub size: u32,
}

impl BatchInfo {
    /// What a whole batch with this header says.
    #[must_use]
    pub fn read(header: &Header, bytes: &[u8]) -> Self {
        Self {
            base_offset: header.base_offset,
            last_offset_delta: header.last_offset_delta,
            leader_epoch: header.leader_epoch,
            producer_id: header.producer_id,
            producer_epoch: header.producer_epoch,
            base_sequence: header.base_sequence,
            control: header.is_control(),
            transactional: header.is_transactional(),
            marker: if header.is_control() { Marker::read(bytes) } else { None },
            max_timestamp: header.max_timestamp,
            size: u32::try_from(header.size).unwrap_or(u32::MAX),
        }
    }

    /// The offset after the last record.
    #[must_use]
    pub const fn end_offset(&self) -> i64 {
        self.base_offset + self.last_offset_delta as i64 + 1
    }

    /// Whether an idempotent producer wrote it and numbered it. Offsets that a coordinator writes for a
    /// transaction carry its producer id and no number.
    #[must_use]
    pub const fn idempotent(&self) -> bool {
        self.producer_id >= 0 && self.base_sequence >= 0
    }
}

/// A batch with its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// What it says.
    pub info: BatchInfo,
    /// All of it, exactly `info.size` bytes.
    pub bytes: Bytes,
}
