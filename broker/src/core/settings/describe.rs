//! Settings as DescribeConfigs tells them: every one Kafka knows, its effective value, where that comes from,
//! and what it would be without each source (KIP-226).

use std::collections::BTreeMap;

use super::kafka::{self, Known, Type};
use super::{Settings, topic_setting};

/// Where an effective value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Set on the topic.
    Topic,
    /// Changed on this broker while it ran.
    Own,
    /// Changed for every broker while they ran.
    Cluster,
    /// What the broker was started with.
    Given,
    /// Nobody set it.
    Default,
}

impl Origin {
    /// The number on the wire (`DescribeConfigsResponse.ConfigSource`).
    #[must_use]
    pub const fn code(self) -> i8 {
        match self {
            Self::Topic => 1,
            Self::Own => 2,
            Self::Cluster => 3,
            Self::Given => 4,
            Self::Default => 5,
        }
    }
}

/// A value that a setting has, or would have if the sources before it were not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synonym {
    /// The name it is set under there.
    pub name: &'static str,
    /// The value; `None` if it is null or must not be shown.
    pub value: Option<String>,
    /// Where it is set.
    pub origin: Origin,
}

/// One effective setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// Its name at the level asked for.
    pub name: &'static str,
    /// Its value; `None` if it is null or must not be shown.
    pub value: Option<String>,
    /// Where the value comes from.
    pub origin: Origin,
    /// Its type.
    pub kind: Type,
    /// It cannot be changed while the broker runs.
    pub read_only: bool,
    /// Its value is not shown.
    pub sensitive: bool,
    /// Every source, the strongest first.
    pub synonyms: Vec<Synonym>,
    /// What Kafka says of it (HTML).
    pub doc: &'static str,
}

impl Settings {
    /// Every broker-level setting. `facts` are values that follow from how the broker runs, such as its id.
    #[must_use]
    pub fn describe_broker(&self, facts: &BTreeMap<&'static str, String>) -> Vec<Effective> {
        let describe = |known: &'static Known| {
            let mut synonyms: Vec<_> = self.of_broker(known).collect();
            if let Some(fact) = facts.get(known.name) {
                let fact = Synonym { name: known.name, value: Some(fact.clone()), origin: Origin::Given };
                synonyms.insert(0, fact);
            }
            effective(known, synonyms)
        };
        kafka::BROKER.iter().map(describe).collect()
    }

    /// Every topic-level setting, given the topic's own.
    #[must_use]
    pub fn describe_topic(&self, configs: &BTreeMap<String, String>) -> Vec<Effective> {
        let describe = |known: &'static Known| {
            let set = |value: &String| Synonym {
                name: known.name,
                value: Some(value.clone()),
                origin: Origin::Topic,
            };
            let own = configs.get(known.name).map(set);
            // A coarser unit counts only where it is set.
            let counts = |at: usize, one: &Synonym| at == 0 || one.origin != Origin::Default;
            let ours = topic_setting(known.name).ok().map(|setting| setting.broker);
            let names =
                ours.into_iter().chain(known.synonyms.iter().copied().filter(|name| Some(*name) != ours));
            let broker = names
                .filter_map(|name| kafka::find(&kafka::BROKER, name))
                .enumerate()
                .flat_map(|(at, known)| self.of_broker(known).filter(move |one| counts(at, one)));
            effective(known, own.into_iter().chain(broker).collect())
        };
        kafka::TOPIC.iter().map(describe).collect()
    }

    /// The sources of a broker-level setting, its default last if it has one.
    fn of_broker(&self, known: &'static Known) -> impl Iterator<Item = Synonym> {
        let shown = |value: &str| (!known.sensitive).then(|| value.to_owned());
        let set = self.sources(known.name).map(move |(origin, value)| Synonym {
            name: known.name,
            value: shown(value),
            origin,
        });
        let default = known.default.map(|value| Synonym {
            name: known.name,
            value: shown(value),
            origin: Origin::Default,
        });
        set.chain(default)
    }
}

fn effective(known: &'static Known, synonyms: Vec<Synonym>) -> Effective {
    let strongest = synonyms.first().filter(|first| first.origin != Origin::Default);
    let (value, origin) = match strongest {
        Some(first) => (first.value.clone(), first.origin),
        None => (known.default.filter(|_| !known.sensitive).map(str::to_owned), Origin::Default),
    };
    Effective {
        name: known.name,
        value,
        origin,
        kind: known.kind,
        read_only: known.read_only,
        sensitive: known.sensitive,
        synonyms,
        doc: &known.doc,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn one<'a>(all: &'a [Effective], name: &str) -> &'a Effective {
        all.iter().find(|one| one.name == name).expect("known")
    }

    #[test]
    fn a_value_names_its_source_and_every_weaker_one() {
        let given = Settings::new(&map(&[("log.flush.interval.messages", "7")])).expect("legal");
        let settings = given
            .changed(&map(&[("log.flush.interval.messages", "6")]), &map(&[("min.insync.replicas", "2")]));
        let all = settings.describe_topic(&map(&[("flush.messages", "1")]));
        let flush = one(&all, "flush.messages");
        assert_eq!((flush.value.as_deref(), flush.origin), (Some("1"), Origin::Topic));
        let sources: Vec<_> = flush.synonyms.iter().map(|one| (one.name, one.origin)).collect();
        let broker = "log.flush.interval.messages";
        assert_eq!(
            sources,
            [
                ("flush.messages", Origin::Topic),
                (broker, Origin::Cluster),
                (broker, Origin::Given),
                (broker, Origin::Default)
            ]
        );
        assert_eq!(one(&all, "min.insync.replicas").origin, Origin::Own);
        let retention = one(&all, "retention.ms");
        assert_eq!((retention.value.as_deref(), retention.origin), (Some("604800000"), Origin::Default));
    }

    #[test]
    fn facts_are_what_the_broker_was_started_with_and_secrets_are_not_shown() {
        let settings = Settings::new(&map(&[("ssl.key.password", "secret")])).expect("legal");
        let all = settings.describe_broker(&BTreeMap::from([("node.id", "3".to_owned())]));
        assert_eq!(all.len(), 316);
        assert_eq!(one(&all, "node.id").value.as_deref(), Some("3"));
        let secret = one(&all, "ssl.key.password");
        assert!(secret.sensitive && secret.value.is_none() && secret.synonyms[0].value.is_none());
        assert_eq!(one(&all, "log.flush.interval.ms").value, None, "Kafka's default is null");
        assert!(one(&all, "num.partitions").read_only);
    }
}
