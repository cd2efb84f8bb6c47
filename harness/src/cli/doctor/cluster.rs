//! A cluster: who answers, what it speaks, how it is set, and what we may do there.

use std::collections::BTreeMap;

use targets::nodes::ClusterFile;
use targets::survey::{BrokerReport, Report};

use super::failed;
use super::look::{Look, State};
use crate::cli::survey::Place;

/// What a run or a workload needs a broker to serve, by Kafka's number.
const APIS: [(i16, &str, &str); 6] = [
    (19, "CreateTopics", "a run cannot create its topic (--topic NAME --allow-existing-topic)"),
    (20, "DeleteTopics", "a run cannot delete its topic (--keep-topics)"),
    (22, "InitProducerId", "no idempotence (--set enable.idempotence=false)"),
    (24, "AddPartitionsToTxn", "no transactions"),
    (32, "DescribeConfigs", "a run cannot see how its topic is set"),
    (68, "ConsumerGroupHeartbeat", "no groups of the new protocol (KIP-848)"),
];

pub(super) fn look(place: &Place, file: Option<&ClusterFile>, topic: String) -> anyhow::Result<Vec<Look>> {
    let host = place.bootstrap.as_str();
    let report = match place.look(true, Some(topic)) {
        Ok(report) => report,
        Err(error) => return Ok(vec![failed(host, "cluster", &error)]),
    };
    let mut looks = vec![identity(host, &report, file)];
    looks.extend(report.brokers.iter().map(|broker| reached(host, broker)));
    if let Some(file) = file {
        looks.extend(members(host, &report, file)?);
    }
    looks.extend(apis(host, &report));
    looks.extend(settings(host, &report));
    looks.extend(rights(host, &report));
    Ok(looks)
}

fn identity(host: &str, report: &Report, file: Option<&ClusterFile>) -> Look {
    let said = report.cluster_id.as_deref();
    let expected = file.and_then(|file| file.cluster_id.as_deref());
    let shown = said.unwrap_or("none");
    let (state, text) = match (expected, said) {
        (Some(expected), said) if said != Some(expected) => (
            State::Failed,
            format!("the brokers say {shown}, the cluster file {expected} (is this the right cluster?)"),
        ),
        (None, Some(id)) if file.is_some() => (
            State::Note,
            format!("{id} (put `cluster_id = \"{id}\"` into the cluster file: faults then ask for it)"),
        ),
        _ => (State::Ok, shown.to_owned()),
    };
    Look::new(host, "cluster id", state, text)
}

fn reached(host: &str, broker: &BrokerReport) -> Look {
    let what = format!("broker {}", broker.node);
    match &broker.unreached {
        None => Look::new(host, &what, State::Ok, format!("answers at {}", broker.address)),
        Some(error) => Look::new(
            host,
            &what,
            State::Failed,
            format!("{} does not answer: {error} (check its advertised.listeners)", broker.address),
        ),
    }
}

/// The file's nodes against the cluster's.
fn members(host: &str, report: &Report, file: &ClusterFile) -> anyhow::Result<Vec<Look>> {
    let hosts = file.hosts()?;
    let unknown = report.brokers.iter().filter(|broker| hosts.iter().all(|spec| spec.node != broker.node));
    let mut looks: Vec<_> = unknown
        .map(|broker| {
            Look::new(host, &format!("broker {}", broker.node), State::Note, "is not in the cluster file")
        })
        .collect();
    let absent = hosts.iter().filter(|spec| report.brokers.iter().all(|broker| broker.node != spec.node));
    looks.extend(absent.map(|spec| {
        let text =
            format!("is in the cluster file, and no broker of the cluster (is it down on `{}`?)", spec.host);
        Look::new(host, &format!("node {}", spec.node), State::Failed, text)
    }));
    Ok(looks)
}

fn apis(host: &str, report: &Report) -> Vec<Look> {
    let told: Vec<_> = report.brokers.iter().filter_map(|broker| broker.apis.as_ref()).collect();
    let Some(first) = told.first() else {
        let text = "not told in the clear (a secured listener)";
        return vec![Look::new(host, "API versions", State::Note, text)];
    };
    let range = |apis: &BTreeMap<i16, (i16, i16)>, key| {
        apis.get(&key).map_or("none".to_owned(), |(low, high)| format!("{low}-{high}"))
    };
    let text = format!("{} APIs, Produce {}, Fetch {}", first.len(), range(first, 0), range(first, 1));
    let mut looks = vec![if told.iter().all(|apis| apis == first) {
        Look::new(host, "API versions", State::Ok, text)
    } else {
        Look::new(
            host,
            "API versions",
            State::Note,
            format!("{text}; brokers differ (an upgrade under way?)"),
        )
    }];
    for (key, name, without) in APIS {
        if told.iter().any(|apis| !apis.contains_key(&key)) {
            looks.push(Look::new(host, name, State::Note, format!("is not served: {without}")));
        }
    }
    looks
}

/// What topics get where nobody says otherwise, and what that means for a verdict.
fn settings(host: &str, report: &Report) -> Vec<Look> {
    let told: Vec<_> = report.brokers.iter().filter_map(|broker| broker.settings.as_ref().ok()).collect();
    let Some(first) = told.first() else {
        let why = report.brokers.iter().find_map(|broker| broker.settings.as_ref().err());
        let text = why.map_or("no broker tells", String::as_str);
        return vec![Look::new(host, "settings", State::Note, text)];
    };
    let number = |name: &str| first.get(name).and_then(|value| value.parse::<i64>().ok());
    let replicas = number("default.replication.factor");
    let remark = |name: &str, value: &str| -> Option<String> {
        let count = value.parse::<i64>().ok();
        match name {
            "min.insync.replicas" if count == Some(1) => {
                Some("acks=all may mean one replica (a run sets 2 for its topic)".to_owned())
            }
            "min.insync.replicas" if replicas.is_some() && count >= replicas => {
                Some("with as many replicas, one broker down stops acks=all".to_owned())
            }
            "default.replication.factor" if count < Some(2) => {
                Some("a topic made without a word has one copy".to_owned())
            }
            "unclean.leader.election.enable" if value == "true" => {
                Some("an election may lose acknowledged records".to_owned())
            }
            "auto.create.topics.enable" if value == "true" => {
                Some("a mistyped topic is made, not refused".to_owned())
            }
            "transaction.state.log.replication.factor" | "offsets.topic.replication.factor"
                if count < Some(2) && report.brokers.len() > 1 =>
            {
                Some("one broker down stops it".to_owned())
            }
            _ => None,
        }
    };
    let mut looks = Vec::new();
    for name in [
        "default.replication.factor",
        "min.insync.replicas",
        "unclean.leader.election.enable",
        "auto.create.topics.enable",
        "offsets.topic.replication.factor",
        "transaction.state.log.replication.factor",
    ] {
        let Some(value) = first.get(name) else { continue };
        let differ = told.iter().any(|settings| settings.get(name) != Some(value));
        let remark = if differ { Some("brokers differ".to_owned()) } else { remark(name, value) };
        looks.push(match remark {
            None => Look::new(host, name, State::Ok, value.clone()),
            Some(remark) => Look::new(host, name, State::Note, format!("{value}: {remark}")),
        });
    }
    looks
}

fn rights(host: &str, report: &Report) -> Vec<Look> {
    let step = |step: &targets::survey::Step| {
        let what = format!("{} a topic", step.action);
        match &step.error {
            None => Look::new(host, &what, State::Ok, "we may"),
            Some(error) => Look::new(host, &what, State::Failed, error.clone()),
        }
    };
    report.steps.iter().map(step).collect()
}
