//! CreateTopics and DeleteTopics: validated here, decided by the controller.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{
    CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest, DeleteTopicsResponse, TopicName,
};

use super::{configs, text};
use crate::core::settings;
use crate::core::{AdminAnswer, AdminOp, InternalTopic, NewTopic, Uuid};
use crate::server::clock;
use crate::server::engine::{Host, Unanswered};

/// A code, and what it means here.
struct Fault(i16, Option<String>);

impl From<Unanswered> for Fault {
    fn from(error: Unanswered) -> Self {
        let message = match error {
            Unanswered::Refused(refusal) => Some(refusal.to_string()),
            Unanswered::Unreachable => Some("no connection to the controller".to_owned()),
            Unanswered::Unknown => Some("the controller has not answered".to_owned()),
        };
        Self(error.code(), message)
    }
}

/// Kafka's rule for topic names (`Topic.validate`).
pub(super) fn is_legal(name: &TopicName) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let name = name.as_str();
    !name.is_empty() && name.len() <= 249 && name != "." && name != ".." && name.bytes().all(legal)
}

/// Answers CreateTopics.
pub(super) async fn create(
    host: Rc<Host>,
    version: i16,
    request: CreateTopicsRequest,
) -> CreateTopicsResponse {
    let mut results = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let result = CreatableTopicResult::default().with_name(topic.name.clone());
        results.push(match create_one(&host, topic, request.validate_only).await {
            Err(Fault(code, message)) => result
                .with_error_code(code)
                .with_error_message(message.map(text))
                .with_num_partitions(-1)
                .with_replication_factor(-1),
            Ok(created) => {
                let described = host.settings.describe_topic(&created.configs).into_iter().map(|setting| {
                    CreatableTopicConfigs::default()
                        .with_name(text(setting.name))
                        .with_config_source(configs::source(setting.origin))
                        .with_value(Some(text(setting.value)))
                });
                let id = if request.validate_only { Uuid::NIL } else { created.id };
                let result = result
                    .with_topic_id(uuid::Uuid::from_bytes(id.0))
                    .with_num_partitions(created.partitions)
                    .with_replication_factor(created.replication_factor);
                if version >= 5 { result.with_configs(Some(described.collect())) } else { result }
            }
        });
    }
    CreateTopicsResponse::default().with_topics(results)
}

/// Creates a topic as nobody described it.
pub(super) async fn create_default(host: &Rc<Host>, name: &TopicName) -> Result<AdminAnswer, Unanswered> {
    let topic =
        CreatableTopic::default().with_name(name.clone()).with_num_partitions(-1).with_replication_factor(-1);
    host.administer(AdminOp::CreateTopic(resolve(host, &topic, BTreeMap::new(), false))).await
}

/// Creates an internal topic, as the settings design it.
pub(super) async fn create_internal(
    host: &Rc<Host>,
    topic: InternalTopic,
) -> Result<AdminAnswer, Unanswered> {
    let (partitions, factor, configs) = topic.design(&host.settings, &host.image());
    let name = TopicName(text(topic.name()));
    let topic = CreatableTopic::default()
        .with_name(name)
        .with_num_partitions(partitions)
        .with_replication_factor(factor);
    host.administer(AdminOp::CreateTopic(resolve(host, &topic, configs, false))).await
}

async fn create_one(host: &Rc<Host>, topic: &CreatableTopic, validate_only: bool) -> Result<NewTopic, Fault> {
    let fault = |error: ResponseError, message: String| Fault(error.code(), Some(message));
    if !is_legal(&topic.name) {
        return Err(fault(ResponseError::InvalidTopicException, "illegal topic name".to_owned()));
    }
    if !topic.assignments.is_empty() {
        let message = "the reference broker places replicas itself".to_owned();
        return Err(fault(ResponseError::InvalidReplicaAssignment, message));
    }
    let mut configs = BTreeMap::new();
    for config in &topic.configs {
        let name = config.name.to_string();
        let Some(value) = &config.value else {
            return Err(fault(ResponseError::InvalidConfig, format!("`{name}` has no value")));
        };
        configs.insert(name, value.to_string());
    }
    settings::check_topic(&configs)
        .map_err(|error| fault(ResponseError::InvalidConfig, error.to_string()))?;
    let topic = resolve(host, topic, configs, validate_only);
    host.administer(AdminOp::CreateTopic(topic.clone())).await?;
    Ok(topic)
}

/// Fills in the broker's defaults (KIP-464).
fn resolve(
    host: &Rc<Host>,
    topic: &CreatableTopic,
    configs: BTreeMap<String, String>,
    validate_only: bool,
) -> NewTopic {
    let default = |name| i32::try_from(host.settings.number(name)).unwrap_or(i32::MAX);
    let partitions = match topic.num_partitions {
        -1 => default("num.partitions"),
        given => given,
    };
    let replication_factor = match topic.replication_factor {
        -1 => i16::try_from(default("default.replication.factor")).unwrap_or(i16::MAX),
        given => given,
    };
    thread_local! {
        static COUNT: Cell<u16> = const { Cell::new(0) };
    }
    let count = COUNT.replace(COUNT.get().wrapping_add(1));
    NewTopic {
        name: topic.name.to_string(),
        id: clock::fresh_id(host.spec.node_id, count),
        partitions,
        replication_factor,
        configs,
        validate_only,
    }
}

/// Answers DeleteTopics.
pub(super) async fn delete(
    host: Rc<Host>,
    version: i16,
    request: DeleteTopicsRequest,
) -> DeleteTopicsResponse {
    let by_name = request.topic_names.into_iter().map(|name| (Some(name), Uuid::NIL));
    let by_state = request.topics.into_iter().map(|topic| (topic.name, Uuid(topic.topic_id.into_bytes())));
    let mut results = Vec::new();
    for (name, id) in by_name.chain(by_state) {
        let image = host.image();
        let found = match &name {
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
