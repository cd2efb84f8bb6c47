//! Consumer groups in runs, from end to end: members that die, stand still and come back, coordinators that go, and
//! what each way to commit owes. Every finding that is possible is seen once, and nothing else.

use serde_json::Value;

use super::stage::{Ended, Stage};

/// What at-least-once allows, and what a member that was paused does not know.
const ALLOWED: &[&str] = &["redelivered", "double-ownership"];

/// The word of a guarantee in the newest run.
fn word(stage: &Stage, guarantee: &str) -> String {
    let verdict = stage.verdict();
    let all = verdict["guarantees"].as_array().expect("a list");
    let found = all.iter().find(|each| each["guarantee"] == guarantee);
    found.and_then(|each| each["word"].as_str()).unwrap_or("not there").to_owned()
}

/// Runs it until every fault has bitten, which a machine that stands still now and then may prevent.
fn bitten(stage: &Stage, words: &str, code: i32) -> Ended {
    let mut said = String::new();
    for _ in 0..3 {
        let ended = stage.run_exercised(&format!("run {words} -v"));
        assert_eq!(ended.code, code, "{words}: {}", ended.all());
        let verdict = stage.verdict();
        let faults = verdict["faults"].as_array().expect("a list");
        if faults.iter().all(|fault| fault["bitten"] == true) {
            return ended;
        }
        said = ended.all();
    }
    panic!("{words}: a fault never bit: {said}");
}

#[test]
fn a_group_that_commits_afterwards_skips_nothing_whatever_breaks() {
    for words in [
        "--nemesis kill-member@700ms+3s,kill-coordinator@4500ms+3s --duration 9s --seed 1",
        "--nemesis pause-member --duration 6s --seed 2 --set partition.assignment.strategy=cooperative-sticky",
        "--nemesis rebalance-storm --duration 6s --seed 3 --set group.protocol=consumer --set max.poll.records=50",
        "--nemesis isolate-coordinator --duration 7s --seed 4",
    ] {
        let stage = Stage::new();
        let ended = bitten(&stage, &format!("--workload group {words}"), 0);
        for guarantee in ["acknowledged-loss", "unseen", "reading-order", "commits", "availability"] {
            assert_eq!(word(&stage, guarantee), "held", "{words}, {guarantee}: {}", ended.all());
        }
        let ownership = word(&stage, "ownership");
        assert!(["held", "noted"].contains(&ownership.as_str()), "{words}: {}", ended.all());
        let unexpected = stage.findings().into_keys().find(|kind| !ALLOWED.contains(&kind.as_str()));
        assert_eq!(unexpected, None, "{words}: {}", ended.all());
        let counts = &stage.verdict()["counts"];
        assert!(counts["delivered"].as_u64() >= counts["acked"].as_u64(), "{words}: {}", ended.all());
    }
}

#[test]
fn a_group_that_commits_first_loses_what_a_killed_member_had_committed() {
    let stage = Stage::new();
    let words = "--workload group-commit-first --duration 9s --seed 1 --nemesis \
                 kill-member@1s+1s:draw=0,kill-member@3500ms+1s:draw=1,kill-member@6s+1s:draw=2";
    let ended = bitten(&stage, words, 0);
    assert_eq!(word(&stage, "unseen"), "shown", "{}", ended.all());
    assert_eq!(word(&stage, "redelivery"), "held", "{}", ended.all());
    let findings = stage.findings();
    assert_eq!(findings.keys().collect::<Vec<_>>(), ["unseen"], "{}", ended.all());
    let headline = stage.verdict()["headline"].to_string();
    assert!(headline.contains("committing before processing allows"), "{headline}");
    let why = stage.run("explain unseen");
    assert!(why.stdout.contains("member-"), "{}", why.all());

    // Nobody dies, and nothing is lost.
    let whole = bitten(&stage, "--workload group-commit-first --nemesis none --duration 2s --seed 2", 0);
    assert_eq!(word(&stage, "unseen"), "held", "{}", whole.all());
}

#[test]
fn a_coordinator_with_a_flaw_is_found_out() {
    for (flaw, kind, words) in [
        ("two-owners", "double-ownership", "--nemesis none --duration 3s"),
        ("commit-acknowledged-and-forgotten", "commit-regress", "--nemesis rebalance-storm --duration 8s"),
    ] {
        let stage = Stage::new();
        let ended = stage.run_exercised(&format!("run --workload group --flaw {flaw} --seed 1 {words} -v"));
        assert_eq!(ended.code, 1, "{flaw}: {}", ended.all());
        let verdict = stage.verdict();
        let findings = verdict["findings"].as_array().expect("a list");
        let shown = findings.iter().find(|found| found["kind"] == kind);
        let shown = shown.unwrap_or_else(|| panic!("{flaw}: {}", ended.all()));
        assert_eq!(shown["allowed"], Value::Null, "{flaw}: {}", ended.all());
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_the_remedy() {
    let stage = Stage::new();
    for (words, remedy) in [
        ("--nemesis kill-member", "--workload group"),
        ("--nemesis kill-coordinator@1s+1s", "--workload group"),
        ("--set enable.auto.commit=true", "--workload group"),
        ("--workload group --nemesis kill-reader", "`kill-member`"),
        ("--workload group --consumers 0", "--consumers 1"),
        ("--workload group --set group.id=mine", "a group of its own"),
        ("--workload group --set group.protocol=consumer --set session.timeout.ms=3000", "leave it out"),
        ("--workload group --set session.timeout.ms=3000 --set max.poll.interval.ms=1000", "raise max.poll"),
        ("--workload group-commit-first --set enable.auto.commit=true", "--workload group"),
        ("--workload group --nemesis kill-coordinator@1s+1s:node=2", "leave it out"),
        ("--workload group --set auto.offset.reset=sometime", "`earliest`"),
    ] {
        let ended = stage.run(&format!("run {words}"));
        assert_eq!(ended.code, 2, "{words}: {}", ended.all());
        assert!(ended.stderr.contains(remedy), "{words}: {}", ended.all());
    }
}

/// By every way there is to commit, a run of a moment is held, and says how it committed.
#[test]
fn without_faults_every_policy_processes_everything_once() {
    for settings in [
        "--set enable.auto.commit=true",
        "--set enable.auto.commit=true -X enable.auto.offset.store=false --set auto.commit.interval.ms=60000",
        "--set partition.assignment.strategy=org.apache.kafka.clients.consumer.RoundRobinAssignor --consumers 1",
        "--set group.instance.id=fixed --keys 10 --consumers 6",
    ] {
        let stage = Stage::new();
        let words = format!("--workload group --nemesis none --duration 2s --seed 1 {settings}");
        let ended = bitten(&stage, &words, 0);
        assert!(stage.findings().is_empty(), "{settings}: {}", ended.all());
        assert_eq!(word(&stage, "unseen"), "held", "{settings}: {}", ended.all());
    }
}
