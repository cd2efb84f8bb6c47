//! Transactions small enough to see, what people read about them, and what is promised.

use std::collections::BTreeMap;

use history::{FaultClass, History, Outcome, Tag, Told};

use crate::context::Context;
use crate::testing::{Consumed, Scene, Txn, World, tag};
use crate::{Finding, Word, judge};

type Places<'a> = &'a [(u32, i64)];

/// Transactions that ran all at once: each writes `(partition, offset)` and reads the same of others.
fn world(txns: &[(Outcome, Places<'_>, Places<'_>)]) -> World {
    let mut logs: Vec<BTreeMap<i64, Tag>> = vec![BTreeMap::new(); 2];
    let mut all = Vec::new();
    for (client, (outcome, sends, _)) in (0..).zip(txns) {
        let mut txn = Txn {
            client,
            moment: 0,
            called: 1000,
            returned: 1010,
            outcome: *outcome,
            committed: *outcome == Outcome::Ok,
            sends: Vec::new(),
            reads: Vec::new(),
            consumed: Consumed::default(),
        };
        for (seq, (partition, offset)) in (0..).zip(*sends) {
            let tag = tag(client, seq);
            logs[*partition as usize].insert(*offset, tag);
            txn.sends.push((tag, *partition, *offset));
        }
        all.push(txn);
    }
    for (txn, (_, _, reads)) in all.iter_mut().zip(txns) {
        let read =
            |(partition, offset): &(u32, i64)| (logs[*partition as usize][offset], *partition, *offset);
        txn.reads = reads.iter().map(read).collect();
    }
    World { txns: all, logs }
}

fn findings(history: &History) -> Vec<Finding> {
    super::check(&Context::new(history))
}

fn texts(history: &History) -> String {
    let lines = findings(history).into_iter().flat_map(|finding| {
        finding.examples.into_iter().map(move |witness| format!("{}: {}", finding.kind, witness.text))
    });
    lines.collect::<Vec<String>>().join("\n")
}

const OK: Outcome = Outcome::Ok;

#[test]
fn cycles_are_told_in_words() {
    // Each read the other's record.
    let circle = world(&[(OK, &[(0, 0)], &[(1, 0)]), (OK, &[(1, 0)], &[(0, 0)])]);
    insta::assert_snapshot!(texts(&circle.history()), @"g1c: T1 (client-0's transaction at 1000 ms) wrote p0#0 at offset 0 of partition 0, which was read by T2; T2 (client-1's transaction at 1000 ms) wrote p1#0 at offset 0 of partition 1, which was read by T1");
    // Their writes interleave.
    let interleaved = world(&[(OK, &[(0, 0), (1, 1)], &[]), (OK, &[(0, 1), (1, 0)], &[])]);
    insta::assert_snapshot!(texts(&interleaved.history()), @"g0: T1 (client-0's transaction at 1000 ms) wrote p0#0 at offset 0 of partition 0, before p1#0 at offset 1 by T2; T2 (client-1's transaction at 1000 ms) wrote p1#1 at offset 0 of partition 1, before p0#1 at offset 1 by T1");
    // Each missed the other's write: write skew.
    let skew = world(&[(OK, &[(0, 0), (1, 0)], &[]), (OK, &[(0, 1)], &[(1, 0)]), (OK, &[(1, 1)], &[(0, 0)])]);
    insta::assert_snapshot!(texts(&skew.history()), @"g2: T1 (client-1's transaction at 1000 ms) read partition 1 up to offset 0 and not p2#0 at offset 1 by T2; T2 (client-2's transaction at 1000 ms) read partition 0 up to offset 0 and not p1#0 at offset 1 by T1");
}

#[test]
fn what_may_not_have_happened_orders_nothing_until_it_is_seen() {
    let half = |outcome| world(&[(OK, &[(0, 0), (1, 1)], &[]), (outcome, &[(0, 1), (1, 0)], &[])]);
    assert!(!texts(&half(Outcome::Fail).history()).contains("g0: "));
    // The drain was given its records, so it took effect.
    assert!(texts(&half(Outcome::Unknown).history()).starts_with("g0: "));
    let mut unseen = half(Outcome::Unknown);
    unseen.lose(tag(1, 0));
    unseen.lose(tag(1, 1));
    assert!(texts(&unseen.history()).is_empty());
}

fn word(history: &History, guarantee: &str) -> Word {
    let judgement = judge(history);
    let judged = judgement.guarantees.iter().find(|judged| judged.guarantee == guarantee);
    judged.unwrap_or_else(|| panic!("{guarantee} is judged: {judgement:#?}")).word
}

#[test]
fn kafka_promises_no_order_of_transactions_unless_the_target_does() {
    let mut history = world(&[(OK, &[(0, 0), (1, 1)], &[]), (OK, &[(0, 1), (1, 0)], &[])]).history();
    assert_eq!(word(&history, "strict-serializability"), Word::Noted);
    history.plan.cell.broker.insert("strict-serializable".to_owned(), "true".to_owned());
    assert_eq!(word(&history, "strict-serializability"), Word::Broken);
    let history = world(&[(OK, &[(0, 0)], &[(1, 0)]), (OK, &[(1, 0)], &[(0, 0)])]).history();
    assert_eq!(word(&history, "transaction-isolation"), Word::Broken);
}

#[test]
fn uncommitted_readers_may_be_given_anything() {
    let mut aborted = world(&[(Outcome::Fail, &[(0, 0)], &[]), (OK, &[(1, 0)], &[(0, 0)])]);
    aborted.logs[0].clear();
    let mut history = aborted.history();
    insta::assert_snapshot!(texts(&history), @"aborted-read: client-1's transaction at 1000 ms was given p0#0 at offset 0 of partition 0, though the operation of client-0 that sent it failed");
    assert_eq!(word(&history, "aborted-reads"), Word::Broken);
    // A pause may hold the end of a transaction back until the next one (KAFKA-17754).
    let mut scene = Scene::of(history.clone());
    scene.plan_fault(FaultClass::Pause);
    assert_eq!(word(&scene.history, "aborted-reads"), Word::Shown);
    history.plan.cell.consumer.insert("isolation.level".to_owned(), "read_uncommitted".to_owned());
    assert!(findings(&history).is_empty());
}

#[test]
fn half_a_transaction_in_the_log_is_torn() {
    let two: &[(u32, i64)] = &[(0, 0), (1, 0)];
    let torn = |outcome| {
        let mut world = world(&[(outcome, two, &[])]);
        world.lose(tag(0, 1));
        world.history()
    };
    insta::assert_snapshot!(texts(&torn(OK)), @"torn-transaction: client-0's transaction at 1000 ms committed, and 1 of its 2 records can be read, p0#0 among them; p0#1 of partition 1 is not in the log");
    assert!(texts(&torn(Outcome::Unknown)).starts_with("torn-transaction: "));
    // Aborted, and half of it is there: that half is an aborted read.
    assert!(texts(&torn(Outcome::Fail)).starts_with("aborted-read: "));
    // Nobody knows what the other partition holds.
    let mut cut = torn(OK);
    let drain = cut.sessions.iter_mut().find(|session| session.role == history::Role::Drain).expect("one");
    drain.notes.retain(|(_, note)| *note != history::Note::Drained { partition: history::Partition(1) });
    assert!(texts(&cut).is_empty());
}

#[test]
fn a_fenced_producer_writes_no_more() {
    let scene = |late: bool| {
        let mut scene = crate::testing::scene("log 0:\n");
        for session in 0..2 {
            let settings = &mut scene.session(history::Role::Producer, 0, session).effective;
            settings.insert("transactional.id".to_owned(), "t-0".to_owned());
        }
        let of = |session: u32, seq: u64| Tag { producer: 0, session, seq };
        let acked = (Outcome::Ok, Told::Acked);
        scene.send(of(0, 0), None, Some((0, Some(0))), acked);
        scene.send(of(1, 0), None, Some((0, Some(1))), acked);
        let mut log = vec![(0, of(0, 0)), (1, of(1, 0))];
        if late {
            scene.send(of(0, 1), None, Some((0, Some(2))), (Outcome::Unknown, Told::Failed));
            log.push((2, of(0, 1)));
        }
        let log: Vec<_> =
            log.into_iter().map(|(at, tag)| (at, Some(tag), history::Contents::Intact)).collect();
        scene.log(0, &log, true);
        scene.history
    };
    assert!(texts(&scene(false)).is_empty());
    insta::assert_snapshot!(texts(&scene(true)), @"zombie-write: producer-0 sent p0#1 2 ms after producer-0.1 had begun to write as `t-0`, and it lies at offset 2 of partition 0");
    assert_eq!(word(&scene(true), "fencing"), Word::Broken);
}

#[test]
fn nothing_at_all_is_nothing() {
    assert!(texts(&world(&[]).history()).is_empty());
    assert!(texts(&world(&[(Outcome::Unknown, &[], &[])]).history()).is_empty());
    assert!(texts(&world(&[(OK, &[(0, 0)], &[]), (OK, &[], &[(0, 0)])]).history()).is_empty());
}
