//! What a broker checks of records before it takes them, and what it makes of them: keys, timestamps, offsets,
//! codecs.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::{BrokerId, FetchRequest};
use wire::batch::HEADER;
use wire::records::Opened;

use super::probe::{Batch, Probe, error, topic};
use super::records::{produce_request, refusal};
use super::topics;

/// A day of the year 2023.
const THEN: i64 = 1_700_000_000_000;

pub(super) fn run(probe: &mut Probe) {
    probe.area("checks");
    shapes(probe);
    times(probe);
    keys(probe);
    codecs(probe);
}

fn produce(probe: &mut Probe, step: &str, name: &str, version: i16, records: Bytes) {
    let request = produce_request(name, 0, -1, Some(records));
    let result = probe.ask_leader(&request, version, refusal).map_or_else(
        || "connection closed".to_owned(),
        |mut answer| {
            let result = answer.responses.remove(0).partition_responses.remove(0);
            let stamped = if result.log_append_time_ms >= 0 { ", stamped by the broker" } else { "" };
            let blamed: Vec<i32> = result.record_errors.iter().map(|error| error.batch_index).collect();
            let told = if result.error_message.is_some() { ", in words" } else { "" };
            format!(
                "{}, offset {}, log start {}, records to blame {blamed:?}{told}{stamped}",
                error(result.error_code),
                result.base_offset,
                result.log_start_offset
            )
        },
    );
    probe.note(step, result);
}

/// The batch with other bytes at a place, and the checksum that fits.
fn forged(bytes: &Bytes, at: usize, change: &[u8]) -> Bytes {
    let mut out = BytesMut::from(&bytes[..]);
    out[at..at + change.len()].copy_from_slice(change);
    let crc = crc32c::crc32c(&out[21..]);
    out[17..21].copy_from_slice(&crc.to_be_bytes());
    out.freeze()
}

fn packed(bytes: &Bytes, codec: i16) -> Bytes {
    Opened::of(bytes).expect("opens").recoded(codec).expect("a codec")
}

fn shapes(probe: &mut Probe) {
    topics::create(probe, "shapes", 1, &[]);
    let two = Batch::of(&["a", "b"]).bytes();
    // After the length and attributes of the first record comes its time, then its offset.
    let offset = HEADER + 3;
    let counted =
        |count: i32| forged(&forged(&two, 23, &(count - 1).to_be_bytes()), 57, &count.to_be_bytes());
    let headers = two.len() - 1;
    for (step, bytes) in [
        ("fewer records than it says", counted(3)),
        ("more records than it says", counted(1)),
        ("more offsets than records", forged(&two, 23, &4_i32.to_be_bytes())),
        ("a record that is longer than the batch", forged(&two, HEADER, &[120])),
        ("headers that are not there", forged(&two, headers, &[2])),
        ("an offset left out, compressed", packed(&forged(&two, offset, &[4]), 1)),
        ("not the codec it says", forged(&two, 22, &[1])),
        ("a base offset of its own", forged(&two, 0, &50_i64.to_be_bytes())),
        ("a highest timestamp that is wrong", forged(&two, 35, &(THEN + 9).to_be_bytes())),
    ] {
        produce(probe, step, "shapes", 9, bytes);
    }
    stored(probe, "what was taken of it", "shapes");
}

fn times(probe: &mut Probe) {
    topics::create(probe, "stamped", 1, &[("message.timestamp.type", "LogAppendTime")]);
    let one = Batch::of(&["a"]).bytes();
    produce(probe, "a broker's time", "stamped", 9, one.clone());
    produce(probe, "a broker's time, compressed", "stamped", 9, packed(&one, 1));
    produce(probe, "a broker's time, claimed by a producer", "stamped", 9, forged(&one, 22, &[8]));
    stored(probe, "broker's times", "stamped");
    topics::create(probe, "recent", 1, &[("message.timestamp.before.max.ms", "1000")]);
    produce(probe, "too old", "recent", 9, Batch::of(&["a", "b"]).bytes());
    produce(probe, "without a time", "recent", 9, Batch { timestamp: -1, ..Batch::of(&["a"]) }.bytes());
    topics::create(probe, "timed", 1, &[]);
    produce(probe, "a producer's time, said to be a broker's", "timed", 9, forged(&one, 22, &[8]));
    stored(probe, "a producer's times", "timed");
}

fn keys(probe: &mut Probe) {
    topics::create(probe, "keys", 1, &[("cleanup.policy", "compact,delete")]);
    let mixed = || vec![(Some("k"), "a".to_owned()), (None, "b".to_owned()), (None, "c".to_owned())];
    let some = Batch { records: mixed(), ..Batch::of(&[]) };
    produce(probe, "two without a key", "keys", 9, some.bytes());
    produce(probe, "two without a key, compressed", "keys", 9, packed(&some.bytes(), 1));
    produce(probe, "two without a key, before there was a word for it", "keys", 7, some.bytes());
    let late = Batch { timestamp: 9_000_000_000_000, ..some };
    produce(probe, "neither a key nor a likely time", "keys", 9, late.bytes());
}

fn codecs(probe: &mut Probe) {
    let three = Batch::of(&["a", "bb", "ccc"]).bytes();
    for (name, codec) in
        [("uncompressed", 1), ("gzip", 0), ("gzip", 1), ("snappy", 1), ("lz4", 2), ("zstd", 3)]
    {
        let topic = format!("codec-{name}-{codec}");
        topics::create(probe, &topic, 1, &[("compression.type", name)]);
        produce(probe, &format!("codec {codec} to a topic of {name}"), &topic, 9, packed(&three, codec));
        stored(probe, &format!("codec {codec} in a topic of {name}"), &topic);
    }
    topics::create(
        probe,
        "decompressed",
        1,
        &[("compression.type", "uncompressed"), ("max.message.bytes", "500")],
    );
    let long = "x".repeat(2_000);
    produce(probe, "too large once decompressed", "decompressed", 9, packed(&Batch::of(&[&long]).bytes(), 1));
    topics::create(probe, "any-codec", 1, &[]);
    for version in [6, 7] {
        produce(probe, &format!("zstd by Produce {version}"), "any-codec", version, packed(&three, 4));
    }
}

/// Of every batch: its offsets, codec, and whose times it has, the highest if it is a producer's.
fn stored(probe: &mut Probe, step: &str, name: &str) {
    let partition = FetchPartition::default().with_current_leader_epoch(-1).with_partition_max_bytes(1 << 20);
    let request = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(300)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_topics(vec![FetchTopic::default().with_topic(topic(name)).with_partitions(vec![partition])]);
    let mut answer = probe.ask(&request, 12);
    let data = answer.responses.remove(0).partitions.remove(0);
    let batches: Vec<String> = wire::batch::iter(data.records.unwrap_or_default())
        .map_while(Result::ok)
        .map(|(header, _)| {
            let time = if header.is_log_append_time() {
                "the broker's time".to_owned()
            } else {
                format!("up to {}", header.max_timestamp)
            };
            let (first, last) = (header.base_offset, header.last_offset());
            format!("{first}-{last} codec {} {time}", header.compression())
        })
        .collect();
    probe.note(step, format!("{}, batches {batches:?}", error(data.error_code)));
}
