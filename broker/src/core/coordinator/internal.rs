//! The internal topics that coordinators keep their state in: their names, how a name is placed in one of
//! their partitions, and with what settings they are made.

use std::collections::BTreeMap;

use super::super::image::{ClusterImage, TopicImage};
use super::super::settings::Settings;
use super::super::types::PartitionKey;

/// An internal topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum InternalTopic {
    /// `__consumer_offsets`: groups and their offsets.
    ConsumerOffsets,
    /// `__transaction_state`: transactional ids.
    TransactionState,
}

impl InternalTopic {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::ConsumerOffsets, Self::TransactionState];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConsumerOffsets => "__consumer_offsets",
            Self::TransactionState => "__transaction_state",
        }
    }

    /// The internal topic of this name. Clients may read one and never write to it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.name() == name)
    }

    /// The partition whose leader coordinates `name` (a group id, a transactional id), in this metadata.
    #[must_use]
    pub fn partition_of(self, image: &ClusterImage, name: &str) -> Option<PartitionKey> {
        let topic = image.topics.get(self.name())?;
        Some(PartitionKey { topic: topic.id, partition: place(name, topic) })
    }

    /// How it is made the first time it is needed: partitions, replication factor, settings.
    ///
    /// The factor asked for is cut to the brokers that are registered: a single node has coordinators too.
    /// Brokers that are down for the moment count, so that a cluster which is just starting, or is short of a
    /// broker, does not make a topic that it can lose.
    #[must_use]
    pub fn design(self, settings: &Settings, image: &ClusterImage) -> (i32, i16, BTreeMap<String, String>) {
        let prefix = match self {
            Self::ConsumerOffsets => "offsets.topic",
            Self::TransactionState => "transaction.state.log",
        };
        let number = |name: &str| settings.number(&format!("{prefix}.{name}"));
        let registered = image.brokers.len().max(1);
        let factor = usize::try_from(number("replication.factor")).unwrap_or(usize::MAX).min(registered);
        let mut configs = BTreeMap::from([
            ("cleanup.policy".to_owned(), "compact".to_owned()),
            ("segment.bytes".to_owned(), number("segment.bytes").to_string()),
        ]);
        if self == Self::TransactionState {
            let least = number("min.isr").min(factor as u64);
            configs.insert("min.insync.replicas".to_owned(), least.to_string());
        }
        let partitions = i32::try_from(number("num.partitions")).unwrap_or(i32::MAX);
        (partitions, i16::try_from(factor).unwrap_or(i16::MAX), configs)
    }
}

fn place(name: &str, topic: &TopicImage) -> i32 {
    let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX).max(1);
    // Apache Kafka, `Utils.abs`: the one number without a positive counterpart counts as 0.
    hash_code(name).checked_abs().unwrap_or(0) % count
}

/// Java's `String.hashCode`, over UTF-16 code units.
fn hash_code(text: &str) -> i32 {
    text.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_javas() {
        // As `jshell` says.
        assert_eq!(hash_code(""), 0);
        assert_eq!(hash_code("abc"), 96_354);
        assert_eq!(hash_code("highwater"), -671_277_899);
        assert_eq!(hash_code("grüße"), 98_768_023);
        assert_eq!(hash_code("polygenelubricants"), i32::MIN);
    }
}
