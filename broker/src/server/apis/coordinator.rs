//! FindCoordinator: which broker a group or a transactional id belongs to. Asking for the first one creates the
//! internal topic.

use std::rc::Rc;
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::{BrokerId, FindCoordinatorRequest, FindCoordinatorResponse};
use tokio::time::{Instant, sleep};

use super::{text, topics};
use crate::core::{ClusterImage, InternalTopic};
use crate::server::engine::Host;

/// How long an answer waits for the internal topic that it has just had created.
const CREATION: Duration = Duration::from_millis(1_000);

/// Answers FindCoordinator.
pub(super) async fn find(
    host: Rc<Host>,
    version: i16,
    request: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    let topic = match request.key_type {
        0 => Ok(InternalTopic::ConsumerOffsets),
        1 => Ok(InternalTopic::TransactionState),
        _ => Err(ResponseError::InvalidRequest),
    };
    if let Ok(topic) = topic {
        create_missing(&host, topic).await;
    }
    let image = host.image();
    let keys = if version >= 4 { request.coordinator_keys } else { vec![request.key] };
    let mut found = keys.into_iter().map(|key| {
        let coordinator = Coordinator::default().with_key(key.clone());
        match topic.and_then(|topic| leader(&image, topic, &key)) {
            Ok((id, node, port)) => {
                coordinator.with_node_id(BrokerId(id)).with_host(text(node)).with_port(i32::from(port))
            }
            Err(error) => coordinator
                .with_error_code(error.code())
                .with_error_message(Some(text(error.to_string())))
                .with_node_id(BrokerId(-1))
                .with_port(-1),
        }
    });
    if version >= 4 {
        return FindCoordinatorResponse::default().with_coordinators(found.collect());
    }
    let Some(one) = found.next() else { return FindCoordinatorResponse::default() };
    FindCoordinatorResponse::default()
        .with_error_code(one.error_code)
        .with_error_message(one.error_message)
        .with_node_id(one.node_id)
        .with_host(one.host)
        .with_port(one.port)
}

fn leader<'a>(
    image: &'a ClusterImage,
    topic: InternalTopic,
    name: &str,
) -> Result<(i32, &'a str, u16), ResponseError> {
    if topic == InternalTopic::TransactionState && name.is_empty() {
        return Err(ResponseError::InvalidRequest);
    }
    let gone = ResponseError::CoordinatorNotAvailable;
    let partition = topic.partition_of(image, name).and_then(|key| image.partition(key)).ok_or(gone)?;
    let broker = image.brokers.get(&partition.leader).filter(|broker| !broker.fenced).ok_or(gone)?;
    Ok((partition.leader, broker.host.as_str(), broker.port))
}

/// Creates an internal topic if it is not there yet, and waits for it.
pub(super) async fn create_missing(host: &Rc<Host>, topic: InternalTopic) {
    let there = || host.image().topics.contains_key(topic.name());
    if there() {
        return;
    }
    let deadline = Instant::now() + CREATION;
    // An error shows as the topic's absence, which a client is told to ask about again.
    let _ = tokio::time::timeout_at(deadline, topics::create_internal(host, topic)).await;
    while !there() && Instant::now() < deadline {
        sleep(Duration::from_millis(10)).await;
    }
}
