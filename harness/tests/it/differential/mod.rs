//! One client program, run on the reference broker and on Apache Kafka. It asks for everything a client can
//! ask for, rightly and wrongly, and writes down every error code, offset and generation; where the two
//! transcripts differ, `docs/differences.md` says why, and it lists nothing that does not differ.
//!
//! What Apache Kafka answered is recorded beside this file, so that the comparison needs no Java. Where Java
//! and Maven are there, the recording is compared with the real thing; `UPDATE_DOCS=1` writes both anew.

mod checks;
mod configs;
mod groups;
mod probe;
mod records;
mod topics;
mod transactions;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::apache;
use probe::Probe;

/// What both are told, so that only the brokers differ.
const SETTINGS: [(&str, &str); 8] = [
    ("auto.create.topics.enable", "false"),
    ("group.initial.rebalance.delay.ms", "0"),
    ("offsets.topic.num.partitions", "4"),
    ("offsets.topic.replication.factor", "1"),
    ("transaction.state.log.num.partitions", "4"),
    ("transaction.state.log.replication.factor", "1"),
    ("transaction.state.log.min.isr", "1"),
    ("broker.session.timeout.ms", "9000"),
];
/// Written where a difference has no reason yet; the test fails on it.
const UNEXPLAINED: &str = "UNEXPLAINED";

/// A reference cluster of one node. Dropping it ends it.
struct Reference {
    process: Child,
    bootstrap: String,
}

impl Reference {
    fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_highwater"));
        command.args(["cluster", "up", "--nodes", "1"]);
        for (name, value) in SETTINGS {
            command.args(["--set", &format!("{name}={value}")]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().expect("the binary starts");
        let mut bootstrap = String::new();
        let stdout = process.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut bootstrap).expect("stdout is readable");
        let reference = Self { process, bootstrap: bootstrap.trim().to_owned() };
        assert!(!reference.bootstrap.is_empty(), "the cluster came up");
        reference
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        let pid = i32::try_from(self.process.id()).expect("a process id");
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        let _ = self.process.wait();
    }
}

fn transcript(bootstrap: &str) -> String {
    let mut probe = Probe::connect(bootstrap);
    topics::run(&mut probe);
    records::run(&mut probe);
    checks::run(&mut probe);
    groups::run(&mut probe);
    transactions::run(&mut probe);
    configs::run(&mut probe);
    probe.transcript
}

fn recording() -> PathBuf {
    let name = format!("apache-kafka-{}.txt", apache::VERSION);
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/differential").join(name)
}

fn page() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/differences.md")
}

fn updating() -> bool {
    std::env::var_os("UPDATE_DOCS").is_some()
}

/// Steps and their results.
fn steps(transcript: &str) -> BTreeMap<&str, &str> {
    let mut steps = BTreeMap::new();
    for line in transcript.lines() {
        // A step is its area and its name; neither holds a colon.
        let area = line.find(": ").expect("an area");
        let step = area + 2 + line[area + 2..].find(": ").expect("a step");
        let before = steps.insert(&line[..step], &line[step + 2..]);
        assert!(before.is_none(), "two steps are called `{}`", &line[..step]);
    }
    steps
}

/// Reasons by step, as the page gives them.
fn reasons(page: &str) -> BTreeMap<String, String> {
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        (cells[0].trim_matches('`').to_owned(), cells.last().expect("a reason").to_string())
    })
    .collect()
}

/// The page: its introduction as it is, then a row for each difference.
fn rendered(old: &str, kafka: &str, reference: &str) -> String {
    let known = reasons(old);
    let (kafka, reference) = (steps(kafka), steps(reference));
    let introduction = old.split("\n| step |").next().unwrap_or_default().trim_end();
    let mut page = format!(
        "{introduction}\n\n| step | Apache Kafka {} | reference broker | why |\n|---|---|---|---|\n",
        apache::VERSION
    );
    let mut all: Vec<&str> = kafka.keys().chain(reference.keys()).copied().collect();
    all.sort_unstable();
    all.dedup();
    for step in all {
        let (there, here) = (kafka.get(step), reference.get(step));
        if there == here {
            continue;
        }
        let cell = |result: Option<&&str>| result.map_or("nothing", |text| text).replace('|', "/");
        let reason = known.get(step).map_or(UNEXPLAINED, String::as_str);
        writeln!(page, "| `{step}` | {} | {} | {reason} |", cell(there), cell(here)).expect("a string");
    }
    page
}

#[test]
fn the_reference_broker_differs_from_apache_kafka_only_as_documented() {
    let reference = Reference::start();
    let here = transcript(&reference.bootstrap);
    drop(reference);
    let there = fs::read_to_string(recording()).expect("the recording");
    let old = fs::read_to_string(page()).expect("the page");
    let new = rendered(&old, &there, &here);
    if updating() {
        fs::write(page(), &new).expect("the page is writable");
    }
    assert!(updating() || old == new, "docs/differences.md is not what was seen (UPDATE_DOCS=1):\n{new}");
    let unexplained: Vec<&str> = new.lines().filter(|row| row.contains(UNEXPLAINED)).collect();
    assert!(unexplained.is_empty(), "differences nobody has explained:\n{}", unexplained.join("\n"));
}

#[test]
fn the_recording_is_what_apache_kafka_answers() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut properties = String::new();
    for (name, value) in SETTINGS {
        writeln!(properties, "{name}={value}").expect("a string");
    }
    let Some(kafka) = apache::start("the differential test's recording on", dir.path(), &properties) else {
        return;
    };
    let seen = transcript(&kafka.bootstrap);
    if updating() {
        fs::write(recording(), &seen).expect("the recording is writable");
    }
    let recorded = fs::read_to_string(recording()).expect("the recording");
    let (seen, recorded) = (steps(&seen), steps(&recorded));
    let changed: Vec<String> = seen
        .iter()
        .filter(|(step, result)| recorded.get(*step) != Some(result))
        .map(|(step, result)| format!("{step}: {result}, recorded {:?}", recorded.get(step)))
        .collect();
    assert!(changed.is_empty(), "the recording is out of date (UPDATE_DOCS=1):\n{}", changed.join("\n"));
}
