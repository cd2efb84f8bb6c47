//! Programs of producers and readers: what a producer must do for each flaw to show, and nothing that shows without.

use std::collections::BTreeMap;

use broker::core::Refusal;
use broker::flaws::Flaw;
use broker::simulation::Cut;
use history::event::Role;
use history::{FaultClass, History, Note, Outcome, SessionId, Told};
use rand::RngExt;

use crate::bytes::payload;
use crate::cluster::{Cluster, PARTITIONS, SMALL_FETCH};
use crate::recording::{Isolation, Recording, Sender, Sent};

const STEPS: usize = 400;

/// Idempotent producers whose answers get lost, whose leaders die, and who send again until they are told; a reader
/// that follows. Batches of several records, which all have one key if `keyed`.
pub(crate) fn durable(flaw: Option<Flaw>, seed: u64, keyed: bool) -> History {
    let mut cluster = Cluster::new(flaw, seed);
    let settings = [("acks", "all"), ("enable.idempotence", "true")];
    let faults = [FaultClass::Kill; 2];
    let mut recording = Recording::new(&mut cluster, &settings, &faults);
    let mut producers: Vec<Idempotent> = (0..2).map(|index| Idempotent::new(&mut recording, index)).collect();
    let mut reader = Follower::new(&mut recording, 0);
    let mut killed = None;
    for step in 0..STEPS {
        let at = cluster.draw.random_range(0..producers.len());
        let partition = cluster.draw.random_range(0..PARTITIONS);
        let fails = step % (STEPS / 2) == STEPS / 4;
        let batch = Batch { partition, count: cluster.draw.random_range(2..=3), keyed, fails };
        let dead = producers[at].send(&mut recording, &mut cluster, batch);
        killed = killed.or(dead);
        if fails {
            recording.observe(&mut cluster);
        }
        if step % (STEPS / 2) == STEPS / 3
            && let Some(node) = killed.take()
        {
            cluster.world.start(node);
            cluster.world.run(3_000);
            recording.healed(&mut cluster);
        }
        if step % 6 == 0 {
            reader.poll(&mut recording, &mut cluster);
        }
    }
    recording.finish(&mut cluster, Isolation::Uncommitted, |recording, cluster, fences| {
        reader.finish(recording, cluster, fences);
    })
}

#[derive(Clone, Copy)]
struct Batch {
    partition: i32,
    count: usize,
    keyed: bool,
    /// The leader dies before it answers.
    fails: bool,
}

struct Idempotent {
    sender: Sender,
    id: i64,
    epoch: i16,
    sequences: BTreeMap<i32, i32>,
}

impl Idempotent {
    fn new(recording: &mut Recording, index: u32) -> Self {
        let sender = Sender::new(recording, index, 0);
        Self { sender, id: 1_000 + i64::from(index), epoch: 0, sequences: BTreeMap::new() }
    }

    /// Sends a batch until there is an answer; the broker that was killed meanwhile, if one was.
    fn send(&mut self, recording: &mut Recording, cluster: &mut Cluster, batch: Batch) -> Option<i32> {
        let Batch { partition, count, keyed, fails } = batch;
        let (tags, values) = self.sender.next(count);
        let invoked = cluster.now();
        let key = keyed.then_some(partition as u64);
        let sent = Sent { tags: &tags, partition, key, invoked };
        let sequence = self.sequences.entry(partition).or_default();
        let numbers = (self.id, self.epoch, *sequence);
        let mut killed = None;
        for attempt in 0..400 {
            let answer = cluster.produce(partition, -1, &values, Some(numbers), None);
            if fails && attempt == 0 {
                let node = cluster.leader(partition);
                recording.inject(cluster, FaultClass::Kill, node);
                cluster.world.kill(node);
                killed = Some(node);
                continue;
            }
            match answer {
                Some(Ok(base)) if attempt > 0 || cluster.draw.random_ratio(9, 10) => {
                    *sequence += i32::try_from(count).expect("few");
                    self.sender.sent(recording, cluster, &sent, (Outcome::Ok, Told::Acked), Some(base));
                    return killed;
                }
                Some(Err(
                    Refusal::OutOfOrderSequenceNumber
                    | Refusal::InvalidProducerEpoch
                    | Refusal::InvalidRecord,
                )) => break,
                _ => cluster.world.run(20),
            }
        }
        // What a client does that cannot go on: it begins anew under another epoch.
        (self.epoch, self.sequences) = (self.epoch + 1, BTreeMap::new());
        self.sender.sent(recording, cluster, &sent, (Outcome::Unknown, Told::Failed), None);
        killed
    }
}

/// A reader of everything, in order.
struct Follower {
    session: SessionId,
    positions: BTreeMap<i32, i64>,
}

impl Follower {
    fn new(recording: &mut Recording, index: u32) -> Self {
        let session = recording.builder.open(Role::Reader, index, 0);
        Self { session, positions: (0..PARTITIONS).map(|partition| (partition, 0)).collect() }
    }

    fn poll(&mut self, recording: &mut Recording, cluster: &mut Cluster) {
        for (partition, position) in &mut self.positions {
            let polled = cluster.now();
            let reader = Isolation::Uncommitted.reader();
            if let Ok((records, next)) = cluster.fetch(*partition, reader, *position, SMALL_FETCH) {
                recording.deliver(cluster, self.session, polled, *partition, &records);
                *position = next;
            }
        }
    }

    fn finish(self, recording: &mut Recording, cluster: &mut Cluster, fences: &BTreeMap<i32, i64>) {
        let mut caught_up = fences.len() == self.positions.len();
        for (partition, fence) in fences {
            let from = self.positions[partition];
            let place = (*partition, Isolation::Uncommitted.reader());
            caught_up &= recording.read_to(cluster, self.session, place, from, *fence);
        }
        recording.builder.note(self.session, cluster.now(), Note::ReaderStopped { caught_up });
    }
}

/// Producers without idempotence, which send everything once.
pub(crate) fn plain(flaw: Option<Flaw>, seed: u64, acks: i16) -> History {
    let mut cluster = Cluster::new(flaw, seed);
    let acks_name = if acks == 0 { "0" } else { "all" };
    let settings = [("acks", acks_name), ("enable.idempotence", "false"), ("retries", "0")];
    let mut recording = Recording::new(&mut cluster, &settings, &[]);
    let producers: Vec<Sender> = (0..2).map(|index| Sender::new(&mut recording, index, 0)).collect();
    let mut producers = producers;
    for _ in 0..STEPS {
        let at = cluster.draw.random_range(0..producers.len());
        let partition = cluster.draw.random_range(0..PARTITIONS);
        once(&mut producers[at], &mut recording, &mut cluster, partition, acks);
    }
    recording.finish(&mut cluster, Isolation::Uncommitted, |_, _, _| {})
}

/// Sends one record and takes the first answer for the last.
fn once(sender: &mut Sender, recording: &mut Recording, cluster: &mut Cluster, partition: i32, acks: i16) {
    let (tags, values) = sender.next(1);
    let sent = Sent { tags: &tags, partition, key: None, invoked: cluster.now() };
    let answer = cluster.produce(partition, acks, &values, None, None);
    let fate = match answer {
        _ if acks == 0 => (Outcome::Unknown, Told::Sent),
        Some(Ok(_)) => (Outcome::Ok, Told::Acked),
        Some(Err(Refusal::InvalidRecord)) => (Outcome::Fail, Told::Failed),
        _ => (Outcome::Unknown, Told::Failed),
    };
    let base = answer.and_then(Result::ok).filter(|_| acks != 0);
    sender.sent(recording, cluster, &sent, fate, base);
}

/// A leader cut off from everyone but its clients takes two records, and a reader asks it for them. Their producer
/// gives up; another leader is elected and written to; then one of the two is sent again.
pub(crate) fn isolated(flaw: Option<Flaw>, seed: u64) -> History {
    let mut cluster = Cluster::new(flaw, seed);
    let settings = [("acks", "all"), ("enable.idempotence", "false"), ("retries", "2147483647")];
    let mut recording = Recording::new(&mut cluster, &settings, &[FaultClass::IsolateLeader]);
    let mut one = Sender::new(&mut recording, 0, 0);
    let mut two = Sender::new(&mut recording, 1, 0);
    let reader = recording.builder.open(Role::Reader, 0, 0);
    let partition = cluster.draw.random_range(0..PARTITIONS);
    for _ in 0..cluster.draw.random_range(10..40) {
        let at = cluster.draw.random_range(0..PARTITIONS);
        once(&mut one, &mut recording, &mut cluster, at, -1);
        once(&mut two, &mut recording, &mut cluster, PARTITIONS - 1 - at, -1);
    }
    let old = cluster.leader(partition);
    recording.inject(&mut cluster, FaultClass::IsolateLeader, old);
    cluster.world.isolate(old, Cut::Held);
    let invoked = cluster.now();
    let (tags, values) = one.next(2);
    for value in &values {
        let answer = cluster.produce_at(old, partition, -1, std::slice::from_ref(value), None, None);
        assert_eq!(answer, None, "nobody else has it");
    }
    let polled = cluster.now();
    let level = Isolation::Uncommitted.reader();
    let fetched = cluster.fetch_at(old, partition, level, 0, crate::cluster::LARGE_FETCH);
    let (records, _) = fetched.expect("it believes that it leads");
    recording.deliver(&mut cluster, reader, polled, partition, &records);
    recording.builder.note(reader, cluster.now(), Note::ReaderStopped { caught_up: false });
    assert!(cluster.world.run_until(10_000, |world| {
        ![old, -1].contains(&world.partition(broker::simulation::key(partition)).leader)
    }));
    recording.observe(&mut cluster);
    cluster.world.run(1_000);
    for _ in 0..3 {
        once(&mut two, &mut recording, &mut cluster, partition, -1);
    }
    let lost = Sent { tags: &tags[..1], partition, key: None, invoked };
    one.sent(&mut recording, &mut cluster, &lost, (Outcome::Unknown, Told::Failed), None);
    let again = cluster.produce(partition, -1, &[payload(tags[1])], None, None);
    let base = again.and_then(Result::ok);
    assert!(base.is_some(), "the new leader takes it: {again:?}");
    let sent = Sent { tags: &tags[1..], partition, key: None, invoked };
    one.sent(&mut recording, &mut cluster, &sent, (Outcome::Ok, Told::Acked), base);
    cluster.world.heal();
    recording.healed(&mut cluster);
    recording.finish(&mut cluster, Isolation::Uncommitted, |_, _, _| {})
}

/// Readers that are told to reset their offset: one goes to the earliest, one to the latest. Neither waits for the
/// fences.
pub(crate) fn resetting(flaw: Option<Flaw>, seed: u64) -> History {
    let mut cluster = Cluster::new(flaw, seed);
    let settings = [("acks", "all"), ("enable.idempotence", "false"), ("retries", "0")];
    let mut recording = Recording::new(&mut cluster, &settings, &[]);
    let mut producer = Sender::new(&mut recording, 0, 0);
    let mut readers = [Follower::new(&mut recording, 0), Follower::new(&mut recording, 1)];
    for step in 0..STEPS {
        let partition = cluster.draw.random_range(0..PARTITIONS);
        once(&mut producer, &mut recording, &mut cluster, partition, -1);
        if step % 4 != 0 || step < STEPS / 4 {
            continue;
        }
        for (at, reader) in readers.iter_mut().enumerate() {
            let partition = cluster.draw.random_range(0..PARTITIONS);
            let from = reader.positions[&partition];
            let polled = cluster.now();
            let level = Isolation::Uncommitted.reader();
            let next = match cluster.fetch(partition, level, from, SMALL_FETCH) {
                Ok((records, next)) => {
                    recording.deliver(&mut cluster, reader.session, polled, partition, &records);
                    next
                }
                Err(Refusal::OffsetOutOfRange) if at == 0 => 0,
                Err(Refusal::OffsetOutOfRange) => cluster.latest(partition).unwrap_or(from),
                Err(_) => from,
            };
            reader.positions.insert(partition, next);
        }
    }
    recording.finish(&mut cluster, Isolation::Uncommitted, |recording, cluster, _| {
        for reader in &readers {
            let note = Note::ReaderStopped { caught_up: false };
            recording.builder.note(reader.session, cluster.now(), note);
        }
    })
}
