//! Clean operation-level histories of every shape, drawn from a seed: concurrent processes against a
//! simulated log with holes, transactions, control records, aborts, failures, unknown outcomes that did or
//! did not happen (or happen later), crashes, assignments, rebalances, and final polls of everything.

mod broker;
mod commits;
pub(crate) mod notation;
pub(crate) mod plants;
mod process;
#[cfg(test)]
mod proof;
mod script;
mod sinks;

use broker::{Broker, Fate};
use process::Process;
pub(crate) use script::Script;

use crate::testing::Rng;

/// The checkers that judge operations one by one; those of transactions and of time have proofs of their own.
const CHECKERS: &[&str] = &[
    "loss",
    "duplicates",
    "order",
    "offsets",
    "phantoms",
    "visibility",
    "effects",
    "availability",
    "exercise",
];

/// How consumers get their partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    /// Fixed for each process, and never on record.
    Fixed,
    Assign,
    Subscribe,
}

/// What sort of history it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) partitions: usize,
    pub(crate) threads: usize,
    pub(crate) transactions: bool,
    pub(crate) via: Via,
    /// Record keys, as kafka-verifiable-producer has them.
    pub(crate) keys: bool,
    /// Operations, about.
    pub(crate) operations: usize,
}

impl Shape {
    /// A shape drawn from a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = Rng(seed ^ 0x5eed);
        let transactions = rng.chance(50);
        Self {
            partitions: 1 + rng.below(4),
            threads: 2 + rng.below(4),
            transactions,
            via: [Via::Fixed, Via::Assign, Via::Subscribe][rng.below(3)],
            keys: !transactions && rng.chance(30),
            operations: 60 + rng.below(120),
        }
    }
}

/// Everything that processes share.
struct World {
    rng: Rng,
    clock: u64,
    broker: Broker,
    shape: Shape,
    /// The highest value handed out.
    values: i64,
    /// What happens later, whatever the process was told.
    later: Vec<Later>,
    script: Script,
}

/// Something whose outcome is unknown, under way.
enum Later {
    Append { partition: usize, value: i64 },
    End { transaction: usize, fate: Fate },
}

impl World {
    fn tick(&mut self) -> u64 {
        self.clock += 1 + self.rng.next() % 200_000;
        self.clock
    }

    /// Some of what is under way arrives, or all of it.
    fn arrive(&mut self, all: bool) {
        while !self.later.is_empty() && (all || self.rng.chance(10)) {
            let at = self.rng.below(self.later.len());
            match self.later.swap_remove(at) {
                Later::Append { partition, value } => {
                    self.broker.append(partition, value, None, &mut self.rng);
                }
                Later::End { transaction, fate } => self.broker.end(transaction, fate),
            }
        }
    }

    /// A new process in the script.
    fn open(&mut self) -> usize {
        self.script.processes.push(Vec::new());
        self.script.processes.len() - 1
    }
}

/// A clean history of a shape.
pub(crate) fn simulate(seed: u64, shape: Shape) -> Script {
    let mut rng = Rng(seed);
    let broker = Broker::new(shape.partitions, &mut rng);
    let script = Script {
        partitions: u32::try_from(shape.partitions).expect("few"),
        transactions: shape.transactions,
        subscribes: shape.via == Via::Subscribe,
        ..Script::default()
    };
    let mut world = World { rng, clock: 1_000_000, broker, shape, values: 0, later: Vec::new(), script };
    let mut threads: Vec<Process> =
        (0..shape.threads).map(|thread| Process::new(&mut world, thread)).collect();
    let steps = shape.operations * if shape.transactions { 4 } else { 3 };
    for _ in 0..steps {
        let thread = world.rng.below(threads.len());
        threads[thread].step(&mut world, false);
        world.arrive(false);
    }
    for thread in &mut threads {
        while thread.is_busy() {
            thread.step(&mut world, true);
        }
    }
    world.arrive(true);
    for thread in &mut threads {
        thread.read_everything(&mut world);
    }
    let mut script = world.script;
    // From a seed of its own, so that what is left in a sink changes nothing else.
    let mut rng = Rng(seed ^ 0x51_4b);
    if rng.chance(50) {
        sinks::fill(&mut script, &mut rng);
    }
    script
}

/// A clean history of a shape drawn from the same seed.
pub(crate) fn simulated(seed: u64) -> Script {
    simulate(seed, Shape::of(seed))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use history::Outcome;

    use super::*;

    /// What a shape is there for must come up, or nothing is shown by it.
    #[test]
    fn every_shape_comes_up() {
        let mut seen = BTreeSet::new();
        for seed in 0..200 {
            let script = simulated(seed);
            let history = script.build();
            assert_eq!(history.sessions.len(), script.processes.len() + script.tables.len());
            seen.extend((!script.tables.is_empty()).then(|| "sink".to_owned()));
            for op in script.ops() {
                seen.insert(format!("{:?} {:?}", op.function, op.outcome));
                seen.extend((op.sends().count() > 1).then(|| "several sends".to_owned()));
                let polled = op.given().count() > 0;
                seen.extend((polled && op.outcome == Outcome::Fail).then(|| "failed poll".to_owned()));
                let moved = op.detail.as_ref().is_some_and(|detail| !detail.rebalanced.is_empty());
                seen.extend(moved.then(|| "rebalance".to_owned()));
                seen.extend(op.given().any(|given| given.offset > 1 << 40).then(|| "sparse".to_owned()));
            }
        }
        let functions = ["Send", "Poll", "Txn"];
        for outcome in ["Ok", "Fail", "Unknown"] {
            for function in functions {
                assert!(seen.contains(&format!("{function} {outcome}")), "{function} {outcome}");
            }
        }
        for more in [
            "Crash Unknown",
            "Assign Ok",
            "Assign Fail",
            "Subscribe Ok",
            "Commit Ok",
            "Commit Fail",
            "Commit Unknown",
            "rebalance",
            "failed poll",
            "sparse",
            "several sends",
            "sink",
        ] {
            assert!(seen.contains(more), "{more}: {seen:?}");
        }
    }
}
