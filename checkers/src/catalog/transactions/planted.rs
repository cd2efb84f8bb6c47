//! One anomaly planted at a random place of a clean history of transactions, thousands of times: it must be
//! found, with a planted record among the witnesses, and nothing else with it. `HIGHWATER_HISTORIES=100000`
//! raises the number.

use history::{History, Outcome, Tag};

use crate::context::Context;
use crate::testing::simulated::plants::PLANTS;
use crate::testing::simulated::simulated;
use crate::testing::{Rng, World, world};
use crate::{CATALOG, Finding};

fn seeds() -> u64 {
    std::env::var("HIGHWATER_HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(1000)
}

/// The findings of the checkers that judge operations in time and across partitions.
fn findings(mut history: History, strict: bool) -> Vec<Finding> {
    if strict {
        history.plan.cell.broker.insert("strict-serializable".to_owned(), "true".to_owned());
    }
    let context = Context::new(&history);
    let ours = CATALOG.iter().filter(|spec| ["transactions", "log-linearizability"].contains(&spec.name));
    ours.flat_map(|spec| (spec.check)(&context)).collect()
}

/// Plants an anomaly, or not where there is no room; returns the kind and records of which one at least
/// must be named.
pub(super) type Plant = fn(&mut World, &mut Rng) -> Option<(&'static str, Vec<Tag>)>;

pub(super) fn try_all(fewest: u64, plant: Plant) {
    try_in(fewest, true, plant);
}

/// The same, in histories that were drained by us alone unless `foreign`.
#[expect(clippy::print_stderr, reason = "the figures of a run by hand")]
pub(super) fn try_in(fewest: u64, foreign: bool, plant: Plant) {
    let mut planted = 0;
    let mut what = "";
    for seed in 0..seeds() {
        let mut world = world(seed, true);
        let Some((kind, tags)) = plant(&mut world, &mut Rng(seed ^ 0xbeef)) else { continue };
        (planted, what) = (planted + 1, kind);
        // Drained by us, and as somebody else's clients left it.
        for history in [Some(world.history()), foreign.then(|| world.foreign())].into_iter().flatten() {
            let found = findings(history, false);
            let kinds: Vec<&str> = found.iter().map(|finding| finding.kind.as_str()).collect();
            assert_eq!(kinds, [kind], "seed {seed}: {found:#?}\n{:#?}", world.txns);
            let named = |tag: &Tag| {
                found[0]
                    .examples
                    .iter()
                    .any(|witness| witness.tag == Some(*tag) || witness.text.contains(&tag.to_string()))
            };
            assert!(tags.iter().any(named), "seed {seed}: {tags:?} in {found:#?}");
        }
    }
    eprintln!("{what}: {planted} planted in {} histories, all found, nothing else", seeds());
    assert!(planted > seeds() * fewest / 100, "only {planted} of {} seeds had room for it", seeds());
}

/// A random transaction that passes.
pub(super) fn some(world: &World, rng: &mut Rng, pass: impl Fn(usize) -> bool) -> Option<usize> {
    let passing: Vec<usize> = (0..world.txns.len()).filter(|at| pass(*at)).collect();
    (!passing.is_empty()).then(|| passing[rng.below(passing.len())])
}

pub(super) fn ok(world: &World, at: usize) -> bool {
    world.txns.get(at).is_some_and(|txn| txn.outcome == Outcome::Ok)
}

#[test]
fn serial_histories_show_nothing() {
    for seed in 0..seeds() {
        for strict in [false, true] {
            let found = findings(world(seed, true).history(), strict);
            // A poll need not reach the end of what other polls had reached.
            assert!(found.is_empty(), "seed {seed}: {found:#?}");
        }
    }
}

#[test]
fn interleaved_histories_show_what_kafka_does_not_promise_and_nothing_else() {
    let noted = ["g0", "ww-g1c", "g2", "realtime-cycle"];
    let mut seen = [0_u64; 4];
    for seed in 0..seeds() {
        for finding in findings(world(seed, false).history(), false) {
            let kind = noted.iter().position(|kind| *kind == finding.kind);
            seen[kind.unwrap_or_else(|| panic!("seed {seed}: {finding:#?}"))] += 1;
            assert!(finding.picture.as_ref().is_none_or(|picture| picture.starts_with("<svg ")));
        }
    }
    assert!(seen[0] > seeds() / 10 && seen[2] > seeds() / 10, "{seen:?}");
}

#[test]
fn histories_from_elsewhere_show_nothing_that_kafka_promises() {
    let noted = ["g0", "ww-g1c", "g2", "realtime-cycle"];
    for seed in 0..seeds() {
        for found in [
            findings(world(seed, true).foreign(), false),
            findings(world(seed, false).foreign(), false),
            findings(simulated(seed).build(), false),
        ] {
            let broken = found.iter().find(|finding| !noted.contains(&finding.kind.as_str()));
            assert!(broken.is_none(), "seed {seed}: {found:#?}");
        }
    }
}

#[test]
fn a_record_of_a_failed_transaction_that_is_read_is_found() {
    try_all(50, |world, rng| {
        let failed = |at: usize| world.txns[at].outcome == Outcome::Fail && !world.txns[at].sends.is_empty();
        let from = some(world, rng, failed)?;
        let sends = world.txns[from].sends.clone();
        let read = sends[rng.below(sends.len())];
        let to = some(world, rng, |at| at > from && ok(world, at))?;
        world.txns[to].reads.push(read);
        Some(("aborted-read", vec![read.0]))
    });
}

#[test]
fn a_record_read_by_its_own_transaction_is_found() {
    try_all(50, |world, rng| {
        let at = some(world, rng, |at| {
            !world.txns[at].sends.is_empty() && world.txns[at].outcome != Outcome::Fail
        })?;
        let sends = world.txns[at].sends.clone();
        let own = sends[rng.below(sends.len())];
        world.txns[at].reads.push(own);
        Some(("precommitted-read", vec![own.0]))
    });
}

#[test]
fn a_torn_transaction_is_found() {
    try_all(50, |world, rng| {
        let at = some(world, rng, |at| world.txns[at].committed && world.txns[at].sends.len() > 1)?;
        let sends = world.txns[at].sends.clone();
        let (lost, partition, offset) = sends[rng.below(sends.len())];
        // Polls never show where a log ends: without a drain only what was passed by is known to be gone.
        if world.logs[partition as usize].keys().next_back() == Some(&offset) {
            return None;
        }
        world.lose(lost);
        Some(("torn-transaction", vec![lost]))
    });
}

/// Two transactions of different clients, one right after the other, both certain.
fn pair(world: &World, rng: &mut Rng, pass: impl Fn(usize, usize) -> bool) -> Option<(usize, usize)> {
    let fits = |at: usize| {
        ok(world, at)
            && ok(world, at + 1)
            && world.txns[at].client != world.txns[at + 1].client
            && pass(at, at + 1)
    };
    some(world, rng, fits).map(|at| (at, at + 1))
}

#[test]
fn two_that_read_each_other_are_found() {
    try_all(50, |world, rng| {
        let writes = |at: usize| !world.txns[at].sends.is_empty();
        let (a, b) = pair(world, rng, |a, b| writes(a) && writes(b))?;
        let (from_a, from_b) = (world.txns[a].sends[0], world.txns[b].sends[0]);
        world.txns[a].reads.push(from_b);
        world.txns[b].reads.push(from_a);
        world.overlap(&[a, b]);
        Some(("g1c", vec![from_a.0, from_b.0]))
    });
}

/// The first partition that both wrote to, from a number on, with the last record of the first and the first
/// of the second.
type Place = (Tag, u32, i64);
fn shared(world: &World, a: usize, b: usize, from: u32) -> Option<(Place, Place)> {
    (from..3).find_map(|partition| {
        let of = |at: usize| world.txns[at].sends.iter().filter(move |(_, of, _)| *of == partition);
        Some((*of(a).next_back()?, *of(b).next()?))
    })
}

#[test]
fn writes_that_interleave_are_found() {
    try_all(10, |world, rng| {
        let twice = |a: usize, b: usize| {
            let (first, _) = shared(world, a, b, 0)?;
            shared(world, a, b, first.1 + 1)
        };
        let (a, b) = pair(world, rng, |a, b| twice(a, b).is_some())?;
        let (of_a, of_b) = twice(a, b)?;
        // Only what stands alone there: the rest of a transaction stays where it is.
        let alone = |at: usize| world.txns[at].sends.iter().filter(|(_, of, _)| *of == of_a.1).count() == 1;
        if !alone(a) || !alone(b) || world.txns[b].reads.iter().any(|(read, ..)| *read == of_a.0) {
            return None;
        }
        world.exchange(of_a, of_b);
        world.overlap(&[a, b]);
        Some(("g0", vec![of_a.0, of_b.0]))
    });
}

#[test]
fn a_read_of_what_was_written_behind_is_found() {
    try_all(20, |world, rng| {
        let reads = |a: usize, b: usize| {
            let own: Vec<Tag> = world.txns[a].sends.iter().map(|(tag, ..)| *tag).collect();
            world.txns[b].reads.iter().any(|(tag, ..)| own.contains(tag))
        };
        let (a, b) = pair(world, rng, |a, b| shared(world, a, b, 0).is_some() && !reads(a, b))?;
        let (of_a, of_b) = shared(world, a, b, 0)?;
        world.txns[a].reads.push(of_b);
        world.overlap(&[a, b]);
        Some(("ww-g1c", vec![of_a.0, of_b.0]))
    });
}

#[test]
fn a_read_that_missed_what_its_own_write_followed_is_found() {
    try_all(3, |world, rng| {
        // The second wrote behind the first, and had read the records before the first's elsewhere.
        let missed = |a: usize, b: usize| {
            let of_a = |tag: Tag| world.txns[a].sends.iter().any(|(own, ..)| *own == tag);
            let at = world.txns[b].reads.iter().position(|(tag, ..)| of_a(*tag))?;
            let (_, partition, _) = world.txns[b].reads[at];
            let before = at.checked_sub(1).map(|at| world.txns[b].reads[at])?;
            let others = world.txns[b].reads.iter().any(|(tag, of, _)| of_a(*tag) && *of != partition);
            (before.1 == partition && !others).then_some((at, partition))
        };
        let (a, b) = pair(world, rng, |a, b| shared(world, a, b, 0).is_some() && missed(a, b).is_some())?;
        let (at, partition) = missed(a, b)?;
        let tag = world.txns[b].reads[at].0;
        let mut index = 0;
        world.txns[b].reads.retain(|(_, of, _)| {
            index += 1;
            *of != partition || index <= at
        });
        world.overlap(&[a, b]);
        Some(("g2", vec![tag]))
    });
}

#[test]
fn an_order_against_time_across_partitions_is_found() {
    try_all(1, |world, rng| {
        // One before two before three in the logs, though three had ended before one began.
        let chain = |one: usize| {
            let (two, three) = (one + 1, one + 2);
            let touches = |at: usize| -> Vec<u32> {
                let txn = world.txns.get(at);
                let both = txn.into_iter().flat_map(|txn| txn.sends.iter().chain(&txn.reads));
                both.map(|(_, partition, _)| *partition).collect()
            };
            let apart = touches(one).iter().all(|partition| !touches(three).contains(partition));
            let certain = ok(world, one) && ok(world, two) && ok(world, three);
            if !certain || !apart {
                return None;
            }
            let clients = [one, two, three].map(|at| world.txns[at].client);
            let different = clients[0] != clients[1] && clients[1] != clients[2] && clients[0] != clients[2];
            let (first, second) = (shared(world, one, two, 0)?, shared(world, two, three, 0)?);
            different.then_some((first.0.0, second.1.0))
        };
        let one = some(world, rng, |at| chain(at).is_some())?;
        let (first, last) = chain(one)?;
        let (from, until) = (world.txns[one].moment, world.txns[one + 2].moment);
        (world.txns[one].called, world.txns[one].returned) = (until - 1, until);
        (world.txns[one + 1].called, world.txns[one + 1].returned) = (from, until);
        (world.txns[one + 2].called, world.txns[one + 2].returned) = (from, from + 1);
        Some(("realtime-cycle", vec![first, last]))
    });
}

/// A record of a transaction that is gone is both lost and half of something. Sends that change places may
/// truly make transactions read one another, or themselves, and are left out.
#[test]
fn anomalies_of_single_operations_are_left_to_their_checkers() {
    let noted = ["g0", "ww-g1c", "g2", "realtime-cycle"];
    for (name, plant) in PLANTS {
        for seed in 0..seeds() / 20 {
            let mut script = simulated(seed);
            let Some(planted) = plant(&mut script, &mut Rng(seed ^ 0xbad)) else { continue };
            if ["nonmonotonic-send", "int-nonmonotonic-send", "int-send-skip", "key-reorder"]
                .contains(&planted.kind)
            {
                break;
            }
            let too = if planted.kind == "lost-write" { "torn-transaction" } else { planted.kind };
            for finding in findings(script.build(), false) {
                let kind = finding.kind.as_str();
                let fair = noted.contains(&kind) || kind == planted.kind || kind == too;
                assert!(fair, "seed {seed}: {name}: {finding:#?}");
            }
        }
    }
}
