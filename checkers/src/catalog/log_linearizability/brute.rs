//! The sweep against exhaustive search for a linearization, on small random histories of one partition.
//! `HIGHWATER_HISTORIES=1000000` raises their number.

use super::sweep::{NEVER, Times};
use crate::testing::Rng;

/// An operation on one log: an append that became record `needs`, or a read that returned records up to
/// `needs - 1`. Its interval is closed; an append without return has [`NEVER`].
#[derive(Debug, Clone, Copy)]
struct Op {
    append: bool,
    needs: usize,
    called: u64,
    returned: u64,
}

/// Appends of records `0..n`, and reads; times are few, so that they often tie.
fn random(rng: &mut Rng) -> Vec<Op> {
    let appends = 1 + rng.below(5);
    let reads = rng.below(4);
    let span = 4 + rng.below(10);
    let time = |rng: &mut Rng| rng.below(span) as u64;
    let interval = |rng: &mut Rng| {
        let (a, b) = (time(rng), time(rng));
        (a.min(b), a.max(b))
    };
    let mut ops = Vec::new();
    // Mostly in order, so that linearizable histories are not rare.
    let mut intervals: Vec<(u64, u64)> = (0..appends).map(|_| interval(rng)).collect();
    if rng.chance(80) {
        intervals.sort_unstable();
    }
    for (needs, (called, returned)) in intervals.into_iter().enumerate() {
        let returned = if rng.chance(20) { NEVER } else { returned };
        ops.push(Op { append: true, needs, called, returned });
    }
    for _ in 0..reads {
        let (called, returned) = interval(rng);
        ops.push(Op { append: false, needs: 1 + rng.below(appends), called, returned });
    }
    ops
}

/// Whether the operations, taken one at a time, can have done this: reachable sets of those already done.
fn linearizable(ops: &[Op]) -> bool {
    let full = (1_usize << ops.len()) - 1;
    let mut reachable = vec![false; full + 1];
    reachable[0] = true;
    for done in 0..=full {
        if !reachable[done] {
            continue;
        }
        let length = ops.iter().enumerate().filter(|(at, op)| op.append && done >> at & 1 == 1).count();
        for (at, op) in ops.iter().enumerate().filter(|(at, _)| done >> at & 1 == 0) {
            let legal = if op.append { length == op.needs } else { length >= op.needs };
            let waits =
                |(other, earlier): (usize, &Op)| done >> other & 1 == 0 && earlier.returned < op.called;
            if legal && !ops.iter().enumerate().any(waits) {
                reachable[done | 1 << at] = true;
            }
        }
    }
    reachable[full]
}

/// What the check sees of the operations.
fn judged(ops: &[Op]) -> (usize, bool) {
    let appends: Vec<&Op> = ops.iter().filter(|op| op.append).collect();
    let mut times = Times {
        called: appends.iter().map(|op| op.called).collect(),
        known: appends.iter().map(|op| op.returned).collect(),
    };
    let mut future = 0;
    for read in ops.iter().filter(|op| !op.append) {
        for at in 0..read.needs {
            if read.returned < times.called[at] {
                future += 1;
            } else {
                times.known[at] = times.known[at].min(read.returned);
            }
        }
    }
    (future, times.reorder(8).is_some())
}

#[test]
#[expect(clippy::print_stderr, reason = "the figures of a run by hand")]
fn it_agrees_with_exhaustive_search() {
    let rounds: u64 =
        std::env::var("HIGHWATER_HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(40_000);
    let (mut legal, mut reordered, mut future) = (0_u64, 0_u64, 0_u64);
    for seed in 0..rounds {
        let ops = random(&mut Rng(seed));
        let (reads, reorder) = judged(&ops);
        assert_eq!(linearizable(&ops), reads == 0 && !reorder, "seed {seed}: {ops:?}");
        legal += u64::from(reads == 0 && !reorder);
        reordered += u64::from(reorder);
        future += u64::from(reads > 0);
    }
    let figures =
        format!("{rounds} histories: {legal} linearizable, {reordered} reordered, {future} read early");
    assert!(legal > rounds / 10 && reordered > rounds / 20 && future > rounds / 20, "{figures}");
    eprintln!("{figures}");
}

#[test]
fn one_record_in_the_wrong_place_is_one_record() {
    let in_order = |n: u64| Times {
        called: (0..n).map(|at| at * 10).collect(),
        known: (0..n).map(|at| at * 10 + 5).collect(),
    };
    assert_eq!(in_order(100).reorder(10), None);
    // The last one sent lies in front, then the first one sent at the end.
    let mut times = in_order(100);
    times.called.rotate_right(1);
    times.known.rotate_right(1);
    let found = times.reorder(10).expect("it is out of order");
    assert_eq!((found.count, found.pairs), (1, vec![(0, 1)]));
    let mut times = in_order(100);
    times.called.rotate_left(1);
    times.known.rotate_left(1);
    let found = times.reorder(10).expect("it is out of order");
    assert_eq!((found.count, found.pairs), (1, vec![(98, 99)]));
}
