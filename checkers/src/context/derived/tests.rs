//! What operations show of logs nobody drained, on histories of a few lines.

use crate::testing::simulated::notation::check_operations as check;

/// Three acknowledged records.
const THREE: &str = "c0 send ok 0@0=1\n c0 send ok 0@1=2\n c0 send ok 0@2=3";

fn three(more: &str) -> String {
    format!("{THREE}\n{more}")
}

#[test]
fn what_was_passed_by_is_lost_and_what_is_behind_is_unseen() {
    check(&three("c1 poll ok 0@0=1 0@1=2 0@2=3"), "");
    check(&three("c1 poll ok 0@0=1 0@2=3"), "lost-write 1");
    check(&three("c1 poll ok 0@2=3"), "lost-write 2");
    check(&three("c1 poll ok 0@0=1 0@1=2"), "unseen 1");
    check(&three("c1 poll ok"), "unseen 3");
    // Polls that failed or whose outcome is unknown gave nothing to anybody.
    check(&three("c1 poll fail 0@0=1 0@2=3\n c1 poll ok 0@0=1"), "int-poll-skip 1, unseen 2");
    check(&three("c1 poll unknown 0@1=2\n c2 poll ok 0@0=1 0@2=3"), "lost-write 1");
    // Its offset is not known, so nobody can have passed it by.
    check("c0 send ok 0@?=1\n c0 send ok 0@1=2\n c1 poll ok 0@1=2", "unseen 1");
}

#[test]
fn who_polled_too_early_had_no_chance() {
    check("c0 send ok 0@0=1\n c1 poll ok 0@0=1\n c0 send ok 0@1=2", "unseen 1 (legal)");
    // Only the other partition was polled afterwards.
    check(
        "c1 assign ok 1\n c0 send ok 0@0=1\n c1 poll ok\n c2 assign ok 0\n c2 poll ok 0@0=1\n c0 send ok 0@1=2\n c1 poll ok",
        "unseen 1 (legal)",
    );
}

#[test]
fn only_what_took_effect_can_be_lost() {
    let tail = "c0 send ok 0@9=9\n c1 poll ok 0@9=9";
    check(&format!("c0 send fail 0@?=1\n {tail}"), "");
    check(&format!("c0 send unknown 0@?=1\n {tail}"), "");
    check(&format!("c0 send unknown 0@3=1\n {tail}"), "");
    check(&format!("c0 txn unknown send 0@3=1 0@4=2\n {tail}"), "");
    // Half of it was read, so all of it took effect.
    check("c0 txn unknown send 0@3=1 0@4=2\n c1 poll ok 0@4=2", "lost-write 1");
    check("set isolation.level=read_uncommitted\n c0 txn unknown send 0@3=1 0@4=2\n c1 poll ok 0@4=2", "");
}

#[test]
fn settings_excuse_absence() {
    let gap = three("c1 poll ok 0@0=1 0@2=3");
    check(&format!("set cleanup.policy=compact\n {gap}"), "");
    check(&format!("set retention.ms=1000\n {gap}"), "");
    let late = three("c1 poll ok 0@2=3");
    check(&format!("set auto.offset.reset=latest\n {late}"), "unseen 2");
}

#[test]
fn two_reads_of_one_offset_disagree() {
    check(&three("c1 poll ok 0@0=1 0@1=2 0@2=3\n c2 poll ok 0@0=1 0@1=3 0@2=3"), "inconsistent-offsets 1");
    // A failed poll is a read as well.
    check(&three("c1 poll ok 0@0=1 0@1=2 0@2=3\n c2 poll fail 0@1=3"), "inconsistent-offsets 1");
}

#[test]
fn an_acknowledged_offset_with_another_record_is_a_lost_write_and_nothing_else() {
    check("c0 send ok 0@0=1\n c2 send ok 0@0=2\n c1 poll ok 0@0=2", "lost-write 1");
    // It is elsewhere: only the acknowledgement is wrong.
    check("c0 send ok 0@0=1\n c2 send ok 0@0=2\n c1 poll ok 0@0=2 0@1=1", "inconsistent-offsets 1");
    check("c0 send ok 0@0=1\n c2 send ok 0@0=2\n c1 poll ok", "inconsistent-offsets 1, unseen 2");
}

#[test]
fn a_second_copy_is_a_duplicate_and_nothing_else() {
    check(&three("c1 poll ok 0@0=1 0@1=2 0@2=3 0@3=1"), "duplicate 1");
    check(&three("c1 poll ok 0@0=1 0@1=2 0@2=3 0@3=1\n c1 poll ok 0@4=2"), "duplicate 2");
    check("c0 send ok 0@0=1\n c1 poll ok 0@1=1", "duplicate 1");
    // Readers of the second copy go on in order.
    check(
        "c0 send ok 0@0=1\n c0 send ok 0@1=2\n c1 poll ok 0@0=1 0@1=2 0@5=1\n c2 poll ok 0@0=1 0@1=2",
        "duplicate 1",
    );
}

#[test]
fn a_value_nobody_sent_is_a_phantom_and_nothing_else() {
    check(&three("c1 poll ok 0@0=1 0@1=2 0@2=3 0@3=99"), "phantom 1");
    check(&three("c1 poll ok 0@0=1 0@1=99 0@2=3"), "phantom 1");
    check(&three("c1 poll ok 0@0=1 0@1=99 0@2=3\n c2 poll ok 0@0=1 0@1=2 0@2=3"), "phantom 1");
    // Two partitions, two records.
    check(&three("c1 poll ok 0@0=1 0@1=2 0@2=3 1@0=1\n"), "phantom 1");
    check("c1 poll ok 0@0=1", "phantom 1");
}

#[test]
fn a_poll_goes_forward_without_gaps() {
    let all = "c9 poll ok 0@0=1 0@1=2 0@2=3";
    check(&three(&format!("{all}\n c1 poll ok 0@0=1 0@2=3")), "int-poll-skip 1");
    check(&three(&format!("{all}\n c1 poll ok 0@0=1\n c1 poll ok 0@2=3")), "poll-skip 1");
    check(&three(&format!("{all}\n c1 poll ok 0@1=2 0@0=1")), "int-nonmonotonic-poll 1");
    check(&three(&format!("{all}\n c1 poll ok 0@1=2 0@1=2")), "int-nonmonotonic-poll 1");
    check(&three(&format!("{all}\n c1 poll ok 0@1=2\n c1 poll ok 0@1=2 0@2=3")), "nonmonotonic-poll 1");
    // Several polls of one operation are one walk.
    check(&three(&format!("{all}\n c1 txn ok poll 0@0=1 poll 0@2=3")), "int-poll-skip 1");
    // Who goes back and comes again has skipped nothing.
    check(&three(&format!("{all}\n c1 poll ok 0@1=2 0@0=1 0@2=3")), "int-nonmonotonic-poll 1");
}

#[test]
fn polls_that_failed_are_checked_and_move_nothing() {
    let all = "c9 poll ok 0@0=1 0@1=2 0@2=3";
    check(&three(&format!("{all}\n c1 poll ok 0@0=1\n c1 poll fail 0@1=2\n c1 poll ok 0@1=2 0@2=3")), "");
    check(
        &three(&format!("{all}\n c1 poll ok 0@0=1\n c1 poll fail 0@1=2\n c1 poll ok 0@2=3")),
        "poll-skip 1",
    );
    check(&three(&format!("{all}\n c1 poll ok 0@0=1\n c1 poll fail 0@2=3")), "poll-skip 1");
}

#[test]
fn a_process_keeps_its_place_in_partitions_named_again() {
    let all = "c9 poll ok 0@0=1 0@1=2 0@2=3";
    let after = |between: &str| {
        three(&format!("{all}\n c1 assign ok 0 1\n c1 poll ok 0@0=1\n {between}\n c1 poll ok 0@2=3"))
    };
    check(&after("c1 assign ok 0"), "poll-skip 1");
    check(&after("c1 assign fail 1"), "poll-skip 1");
    check(&after("c1 assign ok 1\n c1 assign ok 0"), "");
    check(&after("c1 assign unknown 1"), "");
    check(&after("c1 seek ok 0"), "");
}

#[test]
fn rebalances_move_partitions_and_silence_about_them_excuses() {
    let all = "c9 poll ok 0@0=1 0@1=2 0@2=3";
    let after = |between: &str| three(&format!("{all}\n c1 subscribe ok 0 1\n c1 poll ok 0@0=1\n {between}"));
    check(&after("c1 poll ok 0@2=3"), "poll-skip 1 (legal)");
    check(&after("c1 poll ok 0@0=1"), "nonmonotonic-poll 1 (legal)");
    // What happens inside of a poll is no matter of the group.
    check(&after("c1 poll ok 0@1=2 0@1=2"), "int-nonmonotonic-poll 1");
    // It was given the record before, but not by this operation.
    check(
        &after("c1 poll ok 0@1=2 0@2=3\n c1 poll ok 0@0=1 0@2=3"),
        "int-poll-skip 1, nonmonotonic-poll 1 (legal)",
    );
    // This history tells of rebalances: of this partition, or only of another one.
    check(&after("c1 poll ok 0@2=3 moved 0"), "");
    check(&after("c1 poll ok moved 0\n c1 poll ok 0@2=3"), "");
    check(&after("c1 poll ok 0@2=3 moved 1"), "poll-skip 1");
    check(&after("c1 poll ok 0@1=2 0@0=1 moved 0"), "");
}

#[test]
fn sends_lie_in_the_order_of_sending() {
    let read = "c1 poll ok 0@0=1 0@1=2 0@2=3 0@3=4";
    check(
        &format!("c0 send ok 0@1=2\n c0 send ok 0@0=1\n c2 send ok 0@2=3\n c2 send ok 0@3=4\n {read}"),
        "nonmonotonic-send 1",
    );
    check(
        &format!("c0 txn ok send 0@1=2 0@0=1\n c2 send ok 0@2=3\n c2 send ok 0@3=4\n {read}"),
        "int-nonmonotonic-send 1",
    );
    check(
        &format!("c0 txn ok send 0@0=1 0@2=3\n c2 send ok 0@1=2\n c2 send ok 0@3=4\n {read}"),
        "int-send-skip 1",
    );
    // What was not acknowledged may land at any time.
    check(
        &format!("c0 send unknown 0@?=4\n c0 send ok 0@0=1\n c2 send ok 0@1=2\n c2 send ok 0@2=3\n {read}"),
        "",
    );
}

#[test]
fn huge_and_strange_offsets_do_no_harm() {
    let far = i64::MAX;
    check(&format!("c0 send ok 0@0=1\n c0 send ok 0@{far}=2\n c1 poll ok 0@0=1 0@{far}=2"), "");
    check(&format!("c0 send ok 0@-5=1\n c0 send ok 0@{far}=2\n c1 poll ok 0@{far}=2"), "lost-write 1");
    check("c0 send ok 0@-1=1\n c0 send ok 0@-1=2\n c1 poll ok 0@-1=1", "lost-write 1");
}

#[test]
fn degenerate_histories_are_no_trouble() {
    check("", "");
    check("c0 send fail 0@?=1", "");
    check("c0 poll ok\n c0 poll unknown", "");
    check("c0 crash unknown\n c1 assign ok\n c1 subscribe fail 3", "");
}
