//! The catalog: a file and one `mod` line add a nemesis.

mod add_partitions;
mod alter_topic_configs;
mod bridge;
mod clock_bump;
mod clock_skew;
mod clock_strobe;
mod corrupt_packets;
mod disk_full;
mod drop_cache;
mod drop_responses;
mod duplicate_packets;
mod flip_bit;
mod isolate_clients;
mod isolate_controller;
mod isolate_coordinator;
mod isolate_followers;
mod isolate_leader;
mod isolate_minority;
mod isolate_one_way;
mod kill;
mod kill_coordinator;
mod kill_member;
mod kill_producer;
mod kill_reader;
mod lossy_links;
mod majorities_ring;
mod narrow_links;
mod pause;
mod pause_member;
mod pause_producer;
mod power_failure;
mod power_failure_all;
mod power_failure_torn;
mod preferred_election;
mod read_only_disk;
mod reassign_replicas;
mod rebalance_storm;
mod reorder_packets;
mod restart;
mod rolling_restart;
mod slow_clients;
mod slow_disk;
mod slow_links;
mod stale_disk;
mod stop;
mod truncate_log;
mod unclean_election;

include!(concat!(env!("OUT_DIR"), "/catalog.rs"));

#[cfg(test)]
mod tests {
    #[test]
    fn every_entry_is_named_and_explained() {
        let mut names: Vec<_> = super::CATALOG.iter().map(|spec| spec.name).collect();
        for spec in super::CATALOG {
            let kebab = spec.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
            assert!(kebab, "`{}` is kebab-case", spec.name);
            assert!(
                !spec.summary.is_empty() && spec.summary.len() <= 79,
                "`{}` has a short summary",
                spec.name
            );
            assert!(!spec.docs.is_empty(), "`{}` is explained", spec.name);
            assert_ne!(spec.name, "none", "`none` is the word for no nemesis");
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), super::CATALOG.len(), "names are unique");
    }
}
