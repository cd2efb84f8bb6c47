//! Histories that show every kind of finding, for rooms that tell of findings and have none of their own.

use std::collections::BTreeMap;

use history::event::{Phase, Role};
use history::{History, Nanos, Note, Offset, Outcome, Partition, Tag, Told};

use super::grouped::{Planted, Policy, grouped};
use super::simulated::notation::operations;
use super::simulated::plants::PLANTS;
use super::simulated::simulated;
use super::{Consumed, Rng, Scene, Txn, World, edit_deliveries, scene, tag, world};
use crate::judge;

/// Runs of ours, as text.
const RUNS: &[(&str, &str)] = &[
    ("lost-write", "p0#0 0@0 acked\n p0#1 0@1 acked\n p0#2 0@2 acked\n log 0: p0#0 _ p0#2"),
    ("lost-unconfirmed", "set acks=0\n p0#0 0@? sent\n p0#1 0@? sent\n log 0: p0#1"),
    ("lost-silently", "p0#0 0@? nothing\n log 0:"),
    ("lost-in-client", "p0#0 0@? nothing\n killed p0\n log 0:"),
    ("unseen", "p0#0 0@0 acked\n p0#1 0@1 acked\n log 0: p0#0 p0#1\n read r0 0: 0=p0#0\n caught r0"),
    (
        "poll-skip",
        "p0#0 0@0 acked\n p0#1 0@1 acked\n p0#2 0@2 acked\n log 0: p0#0 p0#1 p0#2\n read r0 0: 0=p0#0 2=p0#2",
    ),
    (
        "nonmonotonic-poll",
        "p0#0 0@0 acked\n p0#1 0@1 acked\n log 0: p0#0 p0#1\n read r0 0: 0=p0#0 1=p0#1 0=p0#0 1=p0#1",
    ),
    ("duplicate", "p0#0 0@0 acked\n log 0: p0#0 p0#0"),
    ("nonmonotonic-send", "p0#0 0@1 acked\n p0#1 0@0 acked\n log 0: p0#1 p0#0"),
    ("key-reorder", "p0#0 k1 0@1 acked\n p0#1 k1 0@0 acked\n log 0: p0#1 p0#0"),
    ("inconsistent-offsets", "p0#0 0@0 acked\n p0#1 0@? failed\n log 0: p0#0 p0#1\n read r0 0: 0=p0#1"),
    ("phantom", "p0#0 0@0 acked\n log 0: p0#0 p9#9"),
    ("corrupt", "p0#0 0@0 acked\n log 0: ~p0#0"),
    ("lost-read", "p0#0 0@? failed\n log 0:\n read r0 0: 0=p0#0"),
    (
        "lost-effect",
        "set effects=exactly-once\n p0#0 0@0 acked\n p0#1 0@1 acked\n log 0: p0#0 p0#1\n sink s0: p0#1",
    ),
    (
        "duplicate-effect",
        "set effects=exactly-once\n p0#0 0@0 acked\n p0#1 0@1 acked\n log 0: p0#0 p0#1\n sink s0: p0#1 p0#0 p0#1",
    ),
    ("realtime-reorder", "p1#0 0@1 acked\n p0#0 0@0 acked\n log 0: p0#0 p1#0"),
];

/// Histories from elsewhere, as text.
const FOREIGN: &[(&str, &str)] = &[
    (
        "int-poll-skip",
        "c0 send ok 0@0=1\n c0 send ok 0@1=2\n c0 send ok 0@2=3\n c1 poll ok 0@0=1 0@2=3\n c2 poll ok 0@0=1 0@1=2 0@2=3",
    ),
    (
        "commit-regress",
        "c0 send ok 0@0=1\n c0 send ok 0@1=2\n c1 poll ok 0@0=1 0@1=2\n c1 commit ok 0@2\n c1 commit ok 0@1",
    ),
    (
        "commit-beyond",
        "c0 send ok 0@0=1\n c0 send ok 0@1=2\n c1 poll ok 0@0=1\n c1 commit ok 0@2\n c2 poll ok 0@0=1 0@1=2",
    ),
    ("lost-effect", "c0 send ok 0@0=1\n c0 send ok 0@1=2\n c1 poll ok 0@0=1 0@1=2\n s0 rows 0=1"),
    ("duplicate-effect", "c0 send ok 0@0=1\n c1 poll ok 0@0=1\n s0 rows 0=1 0=1"),
    ("int-nonmonotonic-poll", "c0 send ok 0@0=1\n c0 send ok 0@1=2\n c1 poll ok 0@0=1 0@1=2 0@0=1"),
];

/// Kinds that transactions show which run at once.
const INTERLEAVED: [&str; 4] = ["g0", "ww-g1c", "g2", "realtime-cycle"];

/// A kind of finding with a history that shows it, several for most kinds; every kind of the catalog is there.
#[must_use]
pub fn specimens() -> Vec<(&'static str, History)> {
    let mut all: Vec<(&'static str, History)> = Vec::new();
    all.extend(RUNS.iter().map(|(kind, text)| (*kind, scene(text).history)));
    all.extend(FOREIGN.iter().map(|(kind, text)| (*kind, operations(text).build())));
    all.extend([
        ("future-read", future_read()),
        ("stale-end", stale_end()),
        ("unavailable", unavailable()),
        ("not-exercised", scene("p0#0 0@0 acked\n log 0: p0#0").history),
        ("zombie-write", zombie_write()),
    ]);
    all.extend(transactions());
    all.extend(groups());
    let mut wanted = INTERLEAVED.to_vec();
    for seed in 0..500 {
        for history in [world(seed, false).history(), world(seed, false).foreign()] {
            let shown = judge(&history).findings;
            wanted.retain(|kind| {
                let there = shown.iter().any(|finding| finding.kind == *kind);
                all.extend(there.then(|| (*kind, history.clone())));
                !there
            });
        }
    }
    for (_, plant) in PLANTS {
        let planted = (0..200).find_map(|seed| {
            let mut script = simulated(seed);
            let planted = plant(&mut script, &mut Rng(seed ^ 0xbad))?;
            Some((planted.kind, script.build()))
        });
        all.extend(planted);
    }
    all
}

fn future_read() -> History {
    let mut scene = scene("p0#0 0@0 acked\n p0#1 0@1 acked\n log 0: p0#0 p0#1\n read r0 0: 0=p0#0 1=p0#1");
    let sent = scene.session(Role::Producer, 0, 0).send(1).invoked;
    edit_deliveries(scene.session(Role::Reader, 0, 0), |given| {
        (given[1].polled, given[1].returned) = (Nanos(sent.0 - 2), Nanos(sent.0 - 1));
    });
    scene.history
}

fn stale_end() -> History {
    let mut scene = scene("p0#0 0@0 acked\n p0#1 0@1 acked\n log 0: p0#0 p0#1");
    let end = Note::Watermarks { partition: Partition(0), start: Offset(0), end: Offset(1) };
    scene.note(Role::Drain, end);
    scene.history
}

fn unavailable() -> History {
    let mut scene = scene("p0#0 0@0 acked\n log 0: p0#0\n cut 1:");
    for phase in [Phase::Drain, Phase::End] {
        scene.note(Role::Runner, Note::PhaseEntered { phase });
    }
    scene.history
}

fn zombie_write() -> History {
    let mut scene = Scene::new(1);
    let of = |session: u32, seq: u64| Tag { producer: 0, session, seq };
    let acked = (Outcome::Ok, Told::Acked);
    for session in 0..2 {
        let settings = &mut scene.session(Role::Producer, 0, session).effective;
        settings.insert("transactional.id".to_owned(), "t-0".to_owned());
    }
    scene.send(of(0, 0), None, Some((0, Some(0))), acked);
    scene.send(of(1, 0), None, Some((0, Some(1))), acked);
    scene.send(of(0, 1), None, Some((0, Some(2))), (Outcome::Unknown, Told::Failed));
    let log = [of(0, 0), of(1, 0), of(0, 1)];
    let log: Vec<_> = (0..).zip(log).map(|(at, tag)| (at, Some(tag), history::Contents::Intact)).collect();
    scene.log(0, &log, true);
    scene.history
}

/// What is promised of transactions, broken: by clients of ours, and by somebody else's.
fn transactions() -> Vec<(&'static str, History)> {
    let circle = two(Outcome::Ok, |first, second| {
        first.reads.push(second.sends[0]);
        second.reads.push(first.sends[0]);
    });
    let aborted = two(Outcome::Fail, |first, second| second.reads.push(first.sends[0]));
    let own = two(Outcome::Ok, |first, _| first.reads.push(first.sends[0]));
    let mut torn = two(Outcome::Ok, |_, _| {});
    torn.lose(tag(0, 0));
    let mut bare = two(Outcome::Ok, |first, _| {
        first.consumed = consumed(&[Some((0, 1)), Some((0, 1))], (0, 2));
    });
    bare.lose(tag(0, 0));
    bare.lose(tag(0, 1));
    let left = two(Outcome::Ok, |first, _| first.consumed = consumed(&[Some((0, 1)), None], (1, 2)));
    [
        ("offsets-without-output", bare),
        ("output-without-offsets", left),
        ("g1c", circle),
        ("aborted-read", aborted),
        ("precommitted-read", own),
        ("torn-transaction", torn),
    ]
    .iter()
    .flat_map(|(kind, world)| [(*kind, world.history()), (*kind, world.foreign())])
    .collect()
}

fn consumed(inputs: &[Option<(u32, i64)>], committed: (u32, i64)) -> Consumed {
    Consumed { inputs: inputs.to_vec(), committed: vec![committed], fetched: Vec::new() }
}

/// A group in which a partition is given to two members, both of which are believed.
fn groups() -> Vec<(&'static str, History)> {
    let shared = (0..100).map(|seed| grouped(seed, Policy::After, Planted::Shared(0)));
    let shared = shared.filter(|group| group.came_true).map(|group| group.scene.history).next();
    let shared: Vec<History> = shared.into_iter().collect();
    shared
        .iter()
        .flat_map(|history| ["double-ownership", "redelivered"].map(|kind| (kind, history.clone())))
        .collect()
}

/// Two transactions at once, each with a record in both of two partitions, in the same order.
fn two(outcome: Outcome, change: impl FnOnce(&mut Txn, &mut Txn)) -> World {
    let txn = |client: u32, outcome: Outcome| Txn {
        client,
        moment: 0,
        called: 1000,
        returned: 1010,
        outcome,
        committed: outcome == Outcome::Ok,
        sends: (0..2).map(|place| (tag(client, place), place as u32, i64::from(client))).collect(),
        reads: Vec::new(),
        consumed: Consumed::default(),
    };
    let (mut first, mut second) = (txn(0, outcome), txn(1, Outcome::Ok));
    change(&mut first, &mut second);
    let mut logs = vec![BTreeMap::new(); 2];
    for (tag, partition, offset) in
        [&first, &second].iter().filter(|txn| txn.committed).flat_map(|txn| &txn.sends)
    {
        logs[*partition as usize].insert(*offset, *tag);
    }
    World { txns: vec![first, second], logs }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CATALOG;

    #[test]
    fn every_kind_has_a_specimen_that_shows_it() {
        let specimens = specimens();
        for (kind, history) in &specimens {
            let shown: Vec<String> =
                judge(history).findings.into_iter().map(|finding| finding.kind).collect();
            assert!(shown.iter().any(|shown| shown == kind), "{kind}: {shown:?}");
        }
        for kind in CATALOG.iter().flat_map(|spec| spec.kinds) {
            assert!(specimens.iter().any(|(shown, _)| *shown == kind.name), "{} has none", kind.name);
        }
    }
}
