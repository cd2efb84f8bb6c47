//! From `--set`, `-X` and the profile to the settings of a run.

use std::collections::BTreeMap;

use anyhow::{anyhow, bail};
use history::{Cell, Profile, Scope, TargetKind};
use nemesis::Timings;
use targets::kafka::aliases::own_name;
use targets::kafka::names::{self, ENTRIES, Entry, Mapping};
use targets::kafka::properties::{
    Source, Use, check_combinations, group_defaults, profile_defaults, read_back, redacted,
};
use workloads::Commit;

use super::hosts::Hosts;
use crate::cli::flags::SettingsArgs;

/// Kafka's own time-outs, where neither the profile nor `--set` gives others.
const KAFKA_SESSION_TIMEOUT_MS: u64 = 9_000;
const KAFKA_REPLICA_LAG_MS: u64 = 30_000;
const KAFKA_GROUP_SESSION_MS: u64 = 45_000;

/// Whoever is hit may be the active controller: its successor is elected first, and gives every broker a session
/// of its own.
const CONTROLLER_MS: u64 = 4_000;
/// What brokers need between faults: child processes of ours, and virtual machines with logs to recover.
const RECOVERY_MS: u64 = 1_200;
const HOSTS_RECOVERY_MS: u64 = 15_000;

/// Where a run happens, and what it does there.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    pub(super) target: TargetKind,
    pub(super) nodes: u32,
    pub(super) hosts: Option<&'a Hosts>,
    pub(super) workload: &'a workloads::Spec,
}

/// The settings of a run.
pub(super) struct Settled {
    pub(super) cell: Cell,
    pub(super) profile: Profile,
    /// What the profile filled in, as `scope.name=value`.
    pub(super) filled_in: Vec<String>,
}

/// Settles what is set: what was named, then what a planted flaw needs, then the defaults of a durable topic,
/// then the profile.
///
/// # Errors
/// An unknown name, a value that does not fit, or a combination that cannot be (the latter downcasts to
/// `CombinationError`).
pub(super) fn settle(
    args: &SettingsArgs,
    flaw: &[(&str, &str)],
    ground: &Ground<'_>,
    verbatim: &BTreeMap<String, String>,
) -> anyhow::Result<Settled> {
    let Ground { target, nodes, hosts, workload } = *ground;
    let commit = workload.consumers.commit();
    let mut cell = Cell::default();
    for (name, value) in &args.set {
        let entry = names::resolve(name)?;
        entry.check(value)?;
        if entry.scope == Scope::Broker && target == TargetKind::Kafka {
            bail!(
                "setting `{name}` is the brokers', and those of --target kafka cannot be set (set it on the cluster)"
            );
        }
        if entry.is_of_members() && commit.is_none() {
            bail!(
                "setting `{name}` is for members of a consumer group, and workload `{}` has none (give --workload group)",
                workload.name
            );
        }
        cell.scope_mut(entry.scope).insert(entry.name.to_owned(), value.clone());
    }

    let overridden = |scope: Scope, name: &str, value: &str| {
        let entry = ENTRIES.iter().find(|entry| entry.scope == scope && entry.name == name);
        let property = entry.and_then(|entry| entry.property(value));
        property.is_some_and(|(property, _)| sets(verbatim, property))
    };
    let mut filled_in = Vec::new();
    for (name, value) in flaw {
        let Entry { scope, name, .. } = *names::resolve(name)?;
        if !cell.scope(scope).contains_key(name) && !overridden(scope, name, value) {
            cell.scope_mut(scope).insert(name.to_owned(), (*value).to_owned());
            filled_in.push(format!("{}.{name}={value}", prefix(scope)));
        }
    }
    let replicas = cell.topic.entry("replication.factor".to_owned()).or_insert_with(|| "3".to_owned());
    // A topic with one replica is a fair question, and must not fail on a default.
    let min_insync = if replicas == "1" { "1" } else { "2" };
    cell.topic.entry("min.insync.replicas".to_owned()).or_insert_with(|| min_insync.to_owned());
    if !overridden(Scope::Producer, "acks", "all") {
        cell.producer.entry("acks".to_owned()).or_insert_with(|| "all".to_owned());
    }
    if may_be_idempotent(&cell) && !DELIVERY_PROPERTIES.iter().any(|property| sets(verbatim, property)) {
        cell.producer.entry("enable.idempotence".to_owned()).or_insert_with(|| "true".to_owned());
    }

    let profile = args.profile.map_or(
        match target {
            TargetKind::Reference | TargetKind::Lab => Profile::Short,
            TargetKind::Kafka => Profile::Production,
        },
        Profile::from,
    );
    if commit.is_some() {
        let newer = [&cell.librdkafka, &cell.consumer, verbatim];
        let newer = newer.iter().any(|of| of.get("group.protocol").is_some_and(|it| it == "consumer"));
        for (scope, name, value) in group_defaults(profile, target != TargetKind::Kafka, newer) {
            let hosts = scope == Scope::Broker && target != TargetKind::Reference;
            if hosts || cell.scope(scope).contains_key(name) || overridden(scope, name, value) {
                continue;
            }
            cell.scope_mut(scope).insert(name.to_owned(), value.to_owned());
            filled_in.push(format!("{}.{name}={value}", prefix(scope)));
        }
    }
    let committed = cell.consumer.get("enable.auto.commit").is_some_and(|value| value == "true")
        || verbatim.get("enable.auto.commit").is_some_and(|value| value == "true");
    if commit == Some(Commit::BeforeProcessing) && committed {
        bail!(
            "members of workload `{}` commit by themselves (leave out `enable.auto.commit=true`, or give --workload group)",
            workload.name
        );
    }
    for (scope, name, value) in profile_defaults(profile) {
        let foreign = *scope == Scope::Broker && target != TargetKind::Reference;
        if foreign || cell.scope(*scope).contains_key(*name) || overridden(*scope, name, value) {
            continue;
        }
        cell.scope_mut(*scope).insert((*name).to_owned(), (*value).to_owned());
        filled_in.push(format!("{}.{name}={value}", prefix(*scope)));
    }
    if let Some(hosts) = hosts {
        filled_in.extend(hosts.settle(&mut cell.broker)?);
    }
    cell.librdkafka = redacted(verbatim);

    check_combinations(&cell, (target != TargetKind::Kafka).then_some(nodes))?;
    let source = Source { cell: &cell, profile, bootstrap: "127.0.0.1:9092", verbatim, run: "plan" };
    let consumer = if commit.is_some() { Use::Member } else { Use::Reader };
    for client in [Use::Producer, consumer] {
        read_back(&source.config(client))
            .map_err(|error| anyhow!("librdkafka refuses a property: {error} (see -X and --config)"))?;
    }
    Ok(Settled { cell, profile, filled_in })
}

/// The settings that a history from elsewhere is said to have run under, and what follows from them by Kafka's
/// rules, as `name=value`.
///
/// # Errors
/// An unknown name, a value that does not fit, or a combination that cannot be.
pub(crate) fn told(set: &[(String, String)]) -> anyhow::Result<(Cell, Vec<String>)> {
    let mut cell = Cell::default();
    for (name, value) in set {
        let entry = names::resolve(name)?;
        entry.check(value)?;
        cell.scope_mut(entry.scope).insert(entry.name.to_owned(), value.clone());
    }
    let mut implied = Vec::new();
    let acks = cell.producer.get("acks").map_or("all", String::as_str);
    if !matches!(acks, "all" | "-1") && !cell.producer.contains_key("enable.idempotence") {
        cell.producer.insert("enable.idempotence".to_owned(), "false".to_owned());
        implied.push("enable.idempotence=false".to_owned());
    }
    check_combinations(&cell, None)?;
    Ok((cell, implied))
}

/// Puts into the settings of a run of ours what only people know: what the target or an application promises.
///
/// # Errors
/// A setting that the run tells itself; an unknown name or a value that does not fit.
pub(crate) fn promised(set: &[(String, String)], run: &str, cell: &mut Cell) -> anyhow::Result<()> {
    for (name, value) in set {
        let entry = names::resolve(name)?;
        if entry.mapping != Mapping::Promised {
            bail!(
                "`--set {name}` is for histories from elsewhere: run `{run}` tells its own settings (leave it out)"
            );
        }
        entry.check(value)?;
        cell.scope_mut(entry.scope).insert(entry.name.to_owned(), value.clone());
    }
    Ok(())
}

/// Whether `-X` sets a property, by whichever of its names.
fn sets(verbatim: &BTreeMap<String, String>, property: &str) -> bool {
    verbatim.keys().any(|given| own_name(given) == own_name(property))
}

/// What idempotence depends on: who sets one with `-X` leaves the rest to librdkafka.
const DELIVERY_PROPERTIES: [&str; 4] =
    ["acks", "enable.idempotence", "max.in.flight.requests.per.connection", "retries"];

/// Whether idempotence may be Kafka's default: it is where nothing that was set rules it out (KIP-679).
fn may_be_idempotent(cell: &Cell) -> bool {
    let acks_all = matches!(cell.producer.get("acks").map(String::as_str), Some("all" | "-1"));
    let is = |name: &str, fits: fn(u64) -> bool| {
        cell.producer.get(name).and_then(|value| value.parse().ok()).is_none_or(fits)
    };
    acks_all
        && is("retries", |retries| retries > 0)
        && is("max.in.flight.requests.per.connection", |count| count <= 5)
}

/// The time-outs that decide how long a fault must last, and how far faults must be apart.
pub(super) fn timings(cell: &Cell, on_hosts: bool) -> Timings {
    let ms = |name: &str, otherwise| {
        cell.broker.get(name).and_then(|value| value.parse().ok()).unwrap_or(otherwise)
    };
    let session_timeout_ms = ms("broker.session.timeout.ms", KAFKA_SESSION_TIMEOUT_MS);
    Timings {
        session_timeout_ms: session_timeout_ms + if on_hosts { CONTROLLER_MS } else { 0 },
        replica_lag_ms: ms("replica.lag.time.max.ms", KAFKA_REPLICA_LAG_MS),
        group_session_ms: group_session_ms(cell),
        recovery_ms: if on_hosts { HOSTS_RECOVERY_MS } else { RECOVERY_MS },
    }
}

/// After how long without a heartbeat a member is out: its own setting, or under the newer protocol the brokers'.
fn group_session_ms(cell: &Cell) -> u64 {
    let consumer = |name: &str| cell.librdkafka.get(name).or_else(|| cell.consumer.get(name));
    let newer = consumer("group.protocol").is_some_and(|protocol| protocol == "consumer");
    let told = if newer {
        cell.broker.get("group.consumer.session.timeout.ms")
    } else {
        consumer("session.timeout.ms")
    };
    told.and_then(|value| value.parse().ok()).unwrap_or(KAFKA_GROUP_SESSION_MS)
}

const fn prefix(scope: Scope) -> &'static str {
    match scope {
        Scope::Topic => "topic",
        Scope::Producer => "producer",
        Scope::Consumer => "consumer",
        Scope::Broker => "broker",
    }
}
