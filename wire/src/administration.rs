//! What an administrator asks of a Kafka cluster and client libraries do not offer here: other replicas for a
//! partition (AlterPartitionReassignments, KIP-455), elections (ElectLeaders, KIP-460), and another value of one setting
//! (IncrementalAlterConfigs, KIP-339).

use bytes::{Bytes, BytesMut};
use kafka_protocol::error::{ParseResponseErrorCode, ResponseError};
use kafka_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::{
    AlterPartitionReassignmentsRequest, BrokerId, ElectLeadersRequest, IncrementalAlterConfigsRequest,
    TopicName,
};

use crate::frame::{self, FrameError};

/// Kafka 2.4 and later know all of these.
const REASSIGN: i16 = 0;
const ELECT: i16 = 2;
const ALTER: i16 = 1;
/// A topic, as the owner of settings.
const TOPIC: i8 = 2;
const SET: i8 = 0;
const DELETE: i8 = 1;
/// More than an answer about one topic ever has.
const ANSWER_MAX: usize = 16 << 20;
const CLIENT: &str = "highwater-admin";

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Granted {
    /// The broker is not the one to ask, or cannot reach the one that is: another may do it.
    pub elsewhere: bool,
    /// Why, for each partition that was refused; one reason for all of them has no partition.
    pub refused: Vec<(Option<u32>, String)>,
    /// Partitions it was granted for, or that were like that already.
    pub granted: Vec<u32>,
}

impl Granted {
    /// Takes in an error code, of a partition or of the request.
    fn take(&mut self, partition: Option<i32>, code: i16, message: Option<&str>) {
        let partition = partition.and_then(|partition| u32::try_from(partition).ok());
        match (code.err(), partition) {
            (
                Some(
                    ResponseError::NotController
                    | ResponseError::RequestTimedOut
                    | ResponseError::NetworkException
                    | ResponseError::BrokerNotAvailable,
                ),
                _,
            ) => self.elsewhere = true,
            (None | Some(ResponseError::ElectionNotNeeded), Some(partition)) => self.granted.push(partition),
            (None, None) => {}
            (Some(error), _) => {
                let said = message.filter(|message| !message.is_empty());
                let reason = said.map_or_else(|| error.to_string(), |said| format!("{error:?}: {said}"));
                self.refused.push((partition, reason));
            }
        }
    }
}

/// Asks for a partition to have these replicas, length included.
///
/// # Errors
/// If it cannot be said.
pub fn reassignment(
    topic: &str,
    partition: u32,
    replicas: &[i32],
    timeout_ms: i32,
) -> Result<Bytes, FrameError> {
    let partition = ReassignablePartition::default()
        .with_partition_index(number(partition)?)
        .with_replicas(Some(replicas.iter().copied().map(BrokerId).collect()));
    let topic = ReassignableTopic::default().with_name(name(topic)).with_partitions(vec![partition]);
    let body =
        AlterPartitionReassignmentsRequest::default().with_timeout_ms(timeout_ms).with_topics(vec![topic]);
    frame::request(&body, REASSIGN, 0, CLIENT)
}

/// Cuts the answer to [`reassignment`] from what has been read so far; `None` means more bytes are needed.
///
/// # Errors
/// If the frame is too long, or no such answer.
pub fn reassigned(buffer: &mut BytesMut) -> Result<Option<Granted>, FrameError> {
    let Some(frame) = frame::split(buffer, ANSWER_MAX)? else { return Ok(None) };
    let (_, body) = frame::response::<AlterPartitionReassignmentsRequest>(frame, REASSIGN)?;
    let mut granted = Granted::default();
    granted.take(None, body.error_code, body.error_message.as_deref());
    for partition in body.responses.iter().flat_map(|topic| &topic.partitions) {
        let message = partition.error_message.as_deref();
        granted.take(Some(partition.partition_index), partition.error_code, message);
    }
    Ok(Some(granted))
}

/// Asks for elections: of preferred leaders, or of whoever lives where nobody leads; length included.
///
/// # Errors
/// If it cannot be said.
pub fn election(
    topic: &str,
    unclean: bool,
    partitions: &[u32],
    timeout_ms: i32,
) -> Result<Bytes, FrameError> {
    let partitions = partitions.iter().copied().map(number).collect::<Result<_, _>>()?;
    let topic = TopicPartitions::default().with_topic(name(topic)).with_partitions(partitions);
    let body = ElectLeadersRequest::default()
        .with_election_type(i8::from(unclean))
        .with_topic_partitions(Some(vec![topic]))
        .with_timeout_ms(timeout_ms);
    frame::request(&body, ELECT, 0, CLIENT)
}

/// Cuts the answer to [`election`] from what has been read so far; `None` means more bytes are needed.
///
/// # Errors
/// If the frame is too long, or no such answer.
pub fn elected(buffer: &mut BytesMut) -> Result<Option<Granted>, FrameError> {
    let Some(frame) = frame::split(buffer, ANSWER_MAX)? else { return Ok(None) };
    let (_, body) = frame::response::<ElectLeadersRequest>(frame, ELECT)?;
    let mut granted = Granted::default();
    granted.take(None, body.error_code, None);
    for partition in body.replica_election_results.iter().flat_map(|topic| &topic.partition_result) {
        let message = partition.error_message.as_deref();
        granted.take(Some(partition.partition_id), partition.error_code, message);
    }
    Ok(Some(granted))
}

/// Asks for one of a topic's own settings to have this value, or (`None`) to be given up; length included.
///
/// # Errors
/// If it cannot be said.
pub fn alteration(topic: &str, setting: &str, value: Option<&str>) -> Result<Bytes, FrameError> {
    let config = AlterableConfig::default()
        .with_name(setting.to_owned().into())
        .with_config_operation(if value.is_some() { SET } else { DELETE })
        .with_value(value.map(|value| value.to_owned().into()));
    let resource = AlterConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(topic.to_owned().into())
        .with_configs(vec![config]);
    let body = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    frame::request(&body, ALTER, 0, CLIENT)
}

/// Cuts the answer to [`alteration`] from what has been read so far; `None` means more bytes are needed.
///
/// # Errors
/// If the frame is too long, or no such answer.
pub fn altered(buffer: &mut BytesMut) -> Result<Option<Granted>, FrameError> {
    let Some(frame) = frame::split(buffer, ANSWER_MAX)? else { return Ok(None) };
    let (_, body) = frame::response::<IncrementalAlterConfigsRequest>(frame, ALTER)?;
    let mut granted = Granted::default();
    for resource in &body.responses {
        granted.take(None, resource.error_code, resource.error_message.as_deref());
    }
    Ok(Some(granted))
}

fn name(topic: &str) -> TopicName {
    TopicName(topic.to_owned().into())
}

fn number(partition: u32) -> Result<i32, FrameError> {
    i32::try_from(partition).map_err(frame::malformed)
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
    use kafka_protocol::messages::{ElectLeadersResponse, RequestHeader, ResponseHeader};
    use kafka_protocol::protocol::Decodable;

    use super::*;

    #[test]
    fn requests_say_what_is_asked() {
        let mut frame = reassignment("t", 3, &[2, 1], 500).expect("it can be said").slice(4..);
        RequestHeader::decode(&mut frame, 2).expect("a header");
        let body = AlterPartitionReassignmentsRequest::decode(&mut frame, REASSIGN).expect("a body");
        let partition = &body.topics[0].partitions[0];
        assert_eq!((body.topics[0].name.as_str(), partition.partition_index), ("t", 3));
        assert_eq!(partition.replicas, Some(vec![BrokerId(2), BrokerId(1)]));

        let mut frame = alteration("t", "segment.ms", None).expect("it can be said").slice(4..);
        RequestHeader::decode(&mut frame, 2).expect("a header");
        let body = IncrementalAlterConfigsRequest::decode(&mut frame, ALTER).expect("a body");
        let config = &body.resources[0].configs[0];
        assert_eq!((config.name.as_str(), config.config_operation, &config.value), ("segment.ms", 1, &None));

        let mut frame = election("t", true, &[0, 2], 500).expect("it can be said").slice(4..);
        RequestHeader::decode(&mut frame, 2).expect("a header");
        let body = ElectLeadersRequest::decode(&mut frame, ELECT).expect("a body");
        assert_eq!((body.election_type, body.timeout_ms), (1, 500));
        assert_eq!(body.topic_partitions.expect("a topic")[0].partitions, [0, 2]);
    }

    #[test]
    fn an_answer_tells_partition_by_partition() {
        let of = |(id, error): (i32, ResponseError)| {
            PartitionResult::default().with_partition_id(id).with_error_code(error.code())
        };
        let mut results: Vec<_> =
            [(1, ResponseError::ElectionNotNeeded), (2, ResponseError::EligibleLeadersNotAvailable)]
                .map(of)
                .into();
        results.push(PartitionResult::default().with_partition_id(0));
        let topic = ReplicaElectionResult::default().with_partition_result(results);
        let answer = |body: &ElectLeadersResponse| {
            let frame = frame::assemble(&ResponseHeader::default(), 1, body, ELECT).expect("it can be said");
            elected(&mut BytesMut::from(&frame[..])).expect("an answer").expect("a whole one")
        };
        let granted = answer(&ElectLeadersResponse::default().with_replica_election_results(vec![topic]));
        assert_eq!(granted.granted, [1, 0]);
        assert_eq!((granted.elsewhere, granted.refused.len(), granted.refused[0].0), (false, 1, Some(2)));
        for error in [ResponseError::NotController, ResponseError::RequestTimedOut] {
            let answer = answer(&ElectLeadersResponse::default().with_error_code(error.code()));
            assert_eq!((answer.elsewhere, answer.refused.len()), (true, 0), "{error:?}");
        }
        assert_eq!(elected(&mut BytesMut::from(&[0, 0][..])).expect("too short to tell"), None);
    }
}
