//! Clean histories of a few hundred records, drawn from a seed, to plant anomalies in.

use history::event::Role;
use history::{Contents, Note, Outcome, Tag, Told};

use super::{Scene, tag};

/// A small seeded generator (splitmix64), so that tests need no crate for it.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("below a usize")
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }
}

/// A history without anomaly: several producers, partitions and keys, records in doubt that landed or did
/// not, holes in the logs, two readers that followed.
pub(crate) fn clean(seed: u64) -> Scene {
    let mut rng = Rng(seed);
    let partitions = 1 + rng.below(4);
    let producers = 1 + rng.below(3);
    let keys = rng.chance(50).then(|| 1 + rng.below(8));
    let mut scene = Scene::new(u32::try_from(partitions).expect("few"));
    let mut logs: Vec<Vec<(i64, Option<Tag>, Contents)>> = vec![Vec::new(); partitions];
    let mut ends = vec![0_i64; partitions];
    let mut seqs = vec![0_u64; producers];
    for _ in 0..100 + rng.below(200) {
        let producer = rng.below(producers);
        let key = keys.map(|keys| rng.below(keys));
        let partition = key.map_or_else(|| rng.below(partitions), |key| key % partitions);
        let record = tag(u32::try_from(producer).expect("few"), seqs[producer]);
        seqs[producer] += 1;
        if rng.chance(3) {
            ends[partition] += 1;
        }
        let (lands, told) = match rng.below(20) {
            0 => (true, Told::Failed),
            1 => (false, Told::Failed),
            _ => (true, Told::Acked),
        };
        let offset = ends[partition];
        if lands {
            logs[partition].push((offset, Some(record), Contents::Intact));
            ends[partition] += 1;
        }
        let at = (told == Told::Acked).then_some(offset);
        let outcome = if told == Told::Acked { Outcome::Ok } else { Outcome::Unknown };
        let place = Some((u32::try_from(partition).expect("few"), at));
        scene.send(record, key.map(|key| key as u64), place, (outcome, told));
    }
    for reader in 0..2 {
        for (partition, log) in (0..).zip(&logs) {
            for (offset, tag, contents) in log {
                scene.deliver(Role::Reader, reader, partition, *offset, *tag, *contents);
            }
        }
        let at = scene.now();
        scene.session(Role::Reader, reader, 0).notes.push((at, Note::ReaderStopped { caught_up: true }));
    }
    for (partition, log) in (0..).zip(&logs) {
        scene.log(partition, log, true);
    }
    scene
}
