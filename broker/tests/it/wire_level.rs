//! What a connection may rely on: order, versions, honest refusals; and what it must not be able to do.

use bytes::Bytes;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;
use wire::schema::APIS;

use crate::client::{self, Client, batch, name, values};
use crate::cluster::{Cluster, until};
use crate::replication::{leader, produce};

const TOPIC: &str = "orders";

fn with_topic(extra: &[(&str, &str)]) -> (Cluster, Client) {
    let cluster = Cluster::start(extra);
    let mut client = Client::connect(cluster.address(1)).expect("connects");
    assert_eq!(client.create_topic(TOPIC, 1, 3, &[]), 0);
    produce(&cluster, "first");
    let client = Client::connect(cluster.address(leader(&cluster).0)).expect("connects");
    (cluster, client)
}

/// Asks every API at every version it is advertised in; a field that a version cannot say would break it.
#[test]
fn every_advertised_version_is_answered() {
    let (_cluster, mut client) = with_topic(&[]);
    let id = client.topic(TOPIC).expect("an answer").topic_id;
    let text = StrBytes::from_static_str;
    let answer = client.ask(&ApiVersionsRequest::default(), 0).expect("an answer");
    assert_eq!(answer.api_keys.len(), APIS.len());
    for api in APIS {
        for version in api.min..=api.max {
            match api.key {
                ApiKey::Produce => {
                    let one = batch(-1, 0, &["again".to_owned()]);
                    let mut request = client::produce(TOPIC, -1, one);
                    if version >= 13 {
                        request.topic_data[0].name = TopicName::default();
                        request.topic_data[0].topic_id = id;
                    }
                    let answer = client.ask(&request, version).expect("an answer");
                    assert_eq!(answer.responses[0].partition_responses[0].error_code, 0, "v{version}");
                }
                ApiKey::Fetch => {
                    let mut request = client::fetch(TOPIC, 0, 100);
                    if version >= 13 {
                        request.topics[0].topic = TopicName::default();
                        request.topics[0].topic_id = id;
                    }
                    let answer = client.ask(&request, version).expect("an answer");
                    let data = &answer.responses[0].partitions[0];
                    assert_eq!(data.error_code, 0, "v{version}");
                    assert_eq!(values(data.records.clone())[0], (0, "first".to_owned()), "v{version}");
                }
                ApiKey::ListOffsets => {
                    let asked = ListOffsetsPartition::default().with_timestamp(-2);
                    let topic =
                        ListOffsetsTopic::default().with_name(name(TOPIC)).with_partitions(vec![asked]);
                    let request = ListOffsetsRequest::default().with_topics(vec![topic]);
                    let answer = client.ask(&request, version).expect("an answer");
                    let found = &answer.topics[0].partitions[0];
                    assert_eq!((found.error_code, found.offset), (0, 0), "v{version}");
                }
                ApiKey::Metadata => {
                    for topic in [TOPIC, "absent"] {
                        let asked = MetadataRequestTopic::default().with_name(Some(name(topic)));
                        let request = MetadataRequest::default().with_topics(Some(vec![asked]));
                        let answer = client.ask(&request, version).expect("an answer");
                        let expected = if topic == TOPIC { 0 } else { 3 };
                        assert_eq!(answer.topics[0].error_code, expected, "v{version}");
                        assert_eq!(answer.brokers.len(), 3, "v{version}");
                    }
                }
                ApiKey::ApiVersions => {
                    let mut request = ApiVersionsRequest::default();
                    if version >= 3 {
                        request.client_software_name = text("tester");
                        request.client_software_version = text("1");
                    }
                    assert_eq!(client.ask(&request, version).expect("an answer").error_code, 0);
                }
                ApiKey::CreateTopics => {
                    let topic = |topic: String, factor| {
                        create_topics_request::CreatableTopic::default()
                            .with_name(name(&topic))
                            .with_num_partitions(2)
                            .with_replication_factor(factor)
                    };
                    let topics = vec![topic(format!("made-{version}"), 3), topic("bad name".to_owned(), 1)];
                    let request = CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(5_000);
                    let answer = client.ask(&request, version).expect("an answer");
                    let codes: Vec<i16> = answer.topics.iter().map(|topic| topic.error_code).collect();
                    assert_eq!(codes, [0, 17], "v{version}");
                }
                ApiKey::DeleteTopics => {
                    let topic = format!("gone-{version}");
                    assert_eq!(client.create_topic(&topic, 1, 1, &[]), 0);
                    let request = if version < 6 {
                        DeleteTopicsRequest::default().with_topic_names(vec![name(&topic), name("absent")])
                    } else {
                        let state = |topic: &str| {
                            delete_topics_request::DeleteTopicState::default().with_name(Some(name(topic)))
                        };
                        DeleteTopicsRequest::default().with_topics(vec![state(&topic), state("absent")])
                    };
                    let answer = client.ask(&request, version).expect("an answer");
                    let codes: Vec<i16> = answer.responses.iter().map(|one| one.error_code).collect();
                    assert_eq!(codes, [0, 3], "v{version}");
                }
                ApiKey::InitProducerId => {
                    let answer = client
                        .ask(&InitProducerIdRequest::default().with_transactional_id(None), version)
                        .expect("an answer");
                    assert_eq!((answer.error_code, answer.producer_epoch), (0, 0), "v{version}");
                }
                ApiKey::OffsetForLeaderEpoch => {
                    let asked = OffsetForLeaderPartition::default()
                        .with_current_leader_epoch(-1)
                        .with_leader_epoch(0);
                    let topic =
                        OffsetForLeaderTopic::default().with_topic(name(TOPIC)).with_partitions(vec![asked]);
                    let request = OffsetForLeaderEpochRequest::default().with_topics(vec![topic]);
                    let answer = client.ask(&request, version).expect("an answer");
                    let end = &answer.topics[0].partitions[0];
                    assert_eq!((end.error_code, end.leader_epoch), (0, 0), "v{version}");
                    assert!(end.end_offset > 0);
                }
                ApiKey::DescribeConfigs => {
                    let resource = DescribeConfigsResource::default()
                        .with_resource_type(2)
                        .with_resource_name(text(TOPIC))
                        .with_configuration_keys(None);
                    let request = DescribeConfigsRequest::default()
                        .with_resources(vec![resource])
                        .with_include_synonyms(true);
                    let answer = client.ask(&request, version).expect("an answer");
                    let configs = &answer.results[0].configs;
                    assert!(configs.iter().any(|config| config.name.as_str() == "min.insync.replicas"));
                }
                ApiKey::DescribeCluster => {
                    let answer = client.ask(&DescribeClusterRequest::default(), version).expect("an answer");
                    assert_eq!(answer.brokers.len(), 3);
                }
                ApiKey::ConsumerGroupHeartbeat => {
                    let request = ConsumerGroupHeartbeatRequest::default()
                        .with_group_id(GroupId(text("next")))
                        .with_member_id(text("nobody"))
                        .with_member_epoch(5);
                    let answer = client.ask(&request, version).expect("an answer");
                    assert_ne!(answer.error_code, 0, "v{version}: a stranger is not let in by its word");
                }
                ApiKey::ConsumerGroupDescribe => {
                    let groups = vec![GroupId(text("absent"))];
                    let request = ConsumerGroupDescribeRequest::default().with_group_ids(groups);
                    let answer = client.ask(&request, version).expect("an answer");
                    assert_ne!(answer.groups[0].error_code, 0, "v{version}");
                }
                asked_there if crate::groups::ASKED.contains(&asked_there) => {}
                asked_there if crate::admin::ASKED.contains(&asked_there) => {}
                asked_there if crate::transactions::ASKED.contains(&asked_there) => {}
                other => panic!("{other:?} is served and not asked here"),
            }
        }
    }
}

#[test]
fn answers_come_in_the_order_of_requests_even_behind_a_long_poll() {
    let (_cluster, mut client) = with_topic(&[]);
    // Nothing is there yet at offset 1, so this waits until the produce behind it brings something.
    let fetch = client.send(&client::fetch(TOPIC, 1, 20_000), 12).expect("sends");
    let one = batch(-1, 0, &["second".to_owned()]);
    let produce = client.send(&client::produce(TOPIC, -1, one), 9).expect("sends");
    let (first, data) = client.receive::<FetchRequest>(12).expect("an answer");
    assert_eq!(first, fetch);
    assert_eq!(values(data.responses[0].partitions[0].records.clone()), [(1, "second".to_owned())]);
    assert_eq!(client.receive::<ProduceRequest>(9).expect("an answer").0, produce);
}

#[test]
fn damaged_batches_are_refused_and_nothing_is_written() {
    let (_cluster, mut client) = with_topic(&[]);
    let good = batch(-1, 0, &["value".to_owned()]);
    let mutated = |at: usize, value: u8| {
        let mut bytes = good.to_vec();
        bytes[at] = value;
        Bytes::from(bytes)
    };
    let last = good.len() - 1;
    for (bad, code) in [
        (mutated(last, 0xff), 2),
        (mutated(16, 1), 87),
        (good.slice(..last), 87),
        (Bytes::from([&good[..], &good[..]].concat()), 87),
        (Bytes::new(), 87),
    ] {
        assert_eq!(client.produce(TOPIC, -1, bad).expect("an answer").error_code, code);
    }
    assert_eq!(client.produce(TOPIC, -1, good).expect("an answer").base_offset, 1);
}

#[test]
fn acks_0_is_not_answered_and_its_failure_closes_the_connection() {
    let (cluster, mut client) = with_topic(&[]);
    client.send(&client::produce(TOPIC, 0, batch(-1, 0, &["quiet".to_owned()])), 9).expect("sends");
    // The next answer is the one to the next request.
    assert_eq!(client.topic(TOPIC).expect("an answer").error_code, 0);
    let seen = until("the record", || {
        let found = values(client.fetch(TOPIC, 1, 100).ok()?.records);
        (!found.is_empty()).then_some(found)
    });
    assert_eq!(seen, [(1, "quiet".to_owned())]);
    client.send(&client::produce("absent", 0, batch(-1, 0, &["lost".to_owned()])), 9).expect("sends");
    assert!(client.topic(TOPIC).is_err(), "closed");
    assert!(Client::connect(cluster.address(1)).is_ok());
}

#[test]
fn garbage_costs_its_connection_and_no_other() {
    let (cluster, mut bystander) = with_topic(&[]);
    let hostile: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\n\r\n",
        &[0xff; 64],
        // Metadata v1 with two billion topics.
        &[0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff],
        // An API nobody serves.
        &[0, 0, 0, 10, 0x7f, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff],
        &[0, 0, 0, 0],
    ];
    for bytes in hostile {
        let mut client = Client::connect(cluster.address(1)).expect("connects");
        // It may have been closed while we were still sending.
        let _ = client.send_bytes(bytes);
        assert!(client.topic(TOPIC).is_err(), "closed");
        assert_eq!(bystander.topic(TOPIC).expect("an answer").error_code, 0);
    }
}

#[test]
fn a_recreated_topic_has_another_id_and_the_old_one_is_unknown() {
    let (_cluster, mut client) = with_topic(&[]);
    let old = client.topic(TOPIC).expect("an answer").topic_id;
    let request = DeleteTopicsRequest::default().with_topic_names(vec![name(TOPIC)]);
    assert_eq!(client.ask(&request, 5).expect("an answer").responses[0].error_code, 0);
    assert_eq!(client.create_topic(TOPIC, 1, 3, &[]), 0);
    let new = client.topic(TOPIC).expect("an answer").topic_id;
    assert!(!new.is_nil() && new != old);
    let topic = FetchTopic::default().with_topic_id(old).with_partitions(vec![FetchPartition::default()]);
    let request = FetchRequest::default().with_max_wait_ms(20_000).with_topics(vec![topic]);
    let answer = client.ask(&request, 13).expect("an answer");
    // UNKNOWN_TOPIC_ID, at once
    assert_eq!(answer.responses[0].partitions[0].error_code, 100);
    assert_ne!(client.fetch(TOPIC, 5, 0).expect("an answer").error_code, 0);
}

#[test]
fn a_topic_that_is_asked_about_is_made_if_the_switch_is_on() {
    let cluster =
        Cluster::start(&[("auto.create.topics.enable", "true"), ("default.replication.factor", "3")]);
    let mut client = Client::connect(cluster.address(2)).expect("connects");
    let topic = client.topic("sudden").expect("an answer");
    assert_eq!((topic.error_code, topic.partitions.len()), (0, 1));
    assert_eq!(topic.partitions[0].replica_nodes.len(), 3);
}

#[test]
fn impossible_topics_are_refused_with_the_reason() {
    let cluster = Cluster::start(&[]);
    let mut client = Client::connect(cluster.address(3)).expect("connects");
    assert_eq!(client.create_topic("four", 1, 4, &[]), 38);
    assert_eq!(client.create_topic("none", 0, 1, &[]), 37);
    assert_eq!(client.create_topic("typo", 1, 1, &[("min.insync.replica", "2")]), 40);
    assert_eq!(client.create_topic("shredded", 1, 1, &[("cleanup.policy", "shred")]), 40);
}
