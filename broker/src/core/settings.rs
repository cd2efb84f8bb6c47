//! The one table of broker and topic settings: names, types, defaults, and which values mean something
//! here. Validation, DescribeConfigs and the core all read it.
//!
//! Defaults are those of Apache Kafka 4.1.2 (its own DescribeConfigs). A value that would be silently
//! ignored is refused instead: a verdict must rest on what the cluster really does.

mod table;

use std::collections::BTreeMap;

pub use table::SETTINGS;

/// The type of a setting, with the least value of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A 32-bit number, at least this.
    Int(i64),
    /// A 64-bit number, at least this.
    Long(i64),
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

/// The setting of a broker-level name.
///
/// # Errors
/// [`SettingError::Unknown`], naming the nearest.
pub fn broker_setting(name: &str) -> Result<&'static Setting, SettingError> {
    find(name, "broker", |setting| setting.broker)
}

/// The setting of a topic-level name.
///
/// # Errors
/// [`SettingError::Unknown`], naming the nearest.
pub fn topic_setting(name: &str) -> Result<&'static Setting, SettingError> {
    find(name, "topic", |setting| setting.topic)
}

/// The broker-level name under which a cluster's default is set: its own, or that of a topic setting; with or
/// without the prefixes `broker.` and `topic.`.
///
/// # Errors
/// [`SettingError`], if no name or value like that is known.
pub fn at_broker(name: &str, value: &str) -> Result<&'static str, SettingError> {
    let known = |name: &str| match name {
        "replication.factor" => broker_setting("default.replication.factor"),
        name => broker_setting(name).or_else(|error| topic_setting(name).map_err(|_| error)),
    };
    let bare = ["broker.", "topic."].iter().find_map(|prefix| name.strip_prefix(prefix));
    let setting = known(name).or_else(|error| bare.ok_or(error).and_then(known))?;
    setting.check(name, value)?;
    Ok(setting.broker)
}

fn find(
    name: &str,
    level: &'static str,
    named: fn(&Setting) -> &'static str,
) -> Result<&'static Setting, SettingError> {
    let known = || SETTINGS.iter().filter(|setting| !named(setting).is_empty());
    if let Some(setting) = known().find(|setting| named(setting) == name) {
        return Ok(setting);
    }
    let nearest = known()
        .map(named)
        .max_by(|a, b| strsim::jaro_winkler(name, a).total_cmp(&strsim::jaro_winkler(name, b)));
    Err(SettingError::Unknown { level, name: name.to_owned(), nearest: nearest.unwrap_or_default() })
}

/// Checks the settings of a topic.
///
/// # Errors
/// The first that is unknown, invalid or not implemented.
pub fn check_topic(configs: &BTreeMap<String, String>) -> Result<(), SettingError> {
    configs.iter().try_for_each(|(name, value)| topic_setting(name)?.check(name, value))
}

/// One effective setting, as DescribeConfigs tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// Its name at the level asked for.
    pub name: &'static str,
    /// Its value.
    pub value: String,
    /// Where the value comes from.
    pub origin: Origin,
    /// Its type.
    pub kind: Kind,
    /// What it does.
    pub doc: &'static str,
}

/// Where an effective value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Set on the topic.
    Topic,
    /// Set on the broker.
    Broker,
    /// Nobody set it.
    Default,
}

/// The broker's settings, validated.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    overrides: BTreeMap<&'static str, String>,
}

impl Settings {
    /// Takes settings by broker-level name.
    ///
    /// # Errors
    /// The first that is unknown, invalid or not implemented.
    pub fn new(given: &BTreeMap<String, String>) -> Result<Self, SettingError> {
        let mut overrides = BTreeMap::new();
        for (name, value) in given {
            let setting = broker_setting(name)?;
            setting.check(name, value)?;
            overrides.insert(setting.broker, value.clone());
        }
        Ok(Self { overrides })
    }

    /// The effective value of a broker-level setting.
    ///
    /// # Panics
    /// If the table has no such name: that is a mistake in this program.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        let default = || broker_setting(name).expect("a name of the table").default;
        self.overrides.get(name).map_or_else(default, String::as_str)
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

    /// [`Settings::topic`] of a number; negative values count as 0.
    ///
    /// # Panics
    /// If the table has no such number: that is a mistake in this program.
    #[must_use]
    pub fn topic_number(&self, configs: &BTreeMap<String, String>, name: &str) -> u64 {
        let number: i64 = self.topic(configs, name).parse().expect("a number of the table");
        u64::try_from(number).unwrap_or(0)
    }

    /// Every broker-level setting.
    #[must_use]
    pub fn describe_broker(&self) -> Vec<Effective> {
        let named = SETTINGS.iter().filter(|setting| !setting.broker.is_empty());
        named.map(|setting| self.effective(setting, setting.broker, None)).collect()
    }

    /// Every topic-level setting, given the topic's own.
    #[must_use]
    pub fn describe_topic(&self, configs: &BTreeMap<String, String>) -> Vec<Effective> {
        let named = SETTINGS.iter().filter(|setting| !setting.topic.is_empty());
        named.map(|setting| self.effective(setting, setting.topic, configs.get(setting.topic))).collect()
    }

    fn effective(&self, setting: &Setting, name: &'static str, own: Option<&String>) -> Effective {
        let (value, origin) = match (own, self.overrides.get(setting.broker)) {
            (Some(value), _) => (value.clone(), Origin::Topic),
            (None, Some(value)) => (value.clone(), Origin::Broker),
            (None, None) => (setting.default.to_owned(), Origin::Default),
        };
        Effective { name, value, origin, kind: setting.kind, doc: setting.doc }
    }
}

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
        let error = check_topic(&given("cleanup.policy", "compact")).expect_err("not implemented");
        assert!(matches!(error, SettingError::NotImplemented { .. }), "{error}");
        let error = check_topic(&given("min.insync.replicas", "0")).expect_err("too small");
        assert!(matches!(error, SettingError::Invalid { .. }), "{error}");
    }

    #[test]
    fn a_topic_overrides_the_broker_which_overrides_the_default() {
        let settings = Settings::new(&given("log.flush.interval.messages", "7")).expect("legal");
        assert_eq!(settings.topic_number(&BTreeMap::new(), "flush.messages"), 7);
        assert_eq!(settings.topic_number(&given("flush.messages", "1"), "flush.messages"), 1);
        assert_eq!(settings.topic_number(&BTreeMap::new(), "min.insync.replicas"), 1);
        let described = settings.describe_topic(&given("min.insync.replicas", "2"));
        let one = described.iter().find(|one| one.name == "min.insync.replicas").expect("there");
        assert_eq!((one.value.as_str(), one.origin), ("2", Origin::Topic));
        let one = described.iter().find(|one| one.name == "flush.messages").expect("there");
        assert_eq!((one.value.as_str(), one.origin), ("7", Origin::Broker));
    }
}
