//! What the core knows of a record batch: the fields of its header, never its records.

use bytes::Bytes;
use wire::batch::Header;

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
    /// A control batch (transaction marker).
    pub control: bool,
    /// Part of a transaction.
    pub transactional: bool,
    /// Bytes of the whole batch, header included.
    pub size: u32,
}

impl BatchInfo {
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

impl From<&Header> for BatchInfo {
    fn from(header: &Header) -> Self {
        Self {
            base_offset: header.base_offset,
            last_offset_delta: header.last_offset_delta,
            leader_epoch: header.leader_epoch,
            producer_id: header.producer_id,
            producer_epoch: header.producer_epoch,
            base_sequence: header.base_sequence,
            control: header.is_control(),
            transactional: header.is_transactional(),
            size: u32::try_from(header.size).unwrap_or(u32::MAX),
        }
    }
}

/// A batch with its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Its header.
    pub info: BatchInfo,
    /// All of it, exactly `info.size` bytes.
    pub bytes: Bytes,
}
