//! DescribeLogDirs: the one directory of this broker, and how large each log in it is.

use std::collections::BTreeMap;
use std::rc::Rc;

use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use kafka_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse, TopicName};
use nix::sys::statvfs::statvfs;

use super::text;
use crate::server::engine::Host;

/// Answers DescribeLogDirs.
pub(super) fn describe(host: &Rc<Host>, request: &DescribeLogDirsRequest) -> DescribeLogDirsResponse {
    let image = host.image();
    let wanted = |name: &str, partition: i32| {
        request.topics.as_ref().is_none_or(|topics| {
            topics.iter().any(|topic| topic.topic.as_str() == name && topic.partitions.contains(&partition))
        })
    };
    let mut topics: BTreeMap<String, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    for (key, size) in host.with(|engine| engine.logs.sizes()) {
        let Some((name, _)) = image.topic(key.topic) else { continue };
        if wanted(name, key.partition) {
            let size = i64::try_from(size).unwrap_or(i64::MAX);
            let partition = DescribeLogDirsPartition::default()
                .with_partition_index(key.partition)
                .with_partition_size(size);
            topics.entry(name.to_owned()).or_default().push(partition);
        }
    }
    let topics = topics.into_iter().map(|(name, mut partitions)| {
        partitions.sort_by_key(|partition| partition.partition_index);
        DescribeLogDirsTopic::default().with_name(TopicName(text(name))).with_partitions(partitions)
    });
    let bytes = |blocks: u64, size: u64| i64::try_from(blocks.saturating_mul(size)).unwrap_or(i64::MAX);
    // -1 is Kafka's word for not known.
    let (total, usable) = statvfs(&host.spec.data).map_or((-1, -1), |found| {
        let size = found.fragment_size();
        (bytes(found.blocks(), size), bytes(found.blocks_available(), size))
    });
    let result = DescribeLogDirsResult::default()
        .with_log_dir(text(host.spec.data.display().to_string()))
        .with_topics(topics.collect())
        .with_total_bytes(total)
        .with_usable_bytes(usable);
    DescribeLogDirsResponse::default().with_results(vec![result])
}
