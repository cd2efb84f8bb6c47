//! `doctor`: what it sees of a cluster, of a host, and of what was left there; and what it removes.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::stand::{Stand, sh};
use super::{HEALED, apply, is_whole};
use crate::cluster::Up;
use crate::stage::{Stage, poll};

/// State and text of the look that says `what`.
fn look<'a>(report: &'a Value, host: &str, what: &str) -> (&'a str, &'a str) {
    let looks = report["looks"].as_array().expect("a list");
    let found = looks.iter().find(|look| look["what"] == what && (host.is_empty() || look["host"] == host));
    let found = found.unwrap_or_else(|| panic!("`{what}` was looked at: {report:#}"));
    (found["state"].as_str().expect("a word"), found["text"].as_str().expect("text"))
}

#[test]
fn a_cluster_is_looked_at_from_its_brokers_to_our_rights() {
    let stage = Stage::new();
    let up = Up::start(&stage, "--nodes 2 --set min.insync.replicas=1");
    let state = stage.results.path().join("state");
    let doctor = |words: &str| {
        let mut command = stage.command(&format!("doctor --format json {words}"));
        let output = command.env("HIGHWATER_STATE", &state).output().expect("the binary starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let report: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("JSON: {output:?}"));
        (output.status.code().expect("it exits"), report)
    };
    let (code, report) = doctor(&format!("--bootstrap {}", up.bootstrap));
    assert_eq!(code, 0, "{report:#}");
    for broker in ["broker 1", "broker 2"] {
        assert_eq!(look(&report, "", broker).0, "ok");
    }
    for right in ["create a topic", "describe a topic", "delete a topic"] {
        assert_eq!(look(&report, "", right), ("ok", "we may"));
    }
    assert!(look(&report, "", "API versions").1.contains("Produce"), "{report:#}");
    let (state_of, text) = look(&report, "", "min.insync.replicas");
    assert!(state_of == "note" && text.starts_with("1: acks=all may mean one replica"), "{text}");
    let id = look(&report, "", "cluster id").1.to_owned();

    let file = stage.results.path().join("c.toml");
    let node = |id: i32| {
        format!("[[node]]\nid = {id}\nhost = \"here{id}\"\nlocal = true\ndata_dir = \"/\"\nunit = \"none\"\n")
    };
    let write = |id: &str| {
        let text = format!("bootstrap = \"{}\"\ncluster_id = \"{id}\"\n{}{}", up.bootstrap, node(1), node(3));
        fs::write(&file, text).expect("writable");
    };
    write("another");
    let (code, report) = doctor(&format!("--cluster {}", file.display()));
    assert_eq!(code, 3);
    let (state_of, text) = look(&report, "", "cluster id");
    assert!(state_of == "failed" && text.contains(&id) && text.contains("another"), "{text}");
    assert_eq!(look(&report, "", "node 3").0, "failed", "{report:#}");
    assert_eq!(look(&report, "", "broker 2").0, "ok", "the first look at it: it answers");
    assert!(report["looks"].to_string().contains("is not in the cluster file"));
    write(&id);
    let (_, report) = doctor(&format!("--cluster {}", file.display()));
    assert_eq!(look(&report, "", "cluster id").0, "ok");

    let address = up.bootstrap.clone();
    assert_eq!(up.end(Signal::SIGTERM).0, 0);
    let (code, report) = doctor(&format!("--bootstrap {address}"));
    assert_eq!(code, 3);
    assert!(look(&report, "", "cluster").1.contains("no broker of"), "{report:#}");
}

#[test]
fn leftovers_are_found_and_only_what_nobody_owns_is_removed() {
    let Some(stand) = Stand::new("left") else { return };
    let data = stand.path("data").display().to_string();
    let doctor = |words: &str| {
        let line = format!("doctor --format json --cluster {} {words}", stand.cluster_file().display());
        let output = stand.command(&line).output().expect("the binary starts");
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|_| panic!("JSON: {output:?}"))
    };
    let report = doctor("");
    let host = "127.0.0.1";
    assert_eq!(look(&report, host, "leftovers"), ("ok", "none"));
    assert_eq!(look(&report, host, "broker").0, "ok");
    assert_eq!(look(&report, host, "own mount"), ("ok", "ext4 can be shut down"));
    let (state, clock) = look(&report, host, "clock");
    assert!(state == "ok" && clock.contains("ms ± "), "{clock}");
    assert_eq!(look(&report, "127.0.0.2", "connection").0, "failed", "node 2 is never there");

    // A living fault, and beside it what nobody knows of.
    assert_eq!(stand.run(&apply(&stand, "cut", "5m")).0, 0);
    stand
        .inside(
            "set -e; iptables -N HIGHWATER-lost; iptables -I INPUT 1 -j HIGHWATER-lost; iptables -N SOMEBODY",
        )
        .expect("root");
    stand.inside("tc qdisc add dev lo root handle 4857: htb default 0").expect("root");
    stand.inside(&format!("touch {data}/.highwater-lost")).expect("writable");
    let report = doctor("");
    let (state, text) = look(&report, host, "leftovers");
    assert_eq!(state, "failed");
    for part in ["chain HIGHWATER-lost of iptables", "qdisc 4857: of lo", ".highwater-lost"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("hand"), "what is on record is no leftover: {text}");
    let report = doctor("--clean");
    assert!(look(&report, host, "leftovers").1.starts_with("removed chain HIGHWATER-lost"), "{report:#}");
    assert_eq!(look(&doctor(""), host, "leftovers"), ("ok", "none"));
    assert!(
        stand.inside("iptables -S | grep -q DROP && iptables -S | grep -q SOMEBODY").is_ok(),
        "neither is ours to remove"
    );

    // As after a reboot: the record is there, its timer is not.
    let timer = sh(&format!(
        "grep -alz {}/.*/watch.sh /proc/[0-9]*/cmdline 2>/dev/null || true",
        stand.path("state").display()
    ));
    let timers: Vec<_> = timer.expect("readable").split_whitespace().map(str::to_owned).collect();
    for timer in &timers {
        let pid = timer.split('/').nth(2).expect("/proc/PID/cmdline");
        // The shell that was just looking has the same words, and is gone.
        let _ = sh(&format!("kill -KILL {pid}"));
    }
    assert!(poll(HEALED, || look(&doctor(""), host, "leftovers").1.contains("whose timer is gone")));
    doctor("--clean");
    stand.inside("iptables -X SOMEBODY").expect("still there");
    assert!(is_whole(&stand) && stand.on_record() == 0);
    assert_eq!(stand.run("nemesis undo --all").0, 0);
}
