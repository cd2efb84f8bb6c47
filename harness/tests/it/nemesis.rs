//! `highwater nemesis`: faults on a cluster that stays up, by hand; what they do to its nodes, who undoes
//! them, and what of the wrong questions.

use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::cluster::{Up, run_against};
use super::stage::{Stage, poll};

const SOON: Duration = Duration::from_secs(20);

/// A cluster in a folder of its own, and how to ask for faults on it.
pub(crate) struct Scene {
    pub(crate) up: Up,
    data: PathBuf,
    _place: tempfile::TempDir,
    pub(crate) stage: Stage,
}

impl Scene {
    pub(crate) fn start(extra: &str) -> Self {
        let stage = Stage::new();
        let place = tempfile::tempdir().expect("a folder");
        let data = place.path().join("cluster");
        let up = Up::start(&stage, &format!("--nodes 3 --data {} {extra}", data.display()));
        Self { up, data, _place: place, stage }
    }

    fn line(&self, words: &str) -> String {
        format!("nemesis {words} --cluster {}", self.data.display())
    }

    pub(crate) fn ok(&self, words: &str) -> String {
        let ended = self.stage.run(&self.line(words));
        assert_eq!(ended.code, 0, "{words}: {}", ended.all());
        assert_eq!(ended.stderr, "", "{words}");
        ended.stdout
    }

    pub(crate) fn refused(&self, words: &str, code: i32, says: &str) {
        refused(&self.stage, &self.line(words), code, says);
    }

    fn status(&self) -> Value {
        serde_json::from_str(&self.ok("status --format json")).expect("JSON")
    }

    pub(crate) fn faults(&self) -> Vec<(String, Vec<i64>)> {
        let status = self.status();
        let faults = status["faults"].as_array().expect("a list").iter();
        faults
            .map(|fault| {
                let nodes = fault["nodes"].as_array().expect("a list").iter();
                (
                    fault["fault"].as_str().expect("a name").to_owned(),
                    nodes.filter_map(Value::as_i64).collect(),
                )
            })
            .collect()
    }

    pub(crate) fn node(&self, node: usize, field: &str) -> bool {
        self.status()["nodes"][node - 1][field].as_bool().expect("a truth")
    }

    pub(crate) fn accepts(&self, node: usize) -> bool {
        let address = self.up.bootstrap.split(',').nth(node - 1).expect("an address");
        TcpStream::connect(address).is_ok()
    }
}

fn refused(stage: &Stage, line: &str, code: i32, says: &str) {
    let ended = stage.run(line);
    assert_eq!(ended.code, code, "{line}: {}", ended.all());
    assert_eq!(ended.stdout, "", "{line}");
    assert_eq!(ended.stderr.lines().count(), 1, "{line}: {}", ended.all());
    assert!(ended.stderr.contains(says), "{line}: {}", ended.all());
}

#[test]
fn faults_are_applied_shown_and_undone() {
    let scene = Scene::start("");
    run_against(&scene.stage, &scene.up.bootstrap, "--topic faulted --keep-topics");
    assert_eq!(scene.faults(), []);
    assert!(scene.ok("undo").contains("nothing is in force"), "undoing nothing is no mistake");

    let said = scene.ok("apply kill --node 2");
    assert!(said.contains("kill of node 2"), "{said}");
    assert!(!scene.accepts(2) && scene.accepts(1), "its port refuses, and only its");
    assert_eq!(scene.faults(), [("kill".to_owned(), vec![2])]);
    assert!(!scene.node(2, "running") && scene.node(1, "running"));
    scene.refused("apply pause --node 2", 2, "undo it first");
    scene.refused("apply power-failure-all", 2, "undo it first");

    scene.ok("apply pause --node 1");
    assert!(poll(SOON, || scene.node(1, "fenced")), "whoever is stopped is fenced");
    let shown = scene.ok("status");
    assert!(shown.contains("fault 1: kill") && shown.contains("fault 2: pause"), "{shown}");
    scene.refused("undo 7", 2, "fault 7");
    scene.ok("undo 1");
    assert_eq!(scene.faults(), [("pause".to_owned(), vec![1])]);
    assert!(poll(SOON, || scene.accepts(2)), "it is back on its port");
    let json: Value = serde_json::from_str(&scene.ok("undo --all --format json")).expect("JSON");
    assert_eq!(json[0]["fault"], "pause");
    assert!(poll(SOON, || (1..=3).all(|node| scene.node(node, "running") && !scene.node(node, "fenced"))));
    run_against(&scene.stage, &scene.up.bootstrap, "");
}

#[test]
fn a_leader_is_isolated_from_its_peers_and_not_from_its_clients() {
    let scene = Scene::start("");
    run_against(&scene.stage, &scene.up.bootstrap, "--topic cut --keep-topics --partitions 1");
    let json = scene.ok("apply isolate-leader --partition cut/0 --format json");
    let applied: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(applied["partitions"], serde_json::json!(["cut/0"]), "{applied}");
    let node = usize::try_from(applied["nodes"][0].as_u64().expect("a node")).expect("small");
    assert!(poll(SOON, || scene.node(node, "fenced")), "the controller misses it");
    assert!(scene.node(node, "running") && scene.accepts(node), "its clients still reach it");
    // Both faults cut the links between their nodes; undoing one leaves the other whole.
    let other = node % 3 + 1;
    scene.ok(&format!("apply isolate-leader --node {other}"));
    scene.ok("undo");
    assert!(poll(SOON, || !scene.node(other, "fenced")));
    assert!(scene.node(node, "fenced"));
    scene.ok("undo");
    assert!(poll(SOON, || !scene.node(node, "fenced")));
}

#[test]
fn a_fault_with_an_end_heals_by_itself() {
    let scene = Scene::start("");
    let json = scene.ok("apply kill --for 1s --format json");
    let applied: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(applied["nodes"], serde_json::json!([1]), "nobody leads: the first");
    assert!(applied["left_ms"].as_u64().is_some_and(|left| left <= 1000), "{applied}");
    assert!(poll(SOON, || scene.faults().is_empty()), "its time is over");
    assert!(poll(SOON, || scene.accepts(1)));
}

#[test]
fn who_dies_while_it_is_stopped_comes_back_all_the_same() {
    let scene = Scene::start("");
    let before = scene.up.children();
    scene.ok("apply pause --node 3");
    let stopped = before.iter().find(|child| child.is_stopped()).expect("one is stopped");
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(i32::try_from(stopped.pid).expect("a process id")),
        Signal::SIGKILL,
    )
    .expect("it is there");
    assert!(poll(SOON, || !stopped.lives()));
    scene.ok("undo --all");
    assert!(poll(SOON, || scene.node(3, "running") && scene.accepts(3)));
    assert_eq!(scene.faults(), []);
}

#[test]
fn power_takes_what_was_not_synced() {
    let scene = Scene::start("--set log.flush.interval.messages=1000000000");
    run_against(&scene.stage, &scene.up.bootstrap, "--topic dark --keep-topics");
    let lost = |fault: &str| -> u64 {
        scene.ok(&format!("apply {fault}"));
        let undone: Value = serde_json::from_str(&scene.ok("undo --format json")).expect("JSON");
        undone[0]["bytes"].as_u64().expect("a count")
    };
    assert!(lost("power-failure --node 1") > 0, "records were in memory only");
    assert_eq!(lost("kill --node 1"), 0);
    assert!(lost("power-failure-all") > 0);
    assert!(poll(SOON, || (1..=3).all(|node| scene.node(node, "running") && !scene.node(node, "fenced"))));
}

#[test]
fn wrong_questions_are_answered_with_one_line() {
    let scene = Scene::start("");
    scene.refused("apply kill --node 9", 2, "the nodes are 1, 2, 3");
    scene.refused("apply kill --partition none/0", 2, "`none/0`");
    scene.refused("apply kill --partition none", 2, "orders/0");
    scene.refused("apply kill --node 1 --partition a/0", 2, "--partition");
    scene.refused("apply power-failure-all --node 1", 2, "every node");
    scene.refused("apply kil --node 1", 2, "`kill`");
    scene.refused("apply none", 2, "none");
    scene.refused("apply kill --for soon", 2, "500ms");
    scene.refused("undo 1 --all", 2, "--all");
    scene.refused("undo 1", 2, "fault 1 is not in force");
    assert_eq!(scene.faults(), [], "nothing was touched");

    let (stage, nowhere) = (&scene.stage, tempfile::tempdir().expect("a folder"));
    let nowhere = nowhere.path().display();
    refused(stage, &format!("nemesis status --cluster {nowhere}"), 2, "no cluster's directory");
    refused(stage, &format!("nemesis status --cluster {nowhere}/none"), 2, "no cluster's directory");
    let mode = socket(&scene.data).metadata().expect("a socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "for its owner alone");
    let Scene { up, data, _place, stage } = scene;
    up.end(Signal::SIGTERM);
    refused(&stage, &format!("nemesis status --cluster {}", data.display()), 3, "running cluster");
}

#[test]
fn a_cluster_that_ends_while_faults_are_in_force_leaves_nothing_behind() {
    let scene = Scene::start("");
    scene.ok("apply pause --node 1");
    scene.ok("apply kill --node 2");
    scene.ok("apply isolate-followers --node 3");
    let children = scene.up.children();
    let Scene { up, data, _place, stage } = scene;
    assert_eq!(up.end(Signal::SIGINT), (0, String::new()));
    assert!(children.iter().all(|child| !child.lives()), "stopped ones too");
    assert!(!socket(&data).exists());

    // Killed, it leaves a socket that nobody listens on; the next one takes its place.
    let again = format!("--data {}", data.display());
    let up = Up::start(&stage, &again);
    let paused = stage.run(&format!("nemesis apply pause --node 1 --cluster {}", data.display()));
    assert_eq!(paused.code, 0, "{}", paused.all());
    let children = up.children();
    up.end(Signal::SIGKILL);
    assert!(poll(SOON, || children.iter().all(|child| !child.lives())));
    refused(&stage, &format!("nemesis status --cluster {}", data.display()), 3, "running cluster");
    let up = Up::start(&stage, &again);
    let status = stage.run(&format!("nemesis status --cluster {}", data.display()));
    assert!(status.stdout.contains("nothing is in force"), "{}", status.all());
    up.end(Signal::SIGINT);
}

#[test]
fn the_only_cluster_need_not_be_named() {
    let stage = Stage::new();
    let place = tempfile::tempdir().expect("a folder");
    let command = |line: &str| {
        let mut command = stage.command(line);
        command.env("TMPDIR", place.path());
        command
    };
    let ask = |line: &str| {
        let output = command(line).output().expect("the binary starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, _, said) = ask("nemesis apply pause");
    assert_eq!(code, Some(3), "{said}");
    let first = Up::spawn(command("cluster up --nodes 1"));
    let (code, shown, said) = ask("nemesis status");
    assert_eq!(code, Some(0), "{said}");
    assert!(shown.contains("node 1: running"), "{shown}");
    let (code, _, said) = ask("nemesis apply isolate-followers");
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("no followers"), "{said}");
    let second = Up::spawn(command("cluster up --nodes 1"));
    let (code, _, said) = ask("nemesis status");
    assert_eq!(code, Some(2), "{said}");
    assert_eq!(said.matches("highwater-cluster-").count(), 2, "{said}");
    first.end(Signal::SIGINT);
    second.end(Signal::SIGINT);
    assert_eq!(std::fs::read_dir(place.path()).expect("a folder").count(), 0, "nothing is left");
}

fn socket(data: &Path) -> PathBuf {
    data.join("control.sock")
}
