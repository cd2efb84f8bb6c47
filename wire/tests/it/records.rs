//! Records read and rewritten, against `kafka-protocol`'s own decoder, and in every codec.

use std::io::Write;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::records::RecordBatchDecoder;
use proptest::prelude::*;
use wire::batch::{HEADER, Header};
use wire::records::{Opened, Record};

use super::batches::encode;

fn decoded(batch: &Bytes) -> Vec<(i64, i64, Option<Bytes>)> {
    let set = RecordBatchDecoder::decode(&mut batch.clone()).expect("decodes");
    set.records.into_iter().map(|record| (record.offset, record.timestamp, record.value)).collect()
}

/// The batch with its records in another codec.
fn compressed(batch: &Bytes, codec: i16, pack: impl Fn(&[u8]) -> Vec<u8>) -> Bytes {
    let packed = pack(&batch[HEADER..]);
    let mut out = BytesMut::from(&batch[..HEADER]);
    out.put_slice(&packed);
    let length = i32::try_from(out.len() - 12).expect("short");
    out[8..12].copy_from_slice(&length.to_be_bytes());
    out[21..23].copy_from_slice(&codec.to_be_bytes());
    let crc = crc32c::crc32c(&out[21..]);
    out[17..21].copy_from_slice(&crc.to_be_bytes());
    out.freeze()
}

type Pack = fn(&[u8]) -> Vec<u8>;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("packs");
    encoder.finish().expect("packs")
}

fn lz4(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).expect("packs");
    encoder.finish().expect("packs")
}

fn snappy(bytes: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(bytes).expect("packs")
}

fn xerial(bytes: &[u8]) -> Vec<u8> {
    let mut out = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
    for chunk in bytes.chunks(16) {
        let block = snappy(chunk);
        out.extend(i32::try_from(block.len()).expect("short").to_be_bytes());
        out.extend(block);
    }
    out
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

#[test]
fn every_codec_opens() {
    let plain = encode(&["a", "bb", "ccc"]);
    let packs: [(i16, Pack); 5] = [(1, gzip), (2, snappy), (2, xerial), (3, lz4), (4, zstd)];
    for (codec, pack) in packs {
        let batch = compressed(&plain, codec, pack);
        assert_eq!(Header::check(&batch).expect("whole").compression(), codec);
        let opened = Opened::of(&batch).expect("opens");
        let values: Vec<_> = opened.records().map(|record| record.expect("whole").value).collect();
        assert_eq!(values, [Some(&b"a"[..]), Some(b"bb"), Some(b"ccc")], "codec {codec}");
    }
    assert!(Opened::of(&compressed(&plain, 7, |bytes| bytes.to_vec())).is_err(), "no such codec");
}

#[test]
fn what_is_kept_keeps_its_place_and_the_rest_leaves_a_gap() {
    let opened = Opened::of(&encode(&["a", "b", "c"])).expect("opens");
    let records: Vec<Record<'_>> = opened.records().collect::<Result<_, _>>().expect("whole");
    let two = opened.rewritten(&[records[0], records[2]], None);
    let header = Header::check(&two).expect("the checksum is right");
    assert_eq!((header.count, header.last_offset_delta, header.base_sequence), (2, 2, 0));
    assert_eq!(
        decoded(&two),
        [(0, 1_000, Some(Bytes::from_static(b"a"))), (2, 1_002, Some(Bytes::from_static(b"c")))]
    );

    let none = opened.rewritten(&[], None);
    let header = Header::check(&none).expect("the checksum is right");
    assert_eq!((header.count, header.last_offset_delta, header.producer_id), (0, 2, 7));

    let marked = Opened::of(&opened.rewritten(&records[1..], Some(77))).expect("opens");
    assert_eq!(marked.delete_horizon(), Some(77));
    let times: Vec<i64> = marked.records().map(|record| record.expect("whole").timestamp).collect();
    assert_eq!(times, [1_001, 1_002], "timestamps do not move with the horizon");
}

#[test]
fn a_batch_goes_from_codec_to_codec_and_keeps_its_records() {
    let plain = encode(&["a", "bb", "ccc"]);
    for codec in [1, 2, 3, 4] {
        let packed = Opened::of(&plain).expect("opens").recoded(codec).expect("a codec");
        assert_eq!(Header::check(&packed).expect("the checksum is right").compression(), codec);
        let opened = Opened::of(&packed).expect("opens");
        assert_eq!(opened.recoded(0).expect("a codec"), plain, "codec {codec}");
        let records: Vec<Record<'_>> = opened.records().collect::<Result<_, _>>().expect("whole");
        let fewer = opened.rewritten(&records[..1], None);
        assert_eq!(Header::check(&fewer).expect("whole").compression(), codec, "it stays what it was");
        assert_eq!(Header::check(&opened.rewritten(&[], None)).expect("whole").compression(), 0);
    }
    assert!(Opened::of(&plain).expect("opens").recoded(5).is_err());
}

#[test]
fn a_stamp_is_the_time_of_every_record() {
    let stamped = wire::batch::stamped(&encode(&["a", "b"]), 9_000, true);
    let header = Header::check(&stamped).expect("the checksum is right");
    assert!(header.is_log_append_time());
    let opened = Opened::of(&stamped).expect("opens");
    let times: Vec<i64> = opened.records().map(|record| record.expect("whole").timestamp).collect();
    assert_eq!(times, [9_000, 9_000]);
    let back = wire::batch::stamped(&stamped, 1_001, false);
    assert_eq!(back, encode(&["a", "b"]));
}

#[test]
fn an_inspection_meets_every_record_and_refuses_what_is_left_over() {
    let batch = encode(&["a", "b"]);
    let mut seen = Vec::new();
    let opened = Opened::of(&batch).expect("opens");
    opened.inspect(|record| seen.push(record.offset)).expect("whole");
    assert_eq!(seen, [0, 1]);
    for count in [1_i32, 3] {
        let mut wrong = BytesMut::from(&batch[..]);
        wrong[57..61].copy_from_slice(&count.to_be_bytes());
        let opened = Opened::of(&wrong.freeze()).expect("opens");
        assert!(opened.inspect(|_| ()).is_err(), "{count} records");
    }
}

proptest! {
    #[test]
    fn rewriting_everything_changes_nothing(values in prop::collection::vec("[a-z]{0,40}", 1..20)) {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let batch = encode(&values);
        let opened = Opened::of(&batch).expect("opens");
        let records: Vec<Record<'_>> = opened.records().collect::<Result<_, _>>().expect("whole");
        prop_assert_eq!(decoded(&opened.rewritten(&records, None)), decoded(&batch));
    }

    #[test]
    fn damage_is_an_error_and_never_a_crash(
        values in prop::collection::vec("[a-z]{0,40}", 1..5),
        hits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        codec in 0..8_i16,
    ) {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let mut batch = BytesMut::from(&compressed(&encode(&values), codec, gzip)[..]);
        for (at, byte) in hits {
            let at = at.index(batch.len());
            batch[at] = byte;
        }
        if let Ok(opened) = Opened::of(&batch.freeze()) {
            let _ = opened.records().filter(Result::is_ok).count();
            let _ = opened.inspect(|_| ());
        }
    }
}
