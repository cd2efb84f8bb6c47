//! A clean history of any size, as a run without faults would have left it: drawn from a seed, written row by
//! row through the same recorder that actors use, and never held in memory.

use std::collections::VecDeque;
use std::path::Path;

use anyhow::{Context as _, bail};
use history::event::Phase;
use history::{
    Contents, ErrorCode, Event, FENCE_PRODUCER, Nanos, NodeId, Note, Offset, Outcome, Partition, Plan,
    Recorder, Role, Tag, Told, clock,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// One record in so many is reported failed; every other one of those landed all the same.
const FAILS_ONE_IN: u32 = 1000;
/// Nanoseconds between two records of a producer: 50,000 a second.
const PERIOD: u64 = 20_000;
/// Records that a reader is given of one partition before it turns to the next.
const FETCH: usize = 500;
/// When the load begins.
const START: u64 = 1_000_000_000;

/// One record, from its producer to its place in the log.
struct Sent {
    tag: Tag,
    partition: Partition,
    intended: Nanos,
    invoked: Nanos,
    completed: Nanos,
    outcome: Outcome,
    told: Told,
    /// Where it lies in the log, if it landed.
    offset: Option<Offset>,
}

/// The same records in the same order whenever it is made from the same plan.
struct Simulation {
    rng: ChaCha8Rng,
    producers: u32,
    records: u64,
    made: u64,
    ends: Vec<i64>,
    seqs: Vec<u64>,
    /// When each producer hears of its last record: reports come in order.
    told: Vec<u64>,
}

impl Simulation {
    fn new(plan: &Plan) -> Self {
        let (producers, partitions) = (plan.load.producers, plan.load.partitions);
        Self {
            rng: ChaCha8Rng::seed_from_u64(plan.seed),
            producers,
            records: plan.load.records.unwrap_or(0),
            made: 0,
            ends: vec![0; partitions as usize],
            seqs: vec![0; producers as usize],
            told: vec![0; producers as usize],
        }
    }
}

impl Iterator for Simulation {
    type Item = Sent;

    fn next(&mut self) -> Option<Sent> {
        if self.made == self.records {
            return None;
        }
        let producer = self.made % u64::from(self.producers);
        let turn = self.made / u64::from(self.producers);
        let (who, seq) = (producer as usize, self.seqs[producer as usize]);
        self.made += 1;
        self.seqs[who] += 1;
        let drawn = self.rng.random::<u64>();
        let intended = START + turn * PERIOD;
        let invoked = intended + drawn % 2_000;
        // A batch is sent every two milliseconds, and takes one or two.
        let batch = (invoked / 2_000_000 + 1) * 2_000_000;
        self.told[who] = (batch + 1_000_000 + (drawn >> 16) % 1_000).max(self.told[who] + 300);
        let partition = (seq + producer) as usize % self.ends.len();
        let fails = (drawn >> 32) as u32 % (2 * FAILS_ONE_IN);
        let (outcome, told) =
            if fails < 2 { (Outcome::Unknown, Told::Failed) } else { (Outcome::Ok, Told::Acked) };
        let offset = (fails != 0).then(|| {
            let end = &mut self.ends[partition];
            *end += 1;
            Offset(*end - 1)
        });
        Some(Sent {
            tag: Tag { producer: producer as u32, session: 0, seq },
            partition: Partition(partition as u32),
            intended: Nanos(intended),
            invoked: Nanos(invoked),
            completed: Nanos(self.told[who]),
            outcome,
            told,
            offset,
        })
    }
}

/// Writes the whole history of `plan` to `dir`; returns its bytes. It stops in the middle when `go_on`
/// says no.
pub(super) fn write(plan: &Plan, dir: &Path, go_on: &dyn Fn() -> bool) -> anyhow::Result<u64> {
    let (mut bytes, end) = produce(plan, dir, go_on)?;
    for (role, begins) in [(Role::Reader, START + 3_000_000), (Role::Drain, end.0 + 5_000_000)] {
        bytes += read(plan, dir, role, begins, go_on)?;
    }
    bytes += conduct(plan, dir, end)?;
    Ok(bytes)
}

struct Worker {
    recorder: Recorder,
}

impl Worker {
    fn start(plan: &Plan, dir: &Path, role: Role, index: u32) -> anyhow::Result<Self> {
        let recorder = Recorder::create(dir, role, index, 0, u64::MAX)?;
        let mut worker = Self { recorder };
        let effective = match role {
            Role::Producer => plan.cell.producer.clone(),
            _ => Default::default(),
        };
        let clock = clock::ClockIdentity::here();
        worker.note(0, Note::SessionStarted { role, index, session: 0, pid: 1, clock, effective })?;
        Ok(worker)
    }

    fn record(&mut self, at: u64, event: &Event) -> anyhow::Result<()> {
        self.recorder.record(Nanos(at), event).context("failed to write the history of the benchmark")
    }

    fn note(&mut self, at: u64, note: Note) -> anyhow::Result<()> {
        self.record(at, &Event::Note(note))
    }

    fn close(mut self, at: u64) -> anyhow::Result<u64> {
        self.note(at, Note::SessionClosed)?;
        Ok(self.recorder.bytes())
    }
}

/// The producers' segments; returns their bytes and when the last report came.
fn produce(plan: &Plan, dir: &Path, go_on: &dyn Fn() -> bool) -> anyhow::Result<(u64, Nanos)> {
    let workers = (0..plan.load.producers).map(|index| Worker::start(plan, dir, Role::Producer, index));
    let mut workers = workers.collect::<anyhow::Result<Vec<Worker>>>()?;
    let mut waiting: Vec<VecDeque<Sent>> = workers.iter().map(|_| VecDeque::new()).collect();
    let mut end = Nanos(START);
    for (number, sent) in Simulation::new(plan).enumerate() {
        if number.is_multiple_of(1 << 16) && !go_on() {
            bail!("stopped by a signal");
        }
        let who = sent.tag.producer as usize;
        let (worker, waiting) = (&mut workers[who], &mut waiting[who]);
        while waiting.front().is_some_and(|first| first.completed <= sent.invoked) {
            waiting.pop_front().iter().try_for_each(|first| report(worker, first))?;
        }
        let invoked = Event::SendInvoked {
            tag: sent.tag,
            partition: Some(sent.partition),
            key: None,
            payload_bytes: plan.load.payload_bytes,
            intended: sent.intended,
        };
        worker.record(sent.invoked.0, &invoked)?;
        end = end.max(sent.completed);
        waiting.push_back(sent);
    }
    let mut bytes = 0;
    for (mut worker, waiting) in workers.into_iter().zip(waiting) {
        waiting.iter().try_for_each(|sent| report(&mut worker, sent))?;
        bytes += worker.close(end.0)?;
    }
    Ok((bytes, end))
}

fn report(worker: &mut Worker, sent: &Sent) -> anyhow::Result<()> {
    let acked = sent.told == Told::Acked;
    let event = Event::SendCompleted {
        tag: sent.tag,
        partition: Some(sent.partition),
        offset: sent.offset.filter(|_| acked),
        outcome: sent.outcome,
        told: sent.told,
        error: if acked { ErrorCode::NONE } else { ErrorCode(-192) },
    };
    worker.record(sent.completed.0, &event)
}

/// The segment of someone who reads everything, a poll a record; returns its bytes.
fn read(plan: &Plan, dir: &Path, role: Role, begins: u64, go_on: &dyn Fn() -> bool) -> anyhow::Result<u64> {
    let mut worker = Worker::start(plan, dir, role, 0)?;
    let mut now = begins;
    let mut fetched: Vec<Vec<(Offset, Tag)>> = vec![Vec::new(); plan.load.partitions as usize];
    // Nobody is given a record before it is there: the latest of a fetch was reported at `there`.
    let mut give = |worker: &mut Worker, partition: usize, records: &mut Vec<(Offset, Tag)>, there: Nanos| {
        now = now.max(there.0);
        records.drain(..).try_for_each(|(offset, tag)| {
            let polled = Nanos(now);
            now += 1_500 + tag.seq % 700;
            let (partition, contents) = (Partition(partition as u32), Contents::Intact);
            let event = Event::Delivered { polled, partition, offset, tag: Some(tag), contents };
            worker.record(now - 200, &event)
        })
    };
    let mut ends = vec![0; fetched.len()];
    let mut latest = Nanos(begins);
    for (number, sent) in Simulation::new(plan).enumerate() {
        if number.is_multiple_of(1 << 16) && !go_on() {
            bail!("stopped by a signal");
        }
        let Some(offset) = sent.offset else { continue };
        let partition = sent.partition.0 as usize;
        ends[partition] = offset.0 + 1;
        fetched[partition].push((offset, sent.tag));
        latest = latest.max(sent.completed);
        if fetched[partition].len() == FETCH {
            give(&mut worker, partition, &mut fetched[partition], latest)?;
        }
    }
    for (partition, mut records) in fetched.into_iter().enumerate() {
        records.push((Offset(ends[partition]), fence(partition)));
        give(&mut worker, partition, &mut records, latest)?;
    }
    for partition in 0..ends.len() {
        match role {
            Role::Drain => worker.note(now, Note::Drained { partition: Partition(partition as u32) })?,
            _ if partition > 0 => {}
            _ => worker.note(now, Note::ReaderStopped { caught_up: true })?,
        }
    }
    worker.close(now)
}

fn fence(partition: usize) -> Tag {
    Tag { producer: FENCE_PRODUCER, session: 0, seq: partition as u64 }
}

/// The segments of the runner and the admin; returns their bytes.
fn conduct(plan: &Plan, dir: &Path, end: Nanos) -> anyhow::Result<u64> {
    let mut runner = Worker::start(plan, dir, Role::Runner, 0)?;
    let phases = [
        (0, Phase::SetUp),
        (START / 2, Phase::Quiet),
        (START - 1, Phase::Load),
        (end.0 + 1, Phase::Heal),
        (end.0 + 2, Phase::Progress),
        (end.0 + 4_000_000, Phase::Drain),
        (end.0 + 4_000_000_000_000, Phase::End),
    ];
    let nodes = [1, 2, 3].map(NodeId).to_vec();
    for (at, phase) in phases {
        runner.note(at, Note::PhaseEntered { phase })?;
        for partition in (0..plan.load.partitions).map(Partition).filter(|_| phase == Phase::SetUp) {
            let (isr, replicas) = (nodes.clone(), nodes.clone());
            let leader = Some(NodeId(1 + partition.0 as i32 % 3));
            runner.note(at, Note::PartitionState { partition, leader, epoch: 0, isr, replicas })?;
        }
    }
    let mut admin = Worker::start(plan, dir, Role::Admin, 0)?;
    admin.note(1, Note::EffectiveTopic { settings: plan.cell.topic.clone() })?;
    let mut ends = vec![0; plan.load.partitions as usize];
    for sent in Simulation::new(plan) {
        if let Some(offset) = sent.offset {
            ends[sent.partition.0 as usize] = offset.0 + 1;
        }
    }
    for (partition, offset) in ends.into_iter().enumerate() {
        let (partition, offset) = (Partition(partition as u32), Offset(offset));
        admin.note(end.0 + 3, Note::FenceAcked { partition, offset })?;
    }
    Ok(runner.close(end.0 + 1)? + admin.close(end.0 + 4)?)
}
