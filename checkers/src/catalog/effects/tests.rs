//! Rows of sinks, red and green and nearly so.

use history::Role;

use crate::testing::simulated::notation::{check_operations, operations};
use crate::testing::{Scene, check, scene};
use crate::{Judgement, Word, judge};

const LOG: &str = "p0#0 0@0 acked\n p0#1 0@1 acked\n log 0: p0#0 p0#1";

/// Enough that the run means something, then two records more.
fn run(rest: &str) -> Scene {
    let sends: Vec<String> = (0..12).map(|seq| format!("p0#{seq} 0@{seq} acked")).collect();
    let log: Vec<String> = (0..12).map(|seq| format!("p0#{seq}")).collect();
    scene(&format!("{}\n log 0: {}\n {rest}", sends.join("\n"), log.join(" ")))
}

fn every(but: usize) -> String {
    let rows = (0..12).filter(|seq| *seq != but).map(|seq| format!("p0#{seq}"));
    rows.collect::<Vec<_>>().join(" ")
}

fn word(judgement: &Judgement, guarantee: &str) -> Option<Word> {
    judgement.guarantees.iter().find(|judged| judged.guarantee == guarantee).map(|judged| judged.word)
}

fn words(text: &str) -> (Word, Option<Word>, Option<Word>) {
    let judgement = judge(&run(text).history);
    (judgement.word, word(&judgement, "effect-loss"), word(&judgement, "effect-duplicates"))
}

#[test]
fn each_record_once_is_nothing() {
    check(&format!("{LOG}\n sink s0: p0#1 p0#0"), "");
    check_operations("c0 send ok 0@0=1\n c0 send ok 0@1=2\n c1 poll ok 0@0=1 0@1=2\n s0 rows 0=2 0=1", "");
}

#[test]
fn no_row_is_a_lost_effect_and_two_are_a_duplicate_one() {
    check(&format!("{LOG}\n sink s0: p0#1"), "lost-effect 1");
    check(&format!("{LOG}\n sink s0:"), "lost-effect 2");
    check(&format!("{LOG}\n sink s0: p0#0 p0#1 p0#0"), "duplicate-effect 1");
    check(&format!("{LOG}\n sink s0: p0#0 p0#0 p0#0"), "duplicate-effect 1, lost-effect 1");
    let sent = "c0 send ok 0@0=1\n c0 send ok 0@1=2\n c1 poll ok 0@0=1 0@1=2";
    check_operations(&format!("{sent}\n s0 rows 0=1"), "lost-effect 1");
    check_operations(&format!("{sent}\n s0 rows 0=1 0=2 0=1"), "duplicate-effect 1");
}

#[test]
fn without_a_sink_nothing_is_said() {
    check(LOG, "");
    assert_eq!(words("set effects=exactly-once"), (Word::Held, None, None));
}

#[test]
fn a_record_in_doubt_needs_a_row_only_if_it_is_in_the_log() {
    check("p0#0 0@? failed\n log 0:\n sink s0:", "");
    check("p0#0 0@? failed\n log 0: p0#0\n sink s0:", "lost-effect 1");
    check("p0#0 0@? failed\n log 0: p0#0\n sink s0: p0#0", "");
    check("p0#0 0@? sent\n log 0: p0#0\n sink s0:", "lost-effect 1");
    check_operations("c0 send unknown 0@?=1\n c0 send ok 0@1=2\n c1 poll ok 0@1=2\n s0 rows 0=2", "");
    check_operations(
        "c0 send unknown 0@?=1\n c0 send ok 0@1=2\n c1 poll ok 0@0=1 0@1=2\n s0 rows 0=2",
        "lost-effect 1",
    );
}

#[test]
fn a_lost_record_is_lost_and_nothing_else_whatever_it_did_before() {
    let lost = "p0#0 0@0 acked\n p0#1 0@1 acked\n log 0: _ p0#1";
    check(&format!("{lost}\n sink s0: p0#1"), "lost-write 1");
    check(&format!("{lost}\n sink s0: p0#0 p0#1"), "lost-write 1");
    check("p0#0 0@? failed\n log 0:\n sink s0: p0#0", "");
    // That it was applied twice is told all the same.
    check(&format!("{lost}\n sink s0: p0#0 p0#1 p0#0"), "duplicate-effect 1, lost-write 1");
    let lost = "c0 send ok 0@0=1\n c0 send ok 0@1=2\n c1 poll ok 0@1=2";
    check_operations(&format!("{lost}\n s0 rows 0=2"), "lost-write 1");
    check_operations(&format!("{lost}\n s0 rows 0=1 0=2"), "lost-write 1");
}

#[test]
fn rows_of_nobody_are_phantoms_each_once() {
    check(&format!("{LOG}\n sink s0: p0#0 p0#1 p9#9"), "phantom 1");
    check(&format!("{LOG}\n sink s0: p0#0 p0#1 p9#9 p9#9"), "phantom 1");
    check(&format!("{LOG}\n sink s0: p0#0 p0#1 p0#2 ?"), "phantom 2");
    // What the log holds is told there.
    let log = "p0#0 0@0 acked\n log 0: p0#0 p9#9";
    check(&format!("{log}\n sink s0: p0#0 p9#9 p9#9"), "phantom 1");
    check("p0#0 0@? fail\n log 0:\n sink s0: p0#0 p0#0", "phantom 1");
    check("p0#0 0@? fail\n log 0: p0#0\n sink s0: p0#0 p0#0", "phantom 1");
    check("p0#0 0@? fail\n log 0: p0#0\n sink s0:", "phantom 1");
    check_operations("c0 send ok 0@0=1\n c1 poll ok 0@0=1\n s0 rows 0=1 0=7 0=8", "phantom 2");
    check_operations(
        "c0 send ok 0@0=1\n c0 send fail 0@?=2\n c1 poll ok 0@0=1\n s0 rows 0=1 0=2",
        "phantom 1",
    );
}

#[test]
fn a_damaged_row_is_corrupt_and_no_effect_is_missed() {
    check(&format!("{LOG}\n sink s0: ~p0#0 p0#1"), "corrupt 1");
    check("p0#0 0@0 acked\n log 0: ~p0#0\n sink s0:", "corrupt 1");
}

#[test]
fn a_copy_of_the_log_may_take_effect_too() {
    let twice = "p0#0 0@0 acked\n log 0: p0#0 p0#0";
    check(&format!("{twice}\n sink s0: p0#0"), "duplicate 1");
    check(&format!("{twice}\n sink s0: p0#0 p0#0"), "duplicate 1, duplicate-effect 1");
    let judgement =
        judge(&scene(&format!("set effects=exactly-once\n {twice}\n sink s0: p0#0 p0#0")).history);
    assert_eq!(word(&judgement, "effect-duplicates"), Some(Word::Noted));
    let judgement =
        judge(&scene(&format!("set effects=exactly-once\n {twice}\n sink s0: p0#0 p0#0 p0#0")).history);
    assert_eq!(word(&judgement, "effect-duplicates"), Some(Word::Broken));
}

#[test]
fn each_sink_is_to_hold_every_record_and_each_record_counts_once() {
    check(&format!("{LOG}\n sink s0: p0#0 p0#1\n sink s1: p0#0"), "lost-effect 1");
    check(&format!("{LOG}\n sink s0: p0#0\n sink s1: p0#0"), "lost-effect 1");
    check(&format!("{LOG}\n sink s0: p0#0 p0#0\n sink s1: p0#0 p0#1"), "duplicate-effect 1, lost-effect 1");
}

#[test]
fn what_is_promised_follows_from_the_setting() {
    use Word::{Broken, Held, NotSeen, Noted, Shown};
    let (whole, lost) = (every(99), every(3));
    let again = format!("{whole} p0#3");
    let judged = |said: &str, rows: &str| words(&format!("{said}\n sink s0: {rows}"));
    for (said, on, loss, repeat) in [
        ("set effects=exactly-once", (Held, Held), Broken, Broken),
        ("set effects=at-least-once", (Held, NotSeen), Broken, Shown),
        ("set effects=at-most-once", (NotSeen, Held), Shown, Broken),
    ] {
        assert_eq!(judged(said, &whole), (Held, Some(on.0), Some(on.1)), "{said}");
        let (run, lost, repeated) = judged(said, &lost);
        assert_eq!((lost, repeated), (Some(loss), Some(on.1)), "{said}");
        assert_eq!(run == Broken, loss == Broken, "{said}");
        let (run, lost, repeated) = judged(said, &again);
        assert_eq!((lost, repeated), (Some(on.0), Some(repeat)), "{said}");
        assert_eq!(run == Broken, repeat == Broken, "{said}");
    }
    assert_eq!(judged("", &whole), (Held, None, None));
    assert_eq!(judged("", &lost), (Held, Some(Noted), None));
    assert_eq!(judged("", &again), (Held, None, Some(Noted)));
    // As a plan that somebody wrote by hand may have it.
    let odd = judge(&run(&format!("set effects=once\n sink s0: {again}")).history);
    assert_eq!(word(&odd, "effect-duplicates"), Some(Noted));
    assert!(odd.caveats.iter().any(|caveat| caveat.contains("setting `effects` is `once`")), "{odd:#?}");
}

#[test]
fn a_sink_that_was_cut_off_shows_what_it_shows_and_nothing_else() {
    use Word::{Broken, Indeterminate};
    let judged = |rows: &str| words(&format!("set effects=exactly-once\n sink s0: {rows}\n unread s0"));
    assert_eq!(judged(&every(99)), (Indeterminate, Some(Indeterminate), Some(Indeterminate)));
    assert_eq!(judged(&every(3)), (Indeterminate, Some(Indeterminate), Some(Indeterminate)));
    let again = format!("{} p0#4", every(3));
    assert_eq!(judged(&again), (Broken, Some(Indeterminate), Some(Broken)));
    check(&format!("{LOG}\n sink s0: p0#0\n unread s0"), "");
    check_operations("c0 send ok 0@0=1\n c1 poll ok 0@0=1\n s0 cut", "");
    // Nothing is promised, so nothing is undecided; it is said all the same.
    let unsaid = judge(&run(&format!("sink s0: {}\n unread s0", every(3))).history);
    assert_eq!((unsaid.word, word(&unsaid, "effect-loss")), (Word::Held, None));
    assert!(unsaid.caveats[0].contains("sink-0 was not read to its end"), "{:?}", unsaid.caveats);
}

#[test]
fn of_several_read_backs_of_one_sink_the_last_whole_one_counts() {
    let mut scene = run(&format!("set effects=exactly-once\n sink s0: {}\n unread s0", every(3)));
    let first: Vec<_> = scene.session(Role::Sink, 0, 0).deliveries().collect();
    let again = scene.session(Role::Sink, 0, 1);
    first.iter().for_each(|row| _ = again.push_delivery(row));
    assert_eq!(word(&judge(&scene.history), "effect-loss"), Some(Word::Broken));
    scene.session(Role::Sink, 0, 0).closed = true;
    scene.session(Role::Sink, 0, 1).closed = false;
    assert_eq!(word(&judge(&scene.history), "effect-loss"), Some(Word::Broken));
    assert_eq!(word(&judge(&scene.history), "effect-duplicates"), Some(Word::Held));
}

#[test]
fn a_partition_that_nobody_drained_leaves_the_lost_ones_open() {
    use Word::{Held, Indeterminate};
    let cut = "cut 0: p0#0\n sink s0: p0#0 p0#1";
    let sends: Vec<String> = (0..12).map(|seq| format!("p0#{seq} 0@{seq} acked")).collect();
    let judgement =
        judge(&scene(&format!("set effects=exactly-once\n {}\n {cut}", sends.join("\n"))).history);
    assert_eq!(word(&judgement, "effect-loss"), Some(Indeterminate));
    assert_eq!(word(&judgement, "effect-duplicates"), Some(Held));
}

#[test]
fn rows_are_no_reads_of_the_log() {
    // From places that were never read, before they were sent, backwards: of no consequence.
    let script = "c0 send ok 0@0=1\n c0 send ok 0@1=2\n c1 poll ok 0@0=1 0@1=2\n s0 rows 0=2 0=1\n set effects=exactly-once";
    let judgement = judge(&operations(script).build());
    assert_eq!((judgement.word, judgement.findings.len()), (Word::Held, 0), "{:#?}", judgement.findings);
    assert_eq!(word(&judgement, "effect-loss"), Some(Word::Held));
    assert_eq!(judgement.counts.delivered, 2);
}

#[test]
fn a_sink_is_judged_whatever_the_plan_asks_for() {
    let mut scene = run(&format!("set effects=exactly-once\n sink s0: {}", every(3)));
    scene.history.plan.checkers = vec!["loss".to_owned()];
    assert_eq!(word(&judge(&scene.history), "effect-loss"), Some(Word::Broken));
}

#[test]
fn a_witness_says_where_the_record_is_and_which_rows_are_of_it() {
    let tell = |text: &str| {
        let judgement = judge(&scene(text).history);
        let findings = judgement.findings.iter().filter(|finding| finding.checker != "exercise");
        findings.flat_map(|finding| &finding.examples).next().map(|witness| witness.text.clone())
    };
    insta::assert_snapshot!(tell(&format!("{LOG}\n sink s0: p0#1")).unwrap_or_default(), @"p0#0 is at offset 0 of partition 0, and sink-0 has no row of it");
    insta::assert_snapshot!(tell(&format!("{LOG}\n sink s0: p0#1 p0#0 p0#1")).unwrap_or_default(), @"p0#1, from offset 1 of partition 0, has 2 rows in sink-0: 1 and 3");
    insta::assert_snapshot!(tell(&format!("{LOG}\n sink s0: p0#1 p0#0 p0#1 p0#1 p0#1 p0#1 p0#1")).unwrap_or_default(), @"p0#1, from offset 1 of partition 0, has 6 rows in sink-0: 1, 3, 4, 5 and 2 more");
    insta::assert_snapshot!(tell(&format!("{LOG}\n sink s0: p0#1 p0#0 p7#1")).unwrap_or_default(), @"row 3 of sink-0 was made of p7#1, which was never sent, from offset 1002 of partition 0");
}
