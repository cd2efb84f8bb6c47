//! The queries that go with a history's Parquet tables, on an embedded engine: on generated histories, clean
//! ones and ones with a planted anomaly, they find what the checkers find.

mod engine;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use history::event::Role;
use history::exchange::parquet::write_parquet;
use history::{Contents, History, Offset, Told};
use serde_json::Value;

use super::simulated::plants::PLANTS;
use super::simulated::simulated;
use super::specimens::specimens;
use super::{Rng, Scene, clean, edit_deliveries, world};
use crate::context::Context;
use crate::{CATALOG, Finding};

/// A history, and what made it.
struct Case {
    name: String,
    history: History,
}

/// Generated histories of every sort.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name: String, history: History| cases.push(Case { name, history });
    for seed in 0..10 {
        add(format!("clean run {seed}"), clean(seed).history);
        add(format!("clean import {seed}"), simulated(seed).build());
    }
    for seed in 0..5 {
        add(format!("transactions {seed}"), world(seed, false).foreign());
    }
    for (kind, history) in specimens() {
        add(format!("specimen of {kind}"), history);
    }
    for seed in 100..108 {
        for (name, plant) in RUN_PLANTS {
            let mut scene = clean(seed);
            plant(&mut scene, &mut Rng(seed));
            add(format!("run with {name} {seed}"), scene.history);
        }
    }
    for (name, plant) in PLANTS {
        let planted = (200..400).filter_map(|seed| {
            let mut script = simulated(seed);
            plant(&mut script, &mut Rng(seed ^ 0xbad))?;
            Some((seed, script.build()))
        });
        for (seed, history) in planted.take(3) {
            add(format!("import with {name} {seed}"), history);
        }
    }
    cases
}

/// Damages a run of ours.
type RunPlant = fn(&mut Scene, &mut Rng);

/// Anomalies in the log of a run of ours.
const RUN_PLANTS: &[(&str, RunPlant)] = &[("losses", lose), ("copies", copy), ("exchanges", exchange)];

/// A random acknowledged record of the log: its index among the drain's deliveries.
fn some(scene: &mut Scene, rng: &mut Rng) -> usize {
    let acked: Vec<_> = scene.history.sends().filter(|send| send.told == Told::Acked).collect();
    let tag = acked[rng.below(acked.len())].tag;
    let drain = scene.session(Role::Drain, 0, 0);
    drain.deliveries().position(|delivery| delivery.tag == Some(tag)).expect("it is in the log")
}

fn lose(scene: &mut Scene, rng: &mut Rng) {
    for _ in 0..1 + rng.below(5) {
        let at = some(scene, rng);
        let gone = scene.session(Role::Drain, 0, 0).delivery(at).tag;
        for (role, index) in [(Role::Drain, 0), (Role::Reader, 0), (Role::Reader, 1)] {
            edit_deliveries(scene.session(role, index, 0), |given| given.retain(|each| each.tag != gone));
        }
        // The next one is drawn from those that are left.
        super::edit_sends(scene.session(Role::Producer, gone.expect("ours").producer, 0), |sends| {
            sends.sort_by_key(|send| send.tag.seq);
        });
        if rng.chance(50) {
            break;
        }
    }
}

fn copy(scene: &mut Scene, rng: &mut Rng) {
    for offset in 1_000_000..1_000_001 + rng.below(3) {
        let at = some(scene, rng);
        let first = scene.session(Role::Drain, 0, 0).delivery(at);
        let offset = i64::try_from(offset).expect("small");
        scene.deliver(Role::Drain, 0, first.partition.0, offset, first.tag, Contents::Intact);
    }
}

fn exchange(scene: &mut Scene, rng: &mut Rng) {
    let at = some(scene, rng);
    let drain = scene.session(Role::Drain, 0, 0);
    let first = drain.delivery(at);
    let behind = drain.deliveries().filter(|other| {
        other.partition == first.partition
            && other.offset > first.offset
            && other.contents == Contents::Intact
    });
    let Some(second) = behind.take(5).last().filter(|second| second.offset != Offset(0)) else { return };
    for (role, index) in [(Role::Drain, 0), (Role::Reader, 0), (Role::Reader, 1)] {
        edit_deliveries(scene.session(role, index, 0), |given| {
            for each in given {
                each.tag = match each.tag {
                    tag if tag == first.tag => second.tag,
                    tag if tag == second.tag => first.tag,
                    tag => tag,
                };
            }
        });
    }
}

/// What the checkers find, by kind.
fn native(history: &History) -> BTreeMap<String, Finding> {
    let context = Context::new(history);
    let mut findings: BTreeMap<String, Finding> = BTreeMap::new();
    for finding in CATALOG.iter().flat_map(|spec| (spec.check)(&context)) {
        match findings.get_mut(&finding.kind) {
            Some(known) => known.count += finding.count,
            None => _ = findings.insert(finding.kind.clone(), finding),
        }
    }
    findings
}

#[test]
fn the_queries_find_what_the_checkers_find() {
    let python = match engine::python() {
        Ok(python) => python,
        Err(why) => {
            // Past the capture of the test runner, so that it is seen.
            let _ = writeln!(std::io::stderr(), "SKIPPED, the queries on Parquet tables: no DuckDB ({why})");
            return;
        }
    };
    let dir = tempfile::tempdir().expect("a directory");
    let cases = cases();
    let dirs: Vec<PathBuf> =
        (0..cases.len()).map(|number| dir.path().join(format!("case-{number}"))).collect();
    for (case, dir) in cases.iter().zip(&dirs) {
        let written = write_parquet(&case.history, dir, &|| true).unwrap_or_else(|error| panic!("{error:?}"));
        let counts =
            case.history.log_sessions().map(|session| session.delivery_count() + session.send_count());
        assert!(written.rows as usize >= counts.sum::<usize>() - fences(&case.history), "{}", case.name);
    }
    let mut totals: BTreeMap<&str, u64> = BTreeMap::new();
    for (case, rows) in cases.iter().zip(engine::query(&python, &dirs)) {
        compare(case, &rows, &mut totals);
    }
    // Each query has been seen red, often.
    assert_eq!(
        totals.keys().copied().collect::<Vec<_>>(),
        ["duplicates", "lost", "order", "real_time_order"]
    );
    assert!(totals.values().all(|count| *count >= 10), "{totals:?}");
}

/// Fences are sent by nobody whom the table of sends knows.
fn fences(history: &History) -> usize {
    history
        .sessions
        .iter()
        .filter(|session| session.role == Role::Admin)
        .map(|admin| admin.send_count())
        .sum()
}

fn compare(case: &Case, found: &Value, totals: &mut BTreeMap<&'static str, u64>) {
    let native = native(&case.history);
    let count = |kinds: &[&str]| {
        kinds.iter().filter_map(|kind| native.get(*kind)).map(|finding| finding.count).sum::<u64>()
    };
    let rows = |query: &str| found[query].as_array().unwrap_or_else(|| panic!("{query}: {found}"));
    let say = |query: &str| {
        format!("{}: {query}: {:#?}\n{:#?}", case.name, rows(query), native.values().collect::<Vec<_>>())
    };
    let named =
        |query: &str| -> Vec<&str> { rows(query).iter().filter_map(|row| row["record"].as_str()).collect() };

    // A record nobody was told of, of a transaction that took effect, is not among the acknowledged ones.
    let untold = |finding: &&Finding| {
        finding
            .examples
            .iter()
            .filter_map(|witness| witness.tag)
            .any(|tag| case.history.sends().any(|send| send.tag == tag && send.told != Told::Acked))
    };
    let lost = rows("lost").len() as u64;
    match native.get("lost-write").filter(untold) {
        Some(finding) => assert!(lost < finding.count, "{}", say("lost")),
        None => assert_eq!(lost, count(&["lost-write"]), "{}", say("lost")),
    }
    let copies =
        rows("duplicates").iter().map(|row| row["copies"].as_u64().expect("a count") - 1).sum::<u64>();
    assert_eq!(copies, count(&["duplicate"]), "{}", say("duplicates"));
    // A record may be behind both that of its partition and that of its key.
    let order = rows("order").len() as u64;
    let disorder = count(&["nonmonotonic-send", "int-nonmonotonic-send", "key-reorder"]);
    assert!(order <= disorder && disorder <= 2 * order, "{}", say("order"));
    // The checker blames the fewest, and leaves what is out of its own producer's order to that finding.
    let late = rows("real_time_order").len() as u64;
    let reordered = count(&["realtime-reorder"]);
    assert!(late >= reordered, "{}", say("real_time_order"));
    if disorder == 0 {
        assert_eq!(late > 0, reordered > 0, "{}", say("real_time_order"));
    }
    for (query, kinds) in [
        ("lost", &["lost-write"][..]),
        ("duplicates", &["duplicate"]),
        ("order", &["nonmonotonic-send", "int-nonmonotonic-send", "key-reorder"]),
    ] {
        for witness in kinds.iter().filter_map(|kind| native.get(*kind)).flat_map(|finding| &finding.examples)
        {
            let tag = witness.tag.expect("a record");
            let acked = case.history.sends().any(|send| send.tag == tag && send.told == Told::Acked);
            assert!(!acked || named(query).contains(&tag.to_string().as_str()), "{tag}: {}", say(query));
        }
    }
    for (query, found) in
        [("lost", lost), ("duplicates", copies), ("order", order), ("real_time_order", late)]
    {
        *totals.entry(query).or_default() += u64::from(found > 0);
    }
}
