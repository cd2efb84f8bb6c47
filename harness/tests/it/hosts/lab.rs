//! The lab: it comes up with Apache Kafka, runs break it over SSH and find what Kafka promises and what it does
//! not, and it leaves nothing, whoever is killed. It wants root, its tools, Java and jars; else it says loudly that
//! nothing was tested.

use std::io::{BufRead, BufReader, Write};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::stand::sh;
use crate::stage::{Background, Ended, Stage, poll};

/// A host's lease, its undo, and a slow machine.
const HEALED: Duration = Duration::from_secs(90);

/// What a lab could leave: namespaces, loop devices, mounts, `sshd`s and brokers.
fn count() -> String {
    sh("ip netns list | grep -c '^hw-lab' ; losetup -l -n -O BACK-FILE | grep -c '/lab/node-' ; grep -c '/lab/node-' /proc/mounts; ps -eo args | grep -c '[/]lab/node-'; true")
        .expect("sh runs")
}

pub(super) fn skip(why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: the lab with Apache Kafka: {why}");
}

/// A lab; dropped, it is taken down.
pub(super) struct Lab {
    pub(super) stage: Stage,
    before: String,
}

impl Lab {
    /// One that is up; `None`, and a loud word, where something is missing.
    fn up() -> Option<Self> {
        let lab = Self::to_be()?;
        let up = lab.run("lab up --disks");
        if up.stderr.contains("mvn") {
            skip(&up.stderr);
            return None;
        }
        assert_eq!(up.code, 0, "up: {}", up.all());
        Some(lab)
    }

    /// One that can be built.
    pub(super) fn to_be() -> Option<Self> {
        let lab = Self { stage: Stage::alone(), before: count() };
        let doctor = lab.run("doctor");
        if let Some(missing) = doctor.stdout.lines().find(|line| line.starts_with("missing")) {
            skip(missing);
            return None;
        }
        if lab.before.starts_with(|c: char| c != '0') {
            skip("somebody else's lab is up");
            return None;
        }
        Some(lab)
    }

    fn state(&self) -> String {
        self.stage.results.path().join("state").display().to_string()
    }

    pub(super) fn command(&self, line: &str) -> std::process::Command {
        let mut command = self.stage.command(line);
        command.env("HIGHWATER_STATE", self.state());
        command
    }

    pub(super) fn run(&self, line: &str) -> Ended {
        let output = self.command(line).output().expect("the binary starts");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ended {
            code: output.status.code().unwrap_or(-1),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// How many acknowledged records a run has lost, on a machine that stands still now and then.
    fn lost(&self, flags: &str) -> u64 {
        let line = format!("run --target lab --partitions 1 --rate 300 --seed 7 --format json {flags}");
        let mut ended = self.run(&line);
        if ended.code == 4 {
            let _ = writeln!(std::io::stderr(), "AGAIN, nothing was put to the test: highwater {line}");
            ended = self.run(&line);
        }
        assert_eq!(ended.code, 0, "{line}: {}", ended.all());
        let verdict: serde_json::Value = serde_json::from_str(&ended.stdout).expect("a verdict");
        let findings = verdict["findings"].as_array().expect("findings");
        let lost = findings.iter().filter(|finding| finding["kind"] == "lost-write");
        lost.filter_map(|finding| finding["count"].as_u64()).sum()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let down = self.run("lab down");
        if !std::thread::panicking() {
            assert_eq!(down.code, 0, "down: {}", down.all());
            assert_eq!(count(), self.before, "nothing is left");
        }
    }
}

#[test]
fn the_lab_shows_what_apache_kafka_keeps_and_leaves_nothing() {
    let Some(lab) = Lab::up() else { return };
    let lone = "--set acks=1 --set min.insync.replicas=1 --nemesis isolate-leader --duration 12s";
    assert!(lab.lost(lone) > 0, "an isolated leader confirms what nobody else has");
    let story = lab.run("explain latest lost-write --format json");
    let told: serde_json::Value = serde_json::from_str(&story.stdout).expect("a story");
    let by_its_broker = |event: &serde_json::Value| {
        let part = |name: &str| event[name].as_str().unwrap_or_default();
        part("who").starts_with("node-")
            && part("what").contains("Truncating partition 0 with")
            && part("what").contains("due to leader epoch")
            && event["error_ns"].as_u64().is_some_and(|error| error > 0)
    };
    let events = told["events"].as_array().expect("events");
    assert!(events.iter().any(by_its_broker), "what the old leader said of it: {}", story.all());
    assert_eq!(lab.lost("--nemesis isolate-leader --duration 12s"), 0, "acks=all waits for the others");
    let dark = "--nemesis power-failure-all --duration 10s";
    assert!(lab.lost(dark) > 0, "acks=all is replication in memory");
    assert_eq!(lab.lost(&format!("{dark} --set flush.messages=1")), 0, "what is synced is kept");

    let asked = "--nemesis reassign-replicas@1s+2s,preferred-election@4s+1s,alter-topic-configs@6s+2s,\
                 add-partitions@9s+2s --keys 50 --duration 14s";
    assert_eq!(lab.lost(asked), 0, "what an administrator asks for costs nothing with acks=all");

    // A run that is killed leaves its fault to the hosts, which heal themselves.
    let doomed = "run --target lab --partitions 1 --nemesis kill@1s+60s --duration 61s";
    let mut runner = lab.command(doomed).spawn().expect("the binary starts");
    let mut lines = BufReader::new(runner.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("fault 1: kill")), "the fault comes");
    let second = lab.run("run --target lab --nemesis none --duration 1s");
    assert_eq!(second.code, 3, "two at once: {}", second.all());
    assert!(second.stderr.contains("is at work on the cluster"), "{}", second.all());
    runner.kill().expect("it can be killed");
    runner.wait().expect("it ends");
    let next = lab.run("run --target lab --nemesis none --duration 1s");
    assert_eq!(next.code, 3, "while a fault is on record: {}", next.all());
    assert!(next.stderr.contains("highwater nemesis undo --all"), "{}", next.all());
    let brokers = "pgrep -fc '^java .*[/]lab/node-'";
    let healed = poll(HEALED, || sh(brokers).is_ok_and(|count| count.trim() == "3"));
    assert!(healed, "the host starts its broker by itself");
    let undo = lab.run("nemesis undo --all");
    assert_eq!(undo.code, 0, "undo: {}", undo.all());
    assert!(undo.stdout.contains("nothing is open"), "undo: {}", undo.all());
}

#[test]
fn a_signal_while_it_is_built_takes_down_what_there_is() {
    let Some(lab) = Lab::to_be() else { return };
    for (line, step, signal, exit) in [
        ("lab up --disks", "lab: namespaces", Signal::SIGINT, 130),
        ("lab up --disks", "lab: host 2", Signal::SIGTERM, 143),
        ("lab up --disks --ssh-backend openssh", "lab: brokers", Signal::SIGINT, 130),
        ("run --target lab --nemesis none --duration 1s", "lab: host 1", Signal::SIGTERM, 143),
    ] {
        let mut building = Background::start(lab.command(line));
        building.read_until(step);
        building.signal(signal);
        let ended = building.finish();
        if ended.stderr.contains("mvn") {
            return skip(&ended.stderr);
        }
        assert_eq!(ended.code, exit, "{line}, {step}: {}", ended.all());
        assert!(ended.stderr.contains("nothing of it is left"), "{line}, {step}: {}", ended.all());
        assert_eq!(count(), lab.before, "{line}, {step}: nothing is left");
        assert!(lab.run("lab status").stdout.contains("no lab"), "{line}, {step}");
    }
}
