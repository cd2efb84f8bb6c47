//! What highwater takes from librdkafka's statistics: whom the client takes for a partition's leader, and
//! how often it retried.

use std::collections::BTreeMap;

use history::Partition;
use serde::Deserialize;
use workloads::client::Remark;

#[derive(Deserialize)]
struct Statistics {
    #[serde(default)]
    brokers: BTreeMap<String, Broker>,
    #[serde(default)]
    topics: BTreeMap<String, Topic>,
}

#[derive(Deserialize)]
struct Broker {
    #[serde(default)]
    txretries: u64,
}

#[derive(Deserialize)]
struct Topic {
    #[serde(default)]
    partitions: BTreeMap<String, TopicPartition>,
}

#[derive(Deserialize)]
struct TopicPartition {
    partition: i64,
    leader: i32,
}

/// Turns statistics into remarks, and remembers what was said before.
#[derive(Default)]
pub(super) struct Watch {
    retries: u64,
    leaders: BTreeMap<u32, i32>,
}

impl Watch {
    /// What changed since the last statistics of this client; unreadable statistics say nothing.
    pub(super) fn changes(&mut self, topic: &str, json: &[u8]) -> Vec<Remark> {
        let Ok(statistics) = serde_json::from_slice::<Statistics>(json) else { return Vec::new() };
        let mut remarks = Vec::new();
        let retries = statistics.brokers.values().map(|broker| broker.txretries).sum();
        if retries > self.retries {
            self.retries = retries;
            remarks.push(Remark::Retries(retries));
        }
        let partitions = statistics.topics.get(topic).into_iter().flat_map(|topic| topic.partitions.values());
        for TopicPartition { partition, leader } in partitions {
            // librdkafka keeps records without a partition in one numbered -1.
            let Ok(partition) = u32::try_from(*partition) else { continue };
            if self.leaders.insert(partition, *leader) != Some(*leader) {
                remarks.push(Remark::Leader(Partition(partition), *leader));
            }
        }
        remarks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changes_are_remarked() {
        let json = |leader: i32, retries: u64| {
            format!(
                r#"{{"brokers":{{"a":{{"txretries":{retries}}},"b":{{}}}},
                "topics":{{"t":{{"partitions":{{"0":{{"partition":0,"leader":{leader}}},
                "-1":{{"partition":-1,"leader":0}}}}}}}}}}"#
            )
        };
        let mut watch = Watch::default();
        assert_eq!(watch.changes("t", json(1, 0).as_bytes()), [Remark::Leader(Partition(0), 1)]);
        assert_eq!(watch.changes("t", json(1, 0).as_bytes()), []);
        let both = [Remark::Retries(2), Remark::Leader(Partition(0), 3)];
        assert_eq!(watch.changes("t", json(3, 2).as_bytes()), both);
        assert_eq!(watch.changes("t", b"{"), []);
    }
}
