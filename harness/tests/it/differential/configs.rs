//! Settings: what a topic and a broker say theirs are, and what becomes of changing them.

use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::{
    DescribeClusterRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest,
};

use super::probe::{Probe, error, text};
use super::topics;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

/// Where a value comes from (`DescribeConfigsResponse.json`).
fn source(code: i8) -> &'static str {
    match code {
        1 => "topic",
        2 => "dynamic broker",
        3 => "dynamic default",
        4 => "static",
        5 => "default",
        _ => "unknown",
    }
}

fn describe(probe: &mut Probe, step: &str, kind: i8, name: &str, only: Option<&[&str]>) {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configuration_keys(only.map(|names| names.iter().map(|name| text(name)).collect()));
    let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
    let answer = probe.ask(&request, 4).results.remove(0);
    probe.note(step, error(answer.error_code));
    let mut configs = answer.configs;
    configs.sort_by(|a, b| a.name.cmp(&b.name));
    for config in configs {
        let value = config.value.map_or_else(|| "none".to_owned(), |value| format!("`{value}`"));
        let flags = if config.is_sensitive { ", sensitive" } else { "" };
        probe.note(
            format!("{step} {}", config.name),
            format!("{value} ({}, type {}{flags})", source(config.config_source), config.config_type),
        );
    }
}

fn alter(probe: &mut Probe, step: &str, kind: i8, name: &str, change: (&str, i8, Option<&str>)) {
    let change = AlterableConfig::default()
        .with_name(text(change.0))
        .with_config_operation(change.1)
        .with_value(change.2.map(text));
    let resource = AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configs(vec![change]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    let answer = probe.ask(&request, 1);
    probe.note(step, error(answer.responses[0].error_code));
}

pub(super) fn run(probe: &mut Probe) {
    topics::create(probe, "tuned", 1, &[("retention.ms", "600000")]);
    probe.area("settings");
    describe(probe, "topic", TOPIC, "tuned", None);
    describe(probe, "topic, one name", TOPIC, "tuned", Some(&["cleanup.policy", "no.such.setting"]));
    describe(probe, "unknown topic", TOPIC, "nowhere", None);
    describe(probe, "bad topic", TOPIC, "a b", None);
    describe(probe, "unknown broker", BROKER, "77", None);
    describe(probe, "unknown kind", 99, "x", None);
    let named = [
        "auto.create.topics.enable",
        "default.replication.factor",
        "log.flush.interval.messages",
        "log.retention.hours",
        "log.segment.bytes",
        "min.insync.replicas",
        "num.partitions",
        "replica.lag.time.max.ms",
        "transaction.max.timeout.ms",
        "unclean.leader.election.enable",
    ];
    describe(probe, "broker", BROKER, "1", Some(&named));

    let (set, delete, append, subtract) = (0, 1, 2, 3);
    for (step, name, operation, value) in [
        ("set", "retention.ms", set, Some("700000")),
        ("set a bad value", "retention.ms", set, Some("soon")),
        ("set an unknown name", "no.such.setting", set, Some("1")),
        ("set nothing", "retention.ms", set, None),
        ("delete", "retention.ms", delete, None),
        ("delete what is not set", "retention.bytes", delete, None),
        ("append", "cleanup.policy", append, Some("compact")),
        ("subtract", "cleanup.policy", subtract, Some("delete")),
        ("append to a number", "retention.ms", append, Some("1")),
        ("an unknown operation", "retention.ms", 9, Some("1")),
    ] {
        alter(probe, step, TOPIC, "tuned", (name, operation, value));
    }
    alter(probe, "set on an unknown topic", TOPIC, "nowhere", ("retention.ms", set, Some("1")));
    alter(probe, "set a static broker setting", BROKER, "1", ("broker.id", set, Some("2")));
    describe(probe, "afterwards", TOPIC, "tuned", Some(&["cleanup.policy", "retention.ms"]));
    alter(probe, "set a dynamic broker setting", BROKER, "", ("log.retention.ms", set, Some("900000")));
    alter(probe, "delete a dynamic broker setting", BROKER, "", ("log.retention.ms", delete, None));

    let answer = probe.ask(&DescribeClusterRequest::default().with_endpoint_type(1), 1);
    probe.note(
        "cluster",
        format!(
            "{}, {} brokers, a controller {}, an id {}",
            error(answer.error_code),
            answer.brokers.len(),
            answer.controller_id.0 >= 0,
            !answer.cluster_id.is_empty()
        ),
    );
}
