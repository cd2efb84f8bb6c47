//! Output and offsets parted, and everything that only looks like it.

use std::collections::BTreeMap;

use history::{History, Outcome, Tag};

use crate::context::Context;
use crate::testing::{Consumed, Txn, World, tag};
use crate::{Finding, Word, judge};

const INPUT: (u32, i64) = (0, 0);

/// Client 0 writes an input and a mark behind everything; client 1 makes an output of the input, in partition 1
/// at offset 0, and comes back later.
struct Story(World);

impl Story {
    fn new() -> Self {
        let txn = |client: u32, called: u64, sends: &[(Tag, u32, i64)]| Txn {
            client,
            moment: called,
            called,
            returned: called + 10,
            outcome: Outcome::Ok,
            committed: true,
            sends: sends.to_vec(),
            reads: Vec::new(),
            consumed: Consumed::default(),
        };
        let input = (tag(0, 0), INPUT.0, INPUT.1);
        let mut made = txn(1, 1100, &[(tag(1, 0), 1, 0)]);
        made.reads = vec![input];
        made.consumed.inputs = vec![Some(INPUT)];
        made.consumed.committed = vec![(0, 1)];
        let marks = [(tag(0, 1), 0, 2), (tag(0, 2), 1, 2)];
        let all = [txn(0, 1000, &[input]), made, txn(0, 1200, &marks), txn(1, 1300, &[])];
        let mut logs = vec![BTreeMap::new(); 2];
        for (tag, partition, offset) in all.iter().flat_map(|txn| &txn.sends) {
            logs[*partition as usize].insert(*offset, *tag);
        }
        Self(World { txns: all.to_vec(), logs })
    }

    fn made(&mut self) -> &mut Txn {
        &mut self.0.txns[1]
    }

    fn again(&mut self) -> &mut Txn {
        &mut self.0.txns[3]
    }

    /// Its output is gone.
    fn without_output(mut self, outcome: Outcome) -> Self {
        self.made().outcome = outcome;
        self.0.lose(tag(1, 0));
        self
    }

    fn told(mut self, next: i64) -> Self {
        self.again().consumed.fetched = vec![(0, next)];
        self
    }
}

fn kinds(history: &History) -> Vec<String> {
    let kinds = super::check(&Context::new(history)).into_iter();
    kinds.map(|Finding { kind, count, .. }| format!("{kind} {count}")).collect()
}

#[track_caller]
fn shows(story: &Story, expected: &[&str]) {
    assert_eq!(kinds(&story.0.history()), expected);
}

const BARE: &[&str] = &["offsets-without-output 1"];
const LEFT: &[&str] = &["output-without-offsets 1"];

#[test]
fn together_they_are_nothing() {
    shows(&Story::new(), &[]);
    shows(&Story::new().told(1), &[]);
    assert!(kinds(&Story::new().told(1).0.foreign()).is_empty());
}

#[test]
fn offsets_of_a_committed_transaction_need_their_output() {
    let gone = Story::new().without_output(Outcome::Ok);
    shows(&gone, BARE);
    assert_eq!(kinds(&gone.0.foreign()), BARE);
    let judgement = judge(&gone.0.history());
    let atomicity = judgement.guarantees.iter().find(|judged| judged.guarantee == "atomicity");
    assert_eq!(atomicity.map(|judged| judged.word), Some(Word::Broken));
    let text = judgement.findings.iter().find(|finding| finding.kind == "offsets-without-output");
    insta::assert_snapshot!(text.map(|finding| finding.examples[0].text.as_str()).unwrap_or_default(), @"client-1's transaction at 1100 ms committed offset 1 of partition 0, past its input at offset 0 of partition 0; p1#0, which it made of that, is in no log");
}

#[test]
fn one_that_nobody_knows_the_end_of_needs_proof_that_its_offsets_stand() {
    for outcome in [Outcome::Unknown, Outcome::Fail] {
        shows(&Story::new().without_output(outcome), &[]);
        shows(&Story::new().without_output(outcome).told(0), &[]);
        shows(&Story::new().without_output(outcome).told(1), BARE);
        // Somebody else may have committed the same.
        let mut shared = Story::new().without_output(outcome).told(1);
        shared.again().consumed.committed = vec![(0, 1)];
        shows(&shared, &[]);
    }
}

#[test]
fn who_says_nothing_of_inputs_or_did_not_commit_them_is_not_judged() {
    let mut silent = Story::new().without_output(Outcome::Ok);
    silent.made().consumed.inputs.clear();
    shows(&silent, &[]);
    let mut other = Story::new().without_output(Outcome::Ok);
    other.made().consumed.committed = vec![(0, 0)];
    shows(&other, &[]);
}

#[test]
fn an_input_that_was_processed_again_has_its_output() {
    let mut again = Story::new().without_output(Outcome::Ok);
    again.0.logs[1].insert(5, tag(1, 1));
    let txn = again.again();
    txn.sends = vec![(tag(1, 1), 1, 5)];
    txn.consumed.inputs = vec![Some(INPUT)];
    shows(&again, &[]);
}

#[test]
fn output_needs_the_offsets_of_its_input() {
    let mut never = Story::new();
    never.made().consumed.committed = vec![(1, 1)];
    shows(&never, LEFT);
    assert_eq!(kinds(&never.0.foreign()), LEFT);
    // A later transaction of the group went past it.
    never.again().consumed.committed = vec![(0, 1)];
    shows(&never, &[]);
    // Or may have.
    never.again().outcome = Outcome::Unknown;
    shows(&never, &[]);
    never.again().outcome = Outcome::Fail;
    shows(&never, LEFT);
    // Who commits nowhere keeps its offsets elsewhere.
    never.made().consumed.committed.clear();
    never.again().consumed.committed.clear();
    shows(&never, &[]);
}

#[test]
fn what_was_committed_and_is_not_leaves_output_behind() {
    let back = Story::new().told(0);
    shows(&back, LEFT);
    assert_eq!(kinds(&back.0.foreign()), LEFT);
    let text = super::check(&Context::new(&back.0.history()));
    insta::assert_snapshot!(text[0].examples[0].text, @"client-1's transaction at 1100 ms committed offset 1 of partition 0, and client-1 was told afterwards that offset 0 is committed, not past its input at offset 0 of partition 0; p1#0, which it made of that, can be read");
    // A lower commit since then explains it.
    let mut lowered = Story::new().told(0);
    lowered.again().consumed.committed = vec![(0, 0)];
    shows(&lowered, &[]);
    // What was asked before proves nothing.
    let mut before = Story::new();
    before.made().consumed.fetched = vec![(0, 0)];
    shows(&before, &[]);
    // A transaction of unknown end may take effect later.
    let mut unknown = Story::new().told(0);
    unknown.made().outcome = Outcome::Unknown;
    shows(&unknown, &[]);
}

#[test]
fn a_consumer_of_uncommitted_records_may_be_told_old_offsets() {
    let mut history = Story::new().told(0).0.history();
    let session =
        history.sessions.iter_mut().find(|session| session.name() == "client-1").expect("it is there");
    session.effective.insert("isolation.level".to_owned(), "read_uncommitted".to_owned());
    assert!(kinds(&history).is_empty());
}

#[test]
fn groups_are_kept_apart() {
    // Client 0 is another group: that it went past the input says nothing of client 1's.
    let mut never = Story::new();
    never.made().consumed.committed = vec![(1, 1)];
    never.0.txns[2].consumed.committed = vec![(0, 9)];
    shows(&never, LEFT);
}
