//! What a cluster's disks hold in the long run: compaction, retention, producers that outlive their records, and
//! what is checked of records on their way in.

use std::time::{SystemTime, UNIX_EPOCH};

use broker::Ending;
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{BrokerId, DeleteRecordsRequest, ListOffsetsRequest};
use kafka_protocol::records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType};
use wire::batch::Header;
use wire::records::Opened;

use crate::client::{Client, batch, name};
use crate::cluster::{Cluster, until};
use crate::replication::{leader, wait_isr};

const TOPIC: &str = "orders";
const COMPACTED: [(&str, &str); 4] = [
    ("cleanup.policy", "compact"),
    ("min.cleanable.dirty.ratio", "0.01"),
    // Records here are a second apart, so every batch has a segment of its own.
    ("segment.ms", "1"),
    ("delete.retention.ms", "0"),
];
const OFTEN: [(&str, &str); 2] =
    [("log.cleaner.backoff.ms", "50"), ("log.retention.check.interval.ms", "50")];

/// The time of day, as a producer's clock says it.
fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("not that late")
}

/// One record with this key, value (none is a tombstone) and time.
fn keyed(key: &str, value: Option<&str>, timestamp: i64) -> Bytes {
    let record = Record {
        transactional: false,
        control: false,
        partition_leader_epoch: -1,
        producer_id: -1,
        producer_epoch: -1,
        timestamp_type: TimestampType::Creation,
        offset: 0,
        sequence: -1,
        timestamp,
        key: Some(Bytes::copy_from_slice(key.as_bytes())),
        value: value.map(|value| Bytes::copy_from_slice(value.as_bytes())),
        headers: Default::default(),
        delete_horizon: false,
    };
    let mut out = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut out, [&record], &options).expect("encodes");
    out.freeze()
}

fn create(cluster: &Cluster, settings: &[(&str, &str)]) {
    let mut client = Client::connect(cluster.address(1)).expect("connects");
    assert_eq!(client.create_topic(TOPIC, 1, 3, settings), 0);
}

/// Sends to whoever leads, until there is an answer that is not about leadership.
fn send(cluster: &Cluster, batch: &Bytes) -> PartitionProduceResponse {
    until("an answer", || {
        let (node, _) = leader(cluster);
        let mut client = Client::connect(cluster.address(node)).ok()?;
        let answer = client.produce(TOPIC, -1, batch.clone()).ok()?;
        // NOT_LEADER_OR_FOLLOWER, NOT_ENOUGH_REPLICAS
        (![6, 19].contains(&answer.error_code)).then_some(answer)
    })
}

fn acked(cluster: &Cluster, batch: &Bytes) -> i64 {
    let answer = send(cluster, batch);
    assert_eq!(answer.error_code, 0);
    answer.base_offset
}

/// Offset, key and value of everything that can be read from an offset on; `None` while nobody leads.
fn read(cluster: &Cluster, from: i64) -> Option<Vec<String>> {
    let (node, _) = leader(cluster);
    let mut client = Client::connect(cluster.address(node)).ok()?;
    let mut next = from;
    let mut out = Vec::new();
    loop {
        let data = client.fetch(TOPIC, next, 0).ok()?;
        if data.error_code != 0 {
            return None;
        }
        let before = next;
        for found in wire::batch::iter(data.records.unwrap_or_default()) {
            let (header, bytes) = found.expect("whole");
            Header::check(&bytes).expect("a right checksum");
            next = header.last_offset() + 1;
            for record in Opened::of(&bytes).expect("opens").records() {
                let record = record.expect("whole");
                let text =
                    |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
                out.push(format!("{} {}={}", record.offset, text(record.key), text(record.value)));
            }
        }
        if next == before {
            return Some(out);
        }
    }
}

fn wait_for(cluster: &Cluster, from: i64, wanted: &[&str]) {
    until(&format!("{wanted:?}"), || (read(cluster, from)? == wanted).then_some(()));
}

#[test]
fn a_compacted_topic_keeps_the_last_of_every_key_on_every_replica() {
    let mut cluster = Cluster::start(&OFTEN);
    create(&cluster, &COMPACTED);
    let now = wall_ms() - 60_000;
    let sent = [
        ("a", Some("1")),
        ("b", Some("1")),
        ("a", Some("2")),
        ("c", Some("1")),
        ("c", None),
        ("a", Some("3")),
    ];
    for (at, (key, value)) in (0..).zip(sent) {
        acked(&cluster, &keyed(key, value, now + 1_000 * at));
    }
    assert_eq!(acked(&cluster, &keyed("d", Some("1"), now + 10_000)), 6);
    // The tombstone goes in the cleaning after the one that met it first, and that takes something new to clean.
    let mut later = now + 11_000;
    until("the tombstone to go", || {
        later += 1_000;
        acked(&cluster, &keyed("e", Some("1"), later));
        let mut seen = read(&cluster, 0)?;
        seen.retain(|record| !record.contains("e="));
        (seen == ["1 b=1", "5 a=3", "6 d=1"]).then_some(())
    });
    let end = acked(&cluster, &keyed("f", Some("1"), later + 1_000));
    let last_e = format!("{} e=1", end - 1);
    let kept = ["1 b=1", "5 a=3", "6 d=1", &last_e, &format!("{end} f=1")];
    wait_for(&cluster, 0, &kept);
    wait_for(&cluster, 2, &kept[1..]);
    // A replica that has nothing copies the gaps too, and can lead with them.
    let (leads, _) = leader(&cluster);
    let empty = cluster.running().into_iter().find(|node| *node != leads).expect("a follower");
    cluster.stop(empty, Ending::Abrupt);
    std::fs::remove_dir_all(cluster.folder(empty).join(format!("{TOPIC}-0"))).expect("removes");
    cluster.start_broker(empty);
    cluster.wait_ready(empty);
    wait_isr(&cluster, 3);
    for node in cluster.running() {
        if node != empty {
            cluster.stop(node, Ending::Abrupt);
        }
    }
    wait_for(&cluster, 0, &kept);
    assert_eq!(acked(&cluster, &keyed("a", Some("4"), later + 2_000)), end + 1, "offsets go on");
}

#[test]
fn a_compacted_log_is_read_again_after_a_kill_and_a_clean_end() {
    for ending in [Ending::Abrupt, Ending::Clean] {
        let mut cluster = Cluster::start(&OFTEN);
        create(&cluster, &COMPACTED);
        let now = wall_ms() - 60_000;
        for at in 0..5 {
            acked(&cluster, &keyed("a", Some(&at.to_string()), now + 1_000 * at));
        }
        wait_for(&cluster, 0, &["3 a=3", "4 a=4"]);
        for node in [1, 2, 3] {
            cluster.stop(node, ending);
        }
        for node in [1, 2, 3] {
            cluster.start_broker(node);
        }
        wait_isr(&cluster, 3);
        wait_for(&cluster, 0, &["3 a=3", "4 a=4"]);
        assert_eq!(acked(&cluster, &keyed("b", Some("1"), now + 9_000)), 5, "offsets go on");
        wait_for(&cluster, 0, &["4 a=4", "5 b=1"]);
    }
}

fn earliest(cluster: &Cluster) -> Option<i64> {
    let (node, _) = leader(cluster);
    let mut client = Client::connect(cluster.address(node)).ok()?;
    let partition = ListOffsetsPartition::default().with_timestamp(-2).with_current_leader_epoch(-1);
    let topic = ListOffsetsTopic::default().with_name(name(TOPIC)).with_partitions(vec![partition]);
    let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
    Some(client.ask(&request, 7).ok()?.topics[0].partitions[0].offset)
}

#[test]
fn old_records_go_by_segments_and_the_log_goes_on() {
    let mut cluster = Cluster::start(&OFTEN);
    create(&cluster, &[("retention.ms", "3600000"), ("segment.ms", "1")]);
    let now = wall_ms();
    // The leader may let the first go before the second comes; offsets do not care.
    for (at, age) in (0..).zip([9_000_000, 8_000_000, 7_000_000, 60_000]) {
        assert_eq!(acked(&cluster, &keyed("k", Some("v"), now - age)), at);
    }
    until("the old ones to go", || (earliest(&cluster)? == 3).then_some(()));
    wait_for(&cluster, 3, &["3 k=v"]);
    let (leads, _) = leader(&cluster);
    let mut client = Client::connect(cluster.address(leads)).expect("connects");
    // OFFSET_OUT_OF_RANGE
    assert_eq!(client.fetch(TOPIC, 2, 0).expect("an answer").error_code, 1);
    cluster.stop(leads, Ending::Abrupt);
    until("the same start elsewhere", || (earliest(&cluster)? == 3).then_some(()));
    let segments = || {
        let node = cluster.running()[0];
        let files = std::fs::read_dir(cluster.folder(node).join(format!("{TOPIC}-0"))).expect("reads");
        let paths = files.map(|entry| entry.expect("reads").path());
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "log")).count()
    };
    until("one file", || (segments() == 1).then_some(()));
}

#[test]
fn a_log_of_old_records_alone_becomes_empty() {
    let cluster = Cluster::start(&OFTEN);
    create(&cluster, &[("retention.ms", "1000")]);
    acked(&cluster, &keyed("k", Some("v"), wall_ms() - 60_000));
    until("it to go", || (earliest(&cluster)? == 1).then_some(()));
    assert_eq!(acked(&cluster, &keyed("k", Some("w"), wall_ms() + 60_000)), 1);
    wait_for(&cluster, 1, &["1 k=w"]);
}

/// KIP-360: what a producer wrote last is known even when the records are deleted and every broker was restarted.
#[test]
fn a_retry_of_deleted_records_is_recognised_after_a_restart() {
    for ending in [Ending::Clean, Ending::Abrupt] {
        let mut cluster = Cluster::start(&OFTEN);
        create(&cluster, &[]);
        let one = |sequence: i32| batch(7_000, sequence, &[format!("number {sequence}")]);
        assert_eq!((acked(&cluster, &one(0)), acked(&cluster, &one(1))), (0, 1));
        let (leads, _) = leader(&cluster);
        let mut client = Client::connect(cluster.address(leads)).expect("connects");
        let partition = DeleteRecordsPartition::default().with_partition_index(0).with_offset(-1);
        let topic = DeleteRecordsTopic::default().with_name(name(TOPIC)).with_partitions(vec![partition]);
        let request = DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000);
        let answer = client.ask(&request, 2).expect("an answer");
        assert_eq!(answer.topics[0].partitions[0].low_watermark, 2);
        for node in [1, 2, 3] {
            cluster.stop(node, ending);
        }
        for node in [1, 2, 3] {
            cluster.start_broker(node);
        }
        wait_isr(&cluster, 3);
        let again = send(&cluster, &one(1));
        assert_eq!((again.error_code, again.base_offset), (0, 1), "{ending:?}");
        assert_eq!(acked(&cluster, &one(2)), 2);
    }
}

#[test]
fn records_are_checked_stamped_and_recoded_as_the_topic_says() {
    let cluster = Cluster::start(&[]);
    create(
        &cluster,
        &[
            ("cleanup.policy", "compact"),
            ("message.timestamp.type", "LogAppendTime"),
            ("compression.type", "gzip"),
        ],
    );
    let before = wall_ms();
    let answer = send(&cluster, &keyed("k", Some("v"), 5));
    assert_eq!((answer.error_code, answer.base_offset), (0, 0));
    assert!((before - 1_000..=wall_ms() + 1_000).contains(&answer.log_append_time_ms));
    let refused = send(&cluster, &batch(-1, 0, &["no key".to_owned()]));
    // INVALID_RECORD
    assert_eq!((refused.error_code, refused.base_offset, refused.log_start_offset), (87, -1, 0));
    let (leads, _) = leader(&cluster);
    let mut client = Client::connect(cluster.address(leads)).expect("connects");
    let bytes = client.fetch(TOPIC, 0, 0).expect("an answer").records.expect("a record");
    let header = Header::check(&bytes).expect("a right checksum");
    assert_eq!((header.compression(), header.is_log_append_time()), (1, true));
    assert_eq!(header.max_timestamp, answer.log_append_time_ms);
    assert_eq!(read(&cluster, 0).expect("a leader"), ["0 k=v"]);
}
