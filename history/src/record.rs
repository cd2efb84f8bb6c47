//! The payload of a record: a tag that identifies it, a checksum that proves it whole, and filler.
//!
//! Layout, little-endian: magic `u32`, run `u64`, producer `u32`, session `u32`, sequence number `u64`,
//! CRC32C `u32` of everything else, then filler drawn from the tag.

use crate::ids::{RunHash, Tag};

/// Bytes of the header; no payload is smaller.
pub const HEADER_BYTES: usize = 32;
const MAGIC: u32 = u32::from_le_bytes(*b"hwm1");
const CRC_AT: usize = 28;

/// What a payload turns out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoded {
    /// A record of this run, whole.
    Intact(Tag),
    /// A record of this run (as far as its header can be trusted) whose checksum does not match.
    Corrupt(Tag),
    /// Not a record of this run.
    Foreign,
}

/// Writes the payload of `tag` into `buffer`, replacing its content.
///
/// `payload_bytes` below [`HEADER_BYTES`] is taken as [`HEADER_BYTES`].
pub fn encode(run: RunHash, tag: Tag, payload_bytes: usize, buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.extend_from_slice(&MAGIC.to_le_bytes());
    buffer.extend_from_slice(&run.0.to_le_bytes());
    buffer.extend_from_slice(&tag.producer.to_le_bytes());
    buffer.extend_from_slice(&tag.session.to_le_bytes());
    buffer.extend_from_slice(&tag.seq.to_le_bytes());
    buffer.extend_from_slice(&[0; 4]);
    // Filler that differs between records, so that a mixed-up payload cannot pass for another; 32 bytes
    // a word keep it cheap at high rates.
    let word = (tag.seq ^ (u64::from(tag.producer) << 40)).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
    while buffer.len() + word.len() <= payload_bytes {
        buffer.extend_from_slice(&word);
    }
    buffer.resize(payload_bytes.max(HEADER_BYTES), word[0]);
    let crc = checksum(buffer);
    buffer[CRC_AT..HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
}

/// Reads a payload back.
#[must_use]
pub fn decode(run: RunHash, payload: &[u8]) -> Decoded {
    if payload.len() < HEADER_BYTES {
        return Decoded::Foreign;
    }
    let u32_at = |at: usize| u32::from_le_bytes(payload[at..at + 4].try_into().expect("four bytes"));
    let u64_at = |at: usize| u64::from_le_bytes(payload[at..at + 8].try_into().expect("eight bytes"));
    if u32_at(0) != MAGIC || u64_at(4) != run.0 {
        return Decoded::Foreign;
    }
    let tag = Tag { producer: u32_at(12), session: u32_at(16), seq: u64_at(20) };
    if u32_at(CRC_AT) == checksum(payload) { Decoded::Intact(tag) } else { Decoded::Corrupt(tag) }
}

fn checksum(payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&payload[..CRC_AT]), &payload[HEADER_BYTES..])
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: RunHash = RunHash(7);
    const TAG: Tag = Tag { producer: 3, session: 1, seq: 99 };

    #[test]
    fn a_record_comes_back_whole_at_every_size() {
        for size in [0, 32, 33, 100, 1024] {
            let mut payload = Vec::new();
            encode(RUN, TAG, size, &mut payload);
            assert_eq!(payload.len(), size.max(HEADER_BYTES));
            assert_eq!(decode(RUN, &payload), Decoded::Intact(TAG));
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let mut payload = Vec::new();
        encode(RUN, TAG, 48, &mut payload);
        for bit in 0..payload.len() * 8 {
            let mut flipped = payload.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(decode(RUN, &flipped), Decoded::Intact(TAG), "bit {bit}");
        }
    }

    #[test]
    fn records_of_others_are_foreign() {
        let mut payload = Vec::new();
        encode(RunHash(8), TAG, 64, &mut payload);
        assert_eq!(decode(RUN, &payload), Decoded::Foreign);
        assert_eq!(decode(RUN, b"short"), Decoded::Foreign);
        assert_eq!(decode(RUN, b""), Decoded::Foreign);
    }
}
