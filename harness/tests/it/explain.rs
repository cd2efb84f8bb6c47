//! `highwater explain`, from the outside: findings of stored runs and of files, listed and told.

use std::fs;

use serde_json::Value;

use super::exchange::Desk;

/// What a story says, whatever its lines.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_finding_of_a_file_and_of_the_run_it_became_is_told() {
    let desk = Desk::new();
    desk.well("history import lost.jsonl --set acks=all");
    for line in [
        "explain lost.jsonl lost-write --set acks=all",
        "explain lost.jsonl lost-write#1 --from jepsen --set acks=all",
        "explain lost.jsonl:lost-write --set acks=all",
        "explain lost lost-write",
        "explain lost:lost-write#1",
        "explain lost-write",
    ] {
        let told = words(&desk.well(line));
        for says in [
            "lost-write 1 of 1 (checker loss): value 2 was acknowledged at offset 1 of partition 7",
            "what was promised acknowledged records are kept: must hold",
            "settings: acks=all",
            "+0.000003 s client-0 send (line 4) is ok: sent 2 to partition 7 at offset 1",
            "what each side saw client-0: sent record 2 and was told that it is acknowledged",
            "record 2 was not among them; it went from offset 0 to 2, past 1",
            "the fault then the history tells of no fault",
            "see it again highwater check",
        ] {
            assert!(told.contains(says), "{line}: {says} is missing: {told}");
        }
    }
    // The lines it names do show it again.
    let told = desk.well("explain lost.jsonl lost-write --from jepsen --set acks=all");
    let again: Vec<&str> = told.lines().filter_map(|line| line.trim().strip_prefix("highwater ")).collect();
    assert_eq!(
        again,
        [
            "check lost.jsonl --from jepsen --set acks=all",
            "explain lost.jsonl lost-write#1 --from jepsen --set acks=all"
        ]
    );
    assert_eq!(desk.run(again[0]).0, 1);
    assert_eq!(desk.well(again[1]), told);
}

#[test]
fn a_verdict_names_the_line_that_tells_its_first_finding() {
    let desk = Desk::new();
    desk.well("history import lost.jsonl --results kept");
    for line in [
        "check lost.jsonl",
        "check lost.jsonl --from jepsen --set acks=all",
        "check kept/lost",
        "check lost --results kept",
    ] {
        let (_, stdout, _) = desk.run(line);
        let hint = stdout.lines().last().and_then(|line| line.strip_prefix("the story of one: highwater "));
        let told = desk.well(hint.unwrap_or_else(|| panic!("{line}: {stdout}")));
        assert!(told.contains("what each side saw"), "{line}: {told}");
    }
}

#[test]
fn findings_are_listed_by_the_names_that_explain_takes() {
    let desk = Desk::new();
    let listed = desk.well("explain lost.jsonl");
    for says in
        ["lost-write: 1 of 4 acknowledged records lost", "  lost-write#1  value 2 ", "  duplicate#1  "]
    {
        assert!(listed.contains(says), "{says}: {listed}");
    }
    let list: Value = serde_json::from_str(&desk.well("explain lost.jsonl --format json")).expect("JSON");
    let findings = list["findings"].as_array().expect("findings");
    assert!(!findings.is_empty());
    for finding in findings {
        for story in finding["stories"].as_array().expect("stories") {
            let name = story[0].as_str().expect("a name");
            let line = format!("explain lost.jsonl {name} --format json");
            let story: Value = serde_json::from_str(&desk.well(&line)).expect("JSON");
            assert_eq!((&story["kind"], &story["schema_version"]), (&finding["kind"], &Value::from(1)));
            assert_eq!((&story["file"], &story["count"]), (&Value::from("lost.jsonl"), &finding["count"]));
            for part in ["events", "sides", "settings", "faults", "again"] {
                assert!(
                    story[part].as_array().is_some_and(|part| !part.is_empty()),
                    "{name}: {part}: {story}"
                );
            }
            assert!(story["promise"]["expectation"].is_string(), "{story}");
        }
    }
}

#[test]
fn a_clean_run_has_nothing_to_tell() {
    let desk = Desk::new();
    desk.well("bench check -q --records 1000 --keep --dir made");
    let made = fs::read_dir(desk.path().join("made")).expect("read").flatten().next().expect("a run").path();
    let run = format!("{}/latest", made.display());
    assert!(desk.well(&format!("explain {run}")).contains("has no findings"));
    let (code, stdout, stderr) = desk.run(&format!("explain {run} lost-write"));
    assert!(code == 2 && stdout.is_empty() && stderr.contains("has no finding `lost-write`"), "{stderr}");
}

#[test]
fn mistakes_are_exit_2_and_one_clear_line() {
    let desk = Desk::new();
    desk.put("calls.jsonl", r#"{"process":0,"f":"write","key":"x","input":1,"call_ns":0,"return_ns":1}"#);
    for (line, says) in [
        ("explain", "RUN|FILE"),
        ("explain none", "failed to open run `none`"),
        ("explain lost.jsonl lost-wirte", "did you mean `lost-write`?"),
        ("explain lost.jsonl lost-write#0", "count from 1"),
        ("explain lost.jsonl lost-write#2", "choose one of these"),
        ("explain lost.jsonl g1c", "has no finding `g1c`"),
        ("explain lost.jsonl lost-write --picture p.svg", "has no picture"),
        ("explain lost.jsonl --picture p.svg", "needs a finding"),
        ("explain calls.jsonl --from operations", "needs --model"),
        ("explain calls.jsonl --model register --from jepsen", "leave it out"),
        ("explain calls.jsonl --model register --set acks=1", "--set"),
        ("explain calls.jsonl non-linearizable --model register", "has no finding `non-linearizable`"),
        ("explain lost.jsonl --format junit", "not in this build"),
    ] {
        let (code, stdout, stderr) = desk.run(line);
        assert_eq!((code, stdout.as_str()), (2, ""), "{line}: {stderr}");
        assert_eq!(stderr.trim_end().lines().count(), 1, "{line}: {stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains(says), "{line}: {stderr}");
    }
    assert!(!desk.path().join("p.svg").exists());
}
