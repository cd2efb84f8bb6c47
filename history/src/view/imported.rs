//! What a history that was not recorded here calls things: its keys and values have names of their own.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::Partition;

/// The format a history was imported from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImportFormat {
    /// Operations of Jepsen's Kafka workload, JSON Lines or EDN.
    Jepsen,
    /// Lines of kafka-verifiable-producer and kafka-verifiable-consumer.
    Verifiable,
    /// highwater's own JSON Lines.
    JsonLines,
}

impl fmt::Display for ImportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jepsen => "jepsen",
            Self::Verifiable => "verifiable",
            Self::JsonLines => "json-lines",
        })
    }
}

/// What an imported history calls things (ours need no names).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// Where it came from.
    pub format: ImportFormat,
    /// The source's name of each [`Partition`], by its number: Jepsen's keys, in order of appearance.
    pub partitions: Vec<String>,
    /// A process subscribed, so that a group may have moved partitions between polls.
    pub subscribes: bool,
    /// There are operations of several sends and polls.
    pub transactions: bool,
}

impl Imported {
    /// An import that has read nothing yet.
    #[must_use]
    pub const fn new(format: ImportFormat) -> Self {
        Self { format, partitions: Vec::new(), subscribes: false, transactions: false }
    }

    /// The source's name of a partition.
    #[must_use]
    pub fn name_of(&self, partition: Partition) -> Option<&str> {
        self.partitions.get(partition.0 as usize).map(String::as_str)
    }
}

/// A record's value as its source wrote it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A whole number, as Jepsen's generators make them.
    Number(i64),
    /// Anything else, as text.
    Text(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}
