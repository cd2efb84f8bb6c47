//! Disks, files and clocks of brokers that are wrong, from end to end on the reference cluster: what several replicas
//! keep, what one alone cannot, and what cannot be had here.

use super::stage::{Ended, Stage};

/// Runs it, and sees that every fault bit, again if one did not on a machine that stands still now and then.
fn exercised(stage: &Stage, words: &str) -> Ended {
    let ended = stage.run_exercised(&format!("run --partitions 2 {words}"));
    assert_eq!(ended.code, 0, "{words}: {}", ended.all());
    let verdict = stage.verdict();
    let faults = verdict["faults"].as_array().expect("a list");
    assert!(
        !faults.is_empty() && faults.iter().all(|fault| fault["bitten"] == true),
        "{words}: {}",
        ended.all()
    );
    ended
}

fn word(stage: &Stage) -> String {
    stage.verdict()["word"].as_str().expect("a word").to_owned()
}

#[test]
fn replicas_in_sync_keep_what_they_acknowledged_whatever_becomes_of_one_disk() {
    for (nemesis, seconds, says) in [
        ("disk-full", 4, "was fenced after"),
        ("read-only-disk", 4, "bytes that were not synced are gone"),
        ("truncate-log", 4, "bytes were cut off a log"),
        ("flip-bit", 4, "a bit was turned in a log"),
        ("stale-disk", 5, "bytes were missing from the logs"),
    ] {
        let stage = Stage::new();
        let ended = exercised(&stage, &format!("--nemesis {nemesis} --duration {seconds}s --seed 3"));
        assert_eq!(word(&stage), "held", "{nemesis}: {}", ended.all());
        assert!(stage.findings().is_empty(), "{nemesis}: {}", ended.all());
        let detail = stage.verdict()["faults"][0]["detail"].as_str().expect("a sentence").to_owned();
        assert!(detail.contains(says), "{nemesis}: {detail}");
    }
}

/// What a disk has lost nobody else has; a full one has lost nothing.
#[test]
fn a_lone_replica_loses_what_its_disk_loses() {
    for (nemesis, loses) in
        [("disk-full", false), ("read-only-disk", true), ("truncate-log", true), ("stale-disk", true)]
    {
        let stage = Stage::new();
        let words = format!("--nemesis {nemesis} --duration 5s --seed 3 --set replication.factor=1");
        let ended = exercised(&stage, &words);
        assert_eq!(word(&stage), if loses { "shown" } else { "held" }, "{words}: {}", ended.all());
        assert_eq!(stage.findings().contains_key("lost-write"), loses, "{words}: {}", ended.all());
    }
}

#[test]
fn slow_disks_and_wrong_clocks_lose_nothing() {
    let stage = Stage::new();
    let clocks = "clock-bump@500ms+1s,clock-skew@2s+1s,clock-strobe@3500ms+1s,slow-disk@5s+1500ms";
    let ended = exercised(&stage, &format!("--nemesis {clocks} --duration 7s --seed 5"));
    assert_eq!(word(&stage), "held", "{}", ended.all());
    assert!(!stage.findings().contains_key("lost-write"), "{}", ended.all());
    let verdict = stage.verdict();
    let detail = |place: usize| verdict["faults"][place]["detail"].as_str().expect("a sentence").to_owned();
    assert!(detail(0).contains("its clock was") && detail(1).contains("its clock was"), "{}", ended.all());
    assert!(detail(2).contains("its clock jumped by"), "{}", ended.all());
    assert!(detail(3).contains("bytes had to wait for the disk"), "{}", ended.all());
}

#[test]
fn packets_and_the_page_cache_are_beyond_a_proxy_and_processes() {
    let stage = Stage::new();
    for (nemesis, says) in [
        ("lossy-links", "has no packets"),
        ("reorder-packets", "has no packets"),
        ("duplicate-packets", "has no packets"),
        ("corrupt-packets", "has no packets"),
        ("drop-cache", "the page cache is the machine's"),
    ] {
        let refused = stage.run(&format!("run --nemesis {nemesis}"));
        assert_eq!(refused.code, 2, "{nemesis}: {}", refused.all());
        assert!(
            refused.stderr.contains(says) && refused.stderr.contains("--target lab"),
            "{}",
            refused.all()
        );
    }
}
