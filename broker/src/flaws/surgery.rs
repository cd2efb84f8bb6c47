//! The byte surgery of `reorder-in-batch` and `corrupt-payload`: changes the records of an uncompressed v2 batch
//! and makes the batch valid again.

use bytes::Bytes;

/// Where the fields of a v2 batch lie (Apache Kafka, `DefaultRecordBatch.java`).
const LENGTH_AT: usize = 8;
const CRC_AT: usize = 17;
const ATTRIBUTES_AT: usize = 21;
const RECORDS_AT: usize = 61;
const COMPRESSION_MASK: u8 = 0x07;

/// The batch with its first two records swapped, offsets and timestamps staying where they were; `None`
/// if it is compressed, holds fewer than two records or cannot be read.
pub(crate) fn swap_first_two(batch: &Bytes) -> Option<Bytes> {
    let records = batch.get(RECORDS_AT..)?;
    if batch[ATTRIBUTES_AT + 1] & COMPRESSION_MASK != 0 {
        return None;
    }
    let (first, rest) = Record::read(records)?;
    let (second, rest) = Record::read(rest)?;
    let mut swapped = Vec::with_capacity(batch.len() + 4);
    swapped.extend_from_slice(&batch[..RECORDS_AT]);
    Record { place: first.place, contents: second.contents }.write(&mut swapped);
    Record { place: second.place, contents: first.contents }.write(&mut swapped);
    swapped.extend_from_slice(rest);
    sealed(swapped)
}

/// The batch with a bit of its last record's value flipped; `None` if it is compressed, that value is empty, or it
/// cannot be read.
pub(crate) fn flip_a_bit(batch: &Bytes) -> Option<Bytes> {
    let mut rest = batch.get(RECORDS_AT..)?;
    if batch[ATTRIBUTES_AT + 1] & COMPRESSION_MASK != 0 {
        return None;
    }
    let mut last = None;
    while !rest.is_empty() {
        let (record, after) = Record::read(rest)?;
        // Key, then value; a negative length is null.
        let (length, key) = varint(record.contents)?;
        let (length, value) = varint(key.get(usize::try_from(length).unwrap_or(0)..)?)?;
        let length = usize::try_from(length).ok().filter(|length| (1..=value.len()).contains(length));
        last = length.map(|length| batch.len() - after.len() - value.len() + length - 1);
        rest = after;
    }
    let mut flipped = batch.to_vec();
    flipped[last?] ^= 1;
    sealed(flipped)
}

/// With the length and the checksum that its bytes ask for.
fn sealed(mut batch: Vec<u8>) -> Option<Bytes> {
    let length = u32::try_from(batch.len() - LENGTH_AT - 4).ok()?;
    batch[LENGTH_AT..LENGTH_AT + 4].copy_from_slice(&length.to_be_bytes());
    let crc = crc32c::crc32c(&batch[ATTRIBUTES_AT..]);
    batch[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
    Some(batch.into())
}

/// A record in two parts: attributes, timestamp and offset deltas stay; key, value and headers move.
struct Record<'a> {
    place: &'a [u8],
    contents: &'a [u8],
}

impl<'a> Record<'a> {
    fn read(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (length, after_length) = varint(bytes)?;
        let length = usize::try_from(length).ok()?;
        let (body, rest) = (after_length.get(..length)?, after_length.get(length..)?);
        let (_, after) = varint(body.get(1..)?)?;
        let (_, after) = varint(after)?;
        let (place, contents) = body.split_at(body.len() - after.len());
        Some((Self { place, contents }, rest))
    }

    fn write(&self, out: &mut Vec<u8>) {
        let length = (self.place.len() + self.contents.len()) as u64;
        let mut zigzag = length << 1;
        while zigzag >= 0x80 {
            out.push(zigzag as u8 | 0x80);
            zigzag >>= 7;
        }
        out.push(zigzag as u8);
        out.extend_from_slice(self.place);
        out.extend_from_slice(self.contents);
    }
}

/// A zigzag varint and what follows it.
fn varint(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let mut value = 0u64;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some(((value >> 1) as i64 ^ -((value & 1) as i64), &bytes[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A batch of records with one-byte deltas and the given values, no keys and no headers.
    fn batch(values: &[&[u8]]) -> Bytes {
        let mut out = vec![0; RECORDS_AT];
        for (at, value) in values.iter().enumerate() {
            let delta = (at as u8) << 1;
            let mut contents = vec![1, (value.len() as u8) << 1];
            contents.extend_from_slice(value);
            contents.push(0);
            Record { place: &[0, delta, delta], contents: &contents }.write(&mut out);
        }
        out.into()
    }

    #[test]
    fn contents_move_and_places_stay() {
        let swapped = swap_first_two(&batch(&[b"one", b"three", b"x"])).expect("swapped");
        let mut expected = batch(&[b"three", b"one", b"x"]).to_vec();
        let length = (expected.len() - 12) as u32;
        expected[8..12].copy_from_slice(&length.to_be_bytes());
        let crc = crc32c::crc32c(&expected[21..]);
        expected[17..21].copy_from_slice(&crc.to_be_bytes());
        assert_eq!(swapped, expected);
    }

    #[test]
    fn the_last_byte_of_the_last_value_is_flipped() {
        let flipped = flip_a_bit(&batch(&[b"one", b"two"])).expect("flipped");
        let expected = sealed(batch(&[b"one", b"twn"]).to_vec());
        assert_eq!(Some(flipped), expected);
        assert_eq!(flip_a_bit(&batch(&[b"one", b""])), None, "there is nothing to flip");
    }

    #[test]
    fn what_cannot_be_changed_is_left_alone() {
        assert_eq!(swap_first_two(&batch(&[b"alone"])), None);
        assert_eq!(swap_first_two(&Bytes::from_static(b"short")), None);
        let mut compressed = batch(&[b"a", b"b"]).to_vec();
        compressed[22] = 2;
        let compressed = Bytes::from(compressed);
        assert_eq!((swap_first_two(&compressed), flip_a_bit(&compressed)), (None, None));
        let whole = batch(&[b"one", b"two"]);
        for cut in 0..whole.len() {
            assert_eq!(swap_first_two(&whole.slice(..cut)), None, "cut at {cut}");
            // A cut between two records leaves whole ones.
            let _ = flip_a_bit(&whole.slice(..cut));
        }
    }
}
