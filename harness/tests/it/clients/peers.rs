//! Clients in other languages: admin calls, groups whose members come and go, transactional copies.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::{Stage, cluster, found, run, skip};

const FRANZ: [(&str, &str); 3] = [
    ("main.go", include_str!("programs/franz/main.go")),
    ("go.mod", include_str!("programs/franz/go.mod")),
    ("go.sum", include_str!("programs/franz/go.sum")),
];
const CONFLUENT: &str = include_str!("programs/confluent.py");
const KAFKA_PYTHON: &str = include_str!("programs/kafka_python.py");

/// A Python with these packages, or why there is none.
fn python(dir: &Path, packages: &[&str]) -> Result<PathBuf, String> {
    run(Command::new("python3").args(["-m", "venv"]).arg(dir))?;
    run(Command::new(dir.join("bin/pip")).args(["install", "--quiet"]).args(packages))?;
    Ok(dir.join("bin/python"))
}

#[test]
#[ignore = "fetches a Go module; run by hand"]
fn franz_go() {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, text) in FRANZ {
        fs::write(dir.path().join(name), text).expect("the folder is writable");
    }
    if let Err(why) = run(Command::new("go").args(["build", "-o", "client", "."]).current_dir(dir.path())) {
        return skip("franz-go", &why);
    }
    let stage = Stage::new();
    let up = cluster(&stage);
    found(
        Command::new(dir.path().join("client")).arg(&up.bootstrap),
        &json!({
            "created again": "true true", "min.insync.replicas": "2", "end offsets": 3000,
            "three members share": true, "two members share": true, "seen by the group": 3000,
            "commits and aborts": true, "copies": 3000, "different copies": 3000, "lag": 0,
            "transactional ids": 1, "start after delete records": 10, "groups": ["go-copy", "go-group"],
        }),
    );
}

#[test]
#[ignore = "fetches a Python package; run by hand"]
fn librdkafka_through_python() {
    let dir = tempfile::tempdir().expect("a folder");
    let python = match python(dir.path(), &["confluent-kafka==2.16.1"]) {
        Ok(python) => python,
        Err(why) => return skip("confluent-kafka", &why),
    };
    let stage = Stage::new();
    let up = cluster(&stage);
    found(
        Command::new(python).args(["-c", CONFLUENT, &up.bootstrap]),
        &json!({
            "created again": true, "min.insync.replicas": "2", "nodes": 3, "left in the queue": 0,
            "end offsets": 3000, "three members share": true, "two members share": true,
            "seen by the group": 3000, "described members": 3, "aborts": true, "copies": 3000,
            "different copies": 3000, "start after delete records": 10,
        }),
    );
}

#[test]
#[ignore = "fetches a Python package; run by hand"]
fn kafka_python() {
    let dir = tempfile::tempdir().expect("a folder");
    let python = match python(dir.path(), &["kafka-python==3.0.12"]) {
        Ok(python) => python,
        Err(why) => return skip("kafka-python", &why),
    };
    let stage = Stage::new();
    let up = cluster(&stage);
    found(
        Command::new(python).args(["-c", KAFKA_PYTHON, &up.bootstrap]),
        &json!({
            "created again": true, "described": ["kp-in", "kp-out"], "two members share": true,
            "one member has all": true, "seen by the group": 3000, "aborts": true, "copies": 3000,
            "different copies": 3000,
        }),
    );
}

#[test]
#[ignore = "needs kcat; run by hand"]
fn kcat() {
    if let Err(why) = run(Command::new("kcat").arg("-V")) {
        return skip("kcat", &why);
    }
    let stage = Stage::new();
    let up = cluster(&stage);
    let dir = tempfile::tempdir().expect("a folder");
    let lines: String = (0..2000).map(|number| format!("{number}:value {number}\n")).collect();
    let file = dir.path().join("lines");
    fs::write(&file, &lines).expect("the folder is writable");
    let kcat = || {
        let mut command = Command::new("kcat");
        command.args(["-b", &up.bootstrap]);
        command
    };
    run(kcat().args(["-P", "-t", "kcat", "-K:", "-z", "gzip", "-l"]).arg(&file)).expect("it produces");
    let listed = run(kcat().args(["-L", "-t", "kcat"])).expect("it lists");
    assert!(listed.contains("topic \"kcat\""), "{listed}");
    let read =
        run(kcat().args(["-C", "-t", "kcat", "-o", "beginning", "-e", "-q", "-K:"])).expect("it reads");
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&read), sorted(&lines));
}
