//! Output and offsets of a transaction, parted at random places of clean histories: found, and nothing else.

use history::{Outcome, Tag};

use super::planted::{ok, some, try_all, try_in};
use crate::testing::{Rng, World};

/// An output of a transaction that says what it was made of.
#[derive(Debug, Clone, Copy)]
struct Made {
    tag: Tag,
    input: (u32, i64),
}

fn made(world: &World, txn: usize) -> Vec<Made> {
    let txn = &world.txns[txn];
    let sent = txn.sends.iter().zip(&txn.consumed.inputs);
    let made = sent.filter_map(|((tag, ..), input)| Some(Made { tag: *tag, input: (*input)? }));
    made.collect()
}

/// The transactions of the same client.
fn own(world: &World, txn: usize) -> Vec<usize> {
    let client = world.txns[txn].client;
    (0..world.txns.len()).filter(|at| world.txns[*at].client == client).collect()
}

/// Whether others of the client have made something of an input, too.
fn made_again(world: &World, txn: usize, input: (u32, i64)) -> bool {
    let others = own(world, txn).into_iter().filter(|at| *at != txn);
    others.flat_map(|at| made(world, at)).any(|made| made.input == input)
}

/// The next transaction of the same client.
fn next(world: &World, txn: usize) -> Option<usize> {
    own(world, txn).into_iter().find(|at| *at > txn)
}

#[test]
fn offsets_whose_output_is_gone_are_found() {
    try_all(30, |world, rng| {
        let lonely = |at: usize| {
            let made = made(world, at);
            !made.is_empty() && made.iter().all(|made| !made_again(world, at, made.input))
        };
        let at = some(world, rng, |at| ok(world, at) && lonely(at))?;
        let sends = world.txns[at].sends.clone();
        let tags: Vec<Tag> = sends.iter().map(|(tag, ..)| *tag).collect();
        tags.iter().for_each(|tag| world.lose(*tag));
        // What lies behind them must be there, or nobody knows that they are gone.
        let end = |partition: u32| world.logs[partition as usize].keys().next_back().copied();
        let passed = sends.iter().all(|(_, partition, offset)| end(*partition) > Some(*offset));
        passed.then_some(("offsets-without-output", tags))
    });
}

#[test]
fn offsets_of_a_transaction_that_did_not_happen_are_found() {
    // Where nobody drained, nobody knows that such output is nowhere.
    try_in(30, false, |world, rng| {
        let undone = |at: usize| !world.txns[at].committed && !made(world, at).is_empty();
        let at = some(world, rng, |at| {
            let alone = |made: &Made| !made_again(world, at, made.input);
            undone(at) && next(world, at).is_some() && made(world, at).iter().any(alone)
        })?;
        let after = next(world, at)?;
        let chosen = made(world, at).into_iter().find(|made| !made_again(world, at, made.input))?;
        let partition = chosen.input.0;
        let committed = *world.txns[at].consumed.committed.iter().find(|(of, _)| *of == partition)?;
        let same = |other: &usize| *other != at && world.txns[*other].consumed.committed.contains(&committed);
        if own(world, at).iter().any(same) {
            return None;
        }
        let fetched = &mut world.txns[after].consumed.fetched;
        fetched.retain(|(of, _)| *of != partition);
        fetched.push(committed);
        Some(("offsets-without-output", world.txns[at].sends.iter().map(|(tag, ..)| *tag).collect()))
    });
}

/// An output of a transaction that came back, whose input it committed.
fn committed(world: &World, rng: &mut Rng) -> Option<(usize, Made)> {
    let at = some(world, rng, |at| ok(world, at) && !made(world, at).is_empty())?;
    let made = made(world, at);
    Some((at, made[rng.below(made.len())]))
}

#[test]
fn output_whose_offsets_were_never_committed_is_found() {
    try_all(30, |world, rng| {
        let (at, Made { tag, input: (partition, offset) }) = committed(world, rng)?;
        let own = own(world, at);
        for other in &own {
            let consumed = &mut world.txns[*other].consumed;
            consumed.committed.retain(|(of, next)| *of != partition || *next <= offset);
            consumed.fetched.retain(|(of, next)| *of != partition || *next <= offset);
        }
        let commits = own.iter().any(|other| !world.txns[*other].consumed.committed.is_empty());
        // Others of the client may be left behind as well, and are told first.
        let tags = own.iter().flat_map(|at| made(world, *at)).map(|made| made.tag);
        commits.then(|| ("output-without-offsets", tags.chain([tag]).collect()))
    });
}

#[test]
fn output_whose_offsets_were_committed_and_are_not_is_found() {
    try_all(30, |world, rng| {
        let (at, Made { tag, input: (partition, offset) }) = committed(world, rng)?;
        let after = next(world, at)?;
        let fetched = &mut world.txns[after].consumed.fetched;
        fetched.iter_mut().find(|(of, _)| *of == partition)?.1 = offset;
        // A lower commit that may have come since explains it.
        let txn = &world.txns[at];
        let lower = |other: &usize| {
            let other = &world.txns[*other];
            let over = other.outcome == Outcome::Ok && other.returned < txn.called;
            let commits = other.consumed.committed.iter();
            let mut here = commits.filter(|(of, next)| *of == partition && *next <= offset);
            other.outcome != Outcome::Fail && !over && here.next().is_some()
        };
        let excused = own(world, at).iter().filter(|other| **other != at).any(lower);
        let mine: Vec<Tag> = made(world, at).iter().map(|made| made.tag).chain([tag]).collect();
        (!excused).then_some(("output-without-offsets", mine))
    });
}
