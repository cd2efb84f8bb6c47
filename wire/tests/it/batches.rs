//! Record batches: against `kafka-protocol`'s own encoder, and damaged.

use bytes::{Bytes, BytesMut};
use kafka_protocol::records::{
    Compression, Record, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use proptest::prelude::*;
use wire::batch::{self, BatchError, Header};

/// One batch of an idempotent producer with these values.
pub(crate) fn encode(values: &[&str]) -> Bytes {
    let records: Vec<Record> = values
        .iter()
        .zip(0..)
        .map(|(value, at)| Record {
            transactional: false,
            control: false,
            partition_leader_epoch: 0,
            producer_id: 7,
            producer_epoch: 1,
            timestamp_type: TimestampType::Creation,
            offset: at,
            sequence: at as i32,
            timestamp: 1_000 + at,
            key: Some(Bytes::from_static(b"k")),
            value: Some(Bytes::copy_from_slice(value.as_bytes())),
            headers: Default::default(),
            delete_horizon: false,
        })
        .collect();
    let mut out = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut out, &records, &options).expect("encodes");
    out.freeze()
}

fn values(batch: &Bytes) -> Vec<(i64, String)> {
    let set = RecordBatchDecoder::decode(&mut batch.clone()).expect("decodes");
    set.records
        .into_iter()
        .map(|record| {
            (record.offset, String::from_utf8_lossy(&record.value.unwrap_or_default()).into_owned())
        })
        .collect()
}

#[test]
fn the_header_says_what_the_encoder_wrote() {
    let batch = encode(&["a", "b", "c"]);
    let header = Header::check(&batch).expect("valid");
    assert_eq!(header.size, batch.len());
    assert_eq!((header.count, header.last_offset_delta), (3, 2));
    assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (7, 1, 0));
    assert_eq!((header.base_timestamp, header.max_timestamp), (1_000, 1_002));
    assert!(!header.is_control() && !header.is_transactional() && header.compression() == 0);
}

#[test]
fn base_offset_and_leader_epoch_are_patched_outside_the_checksum() {
    let batch = encode(&["a", "b"]);
    let mut patched = batch.to_vec();
    patched[..batch::PATCHED].copy_from_slice(&batch::patched_prefix(&batch, 41, 9));
    let header = Header::check(&patched).expect("checksum unchanged");
    assert_eq!((header.base_offset, header.last_offset(), header.leader_epoch), (41, 42, 9));
    assert_eq!(values(&Bytes::from(patched)), [(41, "a".to_owned()), (42, "b".to_owned())]);
}

#[test]
fn iteration_ends_at_the_torn_batch() {
    let one = encode(&["a"]);
    let blob = [&one[..], &one[..], &one[..one.len() - 1]].concat();
    let found: Vec<_> = batch::iter(Bytes::from(blob)).collect();
    assert_eq!(found.len(), 3);
    assert!(found[..2].iter().all(Result::is_ok));
    assert_eq!(found[2], Err(BatchError::Torn { have: one.len() - 1, need: one.len() }));
}

proptest! {
    #[test]
    fn no_flipped_byte_behind_the_checksum_passes(at in 21_usize..150, mask in 1_u8..) {
        let mut batch = encode(&["one value", "another value", "a third one that is longer"]).to_vec();
        let at = 21 + at % (batch.len() - 21);
        batch[at] ^= mask;
        let refused = matches!(Header::check(&batch), Err(BatchError::Crc { .. }));
        prop_assert!(refused);
    }

    #[test]
    fn garbage_is_refused_without_a_crash(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Header::check(&bytes);
        let _ = batch::iter(Bytes::from(bytes.clone())).count();
    }
}
