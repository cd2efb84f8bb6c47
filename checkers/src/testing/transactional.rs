//! Histories of clients that send and poll in transactions, drawn from a seed on a simulated log with
//! open transactions, a last stable offset, markers, aborts and ends nobody learned. Kept in a plain form
//! that tests can damage before it is built.

use std::collections::BTreeMap;

use history::view::{Ended, Function};
use history::{
    Builder, Contents, Delivery, Detail, ErrorCode, History, Nanos, Note, Offset, Outcome, Partition, Role,
    Send, Tag, Told,
};

use super::{Rng, plan};

/// One transaction.
#[derive(Debug, Clone)]
pub(crate) struct Txn {
    pub(crate) client: u32,
    /// When it took effect, in milliseconds; its interval lies around it.
    pub(crate) moment: u64,
    pub(crate) called: u64,
    pub(crate) returned: u64,
    pub(crate) outcome: Outcome,
    /// It took effect, whatever was learned of that.
    pub(crate) committed: bool,
    pub(crate) sends: Vec<(Tag, u32, i64)>,
    pub(crate) reads: Vec<(Tag, u32, i64)>,
    pub(crate) consumed: Consumed,
}

/// What a transaction says of its inputs, by partition and offset. Every client is a group of its own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Consumed {
    /// Of each send, what it was made of.
    pub(crate) inputs: Vec<Option<(u32, i64)>>,
    /// The next offset to be read of each partition it polled.
    pub(crate) committed: Vec<(u32, i64)>,
    /// What its group had committed before.
    pub(crate) fetched: Vec<(u32, i64)>,
}

impl Consumed {
    fn detail(&self) -> Option<Detail> {
        let at = |(partition, offset): &(u32, i64)| (Partition(*partition), Offset(*offset));
        let detail = Detail {
            inputs: self.inputs.iter().map(|input| input.as_ref().map(at)).collect(),
            committed: self.committed.iter().map(at).collect(),
            fetched: self.fetched.iter().map(at).collect(),
            ..Detail::default()
        };
        (detail != Detail::default()).then_some(detail)
    }
}

/// All of them, in order of their effect, and the committed records by partition and offset.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) txns: Vec<Txn>,
    pub(crate) logs: Vec<BTreeMap<i64, Tag>>,
}

struct Open {
    txn: Txn,
    steps: usize,
}

struct Simulation {
    rng: Rng,
    now: u64,
    /// By partition: offset, tag and whether it is committed; aborted records are gone, their offsets not.
    logs: Vec<BTreeMap<i64, (Tag, bool)>>,
    ends: Vec<i64>,
    /// By client and partition.
    positions: Vec<Vec<i64>>,
    /// What each client's group has committed, by partition.
    groups: Vec<BTreeMap<u32, i64>>,
    seqs: Vec<u64>,
    /// When each client is free again.
    free: Vec<u64>,
    done: Vec<Txn>,
}

/// A world of some dozens of transactions. `serial` runs each alone, so that one order explains all of
/// them; else their steps interleave, as Kafka's do.
pub(crate) fn world(seed: u64, serial: bool) -> World {
    let mut rng = Rng(seed);
    let partitions = 2 + rng.below(2);
    let clients = 2 + rng.below(3);
    let mut simulation = Simulation {
        now: 1000,
        logs: vec![BTreeMap::new(); partitions],
        ends: vec![0; partitions],
        positions: vec![vec![0; partitions]; clients],
        groups: vec![BTreeMap::new(); clients],
        seqs: vec![0; clients],
        free: vec![0; clients],
        done: Vec::new(),
        rng,
    };
    let mut open: Vec<Option<Open>> = (0..clients).map(|_| None).collect();
    let wanted = 20 + simulation.rng.below(20);
    while simulation.done.len() < wanted {
        simulation.now += 10;
        let busy = open.iter().position(Option::is_some).filter(|_| serial);
        let client = busy.unwrap_or_else(|| simulation.rng.below(clients));
        match open[client].take() {
            None => open[client] = Some(simulation.begin(client)),
            Some(mut running) if running.steps > 0 => {
                running.steps -= 1;
                simulation.step(client, &mut running.txn);
                open[client] = Some(running);
            }
            Some(running) => simulation.end(client, running.txn),
        }
    }
    let committed = |log: &BTreeMap<i64, (Tag, bool)>| {
        log.iter()
            .filter(|(_, (_, committed))| *committed)
            .map(|(offset, (tag, _))| (*offset, *tag))
            .collect()
    };
    World { logs: simulation.logs.iter().map(committed).collect(), txns: simulation.done }
}

impl Simulation {
    fn begin(&mut self, client: usize) -> Open {
        // Called a little before, but not before the client's last one was over.
        let called = (self.now - self.rng.below(40) as u64).max(self.free[client] + 1);
        let steps = 1 + self.rng.below(4);
        let client = u32::try_from(client).expect("few");
        let txn = Txn {
            client,
            moment: 0,
            called,
            returned: 0,
            outcome: Outcome::Ok,
            committed: false,
            sends: Vec::new(),
            reads: Vec::new(),
            consumed: Consumed {
                fetched: self.groups[client as usize].clone().into_iter().collect(),
                ..Consumed::default()
            },
        };
        Open { txn, steps }
    }

    fn step(&mut self, client: usize, txn: &mut Txn) {
        let partition = self.rng.below(self.logs.len());
        let number = u32::try_from(partition).expect("few");
        if self.rng.chance(50) {
            let tag = Tag { producer: txn.client, session: 0, seq: self.seqs[client] };
            self.seqs[client] += 1;
            let offset = self.ends[partition];
            self.ends[partition] += 1;
            self.logs[partition].insert(offset, (tag, false));
            txn.sends.push((tag, number, offset));
            txn.consumed.inputs.push(txn.reads.last().map(|(_, partition, offset)| (*partition, *offset)));
            return;
        }
        // Committed records below the first open one.
        let from = self.positions[client][partition];
        let stable = self.logs[partition].range(from..).take_while(|(_, (_, committed))| *committed);
        let given: Vec<(Tag, u32, i64)> = stable.map(|(offset, (tag, _))| (*tag, number, *offset)).collect();
        if let Some((.., last)) = given.last() {
            self.positions[client][partition] = last + 1;
        }
        txn.reads.extend(given);
    }

    fn end(&mut self, client: usize, mut txn: Txn) {
        let fate = self.rng.below(20);
        (txn.outcome, txn.committed) = match fate {
            0 | 1 => (Outcome::Fail, false),
            2 => (Outcome::Unknown, false),
            3 => (Outcome::Unknown, true),
            _ => (Outcome::Ok, true),
        };
        for (_, partition, offset) in &txn.sends {
            let log = &mut self.logs[*partition as usize];
            if txn.committed {
                log.get_mut(offset).expect("it was appended").1 = true;
            } else {
                log.remove(offset);
            }
        }
        let mut marked: Vec<u32> = txn.sends.iter().map(|(_, partition, _)| *partition).collect();
        marked.sort_unstable();
        marked.dedup();
        marked.into_iter().for_each(|partition| self.ends[partition as usize] += 1);
        if txn.outcome != Outcome::Ok {
            // The client goes back to where it was.
            for (_, partition, offset) in txn.reads.iter().rev() {
                self.positions[client][*partition as usize] = *offset;
            }
        }
        let mut next = BTreeMap::new();
        next.extend(txn.reads.iter().map(|(_, partition, offset)| (*partition, offset + 1)));
        txn.consumed.committed = next.clone().into_iter().collect();
        if txn.committed {
            self.groups[client].extend(next);
        }
        txn.moment = self.now;
        txn.returned = self.now.max(txn.called) + self.rng.below(40) as u64;
        self.free[client] = txn.returned;
        self.done.push(txn);
    }
}

impl World {
    /// Makes the intervals of transactions the union of them, so that they are concurrent.
    pub(crate) fn overlap(&mut self, these: &[usize]) {
        let called = these.iter().map(|at| self.txns[*at].called).min().expect("some");
        let returned = these.iter().map(|at| self.txns[*at].returned).max().expect("some");
        for at in these {
            (self.txns[*at].called, self.txns[*at].returned) = (called, returned);
        }
    }

    /// Takes a record out of the log and of everything that was read.
    pub(crate) fn lose(&mut self, tag: Tag) {
        self.logs.iter_mut().for_each(|log| log.retain(|_, there| *there != tag));
        self.txns.iter_mut().for_each(|txn| txn.reads.retain(|(read, ..)| *read != tag));
    }

    /// Puts two records of a partition in each other's place, for everybody.
    pub(crate) fn exchange(&mut self, a: (Tag, u32, i64), b: (Tag, u32, i64)) {
        let other = |tag: &mut Tag| {
            if *tag == a.0 {
                *tag = b.0;
            } else if *tag == b.0 {
                *tag = a.0;
            }
        };
        self.logs.iter_mut().flat_map(BTreeMap::values_mut).for_each(other);
        for txn in &mut self.txns {
            txn.reads.iter_mut().for_each(|(tag, ..)| other(tag));
            for (tag, _, offset) in &mut txn.sends {
                if *tag == a.0 {
                    *offset = b.2;
                } else if *tag == b.0 {
                    *offset = a.2;
                }
            }
        }
    }

    /// The history: a client a process, and a drain of what was committed.
    pub(crate) fn history(&self) -> History {
        self.build(Role::Drain)
    }

    /// The same as a history from elsewhere: another client polls everything at the end, and nobody drains.
    pub(crate) fn foreign(&self) -> History {
        self.build(Role::Client)
    }

    fn build(&self, last: Role) -> History {
        let mut builder = Builder::new(plan(u32::try_from(self.logs.len()).expect("few")));
        let clients = self.txns.iter().map(|txn| txn.client).max().map_or(0, |most| most + 1);
        let sessions: Vec<_> = (0..clients).map(|client| builder.open(Role::Client, client, 0)).collect();
        for (client, id) in (0..).zip(&sessions) {
            let group = format!("group-{client}");
            builder.session(*id).effective.insert("group.id".to_owned(), group);
        }
        let mut order: Vec<&Txn> = self.txns.iter().collect();
        order.sort_by_key(|txn| txn.called);
        let ms = |at: u64| Nanos(at * 1_000_000);
        for txn in order {
            let id = sessions[txn.client as usize];
            let completed = Some(ms(txn.returned));
            let told = if txn.outcome == Outcome::Ok { Told::Acked } else { Told::Failed };
            for (tag, partition, offset) in &txn.sends {
                let send = Send {
                    tag: *tag,
                    key: None,
                    partition: Some(Partition(*partition)),
                    offset: Some(Offset(*offset)),
                    intended: ms(txn.called),
                    invoked: ms(txn.called),
                    completed,
                    outcome: txn.outcome,
                    told,
                    error: ErrorCode::NONE,
                };
                builder.send(id, &send);
            }
            for (tag, partition, offset) in &txn.reads {
                builder.deliver(id, &delivery(*tag, *partition, *offset, (txn.called, txn.returned)));
            }
            let (function, outcome) = (Function::Txn, txn.outcome);
            let invoked = ms(txn.called);
            let detail = txn.consumed.detail();
            builder.operation(id, Ended { function, invoked, completed, outcome, line: None, detail });
        }
        let reader = builder.open(last, if last == Role::Client { clients } else { 0 }, 0);
        let after = self.txns.iter().map(|txn| txn.returned).max().unwrap_or(0) + 100;
        for (partition, log) in (0..).zip(&self.logs) {
            for (offset, tag) in log {
                builder.deliver(reader, &delivery(*tag, partition, *offset, (after, after + 1)));
            }
            if last == Role::Drain {
                builder.note(reader, ms(after + 2), Note::Drained { partition: Partition(partition) });
            }
        }
        if last == Role::Client {
            let (function, outcome) = (Function::Poll, Outcome::Ok);
            let (invoked, completed) = (ms(after), Some(ms(after + 1)));
            builder
                .operation(reader, Ended { function, invoked, completed, outcome, line: None, detail: None });
        }
        builder.finish()
    }
}

fn delivery(tag: Tag, partition: u32, offset: i64, (polled, returned): (u64, u64)) -> Delivery {
    Delivery {
        partition: Partition(partition),
        offset: Offset(offset),
        tag: Some(tag),
        contents: Contents::Intact,
        polled: Nanos(polled * 1_000_000),
        returned: Nanos(returned * 1_000_000),
    }
}
