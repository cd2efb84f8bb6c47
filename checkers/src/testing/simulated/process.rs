//! A simulated process: one producer and one consumer, one operation at a time, step by step.

use std::collections::BTreeMap;

use history::{Detail, Function, Offset, Outcome, Partition};

use super::script::{Given, Micro, Op, Sent};
use super::{Fate, Later, Via, World};

/// What the process does now.
struct Running {
    op: Op,
    fate: Outcome,
    /// Micro-operations to do: a send (`true`) or a poll.
    todo: Vec<bool>,
    transaction: Option<usize>,
    /// Positions to go back to unless it is `Ok`.
    before: BTreeMap<usize, i64>,
    rebalanced: Vec<usize>,
    polled: bool,
}

/// A thread, which goes on as another process after each unknown outcome.
pub(super) struct Process {
    thread: usize,
    process: usize,
    /// Partitions to read, and from where.
    positions: BTreeMap<usize, i64>,
    subscribed: bool,
    generation: u64,
    now: Option<Running>,
}

impl Process {
    pub(super) fn new(world: &mut World, thread: usize) -> Self {
        let mut process = Self {
            thread,
            process: world.open(),
            positions: BTreeMap::new(),
            subscribed: false,
            generation: 0,
            now: None,
        };
        process.fix(world);
        process
    }

    pub(super) fn is_busy(&self) -> bool {
        self.now.is_some()
    }

    /// Reads the same partitions from their start, if that is never on record.
    fn fix(&mut self, world: &World) {
        if world.shape.via == Via::Fixed {
            let logs = world.broker.logs.iter().enumerate();
            let mine = logs.filter(|(at, _)| (at + self.thread).is_multiple_of(2) || self.thread == 0);
            self.positions = mine.map(|(at, log)| (at, log.start)).collect();
        }
    }

    /// Another process takes over; its consumer knows nothing.
    fn renew(&mut self, world: &mut World) {
        if self.subscribed {
            world.broker.members.remove(&self.thread);
            world.broker.rebalance(&mut world.rng);
        }
        let now = self.now.take();
        *self = Self::new(world, self.thread);
        self.now = now;
    }

    /// One step of the operation under way, or a new one.
    pub(super) fn step(&mut self, world: &mut World, last: bool) {
        match &mut self.now {
            None => self.begin(world),
            Some(running) if running.todo.is_empty() => self.finish(world),
            Some(running) => {
                // No process dawdles at the end, so that all transactions are over.
                let send = running.todo.pop().expect("it is not empty");
                if send { self.send(world) } else { self.poll(world) }
            }
        }
        if last && self.now.as_ref().is_some_and(|running| running.todo.is_empty()) {
            self.finish(world);
        }
    }

    fn begin(&mut self, world: &mut World) {
        let moves = world.shape.via != Via::Fixed;
        let idle =
            if world.shape.via == Via::Subscribe { !self.subscribed } else { self.positions.is_empty() };
        if moves && (idle || world.rng.chance(4)) {
            return self.take(world);
        }
        if world.rng.chance(2) {
            let op = self.quick(world, Function::Crash, Outcome::Unknown, None);
            world.script.processes[self.process].push(op);
            return self.renew(world);
        }
        if !self.positions.is_empty() && world.rng.chance(10) {
            return self.commit(world);
        }
        let many = if world.shape.transactions { 1 + world.rng.below(4) } else { 1 };
        let todo: Vec<bool> = (0..many).map(|_| world.rng.chance(50)).collect();
        let fate = match world.rng.below(100) {
            0..86 => Outcome::Ok,
            86..93 => Outcome::Fail,
            _ => Outcome::Unknown,
        };
        let function = match (todo.iter().all(|send| *send), todo.iter().any(|send| *send)) {
            (true, _) => Function::Send,
            (_, false) => Function::Poll,
            _ => Function::Txn,
        };
        let invoked = world.tick();
        let transaction = world.shape.transactions.then(|| world.broker.begin());
        self.now = Some(Running {
            op: Op { function, outcome: fate, invoked, completed: None, steps: Vec::new(), detail: None },
            fate,
            todo,
            transaction,
            before: self.positions.clone(),
            rebalanced: Vec::new(),
            polled: false,
        });
    }

    /// Assigns or subscribes to some partitions.
    fn take(&mut self, world: &mut World) {
        let assigns = world.shape.via == Via::Assign;
        let wanted: Vec<usize> = (0..world.shape.partitions).filter(|_| world.rng.chance(60)).collect();
        let outcome = if wanted.is_empty() { Outcome::Fail } else { Outcome::Ok };
        let from_start = assigns && world.rng.chance(10);
        let detail = Detail {
            partitions: wanted.iter().map(|at| partition(*at)).collect(),
            seek_to_beginning: from_start,
            ..Detail::default()
        };
        let function = if assigns { Function::Assign } else { Function::Subscribe };
        let op = self.quick(world, function, outcome, Some(detail));
        world.script.processes[self.process].push(op);
        if outcome != Outcome::Ok {
            return;
        }
        if assigns {
            let start = |at: usize| world.broker.logs[at].start;
            let kept = |at: &usize| if from_start { None } else { self.positions.get(at).copied() };
            self.positions = wanted.iter().map(|at| (*at, kept(at).unwrap_or(start(*at)))).collect();
        } else {
            self.subscribed = true;
            world.broker.members.insert(self.thread, wanted.iter().map(|at| partition(*at).0).collect());
            world.broker.rebalance(&mut world.rng);
        }
    }

    /// Commits where it is; an older generation is refused.
    fn commit(&self, world: &mut World) {
        let stale = self.subscribed && self.generation != world.broker.generation;
        let outcome = match world.rng.below(100) {
            _ if stale => Outcome::Fail,
            0..80 => Outcome::Ok,
            80..90 => Outcome::Fail,
            _ => Outcome::Unknown,
        };
        let happened = outcome == Outcome::Ok || (outcome == Outcome::Unknown && world.rng.chance(50));
        if happened && self.subscribed {
            for (at, position) in &self.positions {
                world.broker.committed[*at] = world.broker.committed[*at].max(*position);
            }
        }
        let committed = self.positions.iter().map(|(at, position)| (partition(*at), Offset(*position)));
        let detail = Detail { committed: committed.collect(), ..Detail::default() };
        let op = self.quick(world, Function::Commit, outcome, Some(detail));
        world.script.processes[self.process].push(op);
    }

    /// An operation of one step.
    fn quick(&self, world: &mut World, function: Function, outcome: Outcome, detail: Option<Detail>) -> Op {
        let (invoked, completed) = (world.tick(), world.tick());
        Op { function, outcome, invoked, completed: Some(completed), steps: Vec::new(), detail }
    }

    fn send(&mut self, world: &mut World) {
        let running = self.now.as_mut().expect("an operation is under way");
        let at = world.rng.below(world.shape.partitions);
        world.values += 1;
        let value = world.values;
        let key = world.shape.keys.then(|| at as u64 + 10 * (world.rng.next() % 3));
        let mut offset = None;
        match (running.transaction, running.fate) {
            (Some(_), _) | (None, Outcome::Ok) => {
                offset = Some(world.broker.append(at, value, running.transaction, &mut world.rng));
            }
            (None, Outcome::Fail) => {}
            (None, Outcome::Unknown) => match world.rng.below(3) {
                0 => {}
                1 => offset = Some(world.broker.append(at, value, None, &mut world.rng)),
                _ => world.later.push(Later::Append { partition: at, value }),
            },
        }
        world.tick();
        // Acknowledgements often carry no offset; of what failed few say one.
        let told = if running.fate == Outcome::Ok { 90 } else { 40 };
        let offset = offset.filter(|_| world.rng.chance(told));
        running.op.steps.push(Micro::Send(Sent { partition: partition(at).0, value, offset, key }));
    }

    fn poll(&mut self, world: &mut World) {
        self.join(world);
        let running = self.now.as_mut().expect("an operation is under way");
        let mut given = Vec::new();
        for (at, position) in &mut self.positions {
            let most = world.rng.below(6);
            let (records, next) = world.broker.read(*at, *position, most);
            given.extend(records.iter().map(|(offset, value)| Given {
                partition: partition(*at).0,
                offset: *offset,
                value: *value,
            }));
            *position = next;
        }
        world.tick();
        running.polled = true;
        running.op.steps.push(Micro::Poll(given));
    }

    /// Takes note of a rebalance: everything is taken and given anew, from the committed offsets.
    fn join(&mut self, world: &mut World) {
        if !self.subscribed || self.generation == world.broker.generation {
            return;
        }
        self.generation = world.broker.generation;
        let running = self.now.as_mut().expect("an operation is under way");
        let owned = world.broker.owners.iter().enumerate().filter(|(_, owner)| **owner == Some(self.thread));
        let owned: BTreeMap<usize, i64> = owned.map(|(at, _)| (at, world.broker.committed[at])).collect();
        running.rebalanced.extend(self.positions.keys().chain(owned.keys()));
        self.positions = owned;
    }

    fn finish(&mut self, world: &mut World) {
        let Some(mut running) = self.now.take() else { return };
        let stale = self.subscribed && running.polled && self.generation != world.broker.generation;
        if stale && running.transaction.is_some() && running.fate == Outcome::Ok {
            // Offsets of an older generation are refused, and the transaction with them.
            running.fate = Outcome::Fail;
        }
        let mut happened = running.fate == Outcome::Ok;
        if let Some(transaction) = running.transaction {
            let fate = match running.fate {
                Outcome::Ok => Fate::Committed,
                Outcome::Fail => Fate::Aborted,
                Outcome::Unknown if !stale && world.rng.chance(50) => Fate::Committed,
                Outcome::Unknown => Fate::Aborted,
            };
            happened = fate == Fate::Committed;
            if running.fate == Outcome::Unknown && world.rng.chance(50) {
                world.later.push(Later::End { transaction, fate });
            } else {
                world.broker.end(transaction, fate);
            }
        }
        if happened && self.subscribed && !stale {
            for (at, position) in &self.positions {
                world.broker.committed[*at] = world.broker.committed[*at].max(*position);
            }
        }
        if running.fate != Outcome::Ok {
            // The consumer goes back to where it was, as far as it still has the partitions.
            for (at, position) in &mut self.positions {
                let kept = running.before.get(at).filter(|_| !running.rebalanced.contains(at));
                *position = kept.copied().unwrap_or(*position);
            }
            if world.rng.chance(30) {
                running.op.polls_mut().for_each(Vec::clear);
            }
        }
        let told = world.shape.transactions && !running.rebalanced.is_empty();
        running.op.detail = told.then(|| Detail {
            rebalanced: running.rebalanced.iter().map(|at| partition(*at)).collect(),
            ..Detail::default()
        });
        running.op.outcome = running.fate;
        let completed = world.tick();
        let silent = running.fate == Outcome::Unknown && world.rng.chance(40);
        running.op.completed = (!silent).then_some(completed);
        if silent {
            // Nothing came back, so nothing is known but what was asked.
            running.op.polls_mut().for_each(Vec::clear);
            running.op.sends_mut().for_each(|sent| sent.offset = None);
        }
        world.script.processes[self.process].push(running.op);
        if running.fate == Outcome::Unknown || (running.fate == Outcome::Fail && world.rng.chance(20)) {
            self.renew(world);
        }
    }

    /// The final polls: a new process reads every partition from its start to its end.
    pub(super) fn read_everything(&mut self, world: &mut World) {
        let op = self.quick(world, Function::Crash, Outcome::Unknown, None);
        world.script.processes[self.process].push(op);
        self.process = world.open();
        let all: Vec<usize> = (0..world.shape.partitions).collect();
        let partitions = all.iter().map(|at| partition(*at)).collect();
        let detail = Detail { partitions, seek_to_beginning: true, ..Detail::default() };
        let op = self.quick(world, Function::Assign, Outcome::Ok, Some(detail));
        world.script.processes[self.process].push(op);
        let mut positions: Vec<i64> = world.broker.logs.iter().map(|log| log.start).collect();
        let mut empty = 0;
        while empty < 2 {
            let mut given = Vec::new();
            for at in &all {
                let (records, next) = world.broker.read(*at, positions[*at], 20);
                positions[*at] = next;
                let each = |(offset, value): &(i64, i64)| Given {
                    partition: partition(*at).0,
                    offset: *offset,
                    value: *value,
                };
                given.extend(records.iter().map(each));
            }
            empty += usize::from(given.is_empty());
            let mut op = self.quick(world, Function::Poll, Outcome::Ok, None);
            op.steps.push(Micro::Poll(given));
            world.script.processes[self.process].push(op);
        }
    }
}

fn partition(at: usize) -> Partition {
    Partition(u32::try_from(at).expect("few"))
}
