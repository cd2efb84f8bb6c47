//! Stored histories as `highwater check` judges them: clean, empty, only failures, cut, flipped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use history::{
    ErrorCode, Event, FENCE_PRODUCER, Nanos, Note, Offset, Outcome, Partition, Phase, Recorder, Role, Tag,
    Told,
};
use serde_json::Value;

const ROW: usize = 64;

/// A clean run of 4000 records, made by the benchmark and left for the test to spoil.
fn clean(dir: &Path) -> PathBuf {
    let output = Command::new(env!("CARGO_BIN_EXE_highwater"))
        .args(["bench", "check", "--records", "4000", "--keep", "--dir"])
        .arg(dir)
        .output()
        .expect("the benchmark runs");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    for word in ["records", "operations", "records/s", "peak RSS"] {
        assert!(told.contains(word), "{told}");
    }
    let kept = fs::read_dir(dir).expect("read").flatten().next().expect("what was kept").path();
    fs::canonicalize(kept.join("latest")).expect("the run")
}

/// A clean history in Jepsen's words is held, whatever its shape, and import and judgement are told apart.
#[test]
fn a_clean_history_of_operations_is_held_and_measured() {
    for shape in
        ["", "--partitions 7 --producers 2", "--partitions 1 --producers 1", "--seed 9 --producers 40"]
    {
        let mut command = Command::new(env!("CARGO_BIN_EXE_highwater"));
        command.args(["bench", "check", "-q", "--format", "jepsen", "--records", "20000"]);
        let output = command.args(shape.split_whitespace()).output().expect("the benchmark runs");
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
        for word in ["MiB", "load  ", "MB/s", "judge  ", "peak RSS"] {
            assert!(told.contains(word), "{told}");
        }
    }
}

/// Exit code and the JSON object of a check.
fn check(run: &Path) -> (i32, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_highwater"))
        .args(["check", "--format", "json"])
        .arg(run)
        .output()
        .expect("the check runs");
    let object = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(&output.stderr));
    });
    (output.status.code().unwrap_or(-1), object)
}

fn report(run: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_highwater"));
    let output = command.arg("check").arg(run).output().expect("the check runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Removes the history and makes room for another one under the same plan.
fn emptied(run: &Path) -> PathBuf {
    let history = run.join("history");
    fs::remove_dir_all(&history).expect("removed");
    fs::create_dir(&history).expect("created");
    history
}

#[test]
fn a_clean_history_is_held_and_a_spoilt_one_indeterminate_with_file_and_byte() {
    let dir = tempfile::tempdir().expect("a directory");
    let run = clean(dir.path());
    let (code, whole) = check(&run);
    assert_eq!((code, &whole["verdict"]), (0, &Value::from("held")), "{whole}");
    assert_eq!(whole["findings"], Value::Array(Vec::new()), "{whole}");
    assert!(whole["operations"].as_u64().is_some_and(|count| count > 11_000), "{whole}");

    let path = run.join("history/drain-0.rows");
    let bytes = fs::read(&path).expect("read");
    // In the middle of a row.
    let cut = ROW * 1000 + 20;
    fs::write(&path, &bytes[..cut]).expect("written");
    let (code, judged) = check(&run);
    assert_eq!((code, &judged["verdict"]), (5, &Value::from("indeterminate")), "{judged}");
    assert!(report(&run).contains(&format!("drain-0.rows at byte {cut}")), "{}", report(&run));

    let mut flipped = bytes.clone();
    flipped[cut] ^= 4;
    fs::write(&path, &flipped).expect("written");
    assert_eq!(check(&run).0, 5);
    assert!(report(&run).contains(&format!("drain-0.rows at byte {}", ROW * 1000)), "{}", report(&run));

    fs::write(&path, &bytes).expect("written");
    assert_eq!(check(&run).0, 0);
}

#[test]
fn an_empty_history_is_indeterminate_and_one_of_failures_puts_nothing_to_the_test() {
    let dir = tempfile::tempdir().expect("a directory");
    let run = clean(dir.path());
    let history = emptied(&run);
    let (code, judged) = check(&run);
    assert_eq!((code, &judged["verdict"]), (5, &Value::from("indeterminate")), "{judged}");
    assert_eq!(judged["operations"], 0);
    assert!(report(&run).contains("nobody knows what the log holds"), "{}", report(&run));

    only_failures(&history);
    let (code, judged) = check(&run);
    assert_eq!((code, &judged["verdict"]), (4, &Value::from("indeterminate")), "{judged}");
    assert!(report(&run).contains("only 0 records were confirmed"), "{}", report(&run));
}

/// Fifty sends of which each certainly failed, and logs that hold their fences only.
fn only_failures(dir: &Path) {
    let open = |role| Recorder::create(dir, role, 0, 0, u64::MAX).expect("created");
    let record = |recorder: &mut Recorder, at, event| {
        recorder.record(Nanos(at), &event).expect("recorded");
    };
    let (mut producer, mut drain, mut runner) = (open(Role::Producer), open(Role::Drain), open(Role::Runner));
    for seq in 0..50 {
        let tag = Tag { producer: 0, session: 0, seq };
        let (partition, intended) = (Some(Partition(0)), Nanos(seq));
        let invoked = Event::SendInvoked { tag, partition, key: None, payload_bytes: 100, intended };
        let failed = Event::SendCompleted {
            tag,
            partition,
            offset: None,
            outcome: Outcome::Fail,
            told: Told::Failed,
            error: ErrorCode(-192),
        };
        record(&mut producer, seq, invoked);
        record(&mut producer, seq, failed);
    }
    for (seq, partition) in (0..).zip((0..4).map(Partition)) {
        let tag = Some(Tag { producer: FENCE_PRODUCER, session: 0, seq });
        let contents = history::Contents::Intact;
        let fence = Event::Delivered { polled: Nanos(90), partition, offset: Offset(0), tag, contents };
        record(&mut drain, 95, fence);
        record(&mut drain, 96, Event::Note(Note::Drained { partition }));
    }
    for (at, phase) in [(1, Phase::Load), (80, Phase::Drain), (99, Phase::End)] {
        record(&mut runner, at, Event::Note(Note::PhaseEntered { phase }));
    }
    for recorder in [&mut producer, &mut drain, &mut runner] {
        record(recorder, 100, Event::Note(Note::SessionClosed));
    }
}
