//! Request frames: every served API at every version survives the round trip, truncation and mutation. A
//! lying length that slips through the guard would abort this process, which is how the tests notice.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use kafka_protocol::messages::fetch_response::{
    AbortedTransaction, EpochEndOffset, FetchableTopicResponse, PartitionData,
};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Request, StrBytes};
use proptest::prelude::*;
use wire::frame::{self, FrameError, GuardError};
use wire::schema::{self, APIS};

use crate::{batches, more};

fn name() -> TopicName {
    TopicName(StrBytes::from_static_str("orders"))
}

/// An honest request of every served API in this version, framed.
fn sample(key: ApiKey, version: i16) -> Bytes {
    let text = StrBytes::from_static_str;
    match key {
        ApiKey::Produce => framed(
            version,
            ProduceRequest::default().with_acks(-1).with_topic_data(vec![
                TopicProduceData::default().with_name(name()).with_partition_data(vec![
                    PartitionProduceData::default()
                        .with_index(1)
                        .with_records(Some(batches::encode(&["a", "b"]))),
                    PartitionProduceData::default().with_index(2),
                ]),
            ]),
        ),
        ApiKey::Fetch => {
            let topic = FetchTopic::default()
                .with_partitions(vec![FetchPartition::default(), FetchPartition::default()]);
            let forgotten = ForgottenTopic::default().with_partitions(vec![1, 2, 3]);
            let (topic, forgotten) = if version < 13 {
                (topic.with_topic(name()), forgotten.with_topic(name()))
            } else {
                (topic, forgotten)
            };
            let request = FetchRequest::default().with_topics(vec![topic]);
            framed(
                version,
                if version < 7 { request } else { request.with_forgotten_topics_data(vec![forgotten]) },
            )
        }
        ApiKey::ListOffsets => framed(
            version,
            ListOffsetsRequest::default().with_topics(vec![
                ListOffsetsTopic::default()
                    .with_name(name())
                    .with_partitions(vec![ListOffsetsPartition::default(); 2]),
            ]),
        ),
        ApiKey::Metadata => framed(
            version,
            MetadataRequest::default().with_topics(Some(vec![
                MetadataRequestTopic::default()
                    .with_name(Some(name()));
                2
            ])),
        ),
        ApiKey::ApiVersions => framed(
            version,
            if version < 3 {
                ApiVersionsRequest::default()
            } else {
                ApiVersionsRequest::default()
                    .with_client_software_name(text("c"))
                    .with_client_software_version(text("1"))
            },
        ),
        ApiKey::CreateTopics => framed(
            version,
            CreateTopicsRequest::default().with_topics(vec![
                CreatableTopic::default()
                    .with_name(name())
                    .with_assignments(vec![
                        CreatableReplicaAssignment::default().with_broker_ids(vec![BrokerId(1), BrokerId(2)]),
                    ])
                    .with_configs(vec![
                        CreatableTopicConfig::default().with_name(text("a")).with_value(Some(text("b"))),
                    ]),
            ]),
        ),
        ApiKey::DeleteTopics => framed(
            version,
            if version < 6 {
                DeleteTopicsRequest::default().with_topic_names(vec![name(), name()])
            } else {
                DeleteTopicsRequest::default()
                    .with_topics(vec![DeleteTopicState::default().with_name(Some(name()))])
            },
        ),
        ApiKey::InitProducerId => {
            framed(version, InitProducerIdRequest::default().with_transaction_timeout_ms(5))
        }
        ApiKey::OffsetForLeaderEpoch => framed(
            version,
            OffsetForLeaderEpochRequest::default().with_topics(vec![
                OffsetForLeaderTopic::default()
                    .with_topic(name())
                    .with_partitions(vec![OffsetForLeaderPartition::default(); 2]),
            ]),
        ),
        ApiKey::DescribeConfigs => framed(
            version,
            DescribeConfigsRequest::default().with_resources(vec![
                DescribeConfigsResource::default()
                    .with_resource_name(text("orders"))
                    .with_configuration_keys(Some(vec![text("a"), text("b")])),
            ]),
        ),
        ApiKey::DescribeCluster => framed(version, DescribeClusterRequest::default()),
        other => more::sample(other, version),
    }
}

pub(crate) fn framed<R: Request>(version: i16, request: R) -> Bytes {
    let bytes = frame::request(&request, version, 77, "tester").expect("encodes");
    frame::split(&mut BytesMut::from(&bytes[..]), bytes.len()).expect("a frame").expect("complete")
}

pub(crate) fn body<R: Request>(head: &frame::Head) -> Result<(ApiKey, i16, Bytes), FrameError> {
    let body: R = head.body()?;
    let mut out = BytesMut::new();
    // What was read need not be sayable: a null where the version has none.
    let _ = body.encode(&mut out, head.version);
    Ok((head.key, head.version, out.freeze()))
}

/// Decodes as the broker does, whatever the bytes are, and says what it read, encoded again.
fn decode(bytes: Bytes) -> Result<(ApiKey, i16, Bytes), FrameError> {
    let head = frame::head(bytes)?;
    if head.is_unknown_version() {
        return Ok((head.key, head.version, Bytes::new()));
    }
    match head.key {
        ApiKey::Produce => body::<ProduceRequest>(&head),
        ApiKey::Fetch => body::<FetchRequest>(&head),
        ApiKey::ListOffsets => body::<ListOffsetsRequest>(&head),
        ApiKey::Metadata => body::<MetadataRequest>(&head),
        ApiKey::ApiVersions => body::<ApiVersionsRequest>(&head),
        ApiKey::CreateTopics => body::<CreateTopicsRequest>(&head),
        ApiKey::DeleteTopics => body::<DeleteTopicsRequest>(&head),
        ApiKey::InitProducerId => body::<InitProducerIdRequest>(&head),
        ApiKey::OffsetForLeaderEpoch => body::<OffsetForLeaderEpochRequest>(&head),
        ApiKey::DescribeConfigs => body::<DescribeConfigsRequest>(&head),
        ApiKey::DescribeCluster => body::<DescribeClusterRequest>(&head),
        other => more::decode(other, &head),
    }
}

fn every_version() -> impl Iterator<Item = (ApiKey, i16)> {
    APIS.iter().flat_map(|api| (api.min..=api.max).map(|version| (api.key, version)))
}

#[test]
fn every_served_api_survives_the_round_trip_and_any_truncation() {
    for (key, version) in every_version() {
        let bytes = sample(key, version);
        let (read_key, read_version, body) =
            decode(bytes.clone()).unwrap_or_else(|error| panic!("{key:?} v{version}: {error}"));
        assert_eq!((read_key, read_version), (key, version));
        assert!(bytes.ends_with(&body), "{key:?} v{version}: read something else than was sent");
        for end in 0..bytes.len() {
            assert!(
                decode(bytes.slice(..end)).is_err(),
                "{key:?} v{version} cut at {end} of {}",
                bytes.len()
            );
        }
    }
}

#[test]
fn a_length_of_two_billion_is_refused_wherever_it_stands() {
    for (key, version) in every_version() {
        let bytes = sample(key, version);
        for at in 0..bytes.len() {
            for lie in
                [&[0x7f, 0xff, 0xff, 0xff][..], &[0xff, 0xff, 0xff, 0xff, 0x0f], &[0xff; 4], &[0x80; 5]]
            {
                let mut mutated = bytes.to_vec();
                let end = (at + lie.len()).min(mutated.len());
                mutated[at..end].copy_from_slice(&lie[..end - at]);
                let _ = decode(Bytes::from(mutated));
            }
        }
    }
}

#[test]
fn many_small_elements_do_not_become_much_memory() {
    let mut body = BytesMut::new();
    body.extend_from_slice(&0_i16.to_be_bytes());
    body.extend_from_slice(&18_i16.to_be_bytes());
    let request = MetadataRequest::default().with_topics(Some(vec![
        MetadataRequestTopic::default()
            .with_name(Some(name()));
        100_001
    ]));
    let head = frame::head(framed(9, request)).expect("a header");
    let error = head.body::<MetadataRequest>().expect_err("refused");
    assert!(matches!(error, FrameError::Guard(GuardError::Elements)), "{error}");
}

#[test]
fn a_frame_is_cut_only_when_complete_and_within_the_limit() {
    let mut buffer = BytesMut::from(&[0, 0, 0, 3, 1, 2][..]);
    assert!(frame::split(&mut buffer, 3).expect("fits").is_none());
    buffer.extend_from_slice(&[3, 9]);
    assert_eq!(frame::split(&mut buffer, 3).expect("fits").as_deref(), Some(&[1, 2, 3][..]));
    assert_eq!(&buffer[..], [9]);
    for (length, limit) in [(4_i32, 3_usize), (-1, 3), (i32::MAX, frame::MAX_REQUEST)] {
        let error = frame::split(&mut BytesMut::from(&length.to_be_bytes()[..]), limit);
        assert!(matches!(error, Err(FrameError::Length { .. })));
    }
}

#[test]
fn api_versions_of_the_future_is_answered_in_version_0() {
    let mut bytes = sample(ApiKey::ApiVersions, 4).to_vec();
    bytes[2..4].copy_from_slice(&9_i16.to_be_bytes());
    let head = frame::head(Bytes::from(bytes)).expect("passes");
    assert!(head.is_unknown_version());
    let answer = head.answer(&ApiVersionsResponse::default().with_error_code(35)).expect("encodes");
    let (correlation, body) = frame::response::<ApiVersionsRequest>(answer.slice(4..), 0).expect("version 0");
    assert_eq!((correlation, body.error_code), (77, 35));
}

#[test]
fn api_versions_answers_never_have_a_flexible_header() {
    let head = frame::head(sample(ApiKey::ApiVersions, 4)).expect("a header");
    let answer = head.answer(&ApiVersionsResponse::default()).expect("encodes");
    // Length, correlation id, then at once the error code.
    assert_eq!(&answer[4..10], [0, 0, 0, 77, 0, 0]);
}

#[test]
fn produce_is_advertised_from_zero_but_read_from_three() {
    let api = schema::find(0).expect("served");
    assert_eq!((api.advertised_min(), api.min), (0, 3));
    let mut bytes = sample(ApiKey::Produce, 3).to_vec();
    bytes[3] = 2;
    assert!(matches!(frame::head(Bytes::from(bytes)), Err(FrameError::Unserved { key: 0, version: 2 })));
}

fn fetch_answer(version: i16) -> Bytes {
    let mut partition = PartitionData::default()
        .with_aborted_transactions(Some(vec![AbortedTransaction::default()]))
        .with_records(Some(batches::encode(&["a"])));
    if version >= 12 {
        partition =
            partition.with_diverging_epoch(EpochEndOffset::default().with_epoch(3).with_end_offset(9));
    }
    let response = FetchResponse::default().with_responses(vec![
        FetchableTopicResponse::default().with_topic(name()).with_partitions(vec![partition]),
    ]);
    frame::head(sample(ApiKey::Fetch, version))
        .expect("a header")
        .answer(&response)
        .expect("encodes")
        .slice(4..)
}

#[test]
fn a_follower_reads_what_its_leader_wrote() {
    for version in 4..=12 {
        let (correlation, body) = frame::fetch_response(fetch_answer(version), version).expect("decodes");
        let partition = &body.responses[0].partitions[0];
        assert_eq!(
            (correlation, partition.records.as_ref().map(Bytes::len)),
            (77, Some(batches::encode(&["a"]).len()))
        );
        assert_eq!(partition.diverging_epoch.end_offset, if version >= 12 { 9 } else { -1 });
    }
}

proptest! {
    #[test]
    fn mutated_requests_never_crash(
        api in 0..APIS.len(),
        pick in any::<u16>(),
        edits in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..6),
        tail in proptest::collection::vec(any::<u8>(), 0..12),
    ) {
        let api = &APIS[api];
        let version = api.min + (pick % (api.max - api.min + 1).unsigned_abs()).cast_signed();
        let mut bytes = sample(api.key, version).to_vec();
        for (at, value) in edits {
            // Key and version stay, so that the body is what gets hurt.
            let at = 4 + usize::from(at) % (bytes.len() - 4);
            bytes[at] = value;
        }
        bytes.extend(tail);
        let _ = decode(Bytes::from(bytes));
    }

    #[test]
    fn mutated_fetch_answers_never_crash(
        version in 4_i16..=12,
        edits in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = fetch_answer(version).to_vec();
        for (at, value) in edits {
            let at = usize::from(at) % bytes.len();
            bytes[at] = value;
        }
        let _ = frame::fetch_response(Bytes::from(bytes), version);
    }

    #[test]
    fn garbage_never_crashes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(Bytes::from(bytes));
    }
}
