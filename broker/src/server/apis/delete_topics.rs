//! DeleteTopics, by name or by id (KIP-516).

use std::rc::Rc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse, TopicName};

use super::{Fault, text};
use crate::core::{AdminOp, Uuid};
use crate::server::engine::Host;

/// Answers DeleteTopics.
pub(super) async fn delete(
    host: Rc<Host>,
    version: i16,
    request: DeleteTopicsRequest,
) -> DeleteTopicsResponse {
    let by_name = request.topic_names.into_iter().map(|name| (Some(name), Uuid::NIL));
    let by_state = request.topics.into_iter().map(|topic| (topic.name, Uuid(topic.topic_id.into_bytes())));
    let allowed = host.settings_now().get("delete.topic.enable") == "true";
    let mut results = Vec::new();
    for (name, id) in by_name.chain(by_state) {
        let image = host.image();
        let found = match &name {
            _ if !allowed => Err(ResponseError::TopicDeletionDisabled.code()),
            Some(_) if id != Uuid::NIL => Err(ResponseError::InvalidRequest.code()),
            Some(name) => image
                .topics
                .get(name.as_str())
                .map(|topic| (name.clone(), topic.id))
                .ok_or(ResponseError::UnknownTopicOrPartition.code()),
            None => image
                .topic(id)
                .map(|(name, _)| (TopicName(text(name)), id))
                .ok_or(ResponseError::UnknownTopicId.code()),
        };
        let result = DeletableTopicResult::default();
        results.push(match found {
            Err(code) => {
                // Versions before 6 have no null for a name.
                let name = if version < 6 { Some(name.unwrap_or_default()) } else { name };
                result.with_error_code(code).with_name(name).with_topic_id(uuid::Uuid::from_bytes(id.0))
            }
            Ok((name, id)) => {
                let outcome = host.administer(AdminOp::DeleteTopic { id }).await;
                let result = result.with_name(Some(name)).with_topic_id(uuid::Uuid::from_bytes(id.0));
                match outcome.map_err(Fault::from) {
                    Ok(_) => result,
                    Err(Fault(code, message)) => {
                        let message = message.filter(|_| version >= 5).map(text);
                        result.with_error_code(code).with_error_message(message)
                    }
                }
            }
        });
    }
    DeleteTopicsResponse::default().with_responses(results)
}
