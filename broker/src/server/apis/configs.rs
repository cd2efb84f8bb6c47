//! DescribeConfigs: every setting with its effective value and where it comes from, for topics and brokers.

use std::collections::BTreeMap;
use std::rc::Rc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};

use super::{text, topics};
use crate::core::settings::{Effective, Origin};
use crate::server::engine::Host;

/// `ConfigResource.Type`
pub(super) const TOPIC: i8 = 2;
/// `ConfigResource.Type`
pub(super) const BROKER: i8 = 4;
/// `ConfigResource.Type`
const BROKER_LOGGER: i8 = 8;

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
                let keys = resource.configuration_keys.as_ref().filter(|keys| !keys.is_empty());
                let wanted = |setting: &Effective| {
                    keys.is_none_or(|keys| keys.iter().any(|key| key.as_str() == setting.name))
                };
                let configs = found.into_iter().filter(wanted).map(|setting| encode(setting, request));
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
    let own = host.spec.node_id.to_string();
    match resource.resource_type {
        TOPIC => match host.image().topics.get(name) {
            Some(topic) => Ok(host.settings_now().describe_topic(&topic.configs)),
            None if topics::is_legal(name) => {
                Err((ResponseError::UnknownTopicOrPartition, format!("unknown topic `{name}`")))
            }
            None => Err((ResponseError::InvalidTopicException, format!("illegal topic name `{name}`"))),
        },
        BROKER if name.is_empty() => {
            // What was changed for every broker, and nothing else.
            let mut all = host.settings_now().describe_broker(&BTreeMap::new());
            all.iter_mut().for_each(|setting| {
                setting.synonyms.retain(|one| one.origin == Origin::Cluster);
                setting.origin = Origin::Cluster;
                setting.value = setting.synonyms.first().and_then(|one| one.value.clone());
            });
            all.retain(|setting| !setting.synonyms.is_empty());
            Ok(all)
        }
        BROKER if name == own => Ok(host.settings_now().describe_broker(&facts(host))),
        BROKER_LOGGER if name == own => Ok(Vec::new()),
        BROKER | BROKER_LOGGER => Err((
            ResponseError::InvalidRequest,
            match name.parse::<i32>() {
                Ok(_) => format!("this is broker {own}, not `{name}` (ask that one)"),
                Err(_) => format!("broker id must be a number, but it is `{name}`"),
            },
        )),
        other => Err((ResponseError::InvalidRequest, format!("resource type {other} is not served"))),
    }
}

/// Settings that follow from how this broker was started.
fn facts(host: &Host) -> BTreeMap<&'static str, String> {
    let image = host.image();
    let address = image.brokers.get(&host.spec.node_id);
    let listener = address.map(|broker| format!("PLAINTEXT://{}:{}", broker.host, broker.port));
    let id = host.spec.node_id.to_string();
    let mut facts = BTreeMap::from([
        ("broker.id", id.clone()),
        ("node.id", id),
        ("log.dirs", host.spec.data.display().to_string()),
        ("process.roles", "broker".to_owned()),
    ]);
    if let Some(listener) = listener {
        facts.insert("advertised.listeners", listener.clone());
        facts.insert("listeners", listener);
    }
    facts
}

fn encode(setting: Effective, request: &DescribeConfigsRequest) -> DescribeConfigsResourceResult {
    let synonym = |one: crate::core::settings::Synonym| {
        DescribeConfigsSynonym::default()
            .with_name(text(one.name))
            .with_value(one.value.map(text))
            .with_source(one.origin.code())
    };
    let synonyms = if request.include_synonyms { setting.synonyms } else { Vec::new() };
    DescribeConfigsResourceResult::default()
        .with_name(text(setting.name))
        .with_value(setting.value.map(text))
        .with_read_only(setting.read_only)
        .with_is_sensitive(setting.sensitive)
        .with_config_source(setting.origin.code())
        .with_synonyms(synonyms.into_iter().map(synonym).collect())
        .with_config_type(setting.kind.code())
        .with_documentation(request.include_documentation.then(|| text(setting.doc)))
}
