//! The first 64 bytes of a segment: which format, whose rows, and how many rows the file must have.

use crate::event::Role;

/// Format version: readers take the same major version only, and any older minor one.
pub(crate) const MAJOR: u16 = 1;
/// Raised when something is added that an older reader reports as damage.
const MINOR: u16 = 3;
/// Bytes of a header, and of a row, so that rows stay aligned to their commit word.
pub(super) const HEADER_BYTES: usize = 64;
const MAGIC: [u8; 8] = *b"hwsegmnt";
const CRC_AT: usize = 52;
/// Where the [`Extent`] word is; it changes while the rest stays.
pub(super) const EXTENT_AT: usize = 56;

/// Who wrote a segment, and in which format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) major: u16,
    pub(crate) role: Role,
    pub(crate) index: u32,
    pub(crate) session: u32,
}

/// What is wrong with a header.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BadHeader {
    /// It is whole, and of another major version.
    Version(u16),
    /// It is not a header, or not whole: the byte offset and what is wrong there.
    Damaged(u64, String),
}

impl Header {
    /// The header of a segment this build writes.
    pub(super) const fn new(role: Role, index: u32, session: u32) -> Self {
        Self { major: MAJOR, role, index, session }
    }

    /// The header's bytes, with a given extent.
    pub(super) fn encode(self, extent: Extent) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&self.major.to_le_bytes());
        bytes[10..12].copy_from_slice(&MINOR.to_le_bytes());
        bytes[12] = HEADER_BYTES as u8;
        bytes[13] = role_code(self.role);
        bytes[16..20].copy_from_slice(&self.index.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.session.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..CRC_AT]);
        bytes[CRC_AT..EXTENT_AT].copy_from_slice(&crc.to_le_bytes());
        bytes[EXTENT_AT..].copy_from_slice(&extent.word().to_le_bytes());
        bytes
    }

    /// Reads a header back. The checksum is looked at before the version, so that a flipped bit is never
    /// taken for a newer format: every major version keeps magic, version and checksum where they are.
    pub(super) fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<(Self, Extent), BadHeader> {
        let damaged = |at: usize, what: &str| Err(BadHeader::Damaged(at as u64, what.to_owned()));
        if bytes[..8] != MAGIC {
            return damaged(0, "this is not a segment (wrong magic)");
        }
        let crc = u32::from_le_bytes(bytes[CRC_AT..EXTENT_AT].try_into().expect("four bytes"));
        if crc32c::crc32c(&bytes[..CRC_AT]) != crc {
            return damaged(0, "the header's checksum does not match");
        }
        let major = u16::from_le_bytes([bytes[8], bytes[9]]);
        if major != MAJOR {
            return Err(BadHeader::Version(major));
        }
        if usize::from(bytes[12]) != HEADER_BYTES {
            return damaged(12, "the header names an unknown row size");
        }
        let Some(role) = role_of(bytes[13]) else {
            return damaged(13, "the header names an unknown role");
        };
        let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let word = u64::from_le_bytes(bytes[EXTENT_AT..].try_into().expect("eight bytes"));
        let Some(extent) = Extent::from_word(word) else {
            return damaged(EXTENT_AT, "the number of rows in the header does not match its checksum");
        };
        Ok((Self { major, role, index: u32_at(16), session: u32_at(20) }, extent))
    }
}

/// How many rows a segment must have room for. One word, so that it changes at once: row count and seal
/// below, their checksum above. Without it a file cut at a row's edge could not be told from a shorter one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    /// Rows the file has been allocated for; sealed, rows it holds.
    pub(super) rows: u32,
    /// The writer ended in an orderly way: exactly these rows are committed.
    pub(super) sealed: bool,
}

/// The highest number of rows of a segment (128 GiB).
pub(super) const MAX_ROWS: u32 = (1 << 31) - 1;

impl Extent {
    /// As it stands in the header.
    pub(super) fn word(self) -> u64 {
        let low = self.rows | (u32::from(self.sealed) << 31);
        u64::from(low) | (u64::from(!crc32c::crc32c(&low.to_le_bytes())) << 32)
    }

    fn from_word(word: u64) -> Option<Self> {
        let low = word as u32;
        let extent = Self { rows: low & MAX_ROWS, sealed: low > MAX_ROWS };
        (extent.word() == word).then_some(extent)
    }
}

const fn role_code(role: Role) -> u8 {
    match role {
        Role::Runner => 1,
        Role::Producer => 2,
        Role::Reader => 3,
        Role::Admin => 4,
        Role::Drain => 5,
        Role::Client => 6,
        Role::Sink => 7,
        Role::Member => 8,
    }
}

const fn role_of(code: u8) -> Option<Role> {
    Some(match code {
        1 => Role::Runner,
        2 => Role::Producer,
        3 => Role::Reader,
        4 => Role::Admin,
        5 => Role::Drain,
        6 => Role::Client,
        7 => Role::Sink,
        8 => Role::Member,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXTENT: Extent = Extent { rows: 4095, sealed: false };

    #[test]
    fn every_role_comes_back() {
        for code in 1..=8 {
            let role = role_of(code).expect("a role for every code");
            assert_eq!(role_code(role), code);
            let header = Header::new(role, 7, 2);
            assert_eq!(Header::decode(&header.encode(EXTENT)), Ok((header, EXTENT)));
        }
    }

    #[test]
    fn another_major_version_is_told_from_damage() {
        let newer = Header { major: MAJOR + 1, ..Header::new(Role::Drain, 0, 0) };
        assert_eq!(Header::decode(&newer.encode(EXTENT)), Err(BadHeader::Version(MAJOR + 1)));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let whole = Header::new(Role::Producer, 1, 0).encode(EXTENT);
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(Header::decode(&flipped), Err(BadHeader::Damaged(..))), "bit {bit}");
        }
    }
}
