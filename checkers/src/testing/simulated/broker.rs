//! The simulated log: partitions with holes, transactions with control records, a consumer group.

use std::collections::BTreeMap;

use crate::testing::Rng;

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Open,
    Committed,
    Aborted,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    offset: i64,
    value: i64,
    transaction: Option<usize>,
}

#[derive(Debug)]
pub(super) struct Log {
    slots: Vec<Slot>,
    pub(super) start: i64,
    end: i64,
    holes: u64,
}

/// All partitions, transactions, and the group's offsets and owners.
#[derive(Debug)]
pub(super) struct Broker {
    pub(super) logs: Vec<Log>,
    transactions: Vec<(Fate, Vec<usize>)>,
    /// Committed by the group, per partition.
    pub(super) committed: Vec<i64>,
    /// Who owns what in the group; moves on every rebalance.
    pub(super) owners: Vec<Option<usize>>,
    pub(super) members: BTreeMap<usize, Vec<u32>>,
    pub(super) generation: u64,
}

impl Broker {
    pub(super) fn new(partitions: usize, rng: &mut Rng) -> Self {
        let logs: Vec<Log> = (0..partitions)
            .map(|_| {
                // Some logs begin far out and have long holes: retention, compaction, other systems.
                let start = if rng.chance(20) { 1 << 50 } else { 0 };
                let holes = [0, 0, 3, 1_000_000_007][rng.below(4)];
                Log { slots: Vec::new(), start, end: start, holes }
            })
            .collect();
        Self {
            committed: logs.iter().map(|log| log.start).collect(),
            owners: vec![None; partitions],
            logs,
            transactions: Vec::new(),
            members: BTreeMap::new(),
            generation: 0,
        }
    }

    pub(super) fn begin(&mut self) -> usize {
        self.transactions.push((Fate::Open, Vec::new()));
        self.transactions.len() - 1
    }

    pub(super) fn append(
        &mut self,
        partition: usize,
        value: i64,
        transaction: Option<usize>,
        rng: &mut Rng,
    ) -> i64 {
        let log = &mut self.logs[partition];
        if log.holes > 0 && rng.chance(5) {
            log.end += i64::try_from(rng.below(usize::try_from(log.holes).expect("small"))).expect("small");
        }
        let offset = log.end;
        log.slots.push(Slot { offset, value, transaction });
        log.end += 1;
        if let Some(transaction) = transaction {
            let touched = &mut self.transactions[transaction].1;
            if !touched.contains(&partition) {
                touched.push(partition);
            }
        }
        offset
    }

    /// Ends a transaction; each partition it touched gets a control record.
    pub(super) fn end(&mut self, transaction: usize, fate: Fate) {
        let (now, touched) = &mut self.transactions[transaction];
        *now = fate;
        for partition in touched.iter() {
            self.logs[*partition].end += 1;
        }
    }

    /// Reads at most `most` committed records from an offset on, below the last stable offset; returns them
    /// and the next position.
    pub(super) fn read(&self, partition: usize, from: i64, most: usize) -> (Vec<(i64, i64)>, i64) {
        let log = &self.logs[partition];
        let fate = |slot: &Slot| slot.transaction.map_or(Fate::Committed, |at| self.transactions[at].0);
        let mut records = Vec::new();
        let mut next = from;
        for slot in log.slots.iter().skip_while(|slot| slot.offset < from) {
            match fate(slot) {
                Fate::Open => break,
                _ if records.len() == most => break,
                Fate::Committed => records.push((slot.offset, slot.value)),
                Fate::Aborted => {}
            }
            next = slot.offset + 1;
        }
        (records, next)
    }

    /// Gives every partition to one of the members that want it.
    pub(super) fn rebalance(&mut self, rng: &mut Rng) {
        self.generation += 1;
        for partition in 0..self.owners.len() {
            let wanting: Vec<usize> = self
                .members
                .iter()
                .filter(|(_, wants)| wants.iter().any(|want| *want as usize == partition))
                .map(|(member, _)| *member)
                .collect();
            self.owners[partition] = (!wanting.is_empty()).then(|| wanting[rng.below(wanting.len())]);
        }
    }
}
