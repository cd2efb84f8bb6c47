//! Transactions over the wire: every version of every request, what a read_committed consumer is told, and a
//! transaction that outlives its coordinator, its leader and a power failure of neither.

use broker::Ending;
use bytes::Bytes;
use kafka_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Request, StrBytes};
use wire::schema::find;

use crate::client::{self, Client, batch, name};
use crate::cluster::{Cluster, until};

const TOPIC: &str = "orders";
const SETTINGS: &[(&str, &str)] = &[
    ("offsets.topic.num.partitions", "4"),
    ("transaction.state.log.num.partitions", "4"),
    ("transaction.abort.timed.out.transaction.cleanup.interval.ms", "100"),
];

/// Of these every version is asked here.
pub(crate) const ASKED: &[ApiKey] = &[
    ApiKey::AddPartitionsToTxn,
    ApiKey::AddOffsetsToTxn,
    ApiKey::EndTxn,
    ApiKey::TxnOffsetCommit,
    ApiKey::WriteTxnMarkers,
    ApiKey::DescribeProducers,
    ApiKey::DescribeTransactions,
    ApiKey::ListTransactions,
];

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn id(name: &str) -> TransactionalId {
    TransactionalId(text(name))
}

/// A connection to the coordinator of a group (0) or a transactional id (1).
fn coordinator(cluster: &Cluster, kind: i8, name: &str) -> (i32, Client) {
    until("a coordinator that runs", || {
        let running = cluster.running();
        running.iter().find_map(|node| {
            let request =
                FindCoordinatorRequest::default().with_key_type(kind).with_coordinator_keys(vec![text(name)]);
            let response = Client::connect(cluster.address(*node)).ok()?.ask(&request, 4).ok()?;
            let found = &response.coordinators[0];
            let node =
                (found.error_code == 0 && running.contains(&found.node_id.0)).then_some(found.node_id.0)?;
            Some((node, Client::connect(cluster.address(node)).ok()?))
        })
    })
}

fn leader(cluster: &Cluster) -> (i32, Client) {
    until("a leader that runs", || {
        let running = cluster.running();
        let mut any = Client::connect(cluster.address(*running.first()?)).ok()?;
        let partition = any.partition(TOPIC).ok()??;
        let node = partition.leader_id.0;
        (partition.error_code == 0 && running.contains(&node)).then_some(())?;
        Some((node, Client::connect(cluster.address(node)).ok()?))
    })
}

/// A cluster with one topic of one partition.
fn cluster(extra: &[(&str, &str)]) -> Cluster {
    let settings: Vec<_> = SETTINGS.iter().chain(extra).copied().collect();
    let cluster = Cluster::start(&settings);
    let mut client = Client::connect(cluster.address(1)).expect("connects");
    assert_eq!(client.create_topic(TOPIC, 1, 3, &[("min.insync.replicas", "2")]), 0);
    cluster
}

/// A batch of a transaction.
fn in_txn((producer, epoch): (i64, i16), sequence: i32, value: &str) -> Bytes {
    let mut bytes = batch(producer, sequence, &[value.to_owned()]).to_vec();
    bytes[22] |= 0x10;
    bytes[51..53].copy_from_slice(&epoch.to_be_bytes());
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes.into()
}

fn add(name_of_id: &str, producer: (i64, i16), version: i16) -> AddPartitionsToTxnRequest {
    let topic = AddPartitionsToTxnTopic::default().with_name(name(TOPIC)).with_partitions(vec![0]);
    if version < 4 {
        return AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(id(name_of_id))
            .with_v3_and_below_producer_id(ProducerId(producer.0))
            .with_v3_and_below_producer_epoch(producer.1)
            .with_v3_and_below_topics(vec![topic]);
    }
    let one = AddPartitionsToTxnTransaction::default()
        .with_transactional_id(id(name_of_id))
        .with_producer_id(ProducerId(producer.0))
        .with_producer_epoch(producer.1)
        .with_topics(vec![topic]);
    AddPartitionsToTxnRequest::default().with_transactions(vec![one])
}

fn added(response: &AddPartitionsToTxnResponse, version: i16) -> i16 {
    let topics = match version {
        ..4 => &response.results_by_topic_v3_and_below,
        _ => &response.results_by_transaction[0].topic_results,
    };
    topics[0].results_by_partition[0].partition_error_code
}

fn init(cluster: &Cluster, name: &str, version: i16, timeout_ms: i32) -> (i64, i16) {
    let request = InitProducerIdRequest::default()
        .with_transactional_id(Some(id(name)))
        .with_transaction_timeout_ms(timeout_ms);
    until("a producer id", || {
        let response = coordinator(cluster, 1, name).1.ask(&request, version).ok()?;
        (response.error_code == 0).then_some((response.producer_id.0, response.producer_epoch))
    })
}

/// Asks the coordinator until it is neither being loaded nor still busy with the transaction before.
fn settled<R: Request>(
    cluster: &Cluster,
    name: &str,
    request: &R,
    version: i16,
    code: impl Fn(&R::Response) -> i16,
) -> R::Response {
    // COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR, CONCURRENT_TRANSACTIONS
    until("an answer that is not `again`", || {
        let response = coordinator(cluster, 1, name).1.ask(request, version).ok()?;
        (![14, 15, 16, 51].contains(&code(&response))).then_some(response)
    })
}

fn begin(cluster: &Cluster, name: &str, producer: (i64, i16), version: i16) {
    let response = settled(cluster, name, &add(name, producer, version), version, |one| added(one, version));
    assert_eq!(added(&response, version), 0, "v{version}");
}

fn end(cluster: &Cluster, name: &str, producer: (i64, i16), committed: bool, version: i16) -> EndTxnResponse {
    let request = EndTxnRequest::default()
        .with_transactional_id(id(name))
        .with_producer_id(ProducerId(producer.0))
        .with_producer_epoch(producer.1)
        .with_committed(committed);
    settled(cluster, name, &request, version, |response| response.error_code)
}

fn write(cluster: &Cluster, name: &str, producer: (i64, i16), sequence: i32, value: &str) -> i16 {
    let request =
        client::produce(TOPIC, -1, in_txn(producer, sequence, value)).with_transactional_id(Some(id(name)));
    until("an answer of the leader", || {
        let response = leader(cluster).1.ask(&request, 9).ok()?;
        let code = response.responses[0].partition_responses[0].error_code;
        // NOT_LEADER_OR_FOLLOWER, NOT_ENOUGH_REPLICAS
        (![6, 19].contains(&code)).then_some(code)
    })
}

/// What a read_committed consumer sees: values, aborted (producer, first offset), the last stable offset.
fn committed(cluster: &Cluster) -> (Vec<String>, Vec<(i64, i64)>, i64) {
    let (_, mut leader) = leader(cluster);
    let request = client::fetch(TOPIC, 0, 0).with_isolation_level(1);
    let data = leader.ask(&request, 12).expect("an answer").responses.remove(0).partitions.remove(0);
    assert_eq!(data.error_code, 0);
    let aborted = data.aborted_transactions.expect("a list").into_iter();
    let aborted = aborted.map(|one| (one.producer_id.0, one.first_offset)).collect();
    let texts = client::values(data.records).into_iter().map(|(_, value)| value);
    // Markers hold no text.
    (texts.filter(|value| !value.starts_with('\0')).collect(), aborted, data.last_stable_offset)
}

fn last_stable(cluster: &Cluster) -> i64 {
    let asked = ListOffsetsPartition::default().with_timestamp(-1);
    let topic = ListOffsetsTopic::default().with_name(name(TOPIC)).with_partitions(vec![asked]);
    let request = ListOffsetsRequest::default().with_isolation_level(1).with_topics(vec![topic]);
    leader(cluster).1.ask(&request, 5).expect("an answer").topics[0].partitions[0].offset
}

#[test]
fn every_version_of_every_request_is_answered() {
    let cluster = cluster(&[]);
    let versions = |key: ApiKey| {
        let api = find(key as i16).expect("served");
        api.min..=api.max
    };
    let mut sequence = 0;
    for version in versions(ApiKey::InitProducerId) {
        assert!(init(&cluster, &format!("init-{version}"), version, 60_000).0 >= 0);
        let refused = InitProducerIdRequest::default().with_transactional_id(Some(id("")));
        let answer = coordinator(&cluster, 1, "x").1.ask(&refused, version).expect("an answer");
        assert_eq!(answer.error_code, 42, "v{version}");
    }
    let mut producer = init(&cluster, "app", 4, 60_000);
    for version in versions(ApiKey::AddPartitionsToTxn) {
        begin(&cluster, "app", producer, version);
        assert_eq!(write(&cluster, "app", producer, sequence, &format!("v{version}")), 0);
        sequence += 1;
        let version = version.min(4);
        assert_eq!(end(&cluster, "app", producer, true, version).error_code, 0, "v{version}");
    }
    for version in versions(ApiKey::EndTxn) {
        begin(&cluster, "app", producer, 3);
        let response = end(&cluster, "app", producer, version % 2 == 0, version);
        assert_eq!(response.error_code, 0, "v{version}");
        if version >= 5 {
            assert_eq!((response.producer_id.0, response.producer_epoch), (producer.0, producer.1 + 1));
            producer.1 += 1;
        }
        let zombie = end(&cluster, "app", (producer.0, producer.1 + 7), true, version);
        assert_eq!(zombie.error_code, if version < 2 { 47 } else { 90 }, "v{version}");
    }
    for version in versions(ApiKey::AddOffsetsToTxn) {
        let request = AddOffsetsToTxnRequest::default()
            .with_transactional_id(id("app"))
            .with_producer_id(ProducerId(producer.0))
            .with_producer_epoch(producer.1)
            .with_group_id(GroupId(text("group")));
        let response = settled(&cluster, "app", &request, version, |response| response.error_code);
        assert_eq!(response.error_code, 0, "v{version}");
    }
    for version in versions(ApiKey::TxnOffsetCommit) {
        let partition = TxnOffsetCommitRequestPartition::default()
            .with_committed_offset(7)
            .with_committed_metadata(Some(text("")));
        let topic = |topic| {
            TxnOffsetCommitRequestTopic::default()
                .with_name(name(topic))
                .with_partitions(vec![partition.clone()])
        };
        let request = TxnOffsetCommitRequest::default()
            .with_transactional_id(id("app"))
            .with_group_id(GroupId(text("group")))
            .with_producer_id(ProducerId(producer.0))
            .with_producer_epoch(producer.1)
            .with_generation_id(-1)
            .with_topics(vec![topic(TOPIC), topic("absent")]);
        let codes = until("an answer that is not `again`", || {
            let response = coordinator(&cluster, 0, "group").1.ask(&request, version).ok()?;
            let codes: Vec<i16> =
                response.topics.iter().map(|topic| topic.partitions[0].error_code).collect();
            (![14, 15, 16].contains(&codes[0])).then_some(codes)
        });
        assert_eq!(codes, [0, 3], "v{version}");
    }
    for version in versions(ApiKey::ListTransactions) {
        let request = ListTransactionsRequest::default().with_duration_filter(-1);
        let (_, mut at) = coordinator(&cluster, 1, "app");
        let states = |response: ListTransactionsResponse| -> Vec<String> {
            let one = |one: &list_transactions_response::TransactionState| {
                format!("{} {}", one.transactional_id.0, one.transaction_state)
            };
            response.transaction_states.iter().map(one).collect()
        };
        let all = states(at.ask(&request, version).expect("an answer"));
        assert!(all.contains(&"app Ongoing".to_owned()), "{all:?}");
        let filtered = request.with_state_filters(vec![text("Empty"), text("Typo")]);
        let response = at.ask(&filtered, version).expect("an answer");
        assert_eq!(response.unknown_state_filters, [text("Typo")]);
        assert!(!states(response).contains(&"app Ongoing".to_owned()));
    }
    let described =
        DescribeTransactionsRequest::default().with_transactional_ids(vec![id("app"), id("absent")]);
    let answer = coordinator(&cluster, 1, "app").1.ask(&described, 0).expect("an answer");
    let app = &answer.transaction_states[0];
    assert_eq!((app.transaction_state.as_str(), app.topics.len()), ("Ongoing", 1));
    // TRANSACTIONAL_ID_NOT_FOUND, or NOT_COORDINATOR
    assert!([105, 16].contains(&answer.transaction_states[1].error_code));
    end(&cluster, "app", producer, false, 3);
}

#[test]
fn consumers_are_told_what_was_aborted_and_stop_before_what_is_open() {
    let cluster = cluster(&[]);
    let one = init(&cluster, "one", 4, 60_000);
    let two = init(&cluster, "two", 4, 60_000);
    for (name, producer, value) in [("one", one, "a"), ("two", two, "b")] {
        begin(&cluster, name, producer, 3);
        assert_eq!(write(&cluster, name, producer, 0, value), 0);
    }
    assert_eq!(committed(&cluster), (vec![], vec![], 0));
    assert_eq!(end(&cluster, "two", two, false, 3).error_code, 0);
    assert_eq!(end(&cluster, "one", one, true, 3).error_code, 0);
    until("both markers", || (last_stable(&cluster) == 4).then_some(()));
    assert_eq!(committed(&cluster), (vec!["a".to_owned(), "b".to_owned()], vec![(two.0, 1)], 4));
    // Nothing of it is told to those who read everything.
    let data = leader(&cluster).1.fetch(TOPIC, 0, 0).expect("an answer");
    assert!(data.aborted_transactions.is_none());
    // INVALID_TXN_STATE: it is in no transaction any more.
    assert_eq!(write(&cluster, "one", one, 1, "late"), 48);
    assert_eq!(end(&cluster, "one", one, true, 3).error_code, 0, "said again");
    assert_eq!(end(&cluster, "one", one, false, 3).error_code, 48);
}

#[test]
fn a_transaction_outlives_its_coordinator_and_its_leader() {
    let mut cluster = cluster(&[]);
    let producer = init(&cluster, "app", 4, 60_000);
    begin(&cluster, "app", producer, 3);
    assert_eq!(write(&cluster, "app", producer, 0, "a"), 0);
    let (node, _) = coordinator(&cluster, 1, "app");
    cluster.stop(node, Ending::Abrupt);
    assert_eq!(write(&cluster, "app", producer, 1, "b"), 0);
    assert_eq!(committed(&cluster).2, 0);
    cluster.start_broker(node);
    cluster.wait_ready(node);
    let (node, _) = leader(&cluster);
    cluster.stop(node, Ending::Abrupt);
    assert_eq!(write(&cluster, "app", producer, 2, "c"), 0);
    assert_eq!(end(&cluster, "app", producer, true, 3).error_code, 0);
    until("the marker", || (committed(&cluster).2 == 4).then_some(()));
    assert_eq!(committed(&cluster).0, ["a", "b", "c"]);
}

/// All brokers end and start again: open and aborted transactions are found in the logs.
#[test]
fn a_restart_of_everything_forgets_nothing() {
    let mut cluster = cluster(&[]);
    let done = init(&cluster, "done", 4, 60_000);
    begin(&cluster, "done", done, 3);
    assert_eq!(write(&cluster, "done", done, 0, "aborted"), 0);
    assert_eq!(end(&cluster, "done", done, false, 3).error_code, 0);
    let open = init(&cluster, "open", 4, 60_000);
    begin(&cluster, "open", open, 3);
    assert_eq!(write(&cluster, "open", open, 0, "kept"), 0);
    until("the marker", || (last_stable(&cluster) == 2).then_some(()));
    for node in 1..=3 {
        cluster.stop(node, Ending::Abrupt);
    }
    for node in 1..=3 {
        cluster.start_broker(node);
    }
    for node in 1..=3 {
        cluster.wait_ready(node);
    }
    until("the last stable offset", || (last_stable(&cluster) == 2).then_some(()));
    assert_eq!(committed(&cluster).1, [(done.0, 0)]);
    assert_eq!(end(&cluster, "open", open, true, 3).error_code, 0);
    until("the marker", || (last_stable(&cluster) == 4).then_some(()));
    assert!(committed(&cluster).0.contains(&"kept".to_owned()));
}

#[test]
fn a_slow_transaction_is_aborted_and_its_producer_fenced() {
    let cluster = cluster(&[]);
    let producer = init(&cluster, "slow", 4, 500);
    begin(&cluster, "slow", producer, 3);
    assert_eq!(write(&cluster, "slow", producer, 0, "slow"), 0);
    until("the abort", || (last_stable(&cluster) == 2).then_some(()));
    assert_eq!(committed(&cluster).1, [(producer.0, 0)]);
    assert_eq!(end(&cluster, "slow", producer, true, 3).error_code, 90);
    assert_eq!(write(&cluster, "slow", producer, 1, "zombie"), 47);
}

/// KIP-664: without verification a late batch hangs the partition; tools see it and end it.
#[test]
fn a_hanging_transaction_is_found_and_ended_by_hand() {
    let cluster = cluster(&[("transaction.partition.verification.enable", "false")]);
    let producer = init(&cluster, "app", 4, 60_000);
    begin(&cluster, "app", producer, 3);
    assert_eq!(write(&cluster, "app", producer, 0, "a"), 0);
    assert_eq!(end(&cluster, "app", producer, true, 3).error_code, 0);
    until("the marker", || (last_stable(&cluster) == 2).then_some(()));
    assert_eq!(write(&cluster, "app", producer, 1, "late"), 0);
    let topic = TopicRequest::default().with_name(name(TOPIC)).with_partition_indexes(vec![0, 9]);
    let request = DescribeProducersRequest::default().with_topics(vec![topic]);
    let response = leader(&cluster).1.ask(&request, 0).expect("an answer");
    let partitions = &response.topics[0].partitions;
    assert_eq!(partitions[1].error_code, 3);
    let hanging = &partitions[0].active_producers[0];
    assert_eq!((hanging.producer_id.0, hanging.current_txn_start_offset), (producer.0, 2));
    let topic = WritableTxnMarkerTopic::default().with_name(name(TOPIC)).with_partition_indexes(vec![0]);
    let marker = WritableTxnMarker::default()
        .with_producer_id(hanging.producer_id)
        .with_producer_epoch(i16::try_from(hanging.producer_epoch).expect("an epoch"))
        .with_coordinator_epoch(hanging.coordinator_epoch)
        .with_transaction_result(false)
        .with_topics(vec![topic]);
    let request = WriteTxnMarkersRequest::default().with_markers(vec![marker]);
    let response = leader(&cluster).1.ask(&request, 1).expect("an answer");
    assert_eq!(response.markers[0].topics[0].partitions[0].error_code, 0);
    assert_eq!(last_stable(&cluster), 4);
}

/// The feature is advertised with everything that needs it, or not at all.
#[test]
fn version_2_is_a_switch_that_clients_see() {
    for (level, highest) in [("1", 11), ("2", 13)] {
        let cluster = cluster(&[("transaction.version", level)]);
        let mut client = Client::connect(cluster.address(1)).expect("connects");
        let request = ApiVersionsRequest::default()
            .with_client_software_name(text("tester"))
            .with_client_software_version(text("1"));
        let response = client.ask(&request, 3).expect("an answer");
        let features: Vec<_> = response.finalized_features.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(features.contains(&"transaction.version"), level == "2");
        let produce =
            response.api_keys.iter().find(|one| one.api_key == ApiKey::Produce as i16).expect("served");
        assert_eq!(produce.max_version, highest);
        if level == "1" {
            continue;
        }
        let producer = init(&cluster, "app", 4, 60_000);
        // No AddPartitionsToTxn: the first record says it.
        let produce =
            client::produce(TOPIC, -1, in_txn(producer, 0, "a")).with_transactional_id(Some(id("app")));
        let code = until("the record is taken", || {
            let response = leader(&cluster).1.ask(&produce, 12).ok()?;
            let code = response.responses[0].partition_responses[0].error_code;
            (![6, 19, 51].contains(&code)).then_some(code)
        });
        assert_eq!(code, 0);
        let ended = end(&cluster, "app", producer, true, 5);
        assert_eq!(
            (ended.error_code, ended.producer_id.0, ended.producer_epoch),
            (0, producer.0, producer.1 + 1)
        );
        until("the marker", || (last_stable(&cluster) == 2).then_some(()));
        let late = leader(&cluster).1.ask(&produce.clone(), 12).expect("an answer");
        assert_ne!(late.responses[0].partition_responses[0].error_code, 48, "a retry is known by its number");
        assert_eq!(committed(&cluster).0, ["a"]);
    }
}
