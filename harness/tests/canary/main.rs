//! The canary: every planted flaw under every checker that owns it, in a simulated cluster where a seed decides
//! everything. A flaw that stays green, or a finding without a flaw, is a checker nobody should trust.

mod bytes;
mod calls;
mod cluster;
mod compacted;
mod consumers;
mod fenced;
mod groups;
mod log;
mod recording;
mod transactions;

use std::collections::{BTreeMap, BTreeSet};

use broker::flaws::{FLAWS, Flaw, UNPLANTED};
use checkers::{CATALOG, Word, judge};
use history::History;

/// Seeds under each of which every flaw is red, and everything else green. `HIGHWATER_SCHEDULES` asks for more.
fn seeds() -> std::ops::Range<u64> {
    0..std::env::var("HIGHWATER_SCHEDULES").ok().and_then(|text| text.parse().ok()).unwrap_or(5)
}

/// What a program came to.
struct Seen {
    kinds: BTreeMap<String, u64>,
    /// A guarantee is broken.
    broken: bool,
    text: String,
}

/// What a program does under a flaw and a seed.
type Program = fn(Option<Flaw>, u64) -> Seen;

/// Programs, and the kinds of finding that they give a flaw the occasion for.
const PROGRAMS: &[(&str, &[&str], Program)] = &[
    (
        "durable",
        &["lost-write", "duplicate", "nonmonotonic-send", "corrupt", "unseen", "stale-end"],
        |flaw, seed| judged(&log::durable(flaw, seed, false)),
    ),
    ("keyed", &["key-reorder"], |flaw, seed| judged(&log::durable(flaw, seed, true))),
    (
        "plain",
        &["lost-write", "phantom", "realtime-reorder", "nonmonotonic-send", "stale-end"],
        |flaw, seed| judged(&log::plain(flaw, seed, -1)),
    ),
    ("unconfirmed", &["lost-unconfirmed"], |flaw, seed| judged(&log::plain(flaw, seed, 0))),
    ("isolated", &["lost-read", "inconsistent-offsets"], |flaw, seed| judged(&log::isolated(flaw, seed))),
    ("resetting", &["nonmonotonic-poll", "poll-skip"], |flaw, seed| judged(&log::resetting(flaw, seed))),
    ("ending", &["unavailable"], |flaw, seed| judged(&fenced::ending(flaw, seed))),
    ("succeeded", &["zombie-write"], |flaw, seed| judged(&fenced::succeeded(flaw, seed))),
    (
        "overlapping",
        &[
            "aborted-read",
            "precommitted-read",
            "g1c",
            "torn-transaction",
            "int-poll-skip",
            "int-nonmonotonic-poll",
        ],
        |flaw, seed| judged(&transactions::overlapping(flaw, seed)),
    ),
    ("pairs", &["int-nonmonotonic-send"], |flaw, seed| judged(&transactions::pairs(flaw, seed))),
    ("ownership", &["non-linearizable"], groups::ownership),
    ("consumers", &["non-linearizable"], consumers::ownership),
    ("commits", &["non-linearizable"], groups::commits),
    ("compacted", &["non-linearizable"], compacted::registers),
];

fn judged(history: &History) -> Seen {
    let judgement = judge(history);
    Seen {
        kinds: judgement.findings.iter().map(|found| (found.kind.clone(), found.count)).collect(),
        broken: judgement.word == Word::Broken,
        text: format!("{}\n{:#?}\n{:#?}", judgement.headline, judgement.caveats, judgement.findings),
    }
}

/// Every kind that a flaw shows.
fn planted() -> BTreeSet<&'static str> {
    FLAWS.iter().flat_map(|spec| spec.shows).copied().collect()
}

#[test]
fn every_flaw_is_found_under_every_seed() {
    let mut green = Vec::new();
    for spec in FLAWS {
        let programs =
            PROGRAMS.iter().filter(|(_, kinds, _)| kinds.iter().any(|kind| spec.shows.contains(kind)));
        for seed in seeds() {
            let seen: Vec<(&str, Seen)> =
                programs.clone().map(|(name, _, program)| (*name, program(Some(spec.flaw), seed))).collect();
            for kind in spec.shows {
                if !seen.iter().any(|(_, seen)| seen.kinds.contains_key(*kind)) {
                    let saw: Vec<_> = seen.iter().map(|(name, seen)| (name, &seen.kinds)).collect();
                    green.push(format!("`{}`, seed {seed}: no {kind} in {saw:?}", spec.name));
                }
            }
            // Nobody promises that what is not confirmed arrives.
            let promised = spec.shows != ["lost-unconfirmed"];
            if promised && !seen.iter().any(|(_, seen)| seen.broken) {
                green.push(format!("`{}`, seed {seed}: no guarantee is broken", spec.name));
            }
        }
    }
    assert!(green.is_empty(), "flaws that nobody finds:\n{}", green.join("\n"));
}

#[test]
fn without_a_flaw_nothing_is_found() {
    let planted = planted();
    for (name, _, program) in PROGRAMS {
        for seed in seeds() {
            let seen = program(None, seed);
            let found: Vec<_> = seen.kinds.keys().filter(|kind| planted.contains(kind.as_str())).collect();
            assert!(found.is_empty() && !seen.broken, "{name}, seed {seed}: {found:?}\n{}", seen.text);
        }
    }
}

/// Every kind of finding has a flaw that shows it, or a reason why none can.
#[test]
fn every_kind_of_finding_has_a_flaw_or_a_reason() {
    let judged = CATALOG.iter().flat_map(|spec| spec.kinds).map(|kind| kind.name);
    // What models of single objects find is no checker's of records.
    let kinds: BTreeSet<&str> = judged.chain(["non-linearizable"]).collect();
    let planted = planted();
    let reasons: BTreeSet<&str> = UNPLANTED.iter().map(|unplanted| unplanted.kind).collect();
    assert_eq!(planted.intersection(&reasons).collect::<Vec<_>>(), Vec::<&&str>::new());
    assert_eq!(planted.union(&reasons).copied().collect::<BTreeSet<_>>(), kinds);
}

/// One program of each protocol: either would do for the canary.
#[test]
fn two_owners_are_found_in_groups_of_both_protocols() {
    for seed in seeds() {
        for program in [groups::ownership, consumers::ownership] {
            assert!(program(Some(Flaw::TwoOwners), seed).broken, "seed {seed}");
        }
    }
}
