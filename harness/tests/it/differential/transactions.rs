//! Transactions: every state, fencing, and what read committed shows of them. The clients of transaction
//! version 1 are spoken for; version 2 is a switch of the reference broker.

use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, BrokerId, DescribeProducersRequest,
    DescribeTransactionsRequest, EndTxnRequest, FetchRequest, FindCoordinatorRequest, InitProducerIdRequest,
    ListOffsetsRequest, ListTransactionsRequest, OffsetFetchRequest, ProducerId, TxnOffsetCommitRequest,
};

use super::probe::{Batch, Probe, error, group, text, topic, transactional};
use super::records::produce_request;
use super::topics;

const ID: &str = "tx";
const TOPIC: &str = "accounts";

type Producer = (i64, i16);

fn init_request(id: &str, producer: Producer, timeout_ms: i32) -> InitProducerIdRequest {
    InitProducerIdRequest::default()
        .with_transactional_id(Some(transactional(id)))
        .with_transaction_timeout_ms(timeout_ms)
        .with_producer_id(ProducerId(producer.0))
        .with_producer_epoch(producer.1)
}

fn init(probe: &mut Probe, step: &str, id: &str, producer: Producer) -> Producer {
    let request = init_request(id, producer, 60_000);
    let (code, given) = probe.settle(|probe| {
        let answer = probe.ask(&request, 4);
        (answer.error_code, (answer.producer_id.0, answer.producer_epoch))
    });
    probe.note(step, format!("{}, epoch {}", error(code), given.1));
    given
}

fn add(probe: &mut Probe, step: &str, id: &str, producer: Producer, to: (&str, &[i32])) {
    let wanted = AddPartitionsToTxnTopic::default().with_name(topic(to.0)).with_partitions(to.1.to_vec());
    let request = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(transactional(id))
        .with_v3_and_below_producer_id(ProducerId(producer.0))
        .with_v3_and_below_producer_epoch(producer.1)
        .with_v3_and_below_topics(vec![wanted]);
    let (_, codes) = probe.settle(|probe| {
        let answer = probe.ask(&request, 3);
        let results = answer.results_by_topic_v3_and_below.iter();
        let codes: Vec<i16> = results
            .flat_map(|topic| &topic.results_by_partition)
            .map(|partition| partition.partition_error_code)
            .collect();
        (codes.first().copied().unwrap_or(0), codes)
    });
    let codes: Vec<String> = codes.into_iter().map(error).collect();
    probe.note(step, format!("{codes:?}"));
}

fn put(probe: &mut Probe, step: &str, producer: Producer, partition: i32, sequence: i32) {
    let batch = Batch::of(&["t"]).from(producer, sequence).transactional();
    let request = produce_request(TOPIC, partition, -1, Some(batch.bytes()))
        .with_transactional_id(Some(transactional(ID)));
    let result = probe.ask(&request, 9).responses.remove(0).partition_responses.remove(0);
    probe.note(step, format!("{}, offset {}", error(result.error_code), result.base_offset));
}

fn end(probe: &mut Probe, step: &str, id: &str, producer: Producer, committed: bool) {
    let request = EndTxnRequest::default()
        .with_transactional_id(transactional(id))
        .with_producer_id(ProducerId(producer.0))
        .with_producer_epoch(producer.1)
        .with_committed(committed);
    let (code, ()) = probe.settle(|probe| (probe.ask(&request, 3).error_code, ()));
    probe.note(step, error(code));
}

/// What a reader of partition 0 gets, and where each isolation level ends. Waits for the markers.
fn view(probe: &mut Probe, step: &str, expect_stable: bool) {
    for _ in 0..400 {
        if !expect_stable || latest(probe, 0) == latest(probe, 1) {
            break;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(25));
    }
    let partition = FetchPartition::default().with_partition_max_bytes(1 << 20);
    let request = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(300)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_isolation_level(1)
        .with_topics(vec![FetchTopic::default().with_topic(topic(TOPIC)).with_partitions(vec![partition])]);
    let data = probe.ask(&request, 12).responses.remove(0).partitions.remove(0);
    let batches: Vec<String> = wire::batch::iter(data.records.unwrap_or_default())
        .map_while(Result::ok)
        .map(|(header, _)| {
            let control = if header.is_control() { " marker" } else { "" };
            format!("{}-{}{control}", header.base_offset, header.last_offset())
        })
        .collect();
    let aborted: Vec<i64> =
        data.aborted_transactions.unwrap_or_default().iter().map(|each| each.first_offset).collect();
    probe.note(
        step,
        format!(
            "{}, high watermark {}, last stable {}, batches {batches:?}, aborted from {aborted:?}",
            error(data.error_code),
            data.high_watermark,
            data.last_stable_offset
        ),
    );
}

fn latest(probe: &mut Probe, isolation: i8) -> i64 {
    let wanted = ListOffsetsPartition::default()
        .with_partition_index(0)
        .with_current_leader_epoch(-1)
        .with_timestamp(-1);
    let wanted = ListOffsetsTopic::default().with_name(topic(TOPIC)).with_partitions(vec![wanted]);
    let request = ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_isolation_level(isolation)
        .with_topics(vec![wanted]);
    probe.ask(&request, 7).topics.remove(0).partitions.remove(0).offset
}

pub(super) fn run(probe: &mut Probe) {
    topics::create(probe, TOPIC, 2, &[]);
    probe.area("transactions");
    // Its partition of the coordinator's log is made by whoever first asks for the coordinator.
    let request = FindCoordinatorRequest::default().with_key(text(ID)).with_key_type(1);
    let (code, ()) = probe.settle(|probe| (probe.ask(&request, 3).error_code, ()));
    probe.note("coordinator", error(code));
    let producer = begin(probe);
    let producer = fencing(probe, producer);
    consuming(probe, producer);
    watching(probe);
}

fn begin(probe: &mut Probe) -> Producer {
    let producer = init(probe, "init", ID, (-1, -1));
    let request = init_request("late", (-1, -1), i32::MAX);
    let (code, ()) = probe.settle(|probe| (probe.ask(&request, 4).error_code, ()));
    probe.note("init with a time-out too long", error(code));
    let request = init_request("late", (-1, -1), 0);
    let (code, ()) = probe.settle(|probe| (probe.ask(&request, 4).error_code, ()));
    probe.note("init with no time-out", error(code));
    end(probe, "commit of nothing", ID, producer, true);
    end(probe, "abort of nothing", ID, producer, false);
    put(probe, "produce before adding", producer, 0, 0);
    add(probe, "add", ID, producer, (TOPIC, &[0, 1]));
    add(probe, "add again", ID, producer, (TOPIC, &[0]));
    add(probe, "add an unknown partition", ID, producer, (TOPIC, &[0, 9]));
    add(probe, "add an unknown topic", ID, producer, ("nowhere", &[0]));
    add(probe, "add with an unknown id", "nobody", producer, (TOPIC, &[0]));
    add(probe, "add with another producer", ID, (producer.0 + 1, producer.1), (TOPIC, &[0]));
    add(probe, "add with an older epoch", ID, (producer.0, producer.1 - 1), (TOPIC, &[0]));
    put(probe, "produce", producer, 0, 0);
    put(probe, "produce to the other", producer, 1, 0);
    view(probe, "while open", false);
    end(probe, "end with an older epoch", ID, (producer.0, producer.1 - 1), true);
    end(probe, "end with an unknown id", "nobody", producer, true);
    end(probe, "commit", ID, producer, true);
    view(probe, "after the commit", true);
    end(probe, "commit again", ID, producer, true);
    end(probe, "abort after the commit", ID, producer, false);
    add(probe, "add to the next", ID, producer, (TOPIC, &[0]));
    put(probe, "produce to be aborted", producer, 0, 1);
    end(probe, "abort", ID, producer, false);
    view(probe, "after the abort", true);
    producer
}

fn fencing(probe: &mut Probe, old: Producer) -> Producer {
    add(probe, "the old producer adds", ID, old, (TOPIC, &[0]));
    put(probe, "the old producer produces", old, 0, 2);
    let new = init(probe, "another with its id starts", ID, (-1, -1));
    probe.note("same producer id", new.0 == old.0);
    view(probe, "what the old one left open", true);
    put(probe, "the old producer produces on", old, 0, 3);
    add(probe, "the old producer adds on", ID, old, (TOPIC, &[0]));
    end(probe, "the old producer commits", ID, old, true);
    init(probe, "the old producer starts anew", ID, old);
    init(probe, "the new producer bumps its epoch", ID, new)
}

fn consuming(probe: &mut Probe, producer: Producer) {
    let request = AddOffsetsToTxnRequest::default()
        .with_transactional_id(transactional(ID))
        .with_producer_id(ProducerId(producer.0))
        .with_producer_epoch(producer.1)
        .with_group_id(group("tx-readers"));
    let (code, ()) = probe.settle(|probe| (probe.ask(&request, 3).error_code, ()));
    probe.note("add offsets", error(code));
    for (step, id, generation, epoch) in [
        ("commit offsets", "", -1, producer.1),
        ("commit offsets with a generation", "", 7, producer.1),
        ("commit offsets of a stranger", "stranger", 1, producer.1),
        ("commit offsets with an older epoch", "", -1, producer.1 - 1),
    ] {
        let partition = TxnOffsetCommitRequestPartition::default()
            .with_partition_index(0)
            .with_committed_offset(4)
            .with_committed_metadata(Some(text("")));
        let wanted =
            TxnOffsetCommitRequestTopic::default().with_name(topic(TOPIC)).with_partitions(vec![partition]);
        let request = TxnOffsetCommitRequest::default()
            .with_transactional_id(transactional(ID))
            .with_group_id(group("tx-readers"))
            .with_producer_id(ProducerId(producer.0))
            .with_producer_epoch(epoch)
            .with_generation_id(generation)
            .with_member_id(text(id))
            .with_topics(vec![wanted]);
        let (code, ()) = probe.settle(|probe| {
            let answer = probe.ask(&request, 3);
            (answer.topics[0].partitions[0].error_code, ())
        });
        probe.note(step, error(code));
    }
    committed(probe, "stable offsets while open", true, None);
    committed(probe, "any offsets while open", false, None);
    end(probe, "commit with offsets", ID, producer, true);
    committed(probe, "offsets after the commit", true, Some(4));
}

/// Reads the offset of partition 0; with `until`, waits for it.
fn committed(probe: &mut Probe, step: &str, require_stable: bool, until: Option<i64>) {
    let wanted = OffsetFetchRequestTopics::default().with_name(topic(TOPIC)).with_partition_indexes(vec![0]);
    let wanted =
        OffsetFetchRequestGroup::default().with_group_id(group("tx-readers")).with_topics(Some(vec![wanted]));
    let request = OffsetFetchRequest::default().with_groups(vec![wanted]).with_require_stable(require_stable);
    let mut found = (0, 0);
    for _ in 0..400 {
        let mut answer = probe.ask(&request, 8).groups.remove(0);
        let partition = answer.topics.remove(0).partitions.remove(0);
        found = (partition.error_code, partition.committed_offset);
        if until.is_none_or(|until| found.1 == until) {
            break;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(25));
    }
    probe.note(step, format!("{}, {}", error(found.0), found.1));
}

fn watching(probe: &mut Probe) {
    let producer = init(probe, "init to be watched", "watched", (-1, -1));
    add(probe, "add to be watched", "watched", producer, (TOPIC, &[1]));
    for id in ["watched", "nobody"] {
        let request = DescribeTransactionsRequest::default().with_transactional_ids(vec![transactional(id)]);
        let found = probe.ask(&request, 0).transaction_states.remove(0);
        let partitions: usize = found.topics.iter().map(|topic| topic.partitions.len()).sum();
        probe.note(
            format!("describe `{id}`"),
            format!(
                "{}, state `{}`, time-out {}, {partitions} partitions",
                error(found.error_code),
                found.transaction_state,
                found.transaction_timeout_ms
            ),
        );
    }
    let mut listed: Vec<String> = probe
        .ask(&ListTransactionsRequest::default(), 0)
        .transaction_states
        .iter()
        .map(|each| format!("{} is {}", each.transactional_id.0, each.transaction_state))
        .collect();
    listed.sort();
    probe.note("list", format!("{listed:?}"));
    let batch = Batch::of(&["w"]).from(producer, 0).transactional();
    let request = produce_request(TOPIC, 1, -1, Some(batch.bytes()))
        .with_transactional_id(Some(transactional("watched")));
    let result = probe.ask(&request, 9).responses.remove(0).partition_responses.remove(0);
    probe.note("produce to be watched", error(result.error_code));
    for (name, partition) in [(TOPIC, 1), (TOPIC, 9), ("nowhere", 0)] {
        let wanted = TopicRequest::default().with_name(topic(name)).with_partition_indexes(vec![partition]);
        let request = DescribeProducersRequest::default().with_topics(vec![wanted]);
        let found = probe.ask(&request, 0).topics.remove(0).partitions.remove(0);
        let open = found.active_producers.iter().filter(|each| each.current_txn_start_offset >= 0).count();
        let known = found.active_producers.len();
        probe.note(
            format!("producers of {name}-{partition}"),
            format!("{}, {known} known, {open} in a transaction", error(found.error_code)),
        );
    }
    end(probe, "abort what was watched", "watched", producer, false);
}
