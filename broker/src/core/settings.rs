//! Broker and topic settings. Kafka's own tables ([`kafka`]) say which there are; [`SETTINGS`] says which of
//! them do something here, and which values. Validation, DescribeConfigs and the core all read both.
//!
//! Defaults are those of Apache Kafka 4.1.2 (its own DescribeConfigs). Among the settings that do something
//! here, a value that would be silently ignored is refused: a verdict must rest on what the cluster really
//! does. The others are taken, shown and without effect, since clients set them on every topic they create.

mod change;
mod describe;
pub mod kafka;
mod table;

use std::collections::BTreeMap;

pub use change::{ChangeError, ConfigOp, change};
pub use describe::{Effective, Origin, Synonym};
pub use table::SETTINGS;

use kafka::Known;

/// The type of a setting, with the least value of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A 32-bit number, at least this.
    Int(i64),
    /// A 64-bit number, at least this.
    Long(i64),
    /// A share, from 0 to 1.
    Ratio,
    /// A word; only the values listed in [`Setting::accepts`].
    Word,
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its name at the level of the broker; empty if topics alone have it.
    pub broker: &'static str,
    /// Its name at the level of a topic; empty if it cannot be overridden there.
    pub topic: &'static str,
    /// Kafka's default.
    pub default: &'static str,
    /// Its type.
    pub kind: Kind,
    /// The only values this broker can honour; empty accepts all of the type.
    pub accepts: &'static [&'static str],
    /// What it does.
    pub doc: &'static str,
}

/// A setting cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// Nobody knows the name.
    #[error("unknown {level} setting `{name}` (did you mean `{nearest}`?)")]
    Unknown {
        /// `broker` or `topic`.
        level: &'static str,
        /// The name.
        name: String,
        /// The known name most like it.
        nearest: &'static str,
    },
    /// The value has the wrong type or is too small.
    #[error("`{name}={value}` is not {expected}")]
    Invalid {
        /// The name.
        name: String,
        /// The value.
        value: String,
        /// What would be one.
        expected: String,
    },
    /// Apache Kafka can do it, this broker cannot.
    #[error("the reference broker does not implement `{name}={value}` (it knows {accepts})")]
    NotImplemented {
        /// The name.
        name: String,
        /// The value.
        value: String,
        /// What it knows.
        accepts: String,
    },
}

impl Setting {
    /// Says whether a value may be set; `name` is the name it was set under.
    ///
    /// # Errors
    /// [`SettingError::Invalid`] or [`SettingError::NotImplemented`].
    pub fn check(&self, name: &str, value: &str) -> Result<(), SettingError> {
        let expected = match self.kind {
            Kind::Boolean => (!matches!(value, "true" | "false")).then(|| "`true` or `false`".to_owned()),
            Kind::Int(least) => number(value, least, i64::from(i32::MAX)),
            Kind::Long(least) => number(value, least, i64::MAX),
            Kind::Ratio => (!value.parse::<f64>().is_ok_and(|share| (0.0..=1.0).contains(&share)))
                .then(|| "a share from 0 to 1".to_owned()),
            Kind::Word => None,
        };
        if let Some(expected) = expected {
            return Err(SettingError::Invalid { name: name.to_owned(), value: value.to_owned(), expected });
        }
        if !self.accepts.is_empty() && !self.accepts.contains(&value) {
            let accepts: Vec<_> = self.accepts.iter().map(|value| format!("`{value}`")).collect();
            return Err(SettingError::NotImplemented {
                name: name.to_owned(),
                value: value.to_owned(),
                accepts: accepts.join(", "),
            });
        }
        Ok(())
    }
}

/// What is wrong with a number: the text says what would be right.
fn number(value: &str, least: i64, most: i64) -> Option<String> {
    let fits = value.parse::<i64>().is_ok_and(|number| (least..=most).contains(&number));
    (!fits).then(|| format!("a whole number from {least} to {most}"))
}

/// The setting of a broker-level name that does something here.
///
/// # Errors
/// [`SettingError::Unknown`], naming the nearest.
pub fn broker_setting(name: &str) -> Result<&'static Setting, SettingError> {
    let found = SETTINGS.iter().find(|setting| setting.broker == name);
    found.ok_or_else(|| unknown("broker", name))
}

/// The setting of a topic-level name that does something here.
///
/// # Errors
/// [`SettingError::Unknown`], naming the nearest.
pub fn topic_setting(name: &str) -> Result<&'static Setting, SettingError> {
    let found = SETTINGS.iter().find(|setting| !setting.topic.is_empty() && setting.topic == name);
    found.ok_or_else(|| unknown("topic", name))
}

/// Whether a broker-level setting does anything here; all others are taken and shown.
#[must_use]
pub fn has_effect(name: &str) -> bool {
    broker_setting(name).is_ok()
}

/// The broker-level name under which a cluster's default is set: its own, or that of a topic setting; with or
/// without the prefixes `broker.` and `topic.`.
///
/// # Errors
/// [`SettingError`], if no name or value like that is known.
pub fn at_broker(name: &str, value: &str) -> Result<&'static str, SettingError> {
    let broker_level = |name: &str| {
        let name = if name == "replication.factor" { "default.replication.factor" } else { name };
        let own = SETTINGS.iter().map(|setting| setting.broker).find(|known| *known == name);
        let kafkas = || kafka::find(&kafka::BROKER, name).map(|known| known.name);
        let topics = || {
            topic_setting(name)
                .ok()
                .map(|setting| setting.broker)
                .or_else(|| kafka::find(&kafka::TOPIC, name)?.synonyms.first().copied())
        };
        own.or_else(kafkas).or_else(topics)
    };
    let bare = ["broker.", "topic."].iter().find_map(|prefix| name.strip_prefix(prefix));
    let found = broker_level(name).or_else(|| bare.and_then(broker_level));
    let found = found.ok_or_else(|| unknown("broker", name))?;
    check_broker(found, value)?;
    Ok(found)
}

fn unknown(level: &'static str, name: &str) -> SettingError {
    let own = SETTINGS.iter().map(|setting| if level == "topic" { setting.topic } else { setting.broker });
    let table = if level == "topic" { &kafka::TOPIC } else { &kafka::BROKER };
    let known = own.chain(table.iter().map(|known| known.name)).filter(|known| !known.is_empty());
    let nearest =
        known.max_by(|a, b| strsim::jaro_winkler(name, a).total_cmp(&strsim::jaro_winkler(name, b)));
    SettingError::Unknown { level, name: name.to_owned(), nearest: nearest.unwrap_or_default() }
}

/// Checks a broker setting.
///
/// # Errors
/// If it is unknown, invalid or not implemented.
pub fn check_broker(name: &str, value: &str) -> Result<(), SettingError> {
    check(name, value, kafka::find(&kafka::BROKER, name), broker_setting(name))
}

/// Checks the settings of a topic.
///
/// # Errors
/// The first that is unknown, invalid or not implemented.
pub fn check_topic(configs: &BTreeMap<String, String>) -> Result<(), SettingError> {
    configs.iter().try_for_each(|(name, value)| {
        check(name, value, kafka::find(&kafka::TOPIC, name), topic_setting(name))
    })
}

fn check(
    name: &str,
    value: &str,
    kafkas: Option<&Known>,
    ours: Result<&Setting, SettingError>,
) -> Result<(), SettingError> {
    if let Some(expected) = kafkas.and_then(|known| known.fault(value)) {
        return Err(SettingError::Invalid { name: name.to_owned(), value: value.to_owned(), expected });
    }
    match ours {
        Ok(setting) => setting.check(name, value),
        Err(_) if kafkas.is_some() => Ok(()),
        Err(unknown) => Err(unknown),
    }
}

/// A broker's settings, validated: what it was started with, and what was changed since (KIP-226).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    given: BTreeMap<&'static str, String>,
    /// Changed for every broker.
    cluster: BTreeMap<&'static str, String>,
    /// Changed for this one.
    own: BTreeMap<&'static str, String>,
}

impl Settings {
    /// Takes settings by broker-level name.
    ///
    /// # Errors
    /// The first that is unknown, invalid or not implemented.
    pub fn new(given: &BTreeMap<String, String>) -> Result<Self, SettingError> {
        given.iter().try_for_each(|(name, value)| check_broker(name, value))?;
        Ok(Self { given: named(given), ..Self::default() })
    }

    /// The same with other changes: those for every broker, and those for this one. They were checked when
    /// they were made.
    #[must_use]
    pub fn changed(&self, cluster: &BTreeMap<String, String>, own: &BTreeMap<String, String>) -> Self {
        Self { given: self.given.clone(), cluster: named(cluster), own: named(own) }
    }

    /// The value and where it comes from, the strongest source first.
    fn sources(&self, name: &str) -> impl Iterator<Item = (Origin, &String)> {
        let layers =
            [(Origin::Own, &self.own), (Origin::Cluster, &self.cluster), (Origin::Given, &self.given)];
        layers.into_iter().filter_map(move |(origin, layer)| Some((origin, layer.get(name)?)))
    }

    /// The effective value of a broker-level setting.
    ///
    /// # Panics
    /// If the table has no such name: that is a mistake in this program.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        let default = || broker_setting(name).expect("a name of the table").default;
        self.sources(name).next().map_or_else(default, |(_, value)| value.as_str())
    }

    /// The effective value of a numeric broker-level setting; negative values count as 0.
    ///
    /// # Panics
    /// If the table has no such number: that is a mistake in this program.
    #[must_use]
    pub fn number(&self, name: &str) -> u64 {
        let number: i64 = self.get(name).parse().expect("a number of the table");
        u64::try_from(number).unwrap_or(0)
    }

    /// The effective value of a topic-level setting, given the topic's own.
    ///
    /// # Panics
    /// If the table has no such name: that is a mistake in this program.
    #[must_use]
    pub fn topic<'a>(&'a self, configs: &'a BTreeMap<String, String>, name: &str) -> &'a str {
        let setting = topic_setting(name).expect("a topic name of the table");
        configs.get(name).map_or_else(|| self.get(setting.broker), String::as_str)
    }

    /// [`Settings::topic`] of a number of which negative means without limit, and is `None` here.
    ///
    /// # Panics
    /// If the table has no such name: that is a mistake in this program.
    #[must_use]
    pub fn topic_limit(&self, configs: &BTreeMap<String, String>, name: &str) -> Option<u64> {
        let number: i64 = self.topic(configs, name).parse().expect("a number of the table");
        u64::try_from(number).ok()
    }

    /// Whether a topic-level list contains a word.
    ///
    /// # Panics
    /// If the table has no such name: that is a mistake in this program.
    #[must_use]
    pub fn topic_has(&self, configs: &BTreeMap<String, String>, name: &str, word: &str) -> bool {
        self.topic(configs, name).split(',').any(|listed| listed.trim() == word)
    }

    /// [`Settings::topic`] of a share.
    ///
    /// # Panics
    /// If the table has no such share: that is a mistake in this program.
    #[must_use]
    pub fn topic_ratio(&self, configs: &BTreeMap<String, String>, name: &str) -> f64 {
        self.topic(configs, name).parse().expect("a share of the table")
    }

    /// [`Settings::topic`] of a number; negative values count as 0.
    ///
    /// # Panics
    /// If the table has no such number: that is a mistake in this program.
    #[must_use]
    pub fn topic_number(&self, configs: &BTreeMap<String, String>, name: &str) -> u64 {
        let number: i64 = self.topic(configs, name).parse().expect("a number of the table");
        u64::try_from(number).unwrap_or(0)
    }
}

/// By the names of the tables. A coarser unit stands for the finer one that is read, where only it is given.
fn named(given: &BTreeMap<String, String>) -> BTreeMap<&'static str, String> {
    let own = |name: &str| SETTINGS.iter().map(|setting| setting.broker).find(|known| *known == name);
    let known = |name: &str| own(name).or_else(|| Some(kafka::find(&kafka::BROKER, name)?.name));
    let mut taken: BTreeMap<_, _> =
        given.iter().filter_map(|(name, value)| Some((known(name)?, value.clone()))).collect();
    for (fine, coarse, ms) in UNITS {
        if !taken.contains_key(fine)
            && let Some(count) = taken.get(coarse).and_then(|value| value.parse::<i64>().ok())
        {
            taken.insert(
                fine,
                if count < 0 { "-1".to_owned() } else { count.saturating_mul(*ms).to_string() },
            );
        }
    }
    taken
}

/// A setting in milliseconds, one that stands for it in a coarser unit, and that unit in milliseconds; of two
/// for one, the finer comes first.
const UNITS: &[(&str, &str, i64)] = &[
    ("log.retention.ms", "log.retention.minutes", 60_000),
    ("log.retention.ms", "log.retention.hours", 3_600_000),
    ("log.roll.ms", "log.roll.hours", 3_600_000),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn given(name: &str, value: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn every_default_is_a_legal_value_and_names_are_unique() {
        assert!(SETTINGS.is_sorted_by(|a, b| a.broker < b.broker));
        for setting in SETTINGS {
            setting.check(setting.broker, setting.default).expect("a legal default");
            let kafkas = kafka::find(&kafka::BROKER, setting.broker).and_then(|known| known.default);
            assert!(kafkas.is_none_or(|kafkas| kafkas == setting.default), "{}", setting.broker);
            let twins =
                SETTINGS.iter().filter(|other| !other.topic.is_empty() && other.topic == setting.topic);
            assert!(twins.count() <= 1, "{}", setting.topic);
        }
    }

    #[test]
    fn a_misspelt_name_is_answered_with_the_nearest() {
        let error = Settings::new(&given("replica.lag.max.ms", "5")).expect_err("unknown");
        assert_eq!(
            error.to_string(),
            "unknown broker setting `replica.lag.max.ms` (did you mean `replica.lag.time.max.ms`?)"
        );
        let error = check_topic(&given("min.insync.replica", "2")).expect_err("unknown");
        assert!(error.to_string().contains("`min.insync.replicas`"), "{error}");
    }

    #[test]
    fn what_would_be_ignored_is_refused() {
        let error = check_broker("transaction.version", "3").expect_err("not implemented");
        assert!(matches!(error, SettingError::NotImplemented { .. }), "{error}");
        for (name, value) in [("min.insync.replicas", "0"), ("min.cleanable.dirty.ratio", "1.01")] {
            let error = check_topic(&given(name, value)).expect_err("out of range");
            assert!(matches!(error, SettingError::Invalid { .. }), "{error}");
        }
    }

    #[test]
    fn a_topic_overrides_the_broker_which_overrides_the_default() {
        let settings = Settings::new(&given("log.flush.interval.messages", "7")).expect("legal");
        assert_eq!(settings.topic_number(&BTreeMap::new(), "flush.messages"), 7);
        assert_eq!(settings.topic_number(&given("flush.messages", "1"), "flush.messages"), 1);
        assert_eq!(settings.topic_number(&BTreeMap::new(), "min.insync.replicas"), 1);
    }

    #[test]
    fn a_change_for_one_broker_wins_over_one_for_all_and_that_over_what_was_given() {
        let name = "min.insync.replicas";
        let settings = Settings::new(&given(name, "2")).expect("legal");
        let none = BTreeMap::new();
        assert_eq!(settings.changed(&given(name, "3"), &none).get(name), "3");
        assert_eq!(settings.changed(&given(name, "3"), &given(name, "1")).get(name), "1");
        assert_eq!(settings.changed(&none, &none).get(name), "2");
    }

    #[test]
    fn hours_stand_for_milliseconds_unless_those_are_given() {
        let settings = Settings::new(&given("log.retention.hours", "2")).expect("legal");
        assert_eq!(settings.topic_number(&BTreeMap::new(), "retention.ms"), 7_200_000);
        let both = BTreeMap::from([
            ("log.retention.hours".to_owned(), "2".to_owned()),
            ("log.retention.ms".to_owned(), "5".to_owned()),
        ]);
        assert_eq!(Settings::new(&both).expect("legal").get("log.retention.ms"), "5");
    }

    #[test]
    fn what_kafka_knows_is_taken_and_what_it_does_not_know_is_refused() {
        assert!(check_topic(&given("segment.jitter.ms", "5")).is_ok());
        assert!(check_topic(&given("segment.jitter.ms", "-5")).is_err());
        assert!(Settings::new(&given("num.io.threads", "4")).is_ok());
        assert!(!has_effect("num.io.threads") && has_effect("num.partitions"));
        assert_eq!(at_broker("topic.flush.ms", "1"), Ok("log.flush.interval.ms"));
        assert_eq!(at_broker("replication.factor", "2"), Ok("default.replication.factor"));
        assert!(at_broker("acks", "all").is_err());
    }
}
