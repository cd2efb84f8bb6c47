//! Verdicts on histories from elsewhere.

use super::{Ending, judge};
use crate::testing::simulated::notation::operations;
use crate::{Judgement, Word};

fn judged(text: &str) -> Judgement {
    judge(&operations(text).build())
}

fn word(judgement: &Judgement, guarantee: &str) -> Option<Word> {
    judgement.guarantees.iter().find(|judged| judged.guarantee == guarantee).map(|judged| judged.word)
}

const CLEAN: &str = "c0 send ok 0@0=1\n c0 send ok 0@1=2\n c1 poll ok 0@0=1 0@1=2";

#[test]
fn a_clean_history_is_held_however_small() {
    let judgement = judged(CLEAN);
    assert_eq!((judgement.word, Ending::of(judgement.word)), (Word::Held, Ending::Held));
    assert!(judgement.caveats.is_empty() && judgement.findings.is_empty(), "{judgement:#?}");
    insta::assert_snapshot!(judgement.headline, @"acknowledged records are kept: 0 of 2 acknowledged records lost, under faults that the history does not tell of");
    insta::assert_snapshot!(judgement.assumed.join(" "), @"acks=all enable.idempotence=true retries=2147483647 replication.factor=3 min.insync.replicas=2 unclean.leader.election.enable=false isolation.level=read_committed");
    // There was no healing, no closing and no drain of ours.
    for absent in ["availability", "silent-loss", "visibility"] {
        assert_eq!(word(&judgement, absent), None, "{absent}");
    }
    assert_eq!((judgement.counts.acked, judgement.counts.in_log, judgement.counts.delivered), (2, 2, 2));
}

#[test]
fn a_broken_promise_is_broken() {
    let judgement = judged("c0 send ok 0@0=1\n c0 send ok 0@1=2\n c1 poll ok 0@1=2");
    assert_eq!((judgement.word, word(&judgement, "acknowledged-loss")), (Word::Broken, Some(Word::Broken)));
    insta::assert_snapshot!(judgement.headline, @"1 of 2 acknowledged records lost, though acks=all with min.insync.replicas of 2 or more keeps them");
    let witness = &judgement.findings[0].examples[0];
    insta::assert_snapshot!(witness.text, @"value 1 was acknowledged at offset 0 of partition 0, and client-1 read on to offset 1 without it");
    let lines: Vec<Option<u64>> = witness.operations.iter().map(|operation| operation.line).collect();
    assert_eq!((lines, witness.at_ms), (vec![Some(1), Some(3)], Some(1)));
}

#[test]
fn what_the_settings_allow_is_shown() {
    let again = format!("{CLEAN}\n c1 poll ok 0@2=1");
    assert_eq!(judged(&again).word, Word::Broken);
    let judgement = judged(&format!("set enable.idempotence=false\n {again}"));
    assert_eq!(
        (Ending::of(judgement.word), word(&judgement, "duplicates")),
        (Ending::Held, Some(Word::Shown))
    );
    // Nobody says that no leader moved.
    let judgement = judged("set acks=1\n c0 send ok 0@0=1\n c0 send ok 0@1=2\n c1 poll ok 0@1=2");
    assert_eq!((Ending::of(judgement.word), judgement.word), (Ending::Held, Word::Shown));
    insta::assert_snapshot!(judgement.assumed.join(" "), @"enable.idempotence=true retries=2147483647 replication.factor=3 min.insync.replicas=2 unclean.leader.election.enable=false isolation.level=read_committed");
}

#[test]
fn what_a_group_may_do_is_noted() {
    let text = format!("{CLEAN}\n c2 subscribe ok 0\n c2 poll ok 0@0=1\n c2 poll ok 0@0=1 0@1=2");
    let judgement = judged(&text);
    assert_eq!((judgement.word, word(&judgement, "reading-order")), (Word::Held, Some(Word::Noted)));
    let reading = judgement.guarantees.iter().find(|judged| judged.guarantee == "reading-order");
    insta::assert_snapshot!(reading.map(|judged| judged.reason.as_str()).unwrap_or_default(), @"the processes subscribe and the history tells of no rebalance, so that a partition may have been elsewhere in between");
    // What it may not do counts alone.
    let judgement = judged(&format!("{text}\n c2 poll ok 0@1=2 0@1=2"));
    assert_eq!((judgement.word, word(&judgement, "reading-order")), (Word::Broken, Some(Word::Broken)));
}

#[test]
fn records_of_others_between_sends_are_noted() {
    let mut script =
        operations("c0 txn ok send 0@0=1 0@2=3\n c1 send ok 0@1=2\n c2 poll ok 0@0=1 0@1=2 0@2=3");
    // At the same time.
    script.processes[1][0].invoked = script.processes[0][0].invoked;
    let judgement = judge(&script.build());
    assert_eq!((judgement.word, word(&judgement, "contiguous-sends")), (Word::Held, Some(Word::Noted)));
}

#[test]
fn what_says_nothing_is_indeterminate_with_the_reason() {
    let reason = |text: &str| {
        let judgement = judged(text);
        assert_eq!(
            (judgement.word, Ending::of(judgement.word)),
            (Word::Indeterminate, Ending::Indeterminate)
        );
        judgement.headline
    };
    insta::assert_snapshot!(reason(""), @"nobody can say: the history has no send, so there is nothing that could be lost");
    insta::assert_snapshot!(reason("c0 send fail 0@?=1\n c1 poll ok"), @"nobody can say: no send was acknowledged, so there is nothing that could be lost");
    insta::assert_snapshot!(reason("c0 poll ok\n c0 poll unknown"), @"nobody can say: the history has no send, so there is nothing that could be lost");
    insta::assert_snapshot!(reason("c0 send ok 0@0=1\n c1 poll unknown 0@0=1"), @"nobody can say: no poll came back, so nobody knows what the log holds");
    insta::assert_snapshot!(
        reason("set cleanup.policy=compact\n c0 send ok 0@0=1\n c0 send ok 0@1=2\n c1 poll ok 0@1=2"),
        @"nobody can say: retention or compaction may have deleted acknowledged records that no poll returned: their absence proves nothing (raise `retention.ms`, set `cleanup.policy=delete`)"
    );
    // What is certainly wrong is wrong all the same.
    assert_eq!(judged("c1 poll ok 0@0=1").word, Word::Broken);
}
