//! The lab: it comes up with Apache Kafka, takes records, can be broken over SSH, and leaves nothing. It wants
//! root, its tools, Java and jars; else it says loudly that nothing was tested.

use std::io::Write;
use std::process::{Command, Stdio};

use super::stand::sh;

/// What a lab could leave: namespaces, loop devices, mounts, `sshd`s and brokers.
fn count() -> String {
    sh("ip netns list | grep -c '^hw-lab' ; losetup -l -n -O BACK-FILE | grep -c '/lab/node-' ; grep -c '/lab/node-' /proc/mounts; ps -eo args | grep -c '[/]lab/node-'; true")
        .expect("sh runs")
}

#[test]
fn a_lab_comes_up_can_be_broken_and_leaves_nothing() {
    let skip = |why: &str| {
        let _ = writeln!(std::io::stderr(), "SKIPPED: the lab with Apache Kafka: {why}");
    };
    let dir = tempfile::tempdir().expect("a temporary directory");
    let run = |program: &str, words: &[&str]| {
        let mut command = Command::new(program);
        command
            .args(words)
            .env("HIGHWATER_STATE", dir.path())
            .env("HIGHWATER_RESULTS", dir.path().join("runs"));
        let output = command.stdin(Stdio::null()).output().expect("it starts");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.code().unwrap_or(-1), said)
    };
    let highwater = env!("CARGO_BIN_EXE_highwater");
    let (_, doctor) = run(highwater, &["doctor"]);
    if let Some(missing) = doctor.lines().find(|line| line.starts_with("missing")) {
        return skip(missing);
    }
    let before = count();
    if before.starts_with(|c: char| c != '0') {
        return skip("somebody else's lab is up");
    }
    // CI may have fetched the jars; without them Maven is asked.
    let home = std::env::var("HIGHWATER_KAFKA_HOME").unwrap_or_default();
    let mut up = vec!["lab", "up", "--disks"];
    if !home.is_empty() {
        up.extend(["--kafka-home", &home]);
    }
    let (code, said) = run(highwater, &up);
    if said.contains("mvn") {
        return skip(&said);
    }
    let broken = (code == 0).then(|| {
        let file = dir.path().join("lab/cluster.toml").display().to_string();
        let bootstrap = "10.77.0.1:9092,10.77.0.2:9092,10.77.0.3:9092";
        let load =
            ["run", "--target", "kafka", "--bootstrap", bootstrap, "--duration", "2s", "--rate", "100"];
        let inside = [&["--net=/run/netns/hw-lab", highwater][..], &load].concat();
        let taken = run("nsenter", &inside);
        let id = "aGlnaHdhdGVyLWxhYi0wMA";
        let apply =
            ["nemesis", "apply", "power-failure", "--node", "2", "--allow-destructive", "--for", "5m"];
        let apply = run(highwater, &[&apply[..], &["--confirm-cluster-id", id, "--cluster", &file]].concat());
        (taken, apply, run(highwater, &["nemesis", "undo", "--all"]))
    });
    let (down, gone) = run(highwater, &["lab", "down"]);
    assert_eq!(code, 0, "up: {said}");
    assert_eq!(down, 0, "down: {gone}");
    assert_eq!(count(), before, "nothing is left");
    let (taken, apply, undo) = broken.expect("it was up");
    assert_eq!(taken.0, 0, "run: {}", taken.1);
    assert_eq!(apply.0, 0, "apply: {}", apply.1);
    assert!(undo.0 == 0 && undo.1.contains("1 undone"), "undo: {}", undo.1);
}
