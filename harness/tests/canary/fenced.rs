//! Programs of transactional producers on the log: one whose transactions must come to an end, and two of one
//! transactional id.

use broker::core::ProducerEpoch;
use broker::flaws::Flaw;
use history::{FaultClass, History, Outcome, Told};
use rand::RngExt;

use crate::cluster::{Cluster, PARTITIONS};
use crate::recording::{Isolation, Recording, Sender, Sent};
use crate::transactions::{add, end, init};

const SETTINGS: [(&str, &str); 2] = [("acks", "all"), ("enable.idempotence", "true")];

/// A producer with a transactional id.
struct Transactional {
    sender: Sender,
    producer: ProducerEpoch,
    sequences: [i32; PARTITIONS as usize],
}

const ID: &str = "app";

impl Transactional {
    fn new(recording: &mut Recording, cluster: &mut Cluster, incarnation: u32) -> Self {
        let sender = Sender::new(recording, 0, incarnation);
        let effective = &mut recording.builder.session(sender.session).effective;
        effective.insert("transactional.id".to_owned(), ID.to_owned());
        let producer = init(cluster, ID, 1_000);
        Self { sender, producer, sequences: [0; PARTITIONS as usize] }
    }

    /// Sends a record; whether it was acknowledged.
    fn write(&mut self, recording: &mut Recording, cluster: &mut Cluster, partition: i32) -> bool {
        let (tags, values) = self.sender.next(1);
        let sent = Sent { tags: &tags, partition, key: None, invoked: cluster.now() };
        let sequence = &mut self.sequences[partition as usize];
        let numbers = (self.producer.0, self.producer.1, *sequence);
        let answer = cluster.produce(partition, -1, &values, Some(numbers), Some(ID));
        let base = answer.and_then(Result::ok);
        *sequence += i32::from(base.is_some());
        let fate = if base.is_some() { (Outcome::Ok, Told::Acked) } else { (Outcome::Unknown, Told::Failed) };
        self.sender.sent(recording, cluster, &sent, fate, base);
        base.is_some()
    }

    /// A transaction of a record in some of the partitions, at least one.
    fn commit(&mut self, recording: &mut Recording, cluster: &mut Cluster) {
        let first = cluster.draw.random_range(0..PARTITIONS);
        for partition in first..PARTITIONS {
            add(cluster, ID, self.producer, partition);
            assert!(self.write(recording, cluster, partition), "it is nobody else's");
        }
        end(cluster, ID, self.producer, true).expect("committed");
    }
}

/// Many transactions, each committed, and a drain under read_committed.
pub(crate) fn ending(flaw: Option<Flaw>, seed: u64) -> History {
    let mut cluster = Cluster::new(flaw, seed);
    let no_faults: [FaultClass; 0] = [];
    let mut recording = Recording::new(&mut cluster, &SETTINGS, &no_faults);
    let mut producer = Transactional::new(&mut recording, &mut cluster, 0);
    for _ in 0..60 {
        producer.commit(&mut recording, &mut cluster);
    }
    recording.finish(&mut cluster, Isolation::Committed, |_, _, _| {})
}

/// A producer is succeeded by another of its id while it has a transaction open, and goes on writing.
pub(crate) fn succeeded(flaw: Option<Flaw>, seed: u64) -> History {
    let mut cluster = Cluster::new(flaw, seed);
    let mut recording = Recording::new(&mut cluster, &SETTINGS, &[]);
    let mut old = Transactional::new(&mut recording, &mut cluster, 0);
    for _ in 0..cluster.draw.random_range(3..10) {
        old.commit(&mut recording, &mut cluster);
    }
    for incarnation in 1..4 {
        let partition = cluster.draw.random_range(0..PARTITIONS);
        add(&mut cluster, ID, old.producer, partition);
        let mut new = Transactional::new(&mut recording, &mut cluster, incarnation);
        for partition in 0..PARTITIONS {
            add(&mut cluster, ID, new.producer, partition);
            assert!(new.write(&mut recording, &mut cluster, partition), "it is nobody else's");
        }
        for _ in 0..3 {
            old.write(&mut recording, &mut cluster, partition);
        }
        end(&mut cluster, ID, new.producer, true).expect("committed");
        new.commit(&mut recording, &mut cluster);
        old = new;
    }
    recording.finish(&mut cluster, Isolation::Uncommitted, |_, _, _| {})
}
