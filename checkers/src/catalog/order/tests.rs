//! Orders that are wrong, and ones that only look so.

use crate::testing::check;

#[test]
fn the_log_follows_the_producer() {
    check("p0#0 0@1 acked\n p0#1 0@0 acked\n log 0: p0#1 p0#0", "nonmonotonic-send 1");
    check("p0#0 0@0 acked\n p0#1 0@1 acked\n log 0: p0#0 p0#1", "");
}

#[test]
fn only_acknowledged_records_of_one_session_and_partition_have_an_order() {
    check("p0#0 0@? failed\n p0#1 0@0 acked\n log 0: p0#1 p0#0", "");
    // Between sessions it is a matter of real time.
    check("p0#0 0@1 acked\n p1#1 0@0 acked\n log 0: p1#1 p0#0", "realtime-reorder 1");
    check("p0#0 0@1 acked\n p0.1#1 0@0 acked\n log 0: p0.1#1 p0#0", "realtime-reorder 1");
    check("p0#0 0@1 acked\n p0#1 1@0 acked\n log 0: _ p0#0\n log 1: p0#1", "");
    check("p0#0 0@1 acked\n p0#1 0@0 acked\n cut 0: p0#1 p0#0", "");
}

#[test]
fn a_late_second_copy_reorders_nothing() {
    check("p0#0 0@0 acked\n p0#1 0@1 acked\n log 0: p0#0 p0#1 p0#0", "duplicate 1");
}

#[test]
fn a_key_stays_in_order_and_in_one_partition() {
    check("p0#0 k1 0@1 acked\n p0#1 k1 0@0 acked\n log 0: p0#1 p0#0", "key-reorder 1");
    check("p0#0 k1 0@1 acked\n p0#1 k2 0@0 acked\n log 0: p0#1 p0#0", "nonmonotonic-send 1");
    check("p0#0 k1 0@0 acked\n p0#1 k1 1@0 acked\n log 0: p0#0\n log 1: p0#1", "key-reorder 1");
    check("p0#0 k1 0@0 acked\n p0#1 k2 1@0 acked\n log 0: p0#0\n log 1: p0#1", "");
}

const THREE: &str = "p0#0 0@0 acked\n p0#1 0@1 acked\n p0#2 0@2 acked\n log 0: p0#0 p0#1 p0#2";

#[test]
fn a_reader_goes_forward() {
    check(&format!("{THREE}\n read r0 0: 0=p0#0 1=p0#1 1=p0#1 2=p0#2"), "nonmonotonic-poll 1");
    check(&format!("{THREE}\n read r0 0: 1=p0#1 0=p0#0 2=p0#2"), "nonmonotonic-poll 1");
    check(&format!("{THREE}\n read r0 0: 1=p0#1 2=p0#2 0=p0#0 1=p0#1 2=p0#2"), "nonmonotonic-poll 1");
    check(&format!("{THREE}\n read r0 0: 0=p0#0 1=p0#1 2=p0#2"), "");
}

#[test]
fn a_reader_skips_nothing_that_is_there() {
    check(&format!("{THREE}\n read r0 0: 0=p0#0 2=p0#2"), "poll-skip 1");
    // It read every fence, so the record is `unseen`, and that is all.
    check(&format!("{THREE}\n read r0 0: 0=p0#0 2=p0#2\n caught r0"), "unseen 1");
    check("p0#0 0@0 acked\n p0#1 0@2 acked\n log 0: p0#0 _ p0#1\n read r0 0: 0=p0#0 2=p0#1\n caught r0", "");
}

#[test]
fn a_reader_of_a_truncated_tail_may_go_back() {
    check(
        "p0#0 0@0 acked\n p9#0 0@? failed\n p9#1 0@? failed\n p0#1 0@1 acked\n log 0: p0#0 p0#1\n \
         read r0 0: 0=p0#0 1=p9#0 2=p9#1 1=p0#1",
        "lost-read 2",
    );
}
