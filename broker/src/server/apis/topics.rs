//! CreateTopics: validated here, decided by the controller.

use std::cell::Cell;
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use kafka_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse, TopicName};

use super::{Fault, text};
use crate::core::settings;
use crate::core::{AdminAnswer, AdminOp, InternalTopic, NewTopic, Uuid};
use crate::server::clock;
use crate::server::engine::{Host, Unanswered};

/// Kafka's rule for topic names (`Topic.validate`).
pub(super) fn is_legal(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !name.is_empty() && name.len() <= 249 && name != "." && name != ".." && name.bytes().all(legal)
}

/// Answers CreateTopics.
pub(super) async fn create(
    host: Rc<Host>,
    version: i16,
    request: CreateTopicsRequest,
) -> CreateTopicsResponse {
    let mut seen = HashSet::new();
    let names = request.topics.iter().map(|topic| &topic.name);
    let twice: HashSet<_> = names.filter(|name| !seen.insert((*name).clone())).cloned().collect();
    let mut results: Vec<CreatableTopicResult> = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let result = CreatableTopicResult::default().with_name(topic.name.clone());
        let outcome = match twice.contains(&topic.name) {
            // One answer for all that have the name.
            true if results.iter().any(|result| result.name == topic.name) => continue,
            true => Err(Fault::of(ResponseError::InvalidRequest, "duplicate topic name")),
            false => create_one(&host, topic, request.validate_only).await,
        };
        results.push(match outcome {
            Err(Fault(code, message)) => result
                .with_error_code(code)
                .with_error_message(message.map(text))
                .with_num_partitions(-1)
                .with_replication_factor(-1),
            Ok(created) => {
                let described =
                    host.settings_now().describe_topic(&created.configs).into_iter().map(|setting| {
                        CreatableTopicConfigs::default()
                            .with_name(text(setting.name))
                            .with_read_only(setting.read_only)
                            .with_is_sensitive(setting.sensitive)
                            .with_config_source(setting.origin.code())
                            .with_value(setting.value.map(text))
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
    let (partitions, factor, configs) = topic.design(&host.settings_now(), &host.image());
    let name = TopicName(text(topic.name()));
    let topic = CreatableTopic::default()
        .with_name(name)
        .with_num_partitions(partitions)
        .with_replication_factor(factor);
    host.administer(AdminOp::CreateTopic(resolve(host, &topic, configs, false))).await
}

async fn create_one(host: &Rc<Host>, topic: &CreatableTopic, validate_only: bool) -> Result<NewTopic, Fault> {
    if !is_legal(&topic.name) {
        return Err(Fault::of(ResponseError::InvalidTopicException, "illegal topic name"));
    }
    if !topic.assignments.is_empty() && (topic.num_partitions, topic.replication_factor) != (-1, -1) {
        let message = "replicas are assigned by hand, so both numbers must be -1";
        return Err(Fault::of(ResponseError::InvalidRequest, message));
    }
    let mut configs = BTreeMap::new();
    for config in &topic.configs {
        let name = config.name.to_string();
        let Some(value) = &config.value else {
            return Err(Fault::of(
                ResponseError::InvalidConfig,
                format!("null value not supported for `{name}`"),
            ));
        };
        configs.insert(name, value.to_string());
    }
    let mut wanted = resolve(host, topic, BTreeMap::new(), validate_only);
    wanted.assignments = assignments(topic)?;
    if let Some(first) = wanted.assignments.first() {
        wanted.partitions = i32::try_from(wanted.assignments.len()).unwrap_or(i32::MAX);
        wanted.replication_factor = i16::try_from(first.len()).unwrap_or(i16::MAX);
    }
    // First the topic itself: what is wrong with it is said before what is wrong with its settings.
    if let Err(error) = settings::check_topic(&configs) {
        let asks = AdminOp::CreateTopic(NewTopic { validate_only: true, ..wanted });
        host.administer(asks).await?;
        return Err(Fault::of(ResponseError::InvalidConfig, error.to_string()));
    }
    wanted.configs = configs;
    host.administer(AdminOp::CreateTopic(wanted.clone())).await?;
    Ok(wanted)
}

/// The replicas a client has chosen, by partition: those from 0 on, each once.
fn assignments(topic: &CreatableTopic) -> Result<Vec<Vec<i32>>, Fault> {
    let mut chosen = BTreeMap::new();
    for assignment in &topic.assignments {
        let brokers: Vec<i32> = assignment.broker_ids.iter().map(|broker| broker.0).collect();
        if chosen.insert(assignment.partition_index, brokers).is_some() {
            let message = format!("partition {} is assigned twice", assignment.partition_index);
            return Err(Fault::of(ResponseError::InvalidReplicaAssignment, message));
        }
    }
    if !chosen.keys().copied().eq(0..i32::try_from(chosen.len()).unwrap_or(i32::MAX)) {
        let message = "partitions must be numbered from 0, without a gap";
        return Err(Fault::of(ResponseError::InvalidReplicaAssignment, message));
    }
    Ok(chosen.into_values().collect())
}

/// Fills in the broker's defaults (KIP-464).
fn resolve(
    host: &Rc<Host>,
    topic: &CreatableTopic,
    configs: BTreeMap<String, String>,
    validate_only: bool,
) -> NewTopic {
    let settings = host.settings_now();
    let default = |name| i32::try_from(settings.number(name)).unwrap_or(i32::MAX);
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
        assignments: Vec::new(),
        configs,
        validate_only,
    }
}
