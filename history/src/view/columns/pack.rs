//! Numbers in as few bytes as they need. A row begins with three bytes: six bits of flags and six lengths of
//! three bits; then come the six numbers, each of its length (7 stands for eight bytes). Zeros take no byte,
//! and no number needs a loop to be read.

/// Numbers of a row.
pub(super) const FIELDS: usize = 6;
const HEAD_BYTES: usize = 3;
const FLAG_BITS: usize = 6;
/// Highest flags.
pub(super) const FLAGS: u8 = (1 << FLAG_BITS) - 1;
/// Bytes by length.
const LENGTHS: [usize; 8] = [0, 1, 2, 3, 4, 5, 6, 8];
const MASKS: [u64; 8] =
    [0, 0xff, 0xffff, 0xff_ffff, u32::MAX as u64, 0xff_ffff_ffff, 0xffff_ffff_ffff, u64::MAX];

/// A signed difference as a number that is small where the difference is: 0, -1, 1, -2, …
pub(super) const fn zigzag(from: u64, to: u64) -> u64 {
    let difference = to.wrapping_sub(from).cast_signed();
    ((difference << 1) ^ (difference >> 63)).cast_unsigned()
}

/// What [`zigzag`] was of.
pub(super) const fn unzigzag(from: u64, zigzagged: u64) -> u64 {
    let difference = (zigzagged >> 1).cast_signed() ^ -((zigzagged & 1).cast_signed());
    from.wrapping_add(difference.cast_unsigned())
}

/// Appends a row's word and numbers.
pub(super) fn put(out: &mut Vec<u8>, flags: u8, fields: [u64; FIELDS]) {
    let mut bytes = [0; HEAD_BYTES + FIELDS * 8 + 8];
    debug_assert!(flags <= FLAGS);
    let (mut head, mut at) = (u32::from(flags), HEAD_BYTES);
    for (field, number) in fields.into_iter().enumerate() {
        let length = (8 - number.leading_zeros() as usize / 8).min(7);
        head |= (length as u32) << (FLAG_BITS + 3 * field);
        bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
        at += LENGTHS[length];
    }
    bytes[..HEAD_BYTES].copy_from_slice(&head.to_le_bytes()[..HEAD_BYTES]);
    out.extend_from_slice(&bytes[..at]);
}

/// Reads a row's flags and numbers, and moves `at` behind them.
#[inline]
pub(super) fn take(bytes: &[u8], at: &mut usize) -> (u8, [u64; FIELDS]) {
    let head = load(bytes, *at) as u32;
    *at += HEAD_BYTES;
    let mut fields = [0; FIELDS];
    for (field, number) in fields.iter_mut().enumerate() {
        let length = (head >> (FLAG_BITS + 3 * field)) as usize & 7;
        if length > 0 {
            *number = load(bytes, *at) & MASKS[length];
            *at += LENGTHS[length];
        }
    }
    (head as u8 & FLAGS, fields)
}

/// The next bytes of a row as they are.
pub(super) fn raw<const N: usize>(bytes: &[u8], at: &mut usize) -> [u8; N] {
    let raw = bytes[*at..*at + N].try_into().expect("as many bytes");
    *at += N;
    raw
}

/// Eight bytes, or as many as there are.
#[inline]
fn load(bytes: &[u8], at: usize) -> u64 {
    match bytes.get(at..at + 8) {
        Some(word) => u64::from_le_bytes(word.try_into().expect("eight bytes")),
        None => {
            let rest = bytes.get(at..).unwrap_or_default();
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            u64::from_le_bytes(word)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number() -> impl Strategy<Value = u64> {
        (any::<u64>(), 0_u32..64).prop_map(|(number, shift)| number >> shift)
    }

    proptest! {
        #[test]
        fn every_row_comes_back(rows in proptest::collection::vec((0..=FLAGS, [number(), number(), number(), number(), number(), number()]), 1..5)) {
            let mut out = Vec::new();
            for (flags, fields) in &rows {
                put(&mut out, *flags, *fields);
            }
            let mut at = 0;
            for row in rows {
                prop_assert_eq!(take(&out, &mut at), row);
            }
            prop_assert_eq!(at, out.len());
        }

        #[test]
        fn every_difference_comes_back(from in number(), to in number()) {
            prop_assert_eq!(unzigzag(from, zigzag(from, to)), to);
        }
    }

    #[test]
    fn small_differences_are_small_numbers() {
        assert_eq!([zigzag(5, 5), zigzag(5, 4), zigzag(5, 6), zigzag(u64::MAX, 0)], [0, 1, 2, 2]);
    }
}
