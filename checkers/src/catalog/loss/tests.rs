//! Losses and near misses.

use crate::testing::check;

#[test]
fn nothing_is_lost_from_an_empty_history() {
    check("", "");
    check("log 0:", "");
}

#[test]
fn an_acknowledged_record_that_is_gone_is_lost() {
    check("p0#0 0@0 acked\n p0#1 0@1 acked\n log 0: p0#0", "lost-write 1");
    check("p0#0 0@? acked\n log 0:", "lost-write 1");
    // In no partition at all, as far as anybody knows where it went.
    check("p0#0 ? acked\n log 0:\n log 1:", "lost-write 1");
}

#[test]
fn an_acknowledged_record_that_is_there_is_not() {
    check("p0#0 0@0 acked\n log 0: p0#0", "");
    check("p0#0 ? acked\n log 0:\n log 1: p0#0", "");
}

#[test]
fn an_overwritten_record_is_one_finding() {
    check("p0#0 0@0 acked\n p0#1 0@0 acked\n log 0: p0#1\n read r0 0: 0=p0#1\n caught r0", "lost-write 1");
}

#[test]
fn a_partition_that_was_not_drained_loses_nothing() {
    check("p0#0 0@0 acked\n cut 0:", "");
    check("p0#0 ? acked\n log 0:\n cut 1:", "");
}

#[test]
fn what_was_told_decides_the_kind() {
    check("p0#0 0@? sent\n log 0:", "lost-unconfirmed 1");
    check("p0#0 0@? failed\n log 0:", "");
    check("p0#0 0@? fail\n log 0:", "");
    check("p0#0 0@? nothing\n log 0:", "lost-silently 1");
    check("p0#0 0@? nothing\n killed p0\n log 0:", "lost-in-client 1");
    check("p0#0 0@? nothing\n p0#1 0@? sent\n killed p0\n log 0: p0#0 p0#1", "");
}

#[test]
fn sessions_are_told_apart() {
    check("p0#0 0@0 acked\n p0.1#0 0@1 acked\n log 0: p0#0", "lost-write 1");
    check("p0#0 0@0 acked\n p0.1#0 0@1 acked\n log 0: p0#0 p0.1#0", "");
}

#[test]
fn a_corrupt_record_is_not_lost_as_well() {
    check("p0#0 0@0 acked\n log 0: ~p0#0", "corrupt 1");
    check("p0#0 0@? acked\n log 0: ~p0#0", "corrupt 1");
    check("p0#0 0@0 acked\n log 0: ~p7#7", "corrupt 1");
}

#[test]
fn retention_excuses_absence() {
    check("set retention.ms=1000\n p0#0 0@0 acked\n log 0:", "");
    check("set retention.ms=604800000\n p0#0 0@0 acked\n log 0:", "lost-write 1");
}

#[test]
fn a_reader_that_caught_up_must_be_given_everything() {
    let text = "p0#0 0@0 acked\n p0#1 0@1 acked\n log 0: p0#0 p0#1\n read r0 0: 0=p0#0";
    check(text, "");
    check(&format!("{text}\n caught r0"), "unseen 1");
    check(&format!("{text} 1=p0#1\n caught r0"), "");
}

#[test]
fn the_summary_names_where_the_lost_records_lay() {
    let scene = crate::testing::scene(
        "p0#0 0@0 acked\n p0#1 0@1 acked\n p0#2 0@2 acked\n p0#3 0@3 acked\n p0#4 0@4 acked\n p0#5 0@9 acked\n \
         p0#6 0@? acked\n log 0: _ p0#1 _ p0#4",
    );
    let context = crate::context::Context::new(&scene.history);
    let findings = super::check(&context);
    insta::assert_snapshot!(
        findings[0].summary,
        @"5 of 7 acknowledged records lost: 1 prefix, 2 middle, 1 suffix, 1 of them overwritten, 1 at unknown offsets; partition 0 offset 0, partition 0 offsets 2-3, partition 0 offset 9"
    );
    insta::assert_snapshot!(
        findings[0].examples[2].text,
        @"p0#3 was acknowledged at offset 3 of partition 0, which now holds p0#4"
    );
}
