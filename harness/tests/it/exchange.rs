//! `highwater history`, from the outside: what goes out comes in again and is judged the same, and nothing
//! half made is left behind.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;

/// Record 2 of key 7 is acknowledged at offset 1, read past by process 1, and never seen; record 1 of key 8
/// was read twice.
pub(crate) const LOST: &str = r#"{"type":"invoke","f":"send","process":0,"time":1000,"value":[["send",7,1]]}
{"type":"ok","f":"send","process":0,"time":2000,"value":[["send",7,[0,1]]]}
{"type":"invoke","f":"send","process":0,"time":3000,"value":[["send",7,2]]}
{"type":"ok","f":"send","process":0,"time":4000,"value":[["send",7,[1,2]]]}
{"type":"invoke","f":"send","process":0,"time":5000,"value":[["send",7,3],["send",8,1]]}
{"type":"ok","f":"send","process":0,"time":6000,"value":[["send",7,[2,3]],["send",8,[0,1]]]}
{"type":"invoke","f":"send","process":2,"time":6500,"value":[["send",7,4]]}
{"type":"info","f":"send","process":2,"time":6600,"value":[["send",7,4]],"error":"timeout"}
{"type":"invoke","f":"poll","process":1,"time":7000,"value":[["poll"]]}
{"type":"ok","f":"poll","process":1,"time":8000,"value":[["poll",{"7":[[0,1],[2,3]],"8":[[0,1]]}]]}
{"type":"invoke","f":"poll","process":1,"time":9000,"value":[["poll"]]}
{"type":"ok","f":"poll","process":1,"time":9500,"value":[["poll",{"8":[[1,1]]}]]}"#;

/// What kafka-verifiable-producer and -consumer print.
const PRODUCER: &str = r#"{"timestamp":1000,"name":"startup_complete"}
{"timestamp":1100,"name":"producer_send_success","key":null,"value":"0.0","topic":"t","partition":0,"offset":0}
{"timestamp":1200,"name":"producer_send_success","key":null,"value":"0.1","topic":"t","partition":0,"offset":1}
{"timestamp":1300,"name":"shutdown_complete"}"#;
const CONSUMER: &str = r#"{"timestamp":1000,"name":"startup_complete"}
{"timestamp":1500,"name":"record_data","key":null,"value":"0.0","topic":"t","partition":0,"offset":0}
{"timestamp":1501,"name":"record_data","key":null,"value":"0.1","topic":"t","partition":0,"offset":1}
{"timestamp":1600,"name":"shutdown_complete"}"#;

/// A directory to work in, with `lost.jsonl` in it.
pub(crate) struct Desk(tempfile::TempDir);

impl Desk {
    pub(crate) fn new() -> Self {
        let desk = Self(tempfile::tempdir().expect("a directory"));
        desk.put("lost.jsonl", LOST);
        desk
    }

    pub(crate) fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).expect("a writable directory");
        path
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs it there; gives exit code, stdout and stderr.
    pub(crate) fn run(&self, line: &str) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_highwater"));
        command.env_remove("HIGHWATER_RESULTS").current_dir(self.0.path());
        let output = command.args(line.split_whitespace()).output().expect("it starts");
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
        (output.status.code().expect("it exits by itself"), text(&output.stdout), text(&output.stderr))
    }

    /// The same, where it must succeed.
    pub(crate) fn well(&self, line: &str) -> String {
        let (code, stdout, stderr) = self.run(line);
        assert_eq!(code, 0, "{line}: {stdout}{stderr}");
        stdout
    }

    /// Exit code, verdict, and findings by kind and count of a check.
    pub(crate) fn verdict(&self, input: &str) -> (i32, Value, Vec<String>) {
        let (code, stdout, stderr) = self.run(&format!("check {input} --format json"));
        let checked: Value =
            serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}{stderr}"));
        let findings = checked["findings"].as_array().expect("findings").iter();
        let mut findings: Vec<String> =
            findings.map(|finding| format!("{} {}", finding["kind"], finding["count"])).collect();
        findings.sort();
        (code, checked["verdict"].clone(), findings)
    }

    fn names(&self, dir: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.0.path().join(dir)) else { return Vec::new() };
        let names = entries.map(|entry| entry.expect("read").file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }
}

#[test]
fn a_foreign_history_becomes_a_run_and_goes_out_again_with_the_same_verdict() {
    let desk = Desk::new();
    let first = desk.verdict("lost.jsonl");
    assert_eq!(first.0, 1);
    assert!(first.2.iter().any(|finding| finding == "\"lost-write\" 1"), "{first:?}");

    let said = desk.well("history import lost.jsonl");
    assert!(said.contains("results/runs/lost: 6 operations of 3 processes, broken"), "{said}");
    assert_eq!(desk.names("results/runs"), ["latest", "lost"]);
    for name in ["lost", "latest", "results/runs/lost"] {
        assert_eq!(desk.verdict(name), first, "{name}");
    }
    let runs = desk.well("runs --format csv");
    assert!(
        runs.lines().nth(1).is_some_and(|line| line.contains("lost,") && line.contains("broken")),
        "{runs}"
    );
    for file in ["plan.json", "verdict.json", "summary.txt"] {
        assert!(desk.path().join("results/runs/lost").join(file).is_file(), "{file}");
    }

    for (format, file) in [("jsonl", "out.jsonl"), ("jepsen", "out.json"), ("jepsen-edn", "out.edn")] {
        assert_eq!(desk.well(&format!("history export lost --format {format} -o {file}")), "");
        assert_eq!(desk.verdict(file), first, "{format}");
        let stdout = desk.well(&format!("history export lost.jsonl --format {format}"));
        desk.put("again", &stdout);
        assert_eq!(desk.verdict("again"), first, "{format}");
        desk.well(&format!("history import {file} --name of-{format}"));
        assert_eq!(desk.verdict(&format!("of-{format}")), first, "{format}");
    }
}

#[test]
fn a_run_of_ours_comes_back_as_it_was() {
    let desk = Desk::new();
    desk.well("bench check -q --records 2000 --keep --dir made");
    let made = desk.names("made");
    let run = format!("made/{}/latest", made[0]);
    let first = desk.verdict(&run);
    assert_eq!((first.0, &first.1), (0, &Value::from("held")));
    desk.well(&format!("history export {run} -o run.jsonl"));
    assert_eq!(desk.verdict("run.jsonl"), first);
    desk.well("history import run.jsonl --name again");
    assert_eq!(desk.verdict("again"), first);
    let told = |run: &Path| -> Value {
        let mut plan: Value =
            serde_json::from_slice(&fs::read(run.join("plan.json")).expect("a plan")).expect("JSON");
        plan["run"] = Value::Null;
        plan
    };
    let path = desk.path();
    assert_eq!(told(&path.join("results/runs/again")), told(&path.join(&run)), "but for its name");
    desk.well("history export again -o again.jsonl");
    let body = |name: &str| {
        let text = fs::read_to_string(path.join(name)).expect("read");
        text.split_once('\n').map(|(_, body)| body.to_owned()).expect("lines")
    };
    assert_eq!(body("again.jsonl"), body("run.jsonl"), "but for the plan in the first line");
    for input in ["run.jsonl", "again"] {
        let (code, _, stderr) = desk.run(&format!("check {input} --set acks=1"));
        assert!(code == 2 && stderr.contains("tells its own settings"), "{stderr}");
    }
}

#[test]
fn what_was_told_of_settings_stays_with_the_run() {
    let desk = Desk::new();
    desk.well("history import lost.jsonl --set acks=1 --name one");
    assert_eq!(desk.verdict("one"), desk.verdict("lost.jsonl --set acks=1"));
    let (_, stdout, _) = desk.run("check one");
    assert!(stdout.contains("acks=1"), "{stdout}");
    // What the run was imported with may be told otherwise later.
    assert_eq!(desk.verdict("one --set acks=all"), desk.verdict("lost.jsonl --set acks=all"));
    desk.well("history export one -o one.jsonl");
    assert_eq!(desk.verdict("one.jsonl"), desk.verdict("one"));
    assert_eq!(desk.verdict("one.jsonl --set acks=all"), desk.verdict("lost.jsonl"));
}

#[test]
fn files_of_several_clients_become_one_run() {
    let desk = Desk::new();
    desk.put("producer.log", PRODUCER);
    desk.put("consumer.log", CONSUMER);
    let (code, _, stderr) = desk.run("history import producer.log consumer.log");
    assert!(code == 2 && stderr.contains("--from verifiable"), "{stderr}");
    desk.well("history import producer.log consumer.log --from verifiable --name both");
    assert_eq!(desk.verdict("both"), desk.verdict("producer.log consumer.log --from verifiable"));
    assert_eq!(desk.verdict("both").0, 0);
}

#[cfg(feature = "parquet")]
#[test]
fn tables_lie_by_topic_and_partition_with_the_queries_beside_them() {
    let desk = Desk::new();
    let (code, stdout, stderr) = desk.run("history export lost.jsonl --format parquet -o a/tables");
    assert_eq!((code, stdout.as_str()), (0, ""), "{stderr}");
    assert!(stderr.contains("12 rows in 7 files"), "{stderr}");
    let queries = ["README.md", "deliveries", "duplicates.sql", "logs", "lost.sql", "order.sql"];
    assert_eq!(desk.names("a/tables")[..6], queries);
    assert_eq!(desk.names("a"), ["tables"], "no draft is left");
    for table in ["sends", "deliveries"] {
        for partition in ["partition=0", "partition=1"] {
            let file = desk.path().join("a/tables").join(table).join("topic=history").join(partition);
            let bytes = fs::read(file.join("part-0.parquet")).expect("a file");
            assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"), "{table} {partition}");
        }
    }
    desk.put("b", "");
    for (line, says) in [
        ("history export lost.jsonl --format parquet", "name a directory with -o"),
        ("history export lost.jsonl --format parquet -o a/tables", "it is there already"),
        ("history export lost.jsonl --format parquet -o b/tables", "b/tables"),
        ("history export bad.jsonl --format parquet -o c", "bad.jsonl"),
    ] {
        let (code, stdout, stderr) = desk.run(line);
        assert_eq!((code, stdout.as_str()), (2, ""), "{line}: {stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains(says), "{line}: {stderr}");
        assert!(!desk.path().join("c").exists());
    }
}

#[test]
fn calls_on_objects_become_a_run_too() {
    let desk = Desk::new();
    let line = |f: &str, input: &str, output: &str, call: u32| {
        let times = format!("\"call_ns\":{call},\"return_ns\":{}", call + 5);
        format!(
            "{{\"process\":0,\"f\":\"{f}\",\"key\":\"x\",\"input\":{input},\"output\":{output},{times}}}\n"
        )
    };
    let stale = line("write", "1", "null", 0) + &line("read", "null", "{\"value\":0}", 10);
    desk.put("stale.jsonl", &stale);
    desk.put("calls.jsonl", &line("read", "null", "{\"value\":0}", 10));
    for (name, verdict, code) in [("stale", "broken", 1), ("calls", "held", 0)] {
        let said = desk.well(&format!("history import {name}.jsonl --model register --init 0"));
        assert!(said.contains(&format!("results/runs/{name}: ")) && said.contains("linearizable"), "{said}");
        let first = desk.verdict(&format!("{name}.jsonl --from operations --model register --init 0"));
        assert_eq!((first.0, &first.1), (code, &Value::from(verdict)));
        assert_eq!(desk.verdict(name), first);
        let runs = desk.well("runs --format csv");
        assert!(runs.lines().any(|line| line.contains(name) && line.contains(verdict)), "{runs}");
    }
    for line in
        ["explain stale", "explain stale non-linearizable", "explain stale.jsonl --model register --init 0"]
    {
        let told = desk.well(line);
        for says in ["not linearizable", "longest legal beginning", "no place behind it for"] {
            assert!(told.contains(says), "{line}: {says}: {told}");
        }
    }
    let told: Value = serde_json::from_str(&desk.well("explain stale --format json")).expect("JSON");
    assert_eq!(told["findings"][0]["kind"], "non-linearizable");
    for (line, says) in [
        ("history import stale.jsonl --model kv --name two", "has no function `write`"),
        ("history import stale.jsonl --model register --set acks=1 --name two", "--set"),
        ("history import lost.jsonl --model register --from jepsen", "leave it out"),
        ("history export stale", "holds calls on a register"),
        ("history show stale", "holds calls on a register"),
        ("check stale --set acks=1", "--set"),
    ] {
        let (code, stdout, stderr) = desk.run(line);
        assert_eq!((code, stdout.as_str()), (2, ""), "{line}: {stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains(says), "{line}: {stderr}");
    }
    assert_eq!(desk.names("results/runs"), ["calls", "latest", "stale"]);
}

#[test]
fn show_says_who_took_part_and_what_they_did() {
    let desk = Desk::new();
    let shown = desk.well("history show lost.jsonl");
    for says in ["6 operations on 2 partitions, imported from jepsen", "client-1", "4 sends", "3 operations"]
    {
        assert!(shown.contains(says), "{says}: {shown}");
    }
    let shown: Value =
        serde_json::from_str(&desk.well("history show lost.jsonl --format json")).expect("JSON");
    assert_eq!((&shown["operations"], &shown["imported"]), (&Value::from(6), &Value::from("jepsen")));
    assert_eq!(shown["sessions"].as_array().map(Vec::len), Some(3));
    let shown = desk.well("history show lost.jsonl --session client-0");
    assert!(shown.contains("1000..2000 ns  send ok: send 7 1 @0"), "{shown}");
    let shown = desk.well("history show lost.jsonl --session client-2 --limit 1 --format json");
    let poll: Value = serde_json::from_str(&shown).expect("one line of JSON");
    assert_eq!(poll["steps"][0], "poll 7 1 @0, 7 3 @2, 8 1 @0");
    let (code, _, stderr) = desk.run("history show lost.jsonl --session nobody");
    assert!(code == 2 && stderr.contains("has no session `nobody`"), "{stderr}");
}

#[test]
fn what_fails_is_one_clear_line_and_leaves_nothing_behind() {
    let desk = Desk::new();
    desk.well("history import lost.jsonl --results kept");
    desk.put("bad.jsonl", &format!("{LOST}\n{{\"type\":\"ok\"}}"));
    desk.put("calls.jsonl", r#"{"process":0,"f":"write","key":"x","input":1,"call_ns":0,"return_ns":1}"#);
    desk.put("old.jsonl", "old\n");
    let whole = desk.well("history export lost.jsonl");
    let cut = &whole[..whole.len() / 2];
    desk.put("cut.jsonl", cut);
    let before = (desk.names(""), desk.names("kept"));
    for (line, says) in [
        ("history", "no command after `highwater history`"),
        ("history import", "FILE"),
        ("history import none.jsonl", "none.jsonl"),
        ("history import bad.jsonl", "line 13"),
        ("history import cut.jsonl", "cut.jsonl"),
        ("history import calls.jsonl", "--model"),
        ("history import lost.jsonl --set ack=1", "did you mean `acks`?"),
        ("history import lost.jsonl --results kept", "exists already"),
        ("history import lost.jsonl --name ../lost", "--name"),
        ("history import lost.jsonl --name latest", "--name"),
        ("history import kept/lost --results kept --name two", "stored run already"),
        ("history import lost.jsonl --results old.jsonl", "--results"),
        ("history export none", "none"),
        ("history export bad.jsonl -o old.jsonl", "line 13"),
        ("history export lost.jsonl -o no/such/dir/out.jsonl", "no/such/dir/out.jsonl"),
        ("history export lost.jsonl -o kept", "it is a directory"),
        ("history export lost.jsonl --format avro", "jepsen"),
        ("history show none", "none"),
    ] {
        let (code, stdout, stderr) = desk.run(line);
        assert_eq!((code, stdout.as_str()), (2, ""), "{line}: {stderr}");
        assert_eq!(stderr.trim_end().lines().count(), 1, "{line}: {stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains(says), "{line}: {stderr}");
        assert_eq!((desk.names(""), desk.names("kept")), before, "{line}");
    }
    assert_eq!(fs::read_to_string(desk.path().join("old.jsonl")).expect("read"), "old\n");
}

#[test]
fn a_history_that_is_not_whole_is_not_stored() {
    let desk = Desk::new();
    desk.well("bench check -q --records 2000 --keep --dir made");
    let run = format!("made/{}/latest", desk.names("made")[0]);
    let rows = desk.path().join(&run).join("history/drain-0.rows");
    let bytes = fs::read(&rows).expect("read");
    fs::write(&rows, &bytes[..bytes.len() / 2 + 20]).expect("written");
    desk.well(&format!("history export {run} -o cut.jsonl"));
    assert_eq!(desk.verdict("cut.jsonl").0, 5, "the damage is told along");
    let (code, _, stderr) = desk.run("history import cut.jsonl");
    assert!(code == 5 && stderr.contains("not whole"), "{code} {stderr}");
    assert_eq!(desk.names("results/runs"), Vec::<String>::new());
}
