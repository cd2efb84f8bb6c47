//! Producing and fetching: offsets, sequence numbers, and every refusal a producer or consumer can meet.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    BrokerId, DeleteRecordsRequest, FetchRequest, InitProducerIdRequest, ListOffsetsRequest,
    OffsetForLeaderEpochRequest, ProduceRequest, ProduceResponse, ProducerId,
};
use uuid::Uuid;

use super::probe::{Batch, Probe, error, topic, transactional};
use super::topics;

pub(super) fn produce_request(
    name: &str,
    partition: i32,
    acks: i16,
    records: Option<Bytes>,
) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(partition).with_records(records);
    let data = TopicProduceData::default().with_name(topic(name)).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(acks).with_timeout_ms(5_000).with_topic_data(vec![data])
}

/// The error code of the one partition.
pub(super) fn refusal(answer: &ProduceResponse) -> i16 {
    answer.responses[0].partition_responses[0].error_code
}

fn produce(probe: &mut Probe, step: &str, name: &str, partition: i32, acks: i16, records: Option<Bytes>) {
    let request = produce_request(name, partition, acks, records);
    let result = probe.ask_leader(&request, 9, refusal).map_or_else(
        || "connection closed".to_owned(),
        |mut answer| {
            let result = answer.responses.remove(0).partition_responses.remove(0);
            let stamped = if result.log_append_time_ms >= 0 { ", stamped by the broker" } else { "" };
            format!(
                "{}, offset {}, log start {}{stamped}",
                error(result.error_code),
                result.base_offset,
                result.log_start_offset
            )
        },
    );
    probe.note(step, result);
}

/// A producer id of its own, as an idempotent producer gets it.
pub(super) fn producer_id(probe: &mut Probe) -> (i64, i16) {
    let request = InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_transaction_timeout_ms(60_000)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1);
    let (code, id) = probe.settle(|probe| {
        let answer = probe.ask(&request, 4);
        (answer.error_code, (answer.producer_id.0, answer.producer_epoch))
    });
    assert_eq!(code, 0, "a producer id: {}", error(code));
    id
}

pub(super) fn run(probe: &mut Probe) {
    let id = topics::create(probe, "records", 2, &[]);
    producing(probe);
    idempotent(probe);
    fetching(probe, id);
    listing(probe);
    epochs(probe);
    deleting(probe);
}

fn producing(probe: &mut Probe) {
    probe.area("produce");
    let one = |value: &str| Some(Batch::of(&[value]).bytes());
    for acks in [1, -1] {
        produce(probe, &format!("acks={acks}"), "records", 0, acks, one("a"));
    }
    probe.send(&produce_request("records", 0, 0, one("b")), 9);
    produce(probe, "after acks=0", "records", 0, 1, Some(Batch::of(&["c", "d", "e"]).bytes()));
    produce(probe, "acks=2", "records", 0, 2, one("x"));
    produce(probe, "unknown topic", "nowhere", 0, 1, one("x"));
    produce(probe, "unknown partition", "records", 9, 1, one("x"));
    produce(probe, "negative partition", "records", -1, 1, one("x"));
    produce(probe, "internal topic", "__consumer_offsets", 0, 1, one("x"));
    produce(probe, "no records", "records", 0, 1, None);
    produce(probe, "empty records", "records", 0, 1, Some(Bytes::new()));
    produce(probe, "an empty batch", "records", 0, 1, Some(Batch::of(&[]).bytes()));
    let mut damaged = BytesMut::from(&Batch::of(&["x"]).bytes()[..]);
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    produce(probe, "wrong checksum", "records", 0, 1, Some(damaged.freeze()));
    let whole = Batch::of(&["x"]).bytes();
    produce(probe, "cut off", "records", 0, 1, Some(whole.slice(..whole.len() - 1)));
    produce(probe, "half a header", "records", 0, 1, Some(whole.slice(..30)));
    let old = Batch { magic: 1, ..Batch::of(&["x"]) };
    produce(probe, "magic 1", "records", 0, 1, Some(old.bytes()));
    let two = [Batch::of(&["x"]).bytes(), Batch::of(&["y"]).bytes()].concat();
    produce(probe, "two batches", "records", 0, 1, Some(Bytes::from(two)));
    let control = Batch { attributes: 0x20, ..Batch::of(&["x"]) };
    produce(probe, "a control batch", "records", 0, 1, Some(control.bytes()));
    let codec = Batch { attributes: 7, ..Batch::of(&["x"]) };
    produce(probe, "an unknown codec", "records", 0, 1, Some(codec.bytes()));
    let future = Batch { timestamp: 9_000_000_000_000, ..Batch::of(&["x"]) };
    produce(probe, "a timestamp far ahead", "records", 0, 1, Some(future.bytes()));
    topics::create(probe, "small", 1, &[("max.message.bytes", "100")]);
    produce(probe, "too large", "small", 0, 1, one(&"x".repeat(100)));
    topics::create(probe, "compacted", 1, &[("cleanup.policy", "compact")]);
    produce(probe, "no key, compacted", "compacted", 0, 1, one("x"));
    produce(probe, "a key, compacted", "compacted", 0, 1, Some(Batch::keyed("k", "x").bytes()));
    produce(probe, "nothing of it was written", "records", 0, 1, one("f"));
}

fn idempotent(probe: &mut Probe) {
    probe.area("idempotence");
    let (id, epoch) = producer_id(probe);
    let put = |probe: &mut Probe, step: &str, producer: (i64, i16), sequence: i32, count: usize| {
        let values = vec!["i"; count];
        let batch = Batch::of(&values).from(producer, sequence);
        produce(probe, step, "records", 1, -1, Some(batch.bytes()));
    };
    put(probe, "sequence 0", (id, epoch), 0, 2);
    put(probe, "the same again", (id, epoch), 0, 2);
    put(probe, "a gap", (id, epoch), 5, 1);
    put(probe, "half of it again", (id, epoch), 1, 1);
    for sequence in 2..8 {
        put(probe, &format!("sequence {sequence}"), (id, epoch), sequence, 1);
    }
    put(probe, "the fifth last again", (id, epoch), 3, 1);
    put(probe, "older than five batches", (id, epoch), 0, 2);
    put(probe, "a new epoch not from 0", (id, epoch + 1), 8, 1);
    put(probe, "a new epoch from 0", (id, epoch + 1), 0, 1);
    put(probe, "the old epoch", (id, epoch), 8, 1);
    put(probe, "an unknown producer in the middle", (id + 5_000, 0), 100, 1);
    put(probe, "and on", (id + 5_000, 0), 101, 1);
    put(probe, "a wrap is coming", (id + 6_000, 0), i32::MAX - 1, 2);
    put(probe, "the wrap", (id + 6_000, 0), 0, 1);
    put(probe, "no epoch", (id + 7_000, -1), 0, 1);
    put(probe, "no sequence", (id + 7_000, 0), -1, 1);
    let request = InitProducerIdRequest::default()
        .with_transactional_id(Some(transactional("")))
        .with_transaction_timeout_ms(60_000)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1);
    let answer = probe.ask(&request, 4);
    probe.note("an empty transactional id", error(answer.error_code));
}

/// What one fetch asks for.
struct Wanted {
    step: &'static str,
    partition: i32,
    offset: i64,
    epoch: i32,
    max_bytes: i32,
    min_bytes: i32,
    isolation: i8,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { step: "", partition: 0, offset: 0, epoch: -1, max_bytes: 1 << 20, min_bytes: 1, isolation: 0 }
    }
}

fn fetch(probe: &mut Probe, name: &str, wanted: &Wanted) {
    let partition = FetchPartition::default()
        .with_partition(wanted.partition)
        .with_fetch_offset(wanted.offset)
        .with_current_leader_epoch(wanted.epoch)
        .with_partition_max_bytes(wanted.max_bytes);
    let request = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(300)
        .with_min_bytes(wanted.min_bytes)
        .with_max_bytes(1 << 20)
        .with_isolation_level(wanted.isolation)
        .with_topics(vec![FetchTopic::default().with_topic(topic(name)).with_partitions(vec![partition])]);
    let mut answer = probe.ask(&request, 12);
    let data = answer.responses.remove(0).partitions.remove(0);
    let batches: Vec<String> = wire::batch::iter(data.records.unwrap_or_default())
        .map_while(Result::ok)
        .map(|(header, _)| format!("{}-{}", header.base_offset, header.last_offset()))
        .collect();
    probe.note(
        wanted.step,
        format!(
            "{}, high watermark {}, last stable {}, log start {}, batches {batches:?}",
            error(data.error_code),
            data.high_watermark,
            data.last_stable_offset,
            data.log_start_offset
        ),
    );
}

fn fetching(probe: &mut Probe, id: Uuid) {
    probe.area("fetch");
    let base = Wanted::default;
    for wanted in [
        Wanted { step: "from 0", ..base() },
        Wanted { step: "within a batch", offset: 4, ..base() },
        Wanted { step: "a byte", max_bytes: 1, ..base() },
        Wanted { step: "at the end", offset: 7, ..base() },
        Wanted { step: "beyond the end", offset: 700, ..base() },
        Wanted { step: "before the beginning", offset: -5, ..base() },
        Wanted { step: "unknown partition", partition: 9, ..base() },
        Wanted { step: "the current epoch", epoch: 0, ..base() },
        Wanted { step: "a future epoch", epoch: 7, ..base() },
        Wanted { step: "more than there is", min_bytes: 1 << 19, ..base() },
        Wanted { step: "read committed", isolation: 1, ..base() },
    ] {
        fetch(probe, "records", &wanted);
    }
    fetch(probe, "nowhere", &Wanted { step: "unknown topic", ..base() });
    for (step, id) in [("by id", id), ("by an unknown id", Uuid::from_u128(77)), ("by no id", Uuid::nil())] {
        let partition = FetchPartition::default().with_partition_max_bytes(1 << 20);
        let request = FetchRequest::default()
            .with_max_wait_ms(300)
            .with_min_bytes(1)
            .with_max_bytes(1 << 20)
            .with_topics(vec![FetchTopic::default().with_topic_id(id).with_partitions(vec![partition])]);
        let answer = probe.ask(&request, 13);
        let codes: Vec<String> = answer
            .responses
            .iter()
            .flat_map(|topic| &topic.partitions)
            .map(|partition| error(partition.error_code))
            .collect();
        probe.note(step, format!("{}, partitions {codes:?}", error(answer.error_code)));
    }
}

fn listing(probe: &mut Probe) {
    probe.area("list offsets");
    for (step, name, partition, timestamp) in [
        ("latest", "records", 0, -1),
        ("earliest", "records", 0, -2),
        ("max timestamp", "records", 0, -3),
        ("a timestamp", "records", 0, 1_700_000_000_000),
        ("a later timestamp", "records", 0, 1_700_000_000_001),
        ("before all", "records", 0, 0),
        ("an unknown sentinel", "records", 0, -9),
        ("unknown partition", "records", 9, -1),
        ("unknown topic", "nowhere", 0, -1),
    ] {
        let wanted = ListOffsetsPartition::default()
            .with_partition_index(partition)
            .with_current_leader_epoch(-1)
            .with_timestamp(timestamp);
        let wanted = ListOffsetsTopic::default().with_name(topic(name)).with_partitions(vec![wanted]);
        let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![wanted]);
        let Some(mut answer) = probe.try_ask(&request, 7) else {
            probe.note(step, "connection closed");
            continue;
        };
        let found = answer.topics.remove(0).partitions.remove(0);
        probe.note(
            step,
            format!(
                "{}, offset {}, timestamp {}, epoch {}",
                error(found.error_code),
                found.offset,
                found.timestamp,
                found.leader_epoch
            ),
        );
    }
}

fn epochs(probe: &mut Probe) {
    probe.area("leader epochs");
    for (step, name, partition, current, asked) in [
        ("the current", "records", 0, 0, 0),
        ("without a current", "records", 0, -1, 0),
        ("a future", "records", 0, -1, 9),
        ("an undefined", "records", 0, -1, -1),
        ("a wrong current", "records", 0, 9, 0),
        ("unknown partition", "records", 9, -1, 0),
    ] {
        let wanted = OffsetForLeaderPartition::default()
            .with_partition(partition)
            .with_current_leader_epoch(current)
            .with_leader_epoch(asked);
        let wanted = OffsetForLeaderTopic::default().with_topic(topic(name)).with_partitions(vec![wanted]);
        let request =
            OffsetForLeaderEpochRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![wanted]);
        let found = probe.ask(&request, 4).topics.remove(0).partitions.remove(0);
        probe.note(
            step,
            format!(
                "{}, epoch {}, ends at {}",
                error(found.error_code),
                found.leader_epoch,
                found.end_offset
            ),
        );
    }
}

fn deleting(probe: &mut Probe) {
    probe.area("delete records");
    for (step, name, partition, offset) in [
        ("below 3", "records", 0, 3),
        ("below 3 again", "records", 0, 3),
        ("below 1", "records", 0, 1),
        ("beyond the end", "records", 0, 700),
        ("a bad sentinel", "records", 0, -2),
        ("unknown partition", "records", 9, 0),
        ("unknown topic", "nowhere", 0, 0),
        ("compacted only", "compacted", 0, 1),
    ] {
        let wanted = DeleteRecordsPartition::default().with_partition_index(partition).with_offset(offset);
        let wanted = DeleteRecordsTopic::default().with_name(topic(name)).with_partitions(vec![wanted]);
        let request = DeleteRecordsRequest::default().with_topics(vec![wanted]).with_timeout_ms(5_000);
        let result = probe.ask(&request, 2).topics.remove(0).partitions.remove(0);
        probe.note(step, format!("{}, low watermark {}", error(result.error_code), result.low_watermark));
    }
    fetch(probe, "records", &Wanted { step: "fetch what was deleted", offset: 1, ..Wanted::default() });
    fetch(probe, "records", &Wanted { step: "fetch what is left", offset: 3, ..Wanted::default() });
    let wanted = DeleteRecordsPartition::default().with_partition_index(0).with_offset(-1);
    let wanted = DeleteRecordsTopic::default().with_name(topic("records")).with_partitions(vec![wanted]);
    let request = DeleteRecordsRequest::default().with_topics(vec![wanted]).with_timeout_ms(5_000);
    let result = probe.ask(&request, 2).topics.remove(0).partitions.remove(0);
    probe.note("everything", format!("{}, low watermark {}", error(result.error_code), result.low_watermark));
}
