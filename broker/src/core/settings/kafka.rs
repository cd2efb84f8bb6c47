//! Apache Kafka's own settings, read from two tables that were taken from Kafka 4.1.2: every name with its
//! type, default, accepted values and documentation. What this broker does with one is the other table's
//! matter ([`super::SETTINGS`]).

use std::sync::LazyLock;

/// The type of a setting (`ConfigDef.Type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// `true` or `false`.
    Boolean,
    /// Text.
    Text,
    /// A 32-bit number.
    Int,
    /// A 16-bit number.
    Short,
    /// A 64-bit number.
    Long,
    /// A decimal number.
    Double,
    /// Words between commas.
    List,
    /// The name of a Java class.
    Class,
    /// Text that is never shown.
    Password,
}

impl Type {
    fn named(name: &str) -> Self {
        match name {
            "BOOLEAN" => Self::Boolean,
            "INT" => Self::Int,
            "SHORT" => Self::Short,
            "LONG" => Self::Long,
            "DOUBLE" => Self::Double,
            "LIST" => Self::List,
            "CLASS" => Self::Class,
            "PASSWORD" => Self::Password,
            _ => Self::Text,
        }
    }

    /// The number on the wire (`DescribeConfigsResponse.ConfigType`).
    #[must_use]
    pub const fn code(self) -> i8 {
        match self {
            Self::Boolean => 1,
            Self::Text => 2,
            Self::Int => 3,
            Self::Short => 4,
            Self::Long => 5,
            Self::Double => 6,
            Self::List => 7,
            Self::Class => 8,
            Self::Password => 9,
        }
    }
}

/// One setting of Apache Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Type,
    /// Its default, if it has one.
    pub default: Option<&'static str>,
    /// Accepted values, in the words of Kafka's validator; empty accepts all of the type.
    pub accepts: &'static str,
    /// Its documentation (HTML).
    pub doc: String,
    /// Of a topic setting: broker-level names that give its default, the strongest first.
    pub synonyms: Vec<&'static str>,
    /// Of a broker setting: its value is not shown.
    pub sensitive: bool,
    /// Of a broker setting: it cannot be changed while the broker runs.
    pub read_only: bool,
}

/// Every broker setting, by name.
pub static BROKER: LazyLock<Vec<Known>> = LazyLock::new(|| parse(include_str!("broker.tsv"), false));

/// Every topic setting, by name.
pub static TOPIC: LazyLock<Vec<Known>> = LazyLock::new(|| parse(include_str!("topic.tsv"), true));

fn parse(table: &'static str, topic: bool) -> Vec<Known> {
    let rows = table.lines().filter(|line| !line.starts_with('#'));
    rows.filter_map(|row| {
        let mut fields = row.split('\t');
        let mut next = || fields.next();
        let (name, kind, default, middle) = (next()?, next()?, next()?, next()?);
        let (accepts, doc) = (next()?, next()?);
        Some(Known {
            name,
            kind: Type::named(kind),
            default: (default != "\\N").then_some(default),
            accepts,
            doc: doc.replace("\\n", "\n").replace("\\t", "\t").replace("\\\\", "\\"),
            synonyms: if topic { middle.split_whitespace().collect() } else { Vec::new() },
            sensitive: !topic && middle.contains('S'),
            read_only: !topic && middle.contains('R'),
        })
    })
    .collect()
}

/// The setting of this name in one of the tables.
#[must_use]
pub fn find(table: &'static [Known], name: &str) -> Option<&'static Known> {
    table.binary_search_by(|known| known.name.cmp(name)).ok().map(|at| &table[at])
}

impl Known {
    /// What a value should be, if it is not that (`ConfigDef.parseType` and the validator).
    #[must_use]
    pub fn fault(&self, value: &str) -> Option<String> {
        let value = value.trim();
        match self.kind {
            Type::Boolean => {
                let is = value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false");
                (!is).then(|| "`true` or `false`".to_owned())
            }
            Type::Short => self.number(value, f64::from(i16::MIN), f64::from(i16::MAX)),
            Type::Int => self.number(value, f64::from(i32::MIN), f64::from(i32::MAX)),
            Type::Long => self.number(value, i64::MIN as f64, i64::MAX as f64),
            Type::Double => match value.parse::<f64>() {
                Ok(number) if self.in_range(number) => None,
                _ => Some(format!("a number {}", self.accepts)),
            },
            Type::List => {
                let words = || value.split(',').map(str::trim).filter(|word| !word.is_empty());
                match self.words() {
                    Some(legal) => (!words().all(|word| legal.contains(&word)))
                        .then(|| format!("a list of {}", legal.join(", "))),
                    None if self.accepts.contains("[partitionId]") => {
                        let pair = |word: &str| {
                            word == "*"
                                || word.split_once(':').is_some_and(|(partition, broker)| {
                                    partition.parse::<u32>().is_ok() && broker.parse::<u32>().is_ok()
                                })
                        };
                        (!words().all(pair)).then(|| "a list of PARTITION:BROKER, or *".to_owned())
                    }
                    None => None,
                }
            }
            Type::Text | Type::Class | Type::Password => {
                let legal = self.words()?;
                (!legal.contains(&value)).then(|| format!("one of {}", legal.join(", ")))
            }
        }
    }

    fn number(&self, value: &str, least: f64, most: f64) -> Option<String> {
        let fits = value.parse::<i64>().is_ok_and(|number| {
            let number = number as f64;
            (least..=most).contains(&number) && self.in_range(number)
        });
        (!fits).then(|| format!("a whole number {}", self.accepts).trim_end().to_owned())
    }

    /// `[1,...,9] or -1`, `[0,...]`, or nothing.
    fn in_range(&self, number: f64) -> bool {
        let (range, or) = match self.accepts.split_once(" or ") {
            Some((range, or)) => (range, or.parse::<f64>().ok()),
            None => (self.accepts, None),
        };
        if or == Some(number) || !range.contains("...") {
            return true;
        }
        let mut bounds = range.trim_matches(['[', ']']).split(",...");
        let bound = |text: Option<&str>| text.and_then(|text| text.trim_matches(',').parse::<f64>().ok());
        let (least, most) = (bound(bounds.next()), bound(bounds.next()));
        least.is_none_or(|least| number >= least) && most.is_none_or(|most| number <= most)
    }

    /// `[compact, delete]`: the words that are legal, if only some are.
    fn words(&self) -> Option<Vec<&'static str>> {
        let list = self.accepts.strip_prefix('[')?.strip_suffix(']')?;
        (!list.contains("...") && !list.contains(':')).then(|| list.split(", ").collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_tables_are_whole_sorted_and_their_defaults_legal() {
        assert_eq!((BROKER.len(), TOPIC.len()), (316, 33));
        for table in [&*BROKER, &*TOPIC] {
            assert!(table.is_sorted_by(|a, b| a.name < b.name));
            for known in table.iter() {
                assert_eq!(known.default.and_then(|value| known.fault(value)), None, "{}", known.name);
                assert!(!known.doc.is_empty(), "{}", known.name);
            }
        }
        let broker_level = TOPIC.iter().flat_map(|known| &known.synonyms);
        assert!(broker_level.into_iter().all(|name| find(&BROKER, name).is_some()));
    }

    #[test]
    fn values_are_checked_as_kafka_does() {
        let legal = |name, value| find(&TOPIC, name).expect("known").fault(value).is_none();
        assert!(legal("cleanup.policy", "compact,delete") && legal("cleanup.policy", "compact"));
        assert!(!legal("cleanup.policy", "none"));
        assert!(legal("compression.gzip.level", "-1") && legal("compression.gzip.level", "9"));
        assert!(!legal("compression.gzip.level", "0") && !legal("compression.gzip.level", "10"));
        assert!(legal("min.cleanable.dirty.ratio", "0.25") && !legal("min.cleanable.dirty.ratio", "1.5"));
        assert!(legal("compression.type", "zstd") && !legal("compression.type", "brotli"));
        assert!(legal("retention.bytes", "-1") && !legal("retention.ms", "-2"));
        assert!(!legal("min.insync.replicas", "0") && !legal("min.insync.replicas", "two"));
        assert!(legal("leader.replication.throttled.replicas", "0:1,1:2"));
        assert!(!legal("leader.replication.throttled.replicas", "one"));
        assert!(!legal("max.message.bytes", "4294967296"), "it does not fit into 32 bits");
    }
}
