//! Every check against permutations, on small random histories, legal and spoilt.

mod brute;
mod draw;
mod generate;

use std::collections::BTreeMap;
use std::time::Duration;

use history::exchange::operations::{Model, Operations};

use super::models::{self, Object};
use super::search::{Ended, Preference, Search};
use super::{Answer, Settings, check};
use draw::Draw;
use generate::{Manner, generate};

/// Random histories of each test; by hand, `HIGHWATER_HISTORIES=1000000` tries more.
const HISTORIES: u64 = 10_000;

fn histories() -> u64 {
    std::env::var("HIGHWATER_HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(HISTORIES)
}

/// What a test saw, to be sure that it saw everything.
#[derive(Default)]
struct Tally {
    legal: u64,
    illegal: u64,
    classes: BTreeMap<String, u64>,
    /// Judged without a search.
    direct: u64,
}

impl Tally {
    /// A tenth to a bit over a third is illegal, every class was hit.
    #[track_caller]
    fn is_telling(&self, what: &str, classes: &[&str]) {
        eprintln!(
            "{what}: {} linearizable, {} not, {} without a search, {:?}",
            self.legal, self.illegal, self.direct, self.classes
        );
        let share = self.illegal as f64 / (self.legal + self.illegal) as f64;
        assert!((0.08..0.4).contains(&share), "{what}: {share} of the histories are illegal");
        for class in classes {
            assert!(self.classes.keys().any(|seen| seen.contains(class)), "{what}: no history is `{class}`");
        }
    }
}

const LIMITS: Settings =
    Settings { initial: generate::INITIAL, timeout: Duration::from_secs(60), memory: 1 << 30 };

fn members(operations: &Operations) -> Vec<u32> {
    (0..operations.all.len() as u32).collect()
}

/// Judges one history by search, by permutations, and as users do; all must agree.
fn agree<O: Object>(object: &O, operations: &Operations, seed: u64, tally: &mut Tally) {
    let members = members(operations);
    let legal = brute::is_linearizable(object, operations);
    let expected = if legal { Ended::Found } else { Ended::Exhausted };
    for preference in [Preference::Known, Preference::Called] {
        let mut search = Search::new(object, &operations.all, &members, preference);
        let ended = search.run(u64::MAX, usize::MAX, 1);
        assert_eq!(ended, expected, "search, {preference:?}, seed {seed}: {operations:#?}");
    }
    let report = check(operations, &LIMITS);
    let answer = report.judged.first().map_or(&Answer::Linearizable, |judged| &judged.answer);
    match answer {
        Answer::Linearizable => assert!(legal, "held, seed {seed}: {operations:#?}"),
        Answer::Not(flaws) => {
            assert!(!legal, "{flaws:?}, seed {seed}: {operations:#?}");
            for flaw in flaws {
                let (text, witnesses) = &flaw.examples[0];
                let words: String = text.split(|c: char| c.is_ascii_digit() || c == '"').collect();
                *tally.classes.entry(format!("{}: {words}", flaw.kind)).or_default() += 1;
                assert!(witnesses.len() <= 4, "{witnesses:?}");
                assert!(!witnesses.is_empty(), "{flaw:?}, seed {seed}: {operations:#?}");
            }
            let judged = &report.judged[0];
            if judged.stuck.is_some() {
                assert!(brute::is_order(object, operations, &judged.prefix), "prefix, seed {seed}");
            }
        }
        Answer::Unknown(why) => panic!("unknown: {why}, seed {seed}: {operations:#?}"),
    }
    let direct = match operations.model {
        Model::Register => super::register::judge(operations, &members, LIMITS.initial),
        Model::Queue => super::queue::judge(operations, &members),
        Model::Log => super::log::judge(operations, &members),
        _ => None,
    };
    tally.direct += u64::from(direct.is_some());
    *(if legal { &mut tally.legal } else { &mut tally.illegal }) += 1;
}

fn sweep(model: Model, manner: Manner) -> Tally {
    let mut tally = Tally::default();
    for seed in 0..histories() {
        let operations = generate(model, manner, &mut Draw::new(seed));
        match model {
            Model::Register | Model::CasRegister => {
                agree(&models::Register { initial: LIMITS.initial }, &operations, seed, &mut tally);
            }
            Model::Kv => agree(&models::Kv::new(&operations.values), &operations, seed, &mut tally),
            Model::Mutex => agree(&models::Mutex, &operations, seed, &mut tally),
            Model::Queue => agree(&models::Fifo, &operations, seed, &mut tally),
            Model::Log => agree(&models::Log { operations: &operations }, &operations, seed, &mut tally),
        }
    }
    tally
}

#[test]
fn logs_agree_with_permutations() {
    let classes = [
        "realtime-reorder",
        "future-read",
        "stale-end: a read claims the log's end before a record that was",
        "stale-end: a read claims the log's end before a record that an earlier",
        "non-linearizable: a read claims the log's end in the middle",
        "non-linearizable: no append can have filled",
        "inconsistent-offsets",
        "duplicate",
        "phantom: v was read at offset , though its append certainly failed",
        "phantom: v was read at offset , and nobody",
    ];
    let tally = sweep(Model::Log, Manner::Distinct);
    tally.is_telling("logs of distinct values", &classes);
}

#[test]
fn logs_of_repeated_values_agree_with_permutations() {
    let tally = sweep(Model::Log, Manner::Repeated);
    tally.is_telling("logs of repeated values", &["realtime-reorder", "no append can have filled"]);
}

#[test]
fn registers_of_distinct_values_agree_with_permutations() {
    let classes = ["nobody wrote", "before its write", "each have come before the other"];
    let tally = sweep(Model::Register, Manner::Distinct);
    tally.is_telling("registers of distinct values", &classes);
    assert!(tally.direct > (tally.legal + tally.illegal) * 9 / 10);
}

#[test]
fn registers_of_repeated_values_agree_with_permutations() {
    sweep(Model::Register, Manner::Repeated).is_telling("registers of repeated values", &["no place"]);
}

#[test]
fn cas_registers_agree_with_permutations() {
    sweep(Model::CasRegister, Manner::Repeated).is_telling("cas registers", &["no place"]);
}

#[test]
fn strings_agree_with_permutations() {
    sweep(Model::Kv, Manner::Repeated).is_telling("strings", &["no place"]);
}

#[test]
fn locks_agree_with_permutations() {
    sweep(Model::Mutex, Manner::Repeated).is_telling("locks", &["no place"]);
}

#[test]
fn queues_of_distinct_values_agree_with_permutations() {
    let classes =
        ["nobody enqueued", "twice", "before its enqueue", "dequeued before another", "queue empty"];
    let tally = sweep(Model::Queue, Manner::Distinct);
    tally.is_telling("queues of distinct values", &classes);
    assert!(tally.direct > (tally.legal + tally.illegal) / 2);
}

#[test]
fn queues_of_repeated_values_agree_with_permutations() {
    sweep(Model::Queue, Manner::Repeated).is_telling("queues of repeated values", &["no place"]);
}
