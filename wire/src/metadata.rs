//! Asking a broker who leads what: Metadata as a client of any Kafka cluster asks it, with the leader epochs
//! that client libraries keep to themselves.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{MetadataRequest, TopicName};

use crate::frame::{self, FrameError};

/// The version that is asked for: Kafka 2.8 and later know it.
const VERSION: i16 = 12;
/// More than an answer about one topic ever has.
const ANSWER_MAX: usize = 16 << 20;
/// Below zero is nobody.
const NOBODY: i32 = -1;

/// What a broker believes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Believed {
    /// The brokers that are there, as it sees them; fenced ones are not.
    pub brokers: Vec<i32>,
    /// The partitions of the topic; empty if it knows none.
    pub partitions: Vec<BelievedPartition>,
}

/// What a broker believes of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BelievedPartition {
    /// Its number.
    pub partition: u32,
    /// Who leads, if anybody.
    pub leader: Option<i32>,
    /// Since which epoch.
    pub epoch: i32,
    /// The in-sync replicas.
    pub isr: Vec<i32>,
    /// All replicas.
    pub replicas: Vec<i32>,
}

/// The question about a topic, length included. It never creates the topic.
///
/// # Errors
/// If the name cannot be said.
pub fn question(topic: &str) -> Result<Bytes, FrameError> {
    let topic = MetadataRequestTopic::default().with_name(Some(TopicName(topic.to_owned().into())));
    let body =
        MetadataRequest::default().with_topics(Some(vec![topic])).with_allow_auto_topic_creation(false);
    frame::request(&body, VERSION, 0, "highwater-watch")
}

/// Cuts the answer from what has been read so far; `None` means more bytes are needed.
///
/// # Errors
/// If the frame is too long, or no such answer.
pub fn answer(buffer: &mut BytesMut) -> Result<Option<Believed>, FrameError> {
    let Some(frame) = frame::split(buffer, ANSWER_MAX)? else { return Ok(None) };
    let (_, body) = frame::response::<MetadataRequest>(frame, VERSION)?;
    let partitions = body.topics.iter().flat_map(|topic| &topic.partitions).filter_map(|partition| {
        Some(BelievedPartition {
            partition: u32::try_from(partition.partition_index).ok()?,
            leader: Some(partition.leader_id.0).filter(|leader| *leader > NOBODY),
            epoch: partition.leader_epoch,
            isr: partition.isr_nodes.iter().map(|node| node.0).collect(),
            replicas: partition.replica_nodes.iter().map(|node| node.0).collect(),
        })
    });
    Ok(Some(Believed {
        brokers: body.brokers.iter().map(|broker| broker.node_id.0).collect(),
        partitions: partitions.collect(),
    }))
}
