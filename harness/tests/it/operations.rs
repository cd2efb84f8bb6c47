//! `highwater check --from operations`, from the outside: exit codes, findings with witnesses, pictures.

use std::fmt::Write;
use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;

/// Runs it on a file, and gives exit code, stdout and stderr.
fn check(dir: &Path, text: &str, args: &str) -> (i32, String, String) {
    std::fs::write(dir.join("calls.jsonl"), text).expect("a writable directory");
    let mut command = Command::new(env!("CARGO_BIN_EXE_highwater"));
    command.current_dir(dir).args(["check", "calls.jsonl", "--from", "operations"]);
    let output = command.args(args.split_whitespace()).output().expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    (output.status.code().expect("it exits by itself"), text(&output.stdout), text(&output.stderr))
}

fn json(dir: &Path, text: &str, args: &str) -> (i32, Value) {
    let (code, stdout, stderr) = check(dir, text, &format!("{args} --format json"));
    let value = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}{stderr}"));
    (code, value)
}

/// `process f input output call return`, a line each, on one key.
fn calls(lines: &[&str]) -> String {
    let mut text = String::new();
    for line in lines {
        let [process, f, input, output, call, returned] =
            line.split_whitespace().collect::<Vec<_>>().try_into().expect("six words");
        let _ = writeln!(
            text,
            r#"{{"process":{process},"f":"{f}","key":"k","input":{input},"output":{output},"call_ns":{call},"return_ns":{returned}}}"#
        );
    }
    text
}

#[test]
fn every_model_is_seen_legal_and_illegal() {
    let dir = tempfile::tempdir().unwrap();
    for (args, legal, illegal, kind) in [
        (
            "--model register --init 0",
            &["0 read null {\"value\":0} 0 5", "1 write 1 null 1 9", "0 read null {\"value\":1} 6 7"][..],
            &["0 write 1 null 0 5", "0 read null {\"value\":0} 6 7"][..],
            "non-linearizable",
        ),
        (
            "--model cas-register",
            &["0 write 1 null 0 1", "0 cas [1,2] true 2 3", "1 cas [1,3] false 4 5"],
            &["0 write 1 null 0 1", "0 cas [1,2] false 2 3"],
            "non-linearizable",
        ),
        (
            "--model kv",
            &[
                "0 get null {\"value\":\"\"} 0 1",
                "0 append \"a\" null 2 3",
                "1 get null {\"value\":\"a\"} 4 5",
            ],
            &["0 put \"b\" null 0 1", "0 append \"a\" null 2 3", "1 get null {\"value\":\"ab\"} 4 5"],
            "non-linearizable",
        ),
        (
            "--model mutex",
            &["0 acquire null null 0 5", "1 acquire null null 0 9", "0 release null null 6 8"],
            &["0 acquire null null 0 5", "1 acquire null null 0 9"],
            "non-linearizable",
        ),
        (
            "--model queue",
            &[
                "0 enqueue 1 null 0 5",
                "1 dequeue null {\"value\":1} 0 9",
                "0 dequeue null {\"value\":null} 10 11",
            ],
            &["0 enqueue 1 null 0 5", "0 enqueue 2 null 6 7", "1 dequeue null {\"value\":2} 8 9"],
            "non-linearizable",
        ),
        (
            "--model log",
            &["0 append [1,2] {\"offset\":0} 0 5", "1 read {\"offset\":1} {\"values\":[2]} 0 9"],
            &["0 append [1] {\"offset\":1} 0 5", "1 append [2] {\"offset\":0} 6 9"],
            "realtime-reorder",
        ),
    ] {
        let (code, found) = json(dir.path(), &calls(legal), args);
        assert_eq!((code, &found["verdict"]), (0, &Value::from("held")), "{args}: {found}");
        assert_eq!(found["operations"], legal.len());
        let (code, found) = json(dir.path(), &calls(illegal), args);
        assert_eq!((code, &found["verdict"]), (1, &Value::from("broken")), "{args}: {found}");
        let finding = &found["findings"][0];
        assert_eq!((&finding["kind"], &finding["key"]), (&Value::from(kind), &Value::from("k")));
        let witnesses = finding["examples"][0]["operations"].as_array().expect("witnesses");
        assert!((1..=4).contains(&witnesses.len()), "{finding}");
        assert!(witnesses.iter().all(|one| one["line"].as_u64().is_some()), "{finding}");
        assert!(finding["counterexample"]["stuck"]["text"].is_string(), "{finding}");
    }
}

#[test]
fn an_outcome_nobody_knows_may_have_happened_or_not() {
    let dir = tempfile::tempdir().unwrap();
    for seen in ["null", "1"] {
        let text = calls(&["0 write 1 null 0 null", &format!("1 read null {{\"value\":{seen}}} 50 60")]);
        assert_eq!(check(dir.path(), &text, "--model register").0, 0);
    }
    // Once seen it stays.
    let both =
        ["0 write 1 null 0 null", "1 read null {\"value\":1} 50 60", "1 read null {\"value\":null} 61 62"];
    assert_eq!(check(dir.path(), &calls(&both), "--model register").0, 1);
}

#[test]
fn nothing_completed_is_indeterminate() {
    let dir = tempfile::tempdir().unwrap();
    for text in [String::new(), calls(&["0 write 1 null 0 null"])] {
        let (code, found) = json(dir.path(), &text, "--model register");
        assert_eq!((code, &found["verdict"]), (5, &Value::from("indeterminate")));
        assert_eq!(found["caveats"].as_array().map(Vec::len), Some(1));
    }
}

#[test]
fn a_search_that_takes_too_long_is_indeterminate() {
    let dir = tempfile::tempdir().unwrap();
    // Two dozen concurrent appends of different pieces, and a string that none of their orders gives.
    let mut lines: Vec<String> = (0..24).map(|i| format!("{i} append \"<{i}>\" null 0 100")).collect();
    let wrong: String = (0..24).map(|i| format!("<{i}>")).rev().collect::<String>().replace("<7>", "<77");
    lines.push(format!("99 get null {{\"value\":\"{wrong}\"}} 200 300"));
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let (code, found) = json(dir.path(), &calls(&lines), "--model kv --timeout 100ms");
    assert_eq!((code, &found["verdict"]), (5, &Value::from("indeterminate")), "{found}");
    assert!(found["caveats"][0].as_str().is_some_and(|text| text.contains("--timeout")), "{found}");
}

#[test]
fn mistakes_are_exit_2_with_file_line_and_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let good = calls(&["0 write 1 null 0 1"]);
    for (text, args, says) in [
        (&*good, "", "needs --model"),
        (&good, "--model kv", "`calls.jsonl`, line 1: model `kv` has no function `write`"),
        (&good, "--model log --init 3", "leave it out"),
        (&good, "--model register --init {", "is no JSON"),
        (&good, "--model stack", "possible values: register"),
        ("\n\nhello", "--model register", "`calls.jsonl`, line 3"),
    ] {
        let (code, stdout, stderr) = check(dir.path(), text, args);
        assert_eq!((code, &*stdout), (2, ""), "{stderr}");
        assert!(stderr.contains(says), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}

#[test]
fn a_counterexample_is_told_and_drawn() {
    let dir = tempfile::tempdir().unwrap();
    // Long before and after the violation nothing is wrong; the picture shows what is around it.
    let mut lines: Vec<String> =
        (0..5000).map(|i| format!("{} write {i} null {} {}", i % 7, i * 10, i * 10 + 9)).collect();
    lines.push("9 read null {\"value\":17} 30000 30005".to_owned());
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let (code, stdout, _) = check(dir.path(), &calls(&lines), "--model register --html page.html");
    assert_eq!(code, 1);
    for says in
        ["not linearizable", "line 5001 process 9 [30000 .. 30005] read: 17", "longest legal beginning"]
    {
        assert!(stdout.contains(says), "{stdout}");
    }
    assert!(stdout.lines().count() < 40, "{stdout}");
    let page = std::fs::read_to_string(dir.path().join("page.html")).expect("the page is there");
    assert!(page.contains("class=\"stuck\"") && page.contains("state after it"));
    assert!(!page.contains("http") && page.len() < 200_000, "{} bytes", page.len());
}
