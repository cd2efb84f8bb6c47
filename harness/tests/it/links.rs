//! Graceful ends, restarts and broken links, from end to end on the reference cluster: what each
//! configuration keeps, what it may lose, and what a cluster that is kept up does of them.

use std::io::Write;

use serde_json::Value;

use super::nemesis::Scene;
use super::stage::{Ended, Stage};

/// Runs it, and sees that every fault of every nemesis bit: again, if one did not on a machine that stands still
/// now and then.
fn exercised(stage: &Stage, words: &str) -> Ended {
    let mut idle = Vec::new();
    for _ in 0..3 {
        let ended = stage.run_exercised(&format!("run {words}"));
        assert_eq!(ended.code, 0, "{words}: {}", ended.all());
        let verdict = stage.verdict();
        let faults = verdict["faults"].as_array().expect("a list");
        assert!(!faults.is_empty(), "{words}: {}", ended.all());
        idle = faults.iter().filter(|fault| fault["bitten"] != true).cloned().collect();
        if idle.is_empty() {
            return ended;
        }
        let _ = writeln!(std::io::stderr(), "AGAIN, a fault did not bite: highwater run {words}");
    }
    panic!("{words}: {idle:?}");
}

fn word(stage: &Stage) -> String {
    stage.verdict()["word"].as_str().expect("a word").to_owned()
}

#[test]
fn all_in_sync_replicas_keep_what_they_acknowledged_through_restarts_and_cuts() {
    for (seed, nemeses, seconds) in [
        (1, "stop,restart,rolling-restart", 13),
        // Under this seed the leader is mute, under the next it is deaf.
        (3, "isolate-one-way,isolate-controller", 10),
        (1, "isolate-one-way,isolate-minority", 10),
    ] {
        let stage = Stage::new();
        let words = format!("--nemesis {nemeses} --duration {seconds}s --seed {seed}");
        let ended = exercised(&stage, &words);
        assert_eq!(word(&stage), "held", "{words}: {}", ended.all());
        assert!(stage.findings().is_empty(), "{words}: {}", ended.all());
    }
}

/// No leader moves, so that one acknowledgement is enough.
#[test]
fn a_leader_alone_keeps_what_it_acknowledged_while_clients_or_followers_are_cut_off() {
    for (seed, nemeses, seconds) in
        [(1, "isolate-clients,drop-responses,slow-links", 12), (2, "bridge,majorities-ring,narrow-links", 13)]
    {
        let stage = Stage::new();
        let words = format!(
            "--nemesis {nemeses} --duration {seconds}s --seed {seed} --set acks=1 --set min.insync.replicas=1"
        );
        let ended = exercised(&stage, &words);
        assert_eq!(word(&stage), "held", "{words}: {}", ended.all());
        // Whoever is not answered asks again, and acks=1 leaves idempotence off.
        let kinds: Vec<_> = stage.findings().into_keys().filter(|kind| kind != "duplicate").collect();
        assert!(kinds.is_empty(), "{words}: {}", ended.all());
    }
}

/// How much of it goes is a matter of what was under way just then: of three runs one shows it.
#[test]
fn a_leader_alone_loses_what_it_acknowledged_when_another_takes_over() {
    for (nemesis, seeds) in [
        ("isolate-minority", [7, 8, 9]),
        // In the first of these the leader is mute; a deaf one keeps leading and loses nothing.
        ("isolate-one-way", [3, 3, 3]),
    ] {
        let shown = seeds.into_iter().any(|seed| {
            let stage = Stage::new();
            let words = format!(
                "--nemesis {nemesis} --duration 6s --seed {seed} --rate 5000 --set acks=1 --set \
                 min.insync.replicas=1"
            );
            let ended = exercised(&stage, &words);
            let word = word(&stage);
            assert!(["shown", "not-seen"].contains(&word.as_str()), "{words}: {}", ended.all());
            assert_eq!(
                stage.findings().contains_key("lost-write"),
                word == "shown",
                "{words}: {}",
                ended.all()
            );
            word == "shown"
        });
        assert!(shown, "{nemesis} never showed what acks=1 loses");
    }
}

/// Orderly or at once: a leader that goes takes along what it had alone, or nothing if it was lucky. Everybody
/// is served again either way.
#[test]
fn a_restarted_leader_may_lose_what_it_acknowledged_alone_and_no_client_is_lost() {
    let stage = Stage::new();
    let words = "--nemesis stop,restart --duration 7s --seed 2 --set acks=1 --set min.insync.replicas=1";
    let ended = exercised(&stage, words);
    assert!(["shown", "not-seen"].contains(&word(&stage).as_str()), "{}", ended.all());
    let counts = &stage.verdict()["counts"];
    let count = |name: &str| counts[name].as_u64().expect("a number");
    // A broker that answers before it knows the cluster costs a third of them.
    assert!(count("failed") * 10 < count("sent"), "records find a leader: {}", ended.all());
}

#[test]
fn lost_answers_make_copies_unless_brokers_know_them() {
    for (idempotent, copies) in [(false, true), (true, false)] {
        let stage = Stage::new();
        let words = format!(
            "--nemesis drop-responses --duration 4s --seed 3 --set acks=all --set enable.idempotence={idempotent}"
        );
        let ended = exercised(&stage, &words);
        assert_eq!(word(&stage), "held", "{words}: {}", ended.all());
        assert_eq!(stage.findings().contains_key("duplicate"), copies, "{words}: {}", ended.all());
        assert!(ended.stdout.contains("bytes of node"), "{words}: {}", ended.all());
    }
}

#[test]
fn a_cluster_that_is_kept_up_is_restarted_and_slowed_but_keeps_its_clients() {
    let scene = Scene::start("");
    for name in ["isolate-clients", "drop-responses", "slow-clients"] {
        scene.refused(&format!("apply {name}"), 2, "connect to this cluster directly");
    }
    assert_eq!(scene.faults(), [], "nothing is left of what was refused");

    scene.ok("apply slow-links");
    assert_eq!(scene.faults(), [("slow-links".to_owned(), vec![1, 2, 3])]);
    scene.refused("apply bridge --node 1", 2, "undo it first");
    scene.refused("apply narrow-links --node 1", 2, "leave out --node");
    scene.ok("undo");

    scene.refused("apply restart --node 2 --for 5s", 2, "leave out --for");
    let json: Value = serde_json::from_str(&scene.ok("apply restart --node 2 --format json")).expect("JSON");
    assert_eq!(json["nodes"], serde_json::json!([2]));
    scene.ok("apply rolling-restart");
    assert!(super::stage::poll(std::time::Duration::from_secs(20), || scene.faults().is_empty()));
    assert!((1..=3).all(|node| scene.node(node, "running")));

    scene.ok("apply stop --node 3");
    assert!(!scene.node(3, "running") && !scene.accepts(3));
    scene.ok("apply isolate-one-way --node 1");
    scene.ok("undo --all");
    assert!(scene.accepts(3));
}

/// Any cluster will do whose brokers nobody may touch; here it is one of ours.
#[test]
fn clients_of_a_foreign_cluster_are_disturbed_behind_a_front() {
    let scene = Scene::start("");
    let words = format!(
        "--target kafka --bootstrap {} --nemesis isolate-clients,drop-responses,slow-clients --duration 12s --seed 4",
        scene.up.bootstrap
    );
    let ended = exercised(&scene.stage, &words);
    assert_eq!(word(&scene.stage), "held", "{words}: {}", ended.all());
    assert!(scene.stage.findings().is_empty(), "{words}: {}", ended.all());

    let line = format!("run --target kafka --bootstrap {} --nemesis", scene.up.bootstrap);
    for (words, says) in [
        ("kill", "cannot be reached"),
        ("isolate-clients -X security.protocol=ssl", "`security.protocol=ssl` cannot be disturbed"),
    ] {
        let refused = scene.stage.run(&format!("{line} {words}"));
        assert_eq!(refused.code, 2, "{words}: {}", refused.all());
        assert!(refused.stderr.contains(says), "{words}: {}", refused.all());
    }
}
