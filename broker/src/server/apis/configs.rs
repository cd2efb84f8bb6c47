//! DescribeConfigs: every setting with its effective value and where it comes from, for topics and brokers.

use std::rc::Rc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};

use super::text;
use crate::core::settings::{Effective, Kind, Origin};
use crate::server::engine::Host;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

/// Kafka's number of a source (`DescribeConfigsResponse.ConfigSource`).
pub(super) fn source(origin: Origin) -> i8 {
    match origin {
        Origin::Topic => 1,
        Origin::Broker => 4,
        Origin::Default => 5,
    }
}

/// Answers DescribeConfigs.
pub(super) fn describe(host: &Rc<Host>, request: &DescribeConfigsRequest) -> DescribeConfigsResponse {
    let results = request.resources.iter().map(|resource| {
        let result = DescribeConfigsResult::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone());
        match find(host, resource) {
            Err((error, message)) => {
                result.with_error_code(error.code()).with_error_message(Some(text(message)))
            }
            Ok(found) => {
                let keys = resource.configuration_keys.as_ref();
                let wanted = |setting: &Effective| {
                    keys.is_none_or(|keys| keys.iter().any(|key| key.as_str() == setting.name))
                };
                let configs = found.into_iter().filter(wanted).map(|setting| {
                    encode(setting, resource.resource_type == BROKER, request.include_synonyms)
                });
                result.with_configs(configs.collect())
            }
        }
    });
    DescribeConfigsResponse::default().with_results(results.collect())
}

fn find(
    host: &Rc<Host>,
    resource: &DescribeConfigsResource,
) -> Result<Vec<Effective>, (ResponseError, String)> {
    let name = resource.resource_name.as_str();
    match resource.resource_type {
        TOPIC => match host.image().topics.get(name) {
            Some(topic) => Ok(host.settings.describe_topic(&topic.configs)),
            None => Err((ResponseError::UnknownTopicOrPartition, format!("unknown topic `{name}`"))),
        },
        BROKER if name.is_empty() || name == host.spec.node_id.to_string() => {
            Ok(host.settings.describe_broker())
        }
        BROKER => Err((
            ResponseError::InvalidRequest,
            format!("this is broker {}, not `{name}` (ask that one)", host.spec.node_id),
        )),
        other => Err((ResponseError::InvalidRequest, format!("resource type {other} is not served"))),
    }
}

fn encode(setting: Effective, read_only: bool, synonyms: bool) -> DescribeConfigsResourceResult {
    let value = Some(text(setting.value));
    let source = source(setting.origin);
    let synonym = || {
        DescribeConfigsSynonym::default()
            .with_name(text(setting.name))
            .with_value(value.clone())
            .with_source(source)
    };
    let synonyms = if synonyms { vec![synonym()] } else { Vec::new() };
    // `DescribeConfigsResponse.ConfigType`
    let kind = match setting.kind {
        Kind::Boolean => 1,
        Kind::Word => 2,
        Kind::Int(_) => 3,
        Kind::Long(_) => 5,
    };
    DescribeConfigsResourceResult::default()
        .with_name(text(setting.name))
        .with_value(value)
        .with_read_only(read_only)
        .with_config_source(source)
        .with_synonyms(synonyms)
        .with_config_type(kind)
        .with_documentation(Some(text(setting.doc)))
}
