//! From a plan to the properties of librdkafka clients.

use std::collections::BTreeMap;

use history::{Cell, Profile, Scope};
use rdkafka::ClientConfig;

use super::names::{ENTRIES, Entry};

/// What a client is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// A workload's producer.
    Producer,
    /// A reader that follows the log.
    Reader,
    /// The drain.
    Drain,
    /// Topics, metadata and fences.
    Admin,
}

/// What the profile fills in where the user gave nothing: scope, Kafka's name, value (`guarantees.md` §7).
#[must_use]
pub fn profile_defaults(profile: Profile) -> &'static [(Scope, &'static str, &'static str)] {
    match profile {
        Profile::Production => &[],
        Profile::Short => &[
            (Scope::Broker, "broker.session.timeout.ms", "1500"),
            (Scope::Broker, "broker.heartbeat.interval.ms", "300"),
            (Scope::Broker, "replica.lag.time.max.ms", "1500"),
            (Scope::Broker, "replica.fetch.wait.max.ms", "100"),
            (Scope::Broker, "replica.fetch.backoff.ms", "100"),
            (Scope::Producer, "delivery.timeout.ms", "5000"),
            (Scope::Producer, "request.timeout.ms", "1500"),
            (Scope::Producer, "retry.backoff.ms", "50"),
            (Scope::Producer, "reconnect.backoff.max.ms", "250"),
            (Scope::Producer, "metadata.max.age.ms", "1000"),
            (Scope::Consumer, "request.timeout.ms", "1500"),
            (Scope::Consumer, "retry.backoff.ms", "50"),
            (Scope::Consumer, "reconnect.backoff.max.ms", "250"),
            (Scope::Consumer, "metadata.max.age.ms", "1000"),
        ],
    }
}

/// librdkafka's own properties that the short profile sets besides: they have no Kafka name.
const SHORT_PROPERTIES: &[(&str, &str)] = &[
    ("socket.timeout.ms", "1500"),
    ("reconnect.backoff.ms", "50"),
    ("topic.metadata.refresh.fast.interval.ms", "100"),
    ("retry.backoff.max.ms", "250"),
];

/// Shown in place of a secret.
pub const REDACTED: &str = "***";

/// Whether a property must never be stored or shown.
#[must_use]
pub fn is_secret(property: &str) -> bool {
    let property = property.to_ascii_lowercase();
    ["password", "secret", "ssl.key.pem", "jaas", "oauthbearer.config", "token", "assertion.private"]
        .iter()
        .any(|word| property.contains(word))
}

/// The properties without their secrets.
#[must_use]
pub fn redacted(properties: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let hide = |name: &str, value: &str| if is_secret(name) { REDACTED.to_owned() } else { value.to_owned() };
    properties.iter().map(|(name, value)| (name.clone(), hide(name, value))).collect()
}

/// Everything a client's properties come from.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The settings of the run, the profile's among them.
    pub cell: &'a Cell,
    /// The profile.
    pub profile: Profile,
    /// `HOST:PORT,…`.
    pub bootstrap: &'a str,
    /// Verbatim properties with their secrets; they win over everything but what highwater insists on.
    pub verbatim: &'a BTreeMap<String, String>,
    /// The run, for the client id.
    pub run: &'a str,
}

impl Source<'_> {
    /// The configuration of a client.
    #[must_use]
    pub fn config(&self, client: Use) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.bootstrap).set("client.id", format!("highwater-{}", self.run));
        // Without it librdkafka prints what its callbacks report anyway.
        config.set_log_level(rdkafka::config::RDKafkaLogLevel::Error);
        if self.profile == Profile::Short {
            for (name, value) in SHORT_PROPERTIES {
                config.set(*name, *value);
            }
        }
        let scope = match client {
            Use::Producer => Scope::Producer,
            Use::Reader | Use::Drain | Use::Admin => Scope::Consumer,
        };
        for (name, value) in self.cell.scope(scope) {
            let entry = ENTRIES.iter().find(|entry| entry.scope == scope && entry.name == name);
            if let Some((property, value)) = entry.and_then(|entry: &Entry| entry.property(value)) {
                config.set(property, value);
            }
        }
        for (name, value) in self.verbatim {
            config.set(name, value);
        }
        for (name, value) in insisted(client) {
            config.set(*name, *value);
        }
        if matches!(client, Use::Reader | Use::Drain) {
            // librdkafka wants a group for its consumer queue; partitions are assigned by hand and nothing
            // is ever committed.
            config.set("group.id", format!("highwater-{}", self.run));
        }
        config
    }
}

/// What the meaning of a client depends on, whatever the user says.
fn insisted(client: Use) -> &'static [(&'static str, &'static str)] {
    match client {
        Use::Producer => &[("statistics.interval.ms", "100")],
        Use::Reader => &[
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("auto.offset.reset", "earliest"),
            ("enable.partition.eof", "false"),
        ],
        Use::Drain => &[
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("auto.offset.reset", "error"),
            ("enable.partition.eof", "false"),
            ("check.crcs", "true"),
            ("isolation.level", "read_uncommitted"),
        ],
        Use::Admin => &[],
    }
}

/// The properties whose effective values are put on record.
const READ_BACK: &[&str] = &[
    "acks",
    "enable.idempotence",
    "max.in.flight.requests.per.connection",
    "retries",
    "message.timeout.ms",
    "request.timeout.ms",
    "socket.timeout.ms",
    "linger.ms",
    "batch.size",
    "compression.type",
    "queue.buffering.max.messages",
    "queue.buffering.max.kbytes",
    "partitioner",
    "topic.metadata.refresh.interval.ms",
    "isolation.level",
    "auto.offset.reset",
    "check.crcs",
    "security.protocol",
    "transactional.id",
];

/// The effective values of a configuration, read back from librdkafka.
///
/// # Errors
/// librdkafka's text, if it refuses the configuration.
pub fn read_back(config: &ClientConfig) -> Result<BTreeMap<String, String>, rdkafka::error::KafkaError> {
    let native = config.create_native_config()?;
    let mut effective: BTreeMap<String, String> = READ_BACK
        .iter()
        .filter_map(|name| {
            Some(((*name).to_owned(), native.get(name).ok()?.trim_end_matches('\0').to_owned()))
        })
        .collect();
    // librdkafka adjusts these when it makes an idempotent client, after the configuration was read.
    if effective.get("enable.idempotence").is_some_and(|value| value == "true") {
        effective.insert("acks".to_owned(), "-1".to_owned());
    }
    Ok(redacted(&effective))
}

/// A combination of settings that cannot be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CombinationError {
    /// Idempotence needs acks=all.
    #[error(
        "`enable.idempotence=true` needs `acks=all`, not `acks={acks}` (set acks=all, or switch idempotence off)"
    )]
    IdempotenceAcks {
        /// As given.
        acks: String,
    },
    /// Idempotence needs at most five requests in flight.
    #[error(
        "`enable.idempotence=true` allows at most 5 `max.in.flight.requests.per.connection`, not {in_flight}"
    )]
    IdempotenceInFlight {
        /// As given.
        in_flight: u64,
    },
    /// Idempotence needs retries.
    #[error("`enable.idempotence=true` needs `retries` of at least 1 (leave retries unset)")]
    IdempotenceRetries,
    /// The ISR can never be that large.
    #[error(
        "`min.insync.replicas={min_insync}` is more than `replication.factor={replicas}`: no write could ever be \
         acknowledged (lower min.insync.replicas or raise replication.factor)"
    )]
    MinInsync {
        /// As given.
        min_insync: u64,
        /// As given.
        replicas: u64,
    },
    /// There are not that many brokers.
    #[error("`replication.factor={replicas}` is more than the {nodes} nodes of the cluster (lower it)")]
    Replicas {
        /// As given.
        replicas: u64,
        /// Nodes of the reference cluster.
        nodes: u64,
    },
    /// Records would time out before they are sent.
    #[error("`delivery.timeout.ms={timeout}` is not more than `linger.ms={linger}` (raise it)")]
    Linger {
        /// As given.
        timeout: u64,
        /// As given.
        linger: u64,
    },
}

/// Refuses combinations that cannot be; `nodes` is known for the reference cluster only.
///
/// # Errors
/// The first impossible combination.
pub fn check_combinations(cell: &Cell, nodes: Option<u32>) -> Result<(), CombinationError> {
    let number =
        |scope: Scope, name: &str| cell.scope(scope).get(name).and_then(|value| value.parse::<u64>().ok());
    let producer =
        |name: &str| cell.producer.get(name).or_else(|| cell.librdkafka.get(name)).map(String::as_str);
    if producer("enable.idempotence") == Some("true") {
        let acks = producer("acks").or_else(|| producer("request.required.acks")).unwrap_or("all");
        if acks != "all" && acks != "-1" {
            return Err(CombinationError::IdempotenceAcks { acks: acks.to_owned() });
        }
        let in_flight = number(Scope::Producer, "max.in.flight.requests.per.connection");
        if let Some(in_flight) = in_flight.filter(|count| *count > 5) {
            return Err(CombinationError::IdempotenceInFlight { in_flight });
        }
        if number(Scope::Producer, "retries") == Some(0) {
            return Err(CombinationError::IdempotenceRetries);
        }
    }
    let replicas = number(Scope::Topic, "replication.factor").unwrap_or(1);
    if let Some(min_insync) = number(Scope::Topic, "min.insync.replicas").filter(|count| *count > replicas) {
        return Err(CombinationError::MinInsync { min_insync, replicas });
    }
    if let Some(nodes) = nodes.map(u64::from).filter(|nodes| replicas > *nodes) {
        return Err(CombinationError::Replicas { replicas, nodes });
    }
    let timeout = number(Scope::Producer, "delivery.timeout.ms");
    if let (Some(timeout), Some(linger)) = (timeout, number(Scope::Producer, "linger.ms"))
        && timeout > 0
        && timeout <= linger
    {
        return Err(CombinationError::Linger { timeout, linger });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(settings: &[(Scope, &str, &str)]) -> Cell {
        let mut cell = Cell::default();
        for (scope, name, value) in settings {
            cell.scope_mut(*scope).insert((*name).to_owned(), (*value).to_owned());
        }
        cell
    }

    #[test]
    fn the_profile_names_settings_of_the_table() {
        for (scope, name, value) in profile_defaults(Profile::Short) {
            let entry = ENTRIES.iter().find(|entry| entry.name == *name && entry.scope == *scope);
            entry.unwrap_or_else(|| panic!("`{name}` is in the table")).check(value).unwrap();
        }
    }

    #[test]
    fn every_client_is_one_librdkafka_accepts_and_says_what_it_does() {
        let cell = cell(&[(Scope::Producer, "acks", "all"), (Scope::Producer, "enable.idempotence", "true")]);
        let verbatim = BTreeMap::from([("sasl.password".to_owned(), "hush".to_owned())]);
        let source = Source {
            cell: &cell,
            profile: Profile::Short,
            bootstrap: "127.0.0.1:1",
            verbatim: &verbatim,
            run: "r",
        };
        for client in [Use::Producer, Use::Reader, Use::Drain, Use::Admin] {
            let effective = read_back(&source.config(client)).unwrap();
            assert!(!effective.values().any(|value| value.contains("hush")));
            if client == Use::Producer {
                assert_eq!(effective["acks"], "-1");
                assert_eq!(effective["enable.idempotence"], "true");
            }
        }
    }

    #[test]
    fn secrets_are_hidden() {
        for name in
            ["sasl.password", "ssl.key.password", "ssl.keystore.password", "sasl.oauthbearer.client.secret"]
        {
            assert!(is_secret(name), "{name}");
        }
        assert!(!is_secret("sasl.username"));
    }

    #[test]
    fn impossible_combinations_are_refused() {
        use Scope::{Producer, Topic};
        let idempotent = (Producer, "enable.idempotence", "true");
        let refused =
            |settings: &[(Scope, &str, &str)]| check_combinations(&cell(settings), Some(3)).is_err();
        assert!(refused(&[idempotent, (Producer, "acks", "0")]));
        assert!(refused(&[idempotent, (Producer, "acks", "1")]));
        assert!(refused(&[idempotent, (Producer, "max.in.flight.requests.per.connection", "6")]));
        assert!(refused(&[idempotent, (Producer, "retries", "0")]));
        assert!(refused(&[(Topic, "min.insync.replicas", "3"), (Topic, "replication.factor", "2")]));
        assert!(refused(&[(Topic, "replication.factor", "4")]));
        assert!(refused(&[(Producer, "linger.ms", "100"), (Producer, "delivery.timeout.ms", "100")]));
        assert!(!refused(&[idempotent, (Producer, "acks", "all"), (Topic, "replication.factor", "3")]));
    }
}
