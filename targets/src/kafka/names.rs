//! The table of setting names: what `--set NAME=VALUE` means, by Kafka's own names.
//!
//! Without a prefix a name is a topic setting before a producer's, a producer's before a consumer's, a
//! consumer's before a broker's; `producer.`, `consumer.`, `topic.` and `broker.` decide otherwise.

use history::Scope;

/// What values a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole number, at least this.
    Integer(i64),
    /// `true` or `false`.
    Bool,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Any text.
    Text,
}

/// How highwater makes a setting true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mapping {
    /// librdkafka knows it by the same name.
    Same,
    /// librdkafka calls it this.
    Renamed(&'static str),
    /// librdkafka calls it this, and counts KiB instead of bytes.
    Kibibytes(&'static str),
    /// librdkafka knows it by the same name, and members of a group are told.
    Member,
    /// Members of a group keep to it themselves.
    ByMember,
    /// It goes to the brokers as it is.
    Server,
    /// It is told to nobody: what people say that the target or an application promises, for the judgement.
    Promised,
    /// It is refused, for this reason.
    Refused(&'static str),
}

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Kafka's name.
    pub name: &'static str,
    /// Whose setting it is.
    pub scope: Scope,
    /// What values it takes.
    pub kind: Kind,
    /// How it is made true.
    pub mapping: Mapping,
}

/// A name or a value makes no sense.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NameError {
    /// No setting has this name.
    #[error("unknown setting `{name}`{}", suggestion(.nearest))]
    Unknown {
        /// As given.
        name: String,
        /// The nearest name, if one is near.
        nearest: Option<String>,
    },
    /// The setting exists and cannot be used.
    #[error("setting `{name}` cannot be used: {reason}")]
    Refused {
        /// As given.
        name: String,
        /// Why.
        reason: &'static str,
    },
    /// The value does not fit.
    #[error("setting `{name}` cannot be `{value}` (give {expected})")]
    Value {
        /// As given.
        name: String,
        /// As given.
        value: String,
        /// What would fit.
        expected: String,
    },
}

fn suggestion(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"))
}

const NOT_BUILT: &str = "not in this build";
const SECURITY: &str = "security goes to librdkafka by its own names (pass it with -X or --config)";
const APPLICATION: &str = "highwater's own applications decide it";
const ACKS: &[&str] = &["0", "1", "all", "-1"];
const CODECS: &[&str] = &["none", "gzip", "snappy", "lz4", "zstd"];
const TOPIC_CODECS: &[&str] = &["producer", "uncompressed", "none", "gzip", "snappy", "lz4", "zstd"];
const EFFECTS: &[&str] = &["exactly-once", "at-least-once", "at-most-once"];
const RESETS: &[&str] = &["earliest", "latest", "none"];
const PROTOCOLS: &[&str] = &["classic", "consumer"];
const ANY: Kind = Kind::Integer(-1);
const NATURAL: Kind = Kind::Integer(0);
const POSITIVE: Kind = Kind::Integer(1);

const fn row(scope: Scope, name: &'static str, kind: Kind, mapping: Mapping) -> Entry {
    Entry { name, scope, kind, mapping }
}
const fn topic(name: &'static str, kind: Kind) -> Entry {
    row(Scope::Topic, name, kind, Mapping::Server)
}
const fn broker(name: &'static str, kind: Kind) -> Entry {
    row(Scope::Broker, name, kind, Mapping::Server)
}
const fn producer(name: &'static str, kind: Kind, mapping: Mapping) -> Entry {
    row(Scope::Producer, name, kind, mapping)
}
const fn consumer(name: &'static str, kind: Kind, mapping: Mapping) -> Entry {
    row(Scope::Consumer, name, kind, mapping)
}

/// Every setting, in the order in which an unprefixed name is looked up.
pub static ENTRIES: &[Entry] = &[
    topic("replication.factor", POSITIVE),
    topic("min.insync.replicas", POSITIVE),
    topic("unclean.leader.election.enable", Kind::Bool),
    topic("flush.messages", POSITIVE),
    topic("flush.ms", NATURAL),
    topic("retention.ms", ANY),
    topic("retention.bytes", ANY),
    topic("segment.bytes", POSITIVE),
    topic("segment.ms", POSITIVE),
    topic("cleanup.policy", Kind::Word(&["delete"])),
    topic("max.message.bytes", NATURAL),
    topic("message.timestamp.type", Kind::Word(&["CreateTime", "LogAppendTime"])),
    topic("compression.type", Kind::Word(TOPIC_CODECS)),
    producer("acks", Kind::Word(ACKS), Mapping::Same),
    producer("retries", NATURAL, Mapping::Same),
    producer("enable.idempotence", Kind::Bool, Mapping::Same),
    producer("max.in.flight.requests.per.connection", POSITIVE, Mapping::Same),
    producer("linger.ms", NATURAL, Mapping::Same),
    producer("batch.size", POSITIVE, Mapping::Same),
    producer("buffer.memory", POSITIVE, Mapping::Kibibytes("queue.buffering.max.kbytes")),
    producer("compression.type", Kind::Word(CODECS), Mapping::Same),
    producer("delivery.timeout.ms", NATURAL, Mapping::Renamed("message.timeout.ms")),
    producer("request.timeout.ms", POSITIVE, Mapping::Same),
    producer("max.request.size", POSITIVE, Mapping::Renamed("message.max.bytes")),
    producer("metadata.max.age.ms", POSITIVE, Mapping::Renamed("topic.metadata.refresh.interval.ms")),
    producer("retry.backoff.ms", POSITIVE, Mapping::Same),
    producer("retry.backoff.max.ms", POSITIVE, Mapping::Same),
    producer("reconnect.backoff.ms", NATURAL, Mapping::Same),
    producer("reconnect.backoff.max.ms", NATURAL, Mapping::Same),
    producer("send.buffer.bytes", NATURAL, Mapping::Renamed("socket.send.buffer.bytes")),
    producer("receive.buffer.bytes", NATURAL, Mapping::Renamed("socket.receive.buffer.bytes")),
    producer("socket.connection.setup.timeout.ms", POSITIVE, Mapping::Same),
    producer("connections.max.idle.ms", NATURAL, Mapping::Same),
    producer("client.id", Kind::Text, Mapping::Same),
    producer("partitioner.class", Kind::Text, Mapping::Refused("name librdkafka's with -X partitioner=…")),
    producer(
        "max.block.ms",
        NATURAL,
        Mapping::Refused("the actor waits for room in the queue as long as the load lasts"),
    ),
    producer("bootstrap.servers", Kind::Text, Mapping::Refused("give the addresses with --bootstrap")),
    producer("security.protocol", Kind::Text, Mapping::Refused(SECURITY)),
    producer("sasl.mechanism", Kind::Text, Mapping::Refused(SECURITY)),
    producer("sasl.jaas.config", Kind::Text, Mapping::Refused(SECURITY)),
    producer("ssl.truststore.location", Kind::Text, Mapping::Refused(SECURITY)),
    producer("ssl.keystore.location", Kind::Text, Mapping::Refused(SECURITY)),
    producer("key.serializer", Kind::Text, Mapping::Refused(APPLICATION)),
    producer("value.serializer", Kind::Text, Mapping::Refused(APPLICATION)),
    producer("transactional.id", Kind::Text, Mapping::Refused(NOT_BUILT)),
    producer("transaction.timeout.ms", POSITIVE, Mapping::Refused(NOT_BUILT)),
    consumer("isolation.level", Kind::Word(&["read_uncommitted", "read_committed"]), Mapping::Same),
    consumer("fetch.min.bytes", POSITIVE, Mapping::Same),
    consumer("fetch.max.bytes", NATURAL, Mapping::Same),
    consumer("fetch.max.wait.ms", NATURAL, Mapping::Renamed("fetch.wait.max.ms")),
    consumer("max.partition.fetch.bytes", POSITIVE, Mapping::Same),
    consumer("check.crcs", Kind::Bool, Mapping::Same),
    consumer("request.timeout.ms", POSITIVE, Mapping::Renamed("socket.timeout.ms")),
    consumer("metadata.max.age.ms", POSITIVE, Mapping::Renamed("topic.metadata.refresh.interval.ms")),
    consumer("retry.backoff.ms", POSITIVE, Mapping::Same),
    consumer("reconnect.backoff.ms", NATURAL, Mapping::Same),
    consumer("reconnect.backoff.max.ms", NATURAL, Mapping::Same),
    consumer("client.id", Kind::Text, Mapping::Same),
    consumer("connections.max.idle.ms", NATURAL, Mapping::Same),
    consumer("send.buffer.bytes", NATURAL, Mapping::Renamed("socket.send.buffer.bytes")),
    consumer("receive.buffer.bytes", NATURAL, Mapping::Renamed("socket.receive.buffer.bytes")),
    consumer("key.deserializer", Kind::Text, Mapping::Refused(APPLICATION)),
    consumer("value.deserializer", Kind::Text, Mapping::Refused(APPLICATION)),
    consumer("auto.offset.reset", Kind::Word(RESETS), Mapping::Member),
    consumer("group.id", Kind::Text, Mapping::Refused("every run has a group of its own")),
    consumer("group.instance.id", Kind::Text, Mapping::ByMember),
    consumer("group.protocol", Kind::Word(PROTOCOLS), Mapping::Member),
    consumer("partition.assignment.strategy", Kind::Text, Mapping::Member),
    consumer("enable.auto.commit", Kind::Bool, Mapping::Member),
    consumer("auto.commit.interval.ms", POSITIVE, Mapping::Member),
    consumer("session.timeout.ms", POSITIVE, Mapping::Member),
    consumer("heartbeat.interval.ms", POSITIVE, Mapping::Member),
    consumer("max.poll.records", POSITIVE, Mapping::ByMember),
    consumer("max.poll.interval.ms", POSITIVE, Mapping::Member),
    consumer("effects", Kind::Word(EFFECTS), Mapping::Promised),
    consumer("strict-serializable", Kind::Bool, Mapping::Promised),
    broker("broker.session.timeout.ms", POSITIVE),
    broker("broker.heartbeat.interval.ms", POSITIVE),
    broker("auto.leader.rebalance.enable", Kind::Bool),
    broker("leader.imbalance.check.interval.seconds", POSITIVE),
    broker("replica.lag.time.max.ms", POSITIVE),
    broker("replica.fetch.wait.max.ms", NATURAL),
    broker("replica.fetch.backoff.ms", NATURAL),
    broker("log.flush.interval.messages", POSITIVE),
    broker("log.flush.interval.ms", NATURAL),
    broker("group.min.session.timeout.ms", POSITIVE),
    broker("group.max.session.timeout.ms", POSITIVE),
    broker("group.initial.rebalance.delay.ms", NATURAL),
    broker("group.consumer.session.timeout.ms", POSITIVE),
    broker("group.consumer.heartbeat.interval.ms", POSITIVE),
    broker("offsets.topic.num.partitions", POSITIVE),
    broker("offsets.topic.replication.factor", POSITIVE),
    broker("auto.create.topics.enable", Kind::Bool),
    broker("default.replication.factor", POSITIVE),
    broker("num.partitions", POSITIVE),
    broker("message.max.bytes", NATURAL),
];

/// The setting a name means, with its scope.
///
/// # Errors
/// If there is none, or it cannot be used.
pub fn resolve(name: &str) -> Result<&'static Entry, NameError> {
    let prefixes = [
        ("topic.", Scope::Topic),
        ("producer.", Scope::Producer),
        ("consumer.", Scope::Consumer),
        ("broker.", Scope::Broker),
    ];
    let scoped =
        prefixes.iter().find_map(|(prefix, scope)| Some((*prefix, *scope, name.strip_prefix(prefix)?)));
    // Some names begin with a prefix themselves (`broker.session.timeout.ms`).
    let full = ENTRIES.iter().find(|entry| entry.name == name);
    let found = full.or_else(|| {
        let (_, scope, rest) = scoped?;
        ENTRIES.iter().find(|entry| entry.scope == scope && entry.name == rest)
    });
    match found {
        Some(Entry { mapping: Mapping::Refused(reason), .. }) => {
            Err(NameError::Refused { name: name.to_owned(), reason })
        }
        Some(entry) => Ok(entry),
        None => {
            let unprefixed = nearest(name, |_| true).map(|(far, entry)| (far, entry.name.to_owned()));
            let prefixed = scoped.and_then(|(prefix, scope, rest)| {
                let (far, entry) = nearest(rest, |entry| entry.scope == scope)?;
                Some((far, format!("{prefix}{}", entry.name)))
            });
            let best = unprefixed.into_iter().chain(prefixed).min_by_key(|(far, _)| *far);
            Err(NameError::Unknown { name: name.to_owned(), nearest: best.map(|(_, name)| name) })
        }
    }
}

/// The setting whose name is nearest, and how far it is, if it is near enough to have been meant.
fn nearest(name: &str, of: impl Fn(&Entry) -> bool) -> Option<(usize, &'static Entry)> {
    ENTRIES
        .iter()
        .filter(|entry| of(entry))
        .map(|entry| (strsim::damerau_levenshtein(entry.name, name), entry))
        .min_by_key(|(far, _)| *far)
        .filter(|(far, _)| *far <= 1 + name.len() / 4)
}

impl Entry {
    /// Checks a value.
    ///
    /// # Errors
    /// If it does not fit.
    pub fn check(&self, value: &str) -> Result<(), NameError> {
        let expected = match self.kind {
            Kind::Integer(least) => match value.parse::<i64>() {
                Ok(number) if number >= least => return Ok(()),
                _ => format!("a whole number, at least {least}"),
            },
            Kind::Bool if value == "true" || value == "false" => return Ok(()),
            Kind::Bool => "`true` or `false`".to_owned(),
            Kind::Word(words) if words.contains(&value) => return Ok(()),
            Kind::Word(words) => format!("one of `{}`", words.join("`, `")),
            Kind::Text => return Ok(()),
        };
        Err(NameError::Value { name: self.name.to_owned(), value: value.to_owned(), expected })
    }

    /// The librdkafka property that makes it true, or `None` if it is not a client's.
    #[must_use]
    pub fn property(&self, value: &str) -> Option<(&'static str, String)> {
        match self.mapping {
            Mapping::Same => Some((self.name, value.to_owned())),
            Mapping::Member => Some((self.name, self.librdkafkas(value))),
            Mapping::Renamed(name) => Some((name, value.to_owned())),
            Mapping::Kibibytes(name) => {
                let bytes: u64 = value.parse().unwrap_or(0);
                Some((name, bytes.div_ceil(1024).max(1).to_string()))
            }
            Mapping::ByMember | Mapping::Server | Mapping::Promised | Mapping::Refused(_) => None,
        }
    }

    /// Whether members of a group alone have it.
    #[must_use]
    pub const fn is_of_members(&self) -> bool {
        matches!(self.mapping, Mapping::Member | Mapping::ByMember)
    }

    /// A value in librdkafka's words: it raises an error where Kafka's consumer throws, and calls assignors by the
    /// names that Kafka's classes give themselves.
    fn librdkafkas(&self, value: &str) -> String {
        match self.name {
            "auto.offset.reset" if value == "none" => "error".to_owned(),
            "partition.assignment.strategy" => {
                let assignors = value.split(',').map(|class| {
                    let name = class.trim().rsplit('.').next().unwrap_or_default();
                    match name {
                        "RangeAssignor" => "range",
                        "RoundRobinAssignor" => "roundrobin",
                        "CooperativeStickyAssignor" => "cooperative-sticky",
                        other => other,
                    }
                });
                assignors.collect::<Vec<_>>().join(",")
            }
            _ => value.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::ClientConfig;

    use super::*;

    #[test]
    fn names_are_unique_within_their_scope() {
        for (place, entry) in ENTRIES.iter().enumerate() {
            let twin =
                ENTRIES[..place].iter().find(|other| other.name == entry.name && other.scope == entry.scope);
            assert_eq!(twin, None);
        }
    }

    #[test]
    fn librdkafka_knows_every_client_setting() {
        for entry in ENTRIES {
            let value = match entry.kind {
                Kind::Integer(least) => least.max(1000).to_string(),
                Kind::Bool => "true".to_owned(),
                Kind::Word(words) => words[0].to_owned(),
                Kind::Text if entry.name == "partition.assignment.strategy" => {
                    "org.apache.kafka.clients.consumer.RangeAssignor, roundrobin".to_owned()
                }
                Kind::Text => "text".to_owned(),
            };
            entry.check(&value).unwrap();
            if let Some((property, value)) = entry.property(&value) {
                let config = ClientConfig::new().set(property, value).create_native_config();
                assert!(config.is_ok(), "{}: {:?}", entry.name, config.err());
            }
        }
    }

    #[test]
    fn scopes_go_by_prefix_else_by_order() {
        let scope = |name| resolve(name).map(|entry| entry.scope);
        assert_eq!(scope("acks"), Ok(Scope::Producer));
        assert_eq!(scope("compression.type"), Ok(Scope::Topic));
        assert_eq!(scope("producer.compression.type"), Ok(Scope::Producer));
        assert_eq!(scope("consumer.request.timeout.ms"), Ok(Scope::Consumer));
        assert_eq!(scope("broker.session.timeout.ms"), Ok(Scope::Broker));
        assert_eq!(scope("broker.num.partitions"), Ok(Scope::Broker));
    }

    #[test]
    fn errors_say_what_to_do() {
        let error = |name: &str| resolve(name).unwrap_err().to_string();
        assert_eq!(
            error("min.insync.replica"),
            "unknown setting `min.insync.replica` (did you mean `min.insync.replicas`?)"
        );
        assert_eq!(
            error("producer.linger.mss"),
            "unknown setting `producer.linger.mss` (did you mean `producer.linger.ms`?)"
        );
        assert_eq!(
            error("broker.sesion.timeout.ms"),
            "unknown setting `broker.sesion.timeout.ms` (did you mean `broker.session.timeout.ms`?)"
        );
        assert_eq!(error("colour"), "unknown setting `colour`");
        assert_eq!(error("transactional.id"), "setting `transactional.id` cannot be used: not in this build");
        let value = resolve("effects").unwrap().check("once").unwrap_err().to_string();
        assert_eq!(
            value,
            "setting `effects` cannot be `once` (give one of `exactly-once`, `at-least-once`, `at-most-once`)"
        );
        let value = resolve("acks").unwrap().check("2").unwrap_err().to_string();
        assert_eq!(value, "setting `acks` cannot be `2` (give one of `0`, `1`, `all`, `-1`)");
    }
}
