//! Record batches as a client writes and reads them: v2, uncompressed, without headers. Nothing here is the
//! broker's own code.

use bytes::Bytes;
use history::{Contents, Tag};

const RECORDS_AT: usize = 61;

/// The numbers of a producer: id, epoch, sequence of the batch's first record.
pub(crate) type Numbers = (i64, i16, i32);

/// A batch of these values, without keys.
pub(crate) fn encode(values: &[String], numbers: Option<Numbers>, transactional: bool) -> Bytes {
    let records: Vec<(Option<&str>, &str)> = values.iter().map(|value| (None, value.as_str())).collect();
    encode_keyed(&records, numbers, transactional)
}

/// A batch of these keys and values.
pub(crate) fn encode_keyed(
    records: &[(Option<&str>, &str)],
    numbers: Option<Numbers>,
    transactional: bool,
) -> Bytes {
    let (id, epoch, sequence) = numbers.unwrap_or((-1, -1, -1));
    let count = i32::try_from(records.len()).expect("few");
    let mut after_crc = Vec::new();
    after_crc.extend((if transactional { 0x10_i16 } else { 0 }).to_be_bytes());
    after_crc.extend((count - 1).to_be_bytes());
    for _ in 0..2 {
        after_crc.extend(1_700_000_000_000_i64.to_be_bytes());
    }
    after_crc.extend(id.to_be_bytes());
    after_crc.extend(epoch.to_be_bytes());
    after_crc.extend(sequence.to_be_bytes());
    after_crc.extend(count.to_be_bytes());
    for (delta, (key, value)) in (0..).zip(records) {
        // Attributes, timestamp delta, offset delta, key, value, no headers.
        let mut record = vec![0, 0];
        put(&mut record, delta);
        put(&mut record, key.map_or(-1, |key| key.len() as i64));
        record.extend(key.unwrap_or_default().as_bytes());
        put(&mut record, value.len() as i64);
        record.extend(value.as_bytes());
        put(&mut record, 0);
        put(&mut after_crc, record.len() as i64);
        after_crc.extend(record);
    }
    let mut batch = Vec::new();
    batch.extend(0_i64.to_be_bytes());
    batch.extend(i32::try_from(after_crc.len() + 9).expect("small").to_be_bytes());
    batch.extend((-1_i32).to_be_bytes());
    batch.push(2);
    batch.extend(crc32c::crc32c(&after_crc).to_be_bytes());
    batch.extend(after_crc);
    batch.into()
}

/// The values of a batch, in order.
pub(crate) fn decode(batch: &[u8]) -> Vec<String> {
    decode_keyed(batch).into_iter().map(|(_, value)| value).collect()
}

/// The keys and values of a batch, in order.
pub(crate) fn decode_keyed(batch: &[u8]) -> Vec<(Option<String>, String)> {
    let mut rest = &batch[RECORDS_AT..];
    let mut values = Vec::new();
    while !rest.is_empty() {
        let length = take(&mut rest) as usize;
        let (mut record, after) = rest.split_at(length);
        record = &record[1..];
        take(&mut record);
        take(&mut record);
        let key = text(&mut record);
        values.push((key, text(&mut record).unwrap_or_default()));
        rest = after;
    }
    values
}

fn put(out: &mut Vec<u8>, value: i64) {
    let mut zigzag = ((value << 1) ^ (value >> 63)) as u64;
    while zigzag >= 0x80 {
        out.push(zigzag as u8 | 0x80);
        zigzag >>= 7;
    }
    out.push(zigzag as u8);
}

fn take(bytes: &mut &[u8]) -> i64 {
    let mut value = 0_u64;
    for shift in 0.. {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        value |= u64::from(byte & 0x7f) << (7 * shift);
        if byte & 0x80 == 0 {
            break;
        }
    }
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Bytes with their length in front; a negative one is none.
fn text(record: &mut &[u8]) -> Option<String> {
    let length = usize::try_from(take(record)).ok()?;
    let (text, rest) = record.split_at(length);
    *record = rest;
    Some(String::from_utf8_lossy(text).into_owned())
}

/// What a record of a run says: whose it is, and a checksum over that.
pub(crate) fn payload(tag: Tag) -> String {
    let text = format!("{} {} {}", tag.producer, tag.session, tag.seq);
    format!("{text} {}", crc32c::crc32c(text.as_bytes()))
}

/// Whose record it is, and whether it is whole.
pub(crate) fn read(payload: &str) -> (Option<Tag>, Contents) {
    let Some((text, sum)) = payload.rsplit_once(' ') else { return (None, Contents::Foreign) };
    let mut fields = text.split(' ').map(str::parse::<u64>);
    let mut next = || fields.next()?.ok();
    let (Some(producer), Some(session), Some(seq)) = (next(), next(), next()) else {
        return (None, Contents::Foreign);
    };
    let tag = Tag { producer: producer as u32, session: session as u32, seq };
    let whole = sum == crc32c::crc32c(text.as_bytes()).to_string();
    (Some(tag), if whole { Contents::Intact } else { Contents::Corrupt })
}

#[test]
fn what_is_written_is_read_back() {
    let tag = Tag { producer: u32::MAX, session: 1, seq: 300 };
    let values = [payload(tag), "x".repeat(200)];
    assert_eq!(decode(&encode(&values, Some((5, 1, 7)), true)), values);
    let keyed = [(Some("k"), "v"), (None, "w")];
    let read_back = decode_keyed(&encode_keyed(&keyed, None, false));
    assert_eq!(read_back, keyed.map(|(key, value)| (key.map(str::to_owned), value.to_owned())));
    assert_eq!(read(&values[0]), (Some(tag), Contents::Intact));
    assert_eq!(read(&values[0].replace("300", "301")).1, Contents::Corrupt);
    assert_eq!(read(&values[1]), (None, Contents::Foreign));
}
