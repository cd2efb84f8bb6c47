//! Reads that disagree; commits that go back or too far, and those that look like it.

use history::event::Role;
use history::exchange::{Source, import_verifiable};
use history::{Detail, Ended, Function, Nanos, Offset, Outcome, Partition};

use crate::testing::simulated::notation::check_operations;
use crate::testing::{Scene, check, scene};
use crate::{Word, judge};

const SENT: &str = "c0 send ok 0@0=1\n c0 send ok 0@1=2\n c0 send ok 0@2=3\n c9 poll ok 0@0=1 0@1=2 0@2=3";

#[track_caller]
fn commits(text: &str, expected: &str) {
    // The last reader comes after all: it shows what the log holds, and excuses nobody.
    let (sent, all) = SENT.rsplit_once('\n').expect("two parts");
    check_operations(&format!("{sent}\n {text}\n {all}"), expected);
}

#[test]
fn a_lower_commit_is_found() {
    let polled = "c1 poll ok 0@0=1 0@1=2 0@2=3";
    commits(&format!("{polled}\n c1 commit ok 0@3\n c1 commit ok 0@1"), "commit-regress 1");
    // Each step back counts once, and only against the one before.
    commits(
        &format!("{polled}\n c1 commit ok 0@3\n c1 commit ok 0@1\n c1 commit ok 0@2\n c1 commit ok 0@0"),
        "commit-regress 2",
    );
    commits(&format!("{polled}\n c1 commit ok 0@1\n c1 commit ok 0@1\n c1 commit ok 0@3"), "");
    // Other partitions and other processes are others.
    commits(&format!("{polled}\n c1 commit ok 0@3\n c2 commit ok 0@1"), "");
    commits(&format!("{polled}\n c1 commit ok 0@3\n c1 commit ok 1@1"), "");
}

#[test]
fn what_did_not_certainly_happen_is_not_compared() {
    let polled = "c1 poll ok 0@0=1 0@1=2 0@2=3";
    for outcome in ["unknown", "fail"] {
        commits(&format!("{polled}\n c1 commit {outcome} 0@3\n c1 commit ok 0@1"), "");
        commits(&format!("{polled}\n c1 commit ok 0@3\n c1 commit {outcome} 0@1"), "");
    }
}

#[test]
fn who_was_moved_or_sought_may_commit_less() {
    let polled = "c1 poll ok 0@0=1 0@1=2 0@2=3\n c1 commit ok 0@3";
    for moved in
        ["c1 assign ok 0", "c1 seek ok 0", "c1 assign unknown 0", "c1 poll ok moved 0", "c1 other ok"]
    {
        commits(&format!("{polled}\n {moved}\n c1 commit ok 0@1"), "");
    }
    commits(&format!("{polled}\n c1 assign fail 0\n c1 commit ok 0@1"), "commit-regress 1");
    commits(&format!("{polled}\n c1 poll ok moved 1\n c1 commit ok 0@1"), "commit-regress 1");
    // Given again what it had committed: it went back, though nobody says how.
    commits(
        &format!("{polled}\n c1 poll ok 0@0=1\n c1 commit ok 0@1"),
        "commit-regress 1 (legal), nonmonotonic-poll 1",
    );
    // A group that tells of no rebalance may have had one.
    commits(&format!("c1 subscribe ok 0\n {polled}\n c1 commit ok 0@1"), "commit-regress 1 (legal)");
}

#[test]
fn a_commit_past_a_record_is_found() {
    commits("c1 poll ok 0@0=1\n c1 commit ok 0@1", "");
    commits("c1 poll ok 0@0=1\n c1 commit ok 0@2", "commit-beyond 1");
    commits("c1 poll ok 0@0=1\n c1 commit ok 0@3\n c1 poll ok 0@1=2 0@2=3", "commit-beyond 1");
    commits("c1 poll ok 0@0=1\n c1 commit unknown 0@3", "");
    // Where it began, nobody says.
    commits("c1 commit ok 0@3", "");
    commits("c1 poll ok 0@0=1\n c1 assign ok 0\n c1 commit ok 0@3", "");
    // What another member was given before is taken care of.
    commits("c2 poll ok 0@0=1 0@1=2\n c1 poll ok 0@0=1\n c1 commit ok 0@2", "");
    // A poll that never came back may have been given anything.
    commits("c1 poll ok 0@0=1\n c1 poll unknown\n c1 commit ok 0@3", "");
    // Nothing is known to be there.
    commits("c1 poll ok 0@0=1 0@1=2 0@2=3\n c1 commit ok 0@9", "commit-beyond 1 (legal)");
}

fn commit(scene: &mut Scene, offset: i64, (invoked, completed): (u64, u64)) {
    scene.session(Role::Reader, 0, 0).push_operation(Ended {
        function: Function::Commit,
        invoked: Nanos(invoked),
        completed: Some(Nanos(completed)),
        outcome: Outcome::Ok,
        line: None,
        detail: Some(Detail { committed: vec![(Partition(0), Offset(offset))], ..Detail::default() }),
    });
}

/// What is found in a run of ours whose reader was given both records, then committed.
#[track_caller]
fn run(committed: &[(i64, (u64, u64))], expected: &[&str]) {
    let text = "p0#0 0@0 acked\n p0#1 0@1 acked\n log 0: p0#0 p0#1\n read r0 0: 0=p0#0 1=p0#1";
    let mut scene = scene(text);
    let now = scene.now().0;
    for (offset, (invoked, completed)) in committed {
        commit(&mut scene, *offset, (now + invoked, now + completed));
    }
    let judgement = judge(&scene.history);
    let found: Vec<&str> = judgement
        .findings
        .iter()
        .map(|finding| finding.kind.as_str())
        .filter(|kind| kind.starts_with("commit"))
        .collect();
    assert_eq!(found, expected);
    let judged =
        judgement.guarantees.iter().find(|judged| judged.guarantee == "commits").expect("it is judged");
    assert_eq!(judged.word == Word::Broken, !expected.is_empty(), "{:?}", judged.word);
}

#[test]
fn commits_under_way_at_once_may_arrive_in_either_order() {
    run(&[(2, (10, 20)), (1, (15, 30))], &[]);
    run(&[(2, (10, 20)), (1, (20, 30))], &[]);
    run(&[(2, (10, 20)), (1, (21, 30))], &["commit-regress"]);
}

#[test]
fn behind_the_end_of_a_drained_log_is_nothing() {
    run(&[(2, (10, 20))], &[]);
    // The fence is at 2.
    run(&[(3, (10, 20))], &[]);
    run(&[(4, (10, 20))], &["commit-beyond"]);
}

#[test]
fn without_commits_nothing_is_said_of_them() {
    let judgement = judge(&scene("p0#0 0@0 acked\n log 0: p0#0").history);
    assert!(judgement.guarantees.iter().all(|judged| judged.guarantee != "commits"));
}

#[test]
fn a_reader_and_the_log_disagree_about_a_record_that_moved() {
    let text = "p1#0 0@0 acked\n p0#0 0@1 acked\n log 0: p1#0 p0#0";
    check(&format!("{text}\n read r0 0: 0=p0#0"), "inconsistent-offsets 1");
    check(&format!("{text}\n read r0 0: 1=p0#0"), "");
}

#[test]
fn without_a_drained_log_readers_are_compared() {
    let text = "p0#0 0@0 acked\n p1#0 0@0 acked\n cut 0:";
    check(&format!("{text}\n read r0 0: 0=p0#0\n read r1 0: 0=p1#0"), "inconsistent-offsets 1");
    check(&format!("{text}\n read r0 0: 0=p0#0\n read r1 0: 0=p0#0"), "");
}

#[test]
fn two_drains_disagree() {
    check("p0#0 0@0 acked\n p1#0 0@? failed\n log 0: p0#0\n log 0: p1#0\n log 1:", "inconsistent-offsets 1");
}

/// What kafka-verifiable-consumer says after it was given four of five records, and its findings of commits.
#[track_caller]
fn verifiable(lines: &[(&str, &str)], expected: &[&str]) {
    let place = r#""topic":"t","partition":0"#;
    let mut producer = r#"{"timestamp":1,"name":"startup_complete"}"#.to_owned();
    let mut consumer = r#"{"timestamp":1,"name":"startup_complete"}"#.to_owned();
    consumer.push_str(&format!(
        "\n{{\"timestamp\":1,\"name\":\"partitions_assigned\",\"partitions\":[{{{place}}}]}}"
    ));
    for offset in 0..5 {
        let record = format!(r#""value":"{offset}",{place},"offset":{offset}"#);
        producer.push_str(&format!("\n{{\"timestamp\":2,\"name\":\"producer_send_success\",{record}}}"));
        if offset < 4 {
            consumer.push_str(&format!("\n{{\"timestamp\":3,\"name\":\"record_data\",{record}}}"));
        }
    }
    consumer.push_str("\n{\"timestamp\":3,\"name\":\"records_consumed\",\"count\":4}");
    for (at, (name, more)) in (4..).zip(lines) {
        let what = match *name {
            "commit" => {
                format!(r#""offsets_committed","success":true,"offsets":[{{{place},"offset":{more}}}]"#)
            }
            name => format!(r#""{name}","partitions":[{{{place}}}]"#),
        };
        consumer.push_str(&format!("\n{{\"timestamp\":{at},\"name\":{what}}}"));
    }
    let mut sources = [Source::bytes("producer", producer), Source::bytes("consumer", consumer)];
    let import = import_verifiable(&mut sources, crate::testing::plan(1)).expect("it is legal");
    let found: Vec<String> = judge(&import.history)
        .findings
        .iter()
        .filter(|finding| finding.kind.starts_with("commit"))
        .map(|finding| format!("{} {}", finding.kind, finding.examples[0].text))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn verifiable_consumers_tell_when_they_committed_and_what() {
    let back = "commit-regress client-1 committed offset 2 of partition t-0 after offset 4";
    verifiable(&[("commit", "2"), ("commit", "4")], &[]);
    verifiable(&[("commit", "4"), ("commit", "2")], &[back]);
    let moved = [("commit", "4"), ("partitions_revoked", ""), ("partitions_assigned", ""), ("commit", "2")];
    verifiable(&moved, &[]);
    let beyond = "commit-beyond client-1 committed offset 5 of partition t-0 having been given nothing behind \
                  offset 3, past value 4 at offset 4";
    verifiable(&[("commit", "5")], &[beyond]);
}
