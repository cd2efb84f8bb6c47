//! `log`: producers append uniquely tagged records to a topic, readers follow it, and afterwards every
//! partition is read from its start to its end.

use history::{Load, Partition};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::spec::{Consumers, Script, Spec, Step};

pub(crate) static SPEC: Spec = Spec {
    name: "log",
    summary: "append tagged records, follow the log, read it all back",
    docs: "\
Producers append uniquely tagged records, readers follow the log, and afterwards every partition is read from \
its start to its end. Without keys a producer goes through the partitions in turn, each producer from another \
one, so that even a record nobody reported on has a partition. With keys the client's partitioner decides, and \
a key is drawn evenly for every record. An error is whatever the configuration does not allow: an acknowledged \
record that is not there, one that is there twice, in the wrong order, or that nobody sent.",
    checks: &[
        "availability",
        "duplicates",
        "exercise",
        "log-linearizability",
        "loss",
        "offsets",
        "order",
        "phantoms",
        "visibility",
    ],
    consumers: Consumers::Readers,
    script,
};

const NANOS: u64 = 1_000_000_000;

struct Log {
    next: u64,
    records: u64,
    rate: Option<u64>,
    phase_ns: u64,
    partitions: u64,
    first_partition: u64,
    keys: u64,
    random: ChaCha8Rng,
}

/// What a producer of this workload sends, and of every other whose records are the same.
pub(super) fn script(load: &Load, producer: u32, seed: u64) -> Box<dyn Script> {
    let producers = u64::from(load.producers.max(1));
    let share = |records: u64| records / producers + u64::from(u64::from(producer) < records % producers);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(u64::from(producer));
    Box::new(Log {
        next: 0,
        records: load.records.map_or(u64::MAX, share),
        rate: load.rate.filter(|rate| *rate > 0),
        // Producers take turns within the interval instead of sending all at once.
        phase_ns: load
            .rate
            .filter(|rate| *rate > 0)
            .map_or(0, |rate| NANOS / rate * u64::from(producer) / producers),
        partitions: u64::from(load.partitions.max(1)),
        first_partition: u64::from(producer),
        keys: load.keys,
        random,
    })
}

impl Script for Log {
    fn next(&mut self) -> Option<Step> {
        if self.next >= self.records {
            return None;
        }
        let number = self.next;
        self.next += 1;
        let due_ns = self.rate.map(|rate| {
            let due = u128::from(number) * u128::from(NANOS) / u128::from(rate);
            u64::try_from(due).unwrap_or(u64::MAX).saturating_add(self.phase_ns)
        });
        if self.keys > 0 {
            return Some(Step { partition: None, key: Some(self.random.random_range(0..self.keys)), due_ns });
        }
        let partition = (self.first_partition + number) % self.partitions;
        let partition = Partition(u32::try_from(partition).expect("partitions are counted in 32 bits"));
        Some(Step { partition: Some(partition), key: None, due_ns })
    }
}

#[cfg(test)]
mod tests {
    use std::iter;

    use super::*;

    fn load() -> Load {
        Load {
            duration_ms: 1000,
            rate: Some(500),
            records: None,
            producers: 3,
            readers: 1,
            partitions: 4,
            payload_bytes: 100,
            keys: 0,
            sync: false,
        }
    }

    fn steps(load: &Load, producer: u32, count: usize) -> Vec<Step> {
        let mut script = script(load, producer, 7);
        iter::from_fn(|| script.next()).take(count).collect()
    }

    #[test]
    fn the_records_asked_for_are_split_exactly() {
        for records in [0, 1, 10, 100, 101] {
            let load = Load { records: Some(records), ..load() };
            let sent: usize = (0..load.producers).map(|producer| steps(&load, producer, 1000).len()).sum();
            assert_eq!(sent as u64, records);
        }
    }

    #[test]
    fn records_are_due_at_the_rate() {
        let steps = steps(&load(), 0, 501);
        assert_eq!(steps[0].due_ns, Some(0));
        assert_eq!(steps[500].due_ns, Some(NANOS));
        assert!(self::steps(&Load { rate: None, ..load() }, 0, 5).iter().all(|step| step.due_ns.is_none()));
    }

    #[test]
    fn without_keys_partitions_take_turns_and_with_keys_the_client_decides() {
        let partitions: Vec<_> = steps(&load(), 1, 5).iter().map(|step| step.partition.unwrap().0).collect();
        assert_eq!(partitions, [1, 2, 3, 0, 1]);
        let keyed = Load { keys: 10, ..load() };
        assert!(steps(&keyed, 0, 100).iter().all(|step| step.partition.is_none() && step.key < Some(10)));
    }

    #[test]
    fn the_same_seed_sends_the_same_and_producers_differ() {
        let keyed = Load { keys: 1000, ..load() };
        assert_eq!(steps(&keyed, 0, 50), steps(&keyed, 0, 50));
        let keys = |producer| steps(&keyed, producer, 50).iter().map(|step| step.key).collect::<Vec<_>>();
        assert_ne!(keys(0), keys(1));
    }
}
