//! From a plan to the properties of librdkafka clients.

use std::collections::BTreeMap;

use history::{Cell, Profile, Scope};
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaConfRes;

use super::aliases::own_name;
use super::combinations::IDEMPOTENT_IN_FLIGHT_MAX;
pub use super::combinations::{CombinationError, check_combinations};
use super::names::{ENTRIES, Entry};

/// What a client is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// A workload's producer.
    Producer,
    /// A reader that follows the log.
    Reader,
    /// A member of the run's group.
    Member,
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

/// The same of a workload whose consumers are a group. On brokers that are not ours a session cannot be shorter than
/// they allow, which is 6 s unless somebody has changed it.
#[must_use]
pub fn group_defaults(
    profile: Profile,
    our_brokers: bool,
    protocol_consumer: bool,
) -> Vec<(Scope, &'static str, &'static str)> {
    let mut defaults = vec![
        // Committed by the member, and from the beginning: what nobody processes is then somebody's fault.
        (Scope::Consumer, "auto.offset.reset", "earliest"),
        (Scope::Consumer, "enable.auto.commit", "false"),
    ];
    if profile == Profile::Production {
        return defaults;
    }
    defaults.push((Scope::Consumer, "auto.commit.interval.ms", "500"));
    if !protocol_consumer {
        defaults.push((Scope::Consumer, "heartbeat.interval.ms", "300"));
        defaults.push((Scope::Consumer, "session.timeout.ms", if our_brokers { "2000" } else { "6000" }));
    }
    if our_brokers {
        defaults.extend([
            (Scope::Broker, "group.consumer.heartbeat.interval.ms", "300"),
            (Scope::Broker, "group.consumer.session.timeout.ms", "2000"),
            (Scope::Broker, "group.initial.rebalance.delay.ms", "0"),
            (Scope::Broker, "group.min.session.timeout.ms", "500"),
        ]);
    }
    defaults
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
        put(&mut config, "bootstrap.servers", self.bootstrap);
        put(&mut config, "client.id", &format!("highwater-{}", self.run));
        // Without it librdkafka prints what its callbacks report anyway.
        // Who asks librdkafka to tell more (`-X debug=fetch`) is told more, in the actors' logs.
        let level =
            if self.verbatim.contains_key("debug") { RDKafkaLogLevel::Debug } else { RDKafkaLogLevel::Error };
        config.set_log_level(level);
        if self.profile == Profile::Short {
            for (name, value) in SHORT_PROPERTIES {
                put(&mut config, name, value);
            }
        }
        let scope = match client {
            Use::Producer => Scope::Producer,
            Use::Reader | Use::Member | Use::Drain | Use::Admin => Scope::Consumer,
        };
        for (name, value) in self.cell.scope(scope) {
            let entry = ENTRIES.iter().find(|entry| entry.scope == scope && entry.name == name);
            let entry = entry.filter(|entry| client == Use::Member || !entry.is_of_members());
            if let Some((property, value)) = entry.and_then(|entry: &Entry| entry.property(value)) {
                put(&mut config, property, &value);
            }
        }
        for (name, value) in self.verbatim {
            put(&mut config, name, value);
        }
        for (name, value) in insisted(client) {
            put(&mut config, name, value);
        }
        if matches!(client, Use::Reader | Use::Drain) {
            // librdkafka wants a group for its consumer queue; partitions are assigned by hand and nothing
            // is ever committed.
            put(&mut config, "group.id", &format!("highwater-{}", self.run));
        }
        if client == Use::Member {
            put(&mut config, "group.id", &group_of(self.run));
        }
        config
    }
}

/// The consumer group of a run.
#[must_use]
pub fn group_of(run: &str) -> String {
    format!("highwater-{run}-group")
}

/// Sets a property under its own name, so that the last to set it wins whichever of its names is used.
pub(crate) fn put(config: &mut ClientConfig, name: &str, value: &str) {
    config.set(own_name(name), value);
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
        Use::Member => &[("enable.partition.eof", "false")],
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

/// The same of members of a group.
const READ_BACK_OF_MEMBERS: &[&str] = &[
    "auto.commit.interval.ms",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "group.id",
    "group.instance.id",
    "group.protocol",
    "heartbeat.interval.ms",
    "max.poll.interval.ms",
    "partition.assignment.strategy",
    "session.timeout.ms",
];

/// The effective values of a configuration, read back from librdkafka.
///
/// # Errors
/// librdkafka's words, if it refuses the configuration; they repeat no secret.
pub fn read_back(config: &ClientConfig) -> Result<BTreeMap<String, String>, KafkaError> {
    read_back_also(config, &[])
}

/// The same of a member of a group, whose promises depend on more.
///
/// # Errors
/// As [`read_back`].
pub fn read_back_member(config: &ClientConfig) -> Result<BTreeMap<String, String>, KafkaError> {
    read_back_also(config, READ_BACK_OF_MEMBERS)
}

fn read_back_also(config: &ClientConfig, also: &[&str]) -> Result<BTreeMap<String, String>, KafkaError> {
    let native = config.create_native_config().map_err(without_secret)?;
    let mut effective: BTreeMap<String, String> = READ_BACK
        .iter()
        .chain(also)
        .filter_map(|name| {
            Some(((*name).to_owned(), native.get(name).ok()?.trim_end_matches('\0').to_owned()))
        })
        .collect();
    // librdkafka adjusts these when it makes an idempotent client, after the configuration was read.
    if effective.get("enable.idempotence").is_some_and(|value| value == "true") {
        effective.insert("acks".to_owned(), "-1".to_owned());
        if let Some(in_flight) = effective.get_mut("max.in.flight.requests.per.connection") {
            let asked = in_flight.parse().unwrap_or(IDEMPOTENT_IN_FLIGHT_MAX);
            *in_flight = IDEMPOTENT_IN_FLIGHT_MAX.min(asked).to_string();
        }
    }
    Ok(redacted(&effective))
}

/// The error without the value it complains about, where that is or may be a secret: a name that librdkafka
/// does not know may well be a misspelt one of a secret.
fn without_secret(error: KafkaError) -> KafkaError {
    match error {
        KafkaError::ClientConfig(kind, words, name, value)
            if kind == RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN || is_secret(&name) =>
        {
            let words = if words.contains(&value) { "value refused for".to_owned() } else { words };
            KafkaError::ClientConfig(kind, words, name, REDACTED.to_owned())
        }
        other => other,
    }
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
    fn the_last_word_is_the_verbatim_one_under_either_name() {
        let cell =
            cell(&[(Scope::Producer, "acks", "all"), (Scope::Producer, "delivery.timeout.ms", "5000")]);
        let pairs = [("delivery.timeout.ms", "30000"), ("request.required.acks", "1"), ("retries", "7")];
        let verbatim = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        // Properties are kept without order, so that once proves nothing.
        for _ in 0..64 {
            let source = Source {
                cell: &cell,
                profile: Profile::Short,
                bootstrap: "127.0.0.1:1",
                verbatim: &verbatim,
                run: "r",
            };
            let effective = read_back(&source.config(Use::Producer)).unwrap();
            assert_eq!(effective["message.timeout.ms"], "30000");
            assert_eq!(effective["acks"], "1");
            assert_eq!(effective["retries"], "7");
        }
    }

    #[test]
    fn a_refused_secret_is_not_repeated_even_under_a_misspelt_name() {
        // The second is a secret that this build of librdkafka does not take.
        for name in ["sasl.passwrod", "sasl.oauthbearer.client.secret"] {
            let error = read_back(ClientConfig::new().set(name, "hush")).unwrap_err();
            let error = format!("{error} {error:?}");
            assert!(error.contains(name) && !error.contains("hush"), "{error}");
        }
        let error = read_back(ClientConfig::new().set("acks", "some")).unwrap_err().to_string();
        assert!(error.contains("some"), "what is no secret is named: {error}");
    }

    #[test]
    fn an_idempotent_client_has_five_in_flight_whatever_the_default_says() {
        let in_flight = |config: &mut ClientConfig| {
            read_back(config).unwrap()["max.in.flight.requests.per.connection"].clone()
        };
        let mut config = ClientConfig::new();
        assert_eq!(in_flight(&mut config), "1000000");
        assert_eq!(in_flight(config.set("enable.idempotence", "true")), "5");
        assert_eq!(in_flight(config.set("max.in.flight.requests.per.connection", "2")), "2");
    }
}
