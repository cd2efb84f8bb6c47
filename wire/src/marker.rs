//! Transaction markers: control batches that end a producer's transaction in one partition (KIP-98). Each holds
//! one record whose key says whether it committed or aborted, and whose value says which coordinator decided.

use bytes::{BufMut, Bytes, BytesMut};

use crate::batch::{HEADER, Header, PREFIX, varint};

/// Transactional and control.
const ATTRIBUTES: i16 = 0x30;
const ABORT: i16 = 0;
const COMMIT: i16 = 1;

/// How a transaction ended, by its marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marker {
    /// It committed; else it aborted.
    pub committed: bool,
    /// Leader epoch of the coordinator's partition when it decided: older ones are refused.
    pub coordinator_epoch: i32,
}

impl Marker {
    /// What a control batch says; `None` if it is none, or of a kind that ends no transaction.
    #[must_use]
    pub fn read(batch: &[u8]) -> Option<Self> {
        let header = Header::parse(batch).ok().filter(|header| header.is_control())?;
        let mut rest = batch.get(HEADER..header.size)?;
        let _length = varint(&mut rest)?;
        rest = rest.get(1..)?;
        let (_time, _offset) = (varint(&mut rest)?, varint(&mut rest)?);
        let key = blob(&mut rest)?;
        let value = blob(&mut rest)?;
        // Both begin with a version; later ones only add to the end.
        let kind = i16::from_be_bytes(*key.get(2..)?.first_chunk()?);
        let coordinator_epoch = i32::from_be_bytes(*value.get(2..)?.first_chunk()?);
        match kind {
            ABORT | COMMIT => Some(Self { committed: kind == COMMIT, coordinator_epoch }),
            _ => None,
        }
    }

    /// The control batch that ends a producer's transaction, stamped with this time of day in ms.
    #[must_use]
    pub fn batch(self, producer_id: i64, producer_epoch: i16, wall_ms: i64) -> Bytes {
        let mut record = BytesMut::with_capacity(17);
        // Attributes, timestamp delta, offset delta; lengths are zigzag.
        record.put_slice(&[0, 0, 0, 4 << 1]);
        record.put_i16(0);
        record.put_i16(if self.committed { COMMIT } else { ABORT });
        record.put_u8(6 << 1);
        record.put_i16(0);
        record.put_i32(self.coordinator_epoch);
        // No headers.
        record.put_u8(0);

        let mut body = BytesMut::new();
        body.put_i16(ATTRIBUTES);
        body.put_i32(0);
        body.put_i64(wall_ms);
        body.put_i64(wall_ms);
        body.put_i64(producer_id);
        body.put_i16(producer_epoch);
        body.put_i32(-1);
        body.put_i32(1);
        body.put_u8((record.len() as u8) << 1);
        body.put_slice(&record);

        // Leader epoch, magic and checksum come between the prefix and the body.
        let length = 4 + 1 + 4 + body.len();
        let mut out = BytesMut::with_capacity(PREFIX + length);
        out.put_i64(0);
        out.put_i32(length as i32);
        out.put_i32(-1);
        out.put_i8(2);
        out.put_u32(crc32c::crc32c(&body));
        out.put_slice(&body);
        out.freeze()
    }
}

fn blob<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(varint(rest)?).ok()?;
    let (blob, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(blob)
}

#[cfg(test)]
mod tests {
    use kafka_protocol::records::RecordBatchDecoder;

    use super::*;

    #[test]
    fn a_marker_is_a_sound_control_batch_that_others_read_too() {
        for committed in [true, false] {
            let marker = Marker { committed, coordinator_epoch: 7 };
            let bytes = marker.batch(900, 3, 1_234);
            let header = Header::check(&bytes).expect("sound");
            assert!(header.is_control() && header.is_transactional());
            assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (900, 3, -1));
            assert_eq!((header.size, header.count, header.max_timestamp), (bytes.len(), 1, 1_234));
            assert_eq!(Marker::read(&bytes), Some(marker));
            let records = RecordBatchDecoder::decode(&mut bytes.clone()).expect("decodes").records;
            let key = records[0].key.as_deref().expect("a key");
            assert_eq!(key, [0, 0, 0, u8::from(committed)]);
            assert_eq!(records[0].value.as_deref(), Some(&[0, 0, 0, 0, 0, 7][..]));
        }
    }

    #[test]
    fn other_bytes_are_no_marker() {
        let whole = Marker { committed: true, coordinator_epoch: 0 }.batch(1, 0, 0);
        for cut in 0..whole.len() {
            assert_eq!(Marker::read(&whole[..cut]), None, "cut at {cut}");
        }
        let mut data = whole.to_vec();
        data[22] = 0x10;
        assert_eq!(Marker::read(&data), None, "not a control batch");
        let mut other = whole.to_vec();
        other[69] = 9;
        assert_eq!(Marker::read(&other), None, "another kind of control batch");
    }
}
