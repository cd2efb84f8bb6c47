//! Runs from end to end on the reference cluster: what a user sees of a configuration that keeps its
//! promise, of one that makes none, and of a broker with a bug.

use std::fs;

use broker::flaws::{FLAWS, Flaw};

use super::stage::Stage;

/// Without a flaw nothing is found, under any nemesis.
#[test]
fn a_durable_configuration_holds_under_every_nemesis() {
    let short = [
        (1, "--nemesis none --duration 2s"),
        (2, "--nemesis kill --duration 5s"),
        (3, "--nemesis pause --duration 5s"),
        (4, "--nemesis isolate-leader --duration 6s"),
        (5, "--nemesis isolate-followers --duration 6s"),
    ];
    for (seed, words) in short {
        let stage = Stage::new();
        let ended = stage.run_exercised(&format!("run {words} --seed {seed} -v"));
        assert_eq!(ended.code, 0, "{words}: {}", ended.all());
        assert!(stage.findings().is_empty(), "{words}: {}", ended.all());
        let verdict = stage.verdict();
        assert_eq!(verdict["word"], "held", "{words}: {}", ended.all());
        assert!(verdict["counts"]["acked"].as_u64() > Some(100), "{words}: {}", ended.all());
        let left = stage.latest().join("cluster");
        assert!(!left.exists(), "the cluster's data is removed");
    }
}

#[test]
fn what_acks_1_loses_when_the_leader_is_cut_off_is_shown_with_its_offsets() {
    let stage = Stage::new();
    let line = "run --set acks=1 --set min.insync.replicas=1 --nemesis isolate-leader --duration 6s --seed 7";
    let ended = stage.run_exercised(line);
    assert_eq!(ended.code, 0, "{}", ended.all());
    assert!(stage.findings()["lost-write"] > 0, "{}", ended.all());
    assert_eq!(stage.verdict()["word"], "shown");
    for words in [
        "acknowledged records lost",
        "partition 0 offsets",
        "set acks=all and min.insync.replicas=2",
        "--seed 7",
    ] {
        assert!(ended.stdout.contains(words), "`{words}` is missing: {}", ended.all());
    }

    // The stored run is judged again, to the same end.
    let again = stage.run("check latest --format json");
    assert_eq!(again.code, 0, "{}", again.all());
    assert!(again.stdout.contains("lost-write"), "{}", again.all());
    let listed = stage.run("runs");
    assert!(listed.stdout.contains("isolate-leader"), "{}", listed.all());
}

/// What is acknowledged is in memory; flush.messages=1, or another replica with power, keeps it.
#[test]
fn a_power_failure_takes_what_was_not_synced() {
    for (words, word) in [
        ("--nemesis power-failure --set replication.factor=1", "shown"),
        ("--nemesis power-failure-torn --set replication.factor=1 --set flush.messages=1", "held"),
        ("--nemesis power-failure", "held"),
        ("--nemesis power-failure-all", "shown"),
        ("--nemesis power-failure-all --set flush.messages=1", "held"),
    ] {
        let stage = Stage::new();
        let ended = stage.run_exercised(&format!("run {words} --duration 4s --seed 3"));
        assert_eq!(ended.code, 0, "{words}: {}", ended.all());
        assert_eq!(stage.verdict()["word"], word, "{words}: {}", ended.all());
        assert_eq!(stage.findings().contains_key("lost-write"), word == "shown", "{words}: {}", ended.all());
    }
}

/// The canary has clients for all of them, and more seeds.
#[test]
fn every_flaw_of_the_workload_is_found_by_the_checker_that_owns_it() {
    for flaw in FLAWS.iter().filter(|flaw| flaw.workload == Some("log")) {
        let words = match flaw.flaw {
            // Whether a batch is cut off from its answer is a matter of luck.
            Flaw::LoseProducerState => continue,
            Flaw::LoseOnTruncation | Flaw::ServeBeyondHighWatermark => "--duration 9s",
            _ => "--nemesis none --duration 3s",
        };
        let stage = Stage::new();
        let ended =
            stage.run_exercised(&format!("run --flaw {} --seed 11 --rate 1500 {words} -v", flaw.name));
        // Nobody promises that what is not confirmed arrives.
        let code = if flaw.flaw == Flaw::DropUnconfirmed { 0 } else { 1 };
        assert_eq!(ended.code, code, "flaw `{}` is red: {}", flaw.name, ended.all());
        let findings = stage.findings();
        assert!(
            findings.contains_key(flaw.shows[0]),
            "flaw `{}` shows as {findings:?}: {}",
            flaw.name,
            ended.all()
        );
    }
}

#[test]
fn keyed_synchronous_and_limited_loads_are_what_was_asked_for() {
    let stage = Stage::new();
    let ended = stage
        .run("run --nemesis none --records 301 --keys 20 --sync --rate max --payload-bytes 500 --seed 1 --duration 1m --set delivery.timeout.ms=60000");
    assert_eq!(ended.code, 0, "{}", ended.all());
    let counts = &stage.verdict()["counts"];
    assert_eq!((&counts["sent"], &counts["acked"]), (&301.into(), &301.into()), "{}", ended.all());
    assert!(stage.findings().is_empty(), "{}", ended.all());
}

#[test]
fn a_history_that_is_not_whole_is_indeterminate_and_names_the_place() {
    let stage = Stage::new();
    let ended = stage.run_exercised("run --nemesis none --duration 1s --seed 1");
    assert_eq!(ended.code, 0, "{}", ended.all());
    let segment = stage.latest().join("history/producer-0.rows");
    let mut rows = fs::read(&segment).expect("the segment is there");
    rows[64 * 10 + 20] ^= 1;
    fs::write(&segment, rows).expect("the segment is writable");
    let again = stage.run("check latest");
    assert_eq!(again.code, 5, "{}", again.all());
    assert!(again.stdout.contains("producer-0.rows"), "{}", again.all());
    assert!(again.stdout.contains("640"), "{}", again.all());
}

#[test]
fn a_history_that_reaches_its_size_guard_stops_the_load_and_is_judged() {
    let stage = Stage::new();
    let ended = stage.run("run --nemesis none --rate max --max-disk 4MiB --duration 60s --seed 9");
    assert_eq!(ended.code, 0, "{}", ended.all());
    assert!(ended.stderr.contains("raise --max-disk"), "{}", ended.all());
    let counts = &stage.verdict()["counts"];
    assert!(counts["acked"].as_u64() > Some(1000), "{}", ended.all());
    assert_eq!(counts["untold"], 0, "{}", ended.all());
    assert!(stage.findings().is_empty(), "{}", ended.all());
}
