//! AlterConfigs, which replaces everything that is set, and IncrementalAlterConfigs, which changes one thing
//! at a time (KIP-339). Checked here as far as the request goes; the controller decides.

use std::collections::HashSet;
use std::rc::Rc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse as IncrementalResponse;
use kafka_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
};

use super::configs::{BROKER, TOPIC};
use super::{Fault, text};
use crate::core::settings::ConfigOp;
use crate::core::{ALL_BROKERS, AdminAnswer, AdminOp, ConfigOwner};
use crate::server::engine::Host;

/// The wanted changes of one resource: type, name, and each key with its operation and value.
struct Wanted {
    kind: i8,
    name: String,
    changes: Vec<(String, i8, Option<String>)>,
}

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// Answers AlterConfigs.
pub(super) async fn replace(
    host: Rc<Host>,
    _version: i16,
    request: AlterConfigsRequest,
) -> AlterConfigsResponse {
    let wanted = request.resources.into_iter().map(|resource| {
        let changes = resource.configs.into_iter();
        Wanted {
            kind: resource.resource_type,
            name: resource.resource_name.to_string(),
            changes: changes
                .map(|config| (config.name.to_string(), SET, config.value.map(|value| value.to_string())))
                .collect(),
        }
    });
    let results = alter(&host, wanted.collect(), true, request.validate_only).await;
    let responses = results.into_iter().map(|(kind, name, Fault(code, message))| {
        AlterConfigsResourceResponse::default()
            .with_error_code(code)
            .with_error_message(message.map(text))
            .with_resource_type(kind)
            .with_resource_name(text(name))
    });
    AlterConfigsResponse::default().with_responses(responses.collect())
}

/// Answers IncrementalAlterConfigs.
pub(super) async fn change(
    host: Rc<Host>,
    _version: i16,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let wanted = request.resources.into_iter().map(|resource| {
        let changes = resource.configs.into_iter();
        let change =
            |config: kafka_protocol::messages::incremental_alter_configs_request::AlterableConfig| {
                (
                    config.name.to_string(),
                    config.config_operation,
                    config.value.map(|value| value.to_string()),
                )
            };
        Wanted {
            kind: resource.resource_type,
            name: resource.resource_name.to_string(),
            changes: changes.map(change).collect(),
        }
    });
    let results = alter(&host, wanted.collect(), false, request.validate_only).await;
    let responses = results.into_iter().map(|(kind, name, Fault(code, message))| {
        IncrementalResponse::default()
            .with_error_code(code)
            .with_error_message(message.map(text))
            .with_resource_type(kind)
            .with_resource_name(text(name))
    });
    IncrementalAlterConfigsResponse::default().with_responses(responses.collect())
}

async fn alter(
    host: &Rc<Host>,
    wanted: Vec<Wanted>,
    replace: bool,
    validate_only: bool,
) -> Vec<(i8, String, Fault)> {
    let named = |one: &Wanted| (one.kind, one.name.clone());
    let mut seen = HashSet::new();
    let twice: HashSet<_> = wanted.iter().map(named).filter(|name| !seen.insert(name.clone())).collect();
    let mut results = Vec::with_capacity(wanted.len());
    for one in wanted {
        let (kind, name) = named(&one);
        if twice.contains(&(kind, name.clone())) {
            let fault = Fault::of(ResponseError::InvalidRequest, "each resource must appear at most once");
            results.push((kind, name, fault));
            continue;
        }
        let outcome = alter_one(host, one, replace, validate_only).await;
        results.push((kind, name, outcome.err().unwrap_or(Fault(0, None))));
    }
    results
}

async fn alter_one(host: &Rc<Host>, wanted: Wanted, replace: bool, validate_only: bool) -> Result<(), Fault> {
    let of = owner(host, &wanted)?;
    let invalid = match of {
        ConfigOwner::Topic(_) => ResponseError::InvalidConfig,
        ConfigOwner::Broker(_) => ResponseError::InvalidRequest,
    };
    let mut seen = HashSet::new();
    let mut changes = Vec::with_capacity(wanted.changes.len());
    for (key, op, value) in wanted.changes {
        let wrong = |message: String| Fault(ResponseError::InvalidRequest.code(), Some(message));
        if !seen.insert(key.clone()) {
            return Err(wrong(format!("`{key}` is changed twice")));
        }
        let given = || value.clone().ok_or_else(|| wrong(format!("null value not supported for `{key}`")));
        let op = match op {
            SET => ConfigOp::Set(given()?),
            DELETE => ConfigOp::Delete,
            APPEND => ConfigOp::Append(given()?),
            SUBTRACT => ConfigOp::Subtract(given()?),
            other => return Err(wrong(format!("unknown operation {other} for `{key}`"))),
        };
        changes.push((key, op));
    }
    match host.administer(AdminOp::AlterConfigs { of, replace, changes, validate_only }).await? {
        AdminAnswer::BadConfig(message) => Err(Fault(invalid.code(), Some(message))),
        _ => Ok(()),
    }
}

/// Whose settings; another broker's can only be changed by asking that one.
fn owner(host: &Host, wanted: &Wanted) -> Result<ConfigOwner, Fault> {
    let invalid = |message: String| Fault(ResponseError::InvalidRequest.code(), Some(message));
    match wanted.kind {
        TOPIC => Ok(ConfigOwner::Topic(wanted.name.clone())),
        BROKER if wanted.name.is_empty() => Ok(ConfigOwner::Broker(ALL_BROKERS)),
        BROKER => match wanted.name.parse() {
            Ok(id) if id == host.spec.node_id => Ok(ConfigOwner::Broker(id)),
            Ok(id) => Err(invalid(format!("this is broker {}, not {id} (ask that one)", host.spec.node_id))),
            Err(_) => Err(invalid(format!("broker id must be a number, but it is `{}`", wanted.name))),
        },
        other => Err(invalid(format!("resource type {other} is not served"))),
    }
}
