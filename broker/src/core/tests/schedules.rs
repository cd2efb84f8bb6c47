//! Seeded random schedules: kills, restarts, cuts, delays and overtaking, under acks=all with
//! min.insync.replicas=2. Whatever happens, no acknowledged record is missing once all is healed, no
//! record that a consumer has read is missing either, an idempotent producer's records are there once, and
//! all replicas agree.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{AdminOp, RequestId};
use crate::flaws::Flaw;
use crate::simulation::{CONTROLLER, Cut, World, batch, key};

/// Kept small for every run of the tests; by hand, `HIGHWATER_SCHEDULES=20000` tries more.
const SEEDS: u64 = 200;
const PARTITIONS: i32 = 2;

pub(super) struct Chance(pub(super) u64);

impl Chance {
    /// SplitMix64.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    pub(super) fn of<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        (!all.is_empty()).then(|| all[self.below(all.len())])
    }
}

/// An idempotent producer of one partition, one batch in flight, that retries until it is answered.
struct Producer {
    partition: i32,
    sequence: i32,
    attempts: BTreeSet<RequestId>,
    sent_ms: u64,
}

struct Schedule {
    world: World,
    chance: Chance,
    producers: Vec<Producer>,
    /// Pipelined records without idempotence.
    plain: BTreeMap<RequestId, (i32, String)>,
    reads: BTreeMap<RequestId, i32>,
    acked: BTreeSet<(i32, i64, String)>,
}

impl Schedule {
    fn new(seed: u64, flaw: Option<Flaw>) -> Self {
        let producer = |partition| Producer { partition, sequence: 0, attempts: BTreeSet::new(), sent_ms: 0 };
        Self {
            world: World::new(3, PARTITIONS, &[("min.insync.replicas", "2")], flaw),
            chance: Chance(seed),
            producers: (0..PARTITIONS).map(producer).collect(),
            plain: BTreeMap::new(),
            reads: BTreeMap::new(),
            acked: BTreeSet::new(),
        }
    }

    fn up(&self) -> Vec<i32> {
        self.world.nodes().into_iter().filter(|node| self.world.is_up(*node)).collect()
    }

    /// Whom a client takes for the leader: whoever says so, the right one or not.
    fn target(&mut self, partition: i32) -> Option<i32> {
        let mut up = self.up();
        let leads = |node: &i32| self.world.broker(*node).offsets(key(partition), -1).is_ok();
        let leading: Vec<i32> = up.iter().copied().filter(leads).collect();
        if !leading.is_empty() && self.chance.below(10) > 0 {
            up = leading;
        }
        self.chance.of(&up)
    }

    fn send(&mut self) {
        let partition = self.chance.below(PARTITIONS as usize) as i32;
        let Some(node) = self.target(partition) else { return };
        if self.chance.below(3) == 0 {
            let value = format!("x{}", self.plain.len());
            let id = self.world.send_produce(node, key(partition), -1, batch(&value, 1, None));
            self.plain.insert(id, (partition, value));
            return;
        }
        let producer = &mut self.producers[partition as usize];
        let waits = producer.attempts.iter().any(|id| !self.world.replies.contains_key(id));
        if waits && self.world.now < producer.sent_ms + 600 {
            return;
        }
        let value = format!("p{partition}.{}", producer.sequence);
        let header = Some((i64::from(partition), 0, producer.sequence));
        producer.attempts.insert(self.world.send_produce(node, key(partition), -1, batch(&value, 1, header)));
        producer.sent_ms = self.world.now;
    }

    fn hear(&mut self) {
        for producer in &mut self.producers {
            let offset = producer.attempts.iter().find_map(|id| self.world.reply(*id)?.ok());
            if let Some(offset) = offset {
                let value = format!("p{}.{}", producer.partition, producer.sequence);
                self.acked.insert((producer.partition, offset, value));
                producer.sequence += 1;
                producer.attempts.clear();
            }
        }
    }

    fn step(&mut self) {
        let up = self.up();
        let all = self.world.nodes();
        match self.chance.below(1000) {
            0..400 => {
                for _ in 0..=self.chance.below(12) {
                    let open = self.world.open_channels();
                    if let Some(channel) = self.chance.of(&open) {
                        self.world.deliver(channel);
                    }
                }
            }
            400..600 => {
                self.world.now += self.chance.next() % 60;
                self.world.tick();
            }
            600..800 => self.send(),
            800..870 => {
                let ms = self.chance.next() % 400;
                self.world.run(ms);
            }
            870..880 => {
                let ms = 1_500 + self.chance.next() % 1_000;
                self.world.run(ms);
            }
            880..895 => {
                if let Some(node) = self.chance.of(&up) {
                    self.world.kill(node);
                }
            }
            895..925 => {
                let down: Vec<i32> = all.iter().copied().filter(|node| !up.contains(node)).collect();
                if let Some(node) = self.chance.of(&down) {
                    self.world.start(node);
                }
            }
            925..945 => {
                let manner = if self.chance.below(2) == 0 { Cut::Held } else { Cut::Reset };
                let ends: Vec<i32> = all.iter().copied().chain([CONTROLLER]).collect();
                let (Some(a), Some(b)) = (self.chance.of(&all), self.chance.of(&ends)) else { return };
                if self.chance.below(3) == 0 {
                    self.world.isolate(a, manner);
                } else if a != b {
                    self.world.cut(a, b, manner);
                }
            }
            945..965 => self.world.heal(),
            965..975 => {
                if let Some(node) = self.chance.of(&up) {
                    self.world.checkpoint(node);
                }
            }
            975..985 => {
                let outstanding: Vec<_> = self.world.outstanding.iter().copied().collect();
                if let Some(fetch) = self.chance.of(&outstanding) {
                    self.world.fail_fetch(fetch);
                }
            }
            985..987 => self.administer(),
            987..990 => {
                if let Some(node) = self.chance.of(&up) {
                    self.world.hang_up(node);
                }
            }
            _ => {
                let partition = self.chance.below(PARTITIONS as usize) as i32;
                if let Some(node) = self.target(partition) {
                    let read = self.world.consume(node, key(partition), 0, 0);
                    self.reads.insert(read, partition);
                }
            }
        }
        self.hear();
    }

    /// Moves replicas or a leader, or ends a broker in good order.
    fn administer(&mut self) {
        let partition = self.chance.below(PARTITIONS as usize) as i32;
        let topic = || "t".to_owned();
        let op = match self.chance.below(4) {
            0 => AdminOp::ElectLeaders { unclean: false, partitions: None },
            1 => AdminOp::AlterReassignments { wanted: vec![(topic(), partition, None)], resize: true },
            2 => {
                let mut nodes = self.world.nodes();
                for last in (1..nodes.len()).rev() {
                    let at = self.chance.below(last + 1);
                    nodes.swap(at, last);
                }
                nodes.truncate(1 + self.chance.below(nodes.len()));
                AdminOp::AlterReassignments { wanted: vec![(topic(), partition, Some(nodes))], resize: true }
            }
            _ => {
                let up = self.up();
                if let Some(node) = self.chance.of(&up) {
                    self.world.shut_down(node);
                }
                return;
            }
        };
        self.world.administer(op);
    }

    /// Heals everything and judges.
    fn finish(mut self) -> Result<usize, String> {
        self.world.heal();
        let up = self.up();
        let down: Vec<i32> = self.world.nodes().into_iter().filter(|node| !up.contains(node)).collect();
        down.into_iter().for_each(|node| self.world.start(node));
        let whole = |world: &World| (0..PARTITIONS).all(|partition| world.agree(key(partition)));
        self.world.run(6_000);
        self.hear();
        if !self.world.run_until(6_000, whole) {
            return Err(format!("the replicas do not agree again: {}", self.describe()));
        }
        for partition in 0..PARTITIONS {
            let leader = self.world.partition(key(partition)).leader;
            let probe = self.world.send_produce(leader, key(partition), -1, batch("probe", 1, None));
            self.world.settle();
            if !matches!(self.world.reply(probe), Some(Ok(_))) {
                return Err(format!("partition {partition} cannot be written: {}", self.describe()));
            }
        }
        for (id, (partition, value)) in &self.plain {
            if let Some(Ok(offset)) = self.world.reply(*id) {
                self.acked.insert((*partition, offset, value.clone()));
            }
        }
        let leader = |partition| self.world.partition(key(partition)).leader;
        let logs: Vec<_> =
            (0..PARTITIONS).map(|partition| self.world.log(leader(partition), key(partition))).collect();
        for (partition, offset, value) in &self.acked {
            if !logs[*partition as usize].contains(&(*offset, value.clone())) {
                return Err(format!("{value} was acknowledged at {offset}: {}", self.describe()));
            }
        }
        for (id, partition) in &self.reads {
            let read =
                self.world.fetched.get(id).map(|(_, _, records)| records.as_slice()).unwrap_or_default();
            if let Some(record) = read.iter().find(|record| !logs[*partition as usize].contains(record)) {
                return Err(format!("{record:?} was read: {}", self.describe()));
            }
        }
        for log in &logs {
            let sent: Vec<_> =
                log.iter().filter(|(_, value)| value.starts_with('p') && value != "probe").collect();
            let distinct: BTreeSet<_> = sent.iter().map(|(_, value)| value).collect();
            if distinct.len() < sent.len() {
                return Err(format!("a record is there twice: {}", self.describe()));
            }
        }
        Ok(self.acked.len())
    }

    fn describe(&self) -> String {
        let partition = |number| {
            let logs: Vec<_> = self
                .world
                .nodes()
                .into_iter()
                .map(|node| (node, self.world.log(node, key(number))))
                .collect();
            format!("\n{:?}\n{logs:?}", self.world.partition(key(number)))
        };
        (0..PARTITIONS).map(partition).collect()
    }
}

fn run(seed: u64, flaw: Option<Flaw>) -> Result<usize, String> {
    let mut schedule = Schedule::new(seed, flaw);
    for _ in 0..400 {
        schedule.step();
    }
    schedule.finish()
}

#[test]
fn no_acknowledged_record_is_lost_under_any_schedule() {
    let seeds = std::env::var("HIGHWATER_SCHEDULES").ok().and_then(|text| text.parse().ok()).unwrap_or(SEEDS);
    let mut acked = 0;
    for seed in 0..seeds {
        match run(seed, None) {
            Ok(count) => acked += count,
            Err(what) => panic!("seed {seed}: {what}"),
        }
    }
    assert!(acked as u64 > 5 * seeds, "the schedules leave room for work: {acked}");
}

/// The schedules have teeth: truncation by high watermark does not survive them.
#[test]
fn truncation_by_high_watermark_is_caught() {
    assert!((0..SEEDS).any(|seed| run(seed, Some(Flaw::LoseOnTruncation)).is_err()));
}
