//! The search for cycles against its definition: random small sets of transactions, whether some order of
//! them explains every read and write, by trying all. `HIGHWATER_HISTORIES=1000000` raises their number.

use super::anomalies::{Class, cycles};
use super::dependencies::{Dependencies, NEVER};
use crate::testing::Rng;

#[derive(Debug, Clone, Default)]
struct Txn {
    called: u64,
    returned: u64,
    process: u32,
    /// `(partition, position)`.
    writes: Vec<(u32, u32)>,
    /// By partition how many records it read from the beginning; the poll reached the end.
    reads: Vec<Option<u32>>,
}

/// Transactions that ran one after another, with overlapping intervals, then perhaps disturbed.
fn random(rng: &mut Rng) -> (Vec<u32>, Vec<Txn>) {
    let partitions = 1 + rng.below(3);
    let mut lengths = vec![0_u32; partitions];
    let mut txns: Vec<Txn> = Vec::new();
    for at in 0..2 + rng.below(4) as u64 {
        let called = (at * 4).saturating_sub(rng.below(8) as u64);
        let returned = if rng.chance(10) { NEVER } else { called.max(at * 4) + rng.below(8) as u64 };
        // A process each: what one does in turn is real time already.
        let process = u32::try_from(at).expect("few");
        let mut txn = Txn { called, returned, process, ..Txn::default() };
        for length in &lengths {
            txn.reads.push((*length > 0 && rng.chance(40)).then_some(*length));
        }
        for (partition, length) in (0..).zip(&mut lengths) {
            if rng.chance(40) {
                txn.writes.push((partition, *length));
                *length += 1;
            }
        }
        txns.push(txn);
    }
    for _ in 0..rng.below(6) {
        let (a, b) = (rng.below(txns.len()), rng.below(txns.len()));
        match rng.below(3) {
            0 => disturb_writes(&mut txns, a, b, u32::try_from(rng.below(partitions)).expect("few")),
            1 => {
                let (called, returned) = (txns[a].called, txns[a].returned);
                (txns[a].called, txns[a].returned) = (txns[b].called, txns[b].returned);
                (txns[b].called, txns[b].returned) = (called, returned);
            }
            _ => {
                let partition = rng.below(partitions);
                if lengths[partition] > 0 {
                    txns[a].reads[partition] =
                        Some(1 + u32::try_from(rng.below(lengths[partition] as usize)).expect("few"));
                }
            }
        }
    }
    for txn in &mut txns {
        // Reads of its own records say nothing here.
        for (partition, read) in (0..).zip(&mut txn.reads) {
            let own =
                |upto: u32| txn.writes.iter().any(|(of, position)| *of == partition && *position < upto);
            if read.is_some_and(own) {
                *read = None;
            }
        }
    }
    (lengths, txns)
}

fn disturb_writes(txns: &mut [Txn], a: usize, b: usize, partition: u32) {
    let take = |txn: &mut Txn| {
        let at = txn.writes.iter().position(|(of, _)| *of == partition)?;
        Some(txn.writes.remove(at))
    };
    let (mine, other) = (take(&mut txns[a]), take(&mut txns[b]));
    txns[a].writes.extend(other);
    txns[b].writes.extend(mine);
}

/// Whether some order of the transactions, each done at one moment of its interval if `timed`, explains all.
fn serializable(txns: &[Txn], partitions: usize, timed: bool) -> bool {
    let full = (1_usize << txns.len()) - 1;
    let mut reachable = vec![false; full + 1];
    reachable[0] = true;
    for done in 0..=full {
        if !reachable[done] {
            continue;
        }
        let is_done = |at: usize| done >> at & 1 == 1;
        let mut lengths = vec![0_u32; partitions];
        for (_, txn) in txns.iter().enumerate().filter(|(at, _)| is_done(*at)) {
            txn.writes.iter().for_each(|(partition, _)| lengths[*partition as usize] += 1);
        }
        for (at, txn) in txns.iter().enumerate().filter(|(at, _)| !is_done(*at)) {
            let reads =
                txn.reads.iter().zip(&lengths).all(|(read, length)| read.is_none_or(|read| read == *length));
            let writes =
                txn.writes.iter().all(|(partition, position)| lengths[*partition as usize] == *position);
            let waits =
                |(other, earlier): (usize, &Txn)| !is_done(other) && timed && earlier.returned < txn.called;
            if reads && writes && !txns.iter().enumerate().any(waits) {
                reachable[done | 1 << at] = true;
            }
        }
    }
    reachable[full]
}

fn dependencies(lengths: &[u32], txns: &[Txn]) -> Dependencies {
    let mut dependencies = Dependencies::new(lengths.iter().map(|length| *length as usize));
    for txn in txns {
        let mut reads = Vec::new();
        for (partition, read) in (0..).zip(&txn.reads) {
            reads.extend((0..read.unwrap_or(0)).map(|position| (partition, position)));
        }
        dependencies.add((txn.called, txn.returned), txn.process, &mut txn.writes.clone(), &mut reads);
    }
    dependencies
}

#[test]
#[expect(clippy::print_stderr, reason = "the figures of a run by hand")]
fn it_agrees_with_trying_every_order() {
    let rounds: u64 =
        std::env::var("HIGHWATER_HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000);
    let mut seen = [0_u64; 5];
    let (mut strict, mut serial) = (0_u64, 0_u64);
    for seed in 0..rounds {
        let (lengths, txns) = random(&mut Rng(seed));
        let found = cycles(&dependencies(&lengths, &txns), true);
        let is_strict = serializable(&txns, lengths.len(), true);
        let is_serial = serializable(&txns, lengths.len(), false);
        let untimed = found.iter().any(|cycle| cycle.class != Class::RealTime);
        assert_eq!(is_serial, !untimed, "seed {seed}: {found:?} in {txns:?}");
        assert_eq!(is_strict, found.is_empty(), "seed {seed}: {found:?} in {txns:?}");
        strict += u64::from(is_strict);
        serial += u64::from(is_serial);
        found.iter().for_each(|cycle| seen[cycle.class as usize] += 1);
    }
    eprintln!(
        "{rounds} histories: {strict} strictly serializable, {serial} serializable, cycles by class {seen:?}"
    );
    assert!(
        strict > rounds / 5 && serial < rounds && seen.iter().all(|count| *count > rounds / 500),
        "{seen:?}"
    );
}
