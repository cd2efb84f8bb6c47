//! The checker on histories small enough to see.

use history::event::Role;
use history::{Nanos, Note, Offset, Partition};

use crate::context::Context;
use crate::testing::{Scene, check, edit_deliveries, edit_sends, scene};

const MS: u64 = 1_000_000;

fn texts(scene: &Scene) -> Vec<String> {
    let findings = super::check(&Context::new(&scene.history));
    let text = |finding: crate::Finding| {
        assert!(finding.count >= finding.examples.len() as u64 && !finding.examples.is_empty());
        finding.examples.into_iter().map(move |witness| format!("{}: {}", finding.kind, witness.text))
    };
    findings.into_iter().flat_map(text).collect()
}

/// Moves the poll that returned the `n`-th delivery of reader 0 to a time.
fn poll_at(scene: &mut Scene, n: usize, ms: u64) {
    edit_deliveries(scene.session(Role::Reader, 0, 0), |given| {
        (given[n].polled, given[n].returned) = (Nanos((ms - 1) * MS), Nanos(ms * MS));
    });
}

#[test]
fn a_record_sent_after_an_acknowledgement_lies_behind() {
    // Each of two producers has one record, so no order of a session is broken.
    check("p0#0 0@0 acked\n p1#0 0@1 acked\n log 0: p0#0 p1#0", "");
    let red = "p1#0 0@1 acked\n p0#0 0@0 acked\n log 0: p0#0 p1#0";
    check(red, "realtime-reorder 1");
    insta::assert_snapshot!(texts(&scene(red)).join("\n"), @"realtime-reorder: p0#0 was sent 1 ms after p1#0 was acknowledged, and lies before it: offset 0 and offset 1 of partition 0");
    // Nobody was told of the one behind, or it failed: it may have landed later.
    check("p1#0 0@? failed\n p0#0 0@0 acked\n log 0: p0#0 p1#0", "");
    // Other partitions are other logs.
    check("p1#0 1@0 acked\n p0#0 0@0 acked\n log 0: p0#0\n log 1: p1#0", "");
    // The late one need not be acknowledged.
    check("p1#0 0@1 acked\n p0#0 0@? failed\n log 0: p0#0 p1#0", "realtime-reorder 1");
}

#[test]
fn disorder_within_a_session_is_told_once_as_that() {
    // p1#0 is in nobody's way but that of p0, whose records are in each other's place.
    let text = "p0#0 0@2 acked\n p1#0 0@1 acked\n p0#1 0@0 acked\n log 0: p0#1 p1#0 p0#0";
    check(text, "nonmonotonic-send 1");
    // Without idempotence that is not promised, real time is all the same.
    check(&format!("set enable.idempotence=false\n {text}"), "nonmonotonic-send 1, realtime-reorder 2");
}

#[test]
fn equal_times_and_overlaps_are_concurrent() {
    let mut scene = scene("p1#0 0@1 acked\n p0#0 0@0 acked\n log 0: p0#0 p1#0");
    let done = scene.session(Role::Producer, 1, 0).send(0).completed.expect("it was acknowledged");
    edit_sends(scene.session(Role::Producer, 0, 0), |sends| sends[0].invoked = done);
    assert!(texts(&scene).is_empty());
    edit_sends(scene.session(Role::Producer, 0, 0), |sends| sends[0].invoked = Nanos(done.0 + 1));
    assert_eq!(texts(&scene).len(), 1);
}

#[test]
fn clocks_that_may_be_off_are_given_the_benefit() {
    let mut scene = scene("p1#0 0@1 acked\n p0#0 0@0 acked\n log 0: p0#0 p1#0");
    scene.session(Role::Producer, 0, 0).clock.error_ns = Some(600_000);
    assert_eq!(texts(&scene).len(), 1);
    scene.session(Role::Producer, 1, 0).clock.error_ns = Some(600_000);
    assert!(texts(&scene).is_empty());
}

#[test]
fn a_record_read_before_another_was_sent_lies_before_it() {
    // Nobody was told of p1#0, but a reader had it before p0#0 was sent.
    let mut scene = scene("p1#0 0@? failed\n p0#0 0@0 acked\n log 0: p0#0 p1#0\n read r0 0: 0=p0#0 1=p1#0");
    assert!(texts(&scene).is_empty());
    let sent = scene.session(Role::Producer, 1, 0).send(0).completed.expect("it failed");
    edit_deliveries(scene.session(Role::Reader, 0, 0), |given| {
        (given[1].polled, given[1].returned) = (sent, sent);
    });
    insta::assert_snapshot!(texts(&scene).join("\n"), @"realtime-reorder: p0#0 was sent 1 ms after reader-0 had been given p1#0, and lies before it: offset 0 and offset 1 of partition 0");
}

#[test]
fn a_record_is_not_read_before_it_is_sent() {
    let text = "p0#0 0@0 acked\n p0#1 0@1 acked\n log 0: p0#0 p0#1\n read r0 0: 0=p0#0 1=p0#1";
    let mut scene = scene(text);
    assert!(texts(&scene).is_empty());
    // The load began at 1001 ms; p0#1 was sent at 1004.
    poll_at(&mut scene, 1, 1003);
    insta::assert_snapshot!(texts(&scene).join("\n"), @"future-read: reader-0 was given p0#1 at offset 1 of partition 0 1 ms before it was sent");
    // Also where the log holds something else.
    let mut scene = crate::testing::scene("p0#0 0@? failed\n log 0:\n read r0 0: 0=p0#0");
    poll_at(&mut scene, 0, 1001);
    assert_eq!(texts(&scene).len(), 1);
}

#[test]
fn an_end_offset_covers_what_was_acknowledged_before_it_was_asked() {
    let end = |offset: i64| {
        let mut scene = scene("p0#0 0@0 acked\n p0#1 0@1 acked\n log 0: p0#0 p0#1");
        scene.note(
            Role::Drain,
            Note::Watermarks { partition: Partition(0), start: Offset(0), end: Offset(offset) },
        );
        texts(&scene)
    };
    assert!(end(3).is_empty() && end(2).is_empty());
    assert_eq!(
        end(1),
        [
            "stale-end: p0#1 was acknowledged at offset 1 of partition 0, 7 ms before its end was asked for, and the answer was 1"
        ]
    );
    assert_eq!(end(0).len(), 2);
}

#[test]
fn nothing_at_all_is_nothing() {
    for text in ["", "log 0:", "cut 0:", "p0#0 0@? nothing", "read r0 0: 5=?"] {
        assert!(texts(&scene(text)).is_empty(), "{text}");
    }
}
