//! A blocking client that speaks raw frames: one request, one answer.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{
    CreateTopicsRequest, FetchRequest, MetadataRequest, ProduceRequest, TopicName,
};
use kafka_protocol::protocol::{Request, StrBytes};
use kafka_protocol::records::{
    Compression, Record, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use wire::frame;

use crate::cluster::PATIENCE;

pub(crate) struct Client {
    stream: TcpStream,
    correlation: i32,
}

pub(crate) fn name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, correlation: 0 })
    }

    pub(crate) fn send<R: Request>(&mut self, request: &R, version: i16) -> io::Result<i32> {
        self.correlation += 1;
        let bytes = frame::request(request, version, self.correlation, "tester").expect("encodes");
        self.stream.write_all(&bytes)?;
        Ok(self.correlation)
    }

    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    pub(crate) fn receive<R: Request>(&mut self, version: i16) -> io::Result<(i32, R::Response)> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut body = vec![0; usize::try_from(i32::from_be_bytes(length)).expect("a length")];
        self.stream.read_exact(&mut body)?;
        Ok(frame::response::<R>(Bytes::from(body), version).expect("an answer"))
    }

    pub(crate) fn ask<R: Request>(&mut self, request: &R, version: i16) -> io::Result<R::Response> {
        let sent = self.send(request, version)?;
        let (correlation, response) = self.receive::<R>(version)?;
        assert_eq!(correlation, sent);
        Ok(response)
    }

    pub(crate) fn create_topic(
        &mut self,
        topic: &str,
        partitions: i32,
        replication_factor: i16,
        configs: &[(&str, &str)],
    ) -> i16 {
        let text = |text: &str| StrBytes::from_string(text.to_owned());
        let configs = configs.iter().map(|(name, value)| {
            CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)))
        });
        let topic = CreatableTopic::default()
            .with_name(name(topic))
            .with_num_partitions(partitions)
            .with_replication_factor(replication_factor)
            .with_configs(configs.collect());
        let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(5_000);
        self.ask(&request, 7).expect("an answer").topics[0].error_code
    }

    pub(crate) fn topic(&mut self, topic: &str) -> io::Result<MetadataResponseTopic> {
        let asked = MetadataRequestTopic::default().with_name(Some(name(topic)));
        let request = MetadataRequest::default().with_topics(Some(vec![asked]));
        Ok(self.ask(&request, 12)?.topics.remove(0))
    }

    pub(crate) fn partition(&mut self, topic: &str) -> io::Result<Option<MetadataResponsePartition>> {
        Ok(self.topic(topic)?.partitions.into_iter().next())
    }

    pub(crate) fn produce(
        &mut self,
        topic: &str,
        acks: i16,
        batch: Bytes,
    ) -> io::Result<PartitionProduceResponse> {
        let mut response = self.ask(&produce(topic, acks, batch), 9)?;
        Ok(response.responses.remove(0).partition_responses.remove(0))
    }

    /// Fetches partition 0 from an offset, waiting up to `wait_ms`.
    pub(crate) fn fetch(&mut self, topic: &str, offset: i64, wait_ms: i32) -> io::Result<PartitionData> {
        let mut response = self.ask(&fetch(topic, offset, wait_ms), 12)?;
        Ok(response.responses.remove(0).partitions.remove(0))
    }
}

pub(crate) fn produce(topic: &str, acks: i16, batch: Bytes) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(0).with_records(Some(batch));
    let topic = TopicProduceData::default().with_name(name(topic)).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(acks).with_timeout_ms(5_000).with_topic_data(vec![topic])
}

pub(crate) fn fetch(topic: &str, offset: i64, wait_ms: i32) -> FetchRequest {
    let partition = FetchPartition::default().with_fetch_offset(offset).with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default().with_topic(name(topic)).with_partitions(vec![partition]);
    FetchRequest::default()
        .with_max_wait_ms(wait_ms)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_topics(vec![topic])
}

/// A batch of a producer (-1 is none) whose first record has this sequence number.
pub(crate) fn batch(producer: i64, sequence: i32, values: &[String]) -> Bytes {
    let records: Vec<Record> = values
        .iter()
        .zip(0..)
        .map(|(value, at)| Record {
            transactional: false,
            control: false,
            partition_leader_epoch: -1,
            producer_id: producer,
            producer_epoch: if producer < 0 { -1 } else { 0 },
            timestamp_type: TimestampType::Creation,
            offset: i64::from(at),
            // The encoder starts a batch wherever offset and sequence drift apart.
            sequence: sequence + at,
            timestamp: 1_000 + i64::from(at),
            key: None,
            value: Some(Bytes::from(value.clone())),
            headers: Default::default(),
            delete_horizon: false,
        })
        .collect();
    let mut out = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut out, &records, &options).expect("encodes");
    out.freeze()
}

/// The values in fetched records, with their offsets.
pub(crate) fn values(records: Option<Bytes>) -> Vec<(i64, String)> {
    let sets = RecordBatchDecoder::decode_all(&mut records.unwrap_or_default()).expect("whole batches");
    let records = sets.into_iter().flat_map(|set| set.records);
    records
        .map(|record| {
            (record.offset, String::from_utf8(record.value.unwrap_or_default().to_vec()).expect("text"))
        })
        .collect()
}
