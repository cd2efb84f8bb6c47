//! Requests to the cluster about the topic, bitten and not.

use std::collections::BTreeMap;

use history::event::Role;
use history::{Contents, FaultClass, Note, Tag};

use super::{evidence, quiet};
use crate::context::Context;
use crate::testing::{Scene, tag};
use crate::{Word, judge};

#[test]
fn a_reassignment_bites_when_the_replicas_are_others() {
    let mut scene = quiet();
    let fault = scene.ask(FaultClass::ReassignReplicas, &[0]);
    let mut idle = scene.clone();
    scene.placed(0, Some(2), 5, (&[2, 3], &[2, 3]));
    scene.acked(tag(0, 20), 0, 20);
    scene.placed(0, Some(2), 5, (&[2, 3, 1], &[1, 2, 3]));
    scene.heal(fault);
    insta::assert_snapshot!(evidence(&scene).1, @"the replicas of partition 0 went from 1,2,3 to 2,3 within 0.0 s; 1 records were confirmed before they went back");
    let context = Context::new(&scene.history);
    assert_eq!((context.counts().leader_changes, context.counts().unplanned_leader_changes), (1, 0));
    // The order alone is a change too: another one is preferred.
    let mut order = idle.clone();
    order.placed(0, Some(1), 5, (&[1, 2, 3], &[2, 3, 1]));
    order.heal(fault);
    assert!(evidence(&order).0);
    idle.leader(0, Some(1), 4, &[1, 2]);
    idle.heal(fault);
    insta::assert_snapshot!(evidence(&idle).1, @"no replicas of partition 0 changed (raise `--duration`)");
}

#[test]
fn a_preferred_election_bites_when_another_leads() {
    let mut scene = quiet();
    let fault = scene.ask(FaultClass::PreferredElection, &[0]);
    let mut same = scene.clone();
    scene.placed(0, Some(1), 5, (&[1, 2, 3], &[2, 1, 3]));
    scene.placed(0, Some(2), 6, (&[1, 2, 3], &[2, 1, 3]));
    scene.heal(fault);
    insta::assert_snapshot!(evidence(&scene).1, @"an election moved the leadership of partition 0 from node 1 to node 2 within 0.0 s");
    same.placed(0, Some(1), 5, (&[1, 2, 3], &[2, 1, 3]));
    same.heal(fault);
    insta::assert_snapshot!(evidence(&same).1, @"no leadership of partition 0 moved (raise `--duration`)");
}

#[test]
fn an_unclean_election_bites_where_nobody_led() {
    let mut scene = quiet();
    let kill = scene.inject(FaultClass::Kill, 1, &[0]);
    scene.leader(0, None, 5, &[1]);
    let fault = scene.ask(FaultClass::UncleanElection, &[0]);
    let mut nobody = scene.clone();
    scene.leader(0, Some(3), 6, &[3]);
    scene.heal(fault);
    scene.heal(kill);
    let context = Context::new(&scene.history);
    let details: Vec<_> =
        super::faults(&context).into_iter().map(|fault| (fault.bitten, fault.detail)).collect();
    insta::assert_snapshot!(details[0].1, @"node 1 was killed; nobody led partition 0 from 0.0 s later on");
    insta::assert_snapshot!(details[1].1, @"nobody led partition 0; an unclean election made node 3 its leader within 0.0 s");
    assert!(details.iter().all(|(bitten, _)| *bitten));
    nobody.heal(fault);
    let context = Context::new(&nobody.history);
    let details: Vec<_> =
        super::faults(&context).into_iter().map(|fault| (fault.bitten, fault.detail)).collect();
    assert!(details[0].0 && !details[1].0, "{details:?}");
}

#[test]
fn where_everybody_is_led_an_unclean_election_says_why_it_proves_nothing() {
    let mut scene = quiet();
    scene.plan_fault(FaultClass::UncleanElection);
    let reason = "every partition has a leader".to_owned();
    scene.note(Role::Runner, Note::FaultFailed { fault: 1, reason });
    insta::assert_snapshot!(evidence(&scene).1, @"it could not be carried out: every partition has a leader");
}

/// Keys that were in partition 0 go to partition 1, which the run has had added.
fn keyed() -> (Scene, u32) {
    let mut scene = quiet();
    scene.history.plan.load.keys = 2;
    let fault = scene.ask(FaultClass::AddPartitions, &[1]);
    scene.leader(1, Some(2), 0, &[1, 2, 3]);
    (scene, fault)
}

fn send(scene: &mut Scene, seq: u64, at: (u32, i64)) {
    let told = (history::Outcome::Ok, history::Told::Acked);
    scene.send(tag(0, seq), Some(7), Some((at.0, Some(at.1))), told);
}

#[test]
fn added_partitions_bite_when_the_load_goes_there_or_cannot() {
    let (mut scene, fault) = keyed();
    scene.acked(tag(0, 20), 0, 20);
    let mut elsewhere = scene.clone();
    send(&mut scene, 21, (1, 0));
    scene.heal(fault);
    insta::assert_snapshot!(evidence(&scene).1, @"the topic got partition 1 within 0.0 s; 1 of 2 records confirmed after that went there");
    elsewhere.heal(fault);
    insta::assert_snapshot!(evidence(&elsewhere).1, @"the topic got partition 1 within 0.0 s, and none of 1 records confirmed after that went there (raise `--duration` or `--keys`, or lower `metadata.max.age.ms`)");
    elsewhere.history.plan.load.keys = 0;
    assert!(evidence(&elsewhere).0, "nobody is to go there");
    let mut never = quiet();
    let fault = never.ask(FaultClass::AddPartitions, &[1]);
    never.heal(fault);
    assert!(evidence(&never).1.contains("did not get the partitions"));
}

/// What the run had added must be drained like the rest, and keys may move there, once and for all.
#[test]
fn keys_move_when_partitions_are_added_and_only_then() {
    let (scene, fault) = keyed();
    let judged = |sends: &[(u64, u32, i64)], drained: &[u32]| {
        let mut scene = scene.clone();
        sends.iter().for_each(|(seq, partition, offset)| send(&mut scene, *seq, (*partition, *offset)));
        scene.heal(fault);
        for partition in drained {
            let first = (0..20).filter(|_| *partition == 0).map(|seq| (seq as i64, tag(0, seq)));
            let of = sends.iter().filter(|(_, at, _)| at == partition);
            let mut log: Vec<(i64, Tag)> = first.chain(of.map(|(seq, _, at)| (*at, tag(0, *seq)))).collect();
            log.sort_unstable();
            let log: Vec<_> = log.into_iter().map(|(at, tag)| (at, Some(tag), Contents::Intact)).collect();
            scene.log(*partition, &log, true);
        }
        scene.set("enable.idempotence", "true");
        scene.history.plan.checkers = vec!["order".to_owned(), "loss".to_owned()];
        let judgement = judge(&scene.history);
        let kinds: Vec<_> =
            judgement.findings.iter().map(|finding| (finding.kind.to_string(), finding.count)).collect();
        (judgement.word, kinds)
    };
    assert_eq!(judged(&[(20, 0, 20), (21, 1, 0), (22, 1, 1)], &[0, 1]), (Word::Held, vec![]));
    let found = judged(&[(20, 0, 20), (21, 1, 1), (22, 1, 0)], &[0, 1]);
    assert_eq!(found, (Word::Broken, vec![("key-reorder".to_owned(), 1)]), "within a partition order holds");
    // Back where it was, behind and before what it left there.
    assert_eq!(judged(&[(20, 0, 20), (21, 1, 0), (22, 0, 21)], &[0, 1]).0, Word::Held);
    let found = judged(&[(20, 0, 21), (21, 1, 0), (22, 0, 20)], &[0, 1]);
    assert_eq!(found, (Word::Broken, vec![("nonmonotonic-send".to_owned(), 1)]));
    assert_eq!(
        judged(&[(20, 0, 20), (21, 1, 0)], &[0]).0,
        Word::Indeterminate,
        "nobody read what went there"
    );

    let mut before = Scene::new(2);
    send(&mut before, 0, (0, 0));
    send(&mut before, 1, (1, 0));
    let fault = before.ask(FaultClass::AddPartitions, &[2]);
    before.heal(fault);
    before.log(0, &[(0, Some(tag(0, 0)), Contents::Intact)], true);
    before.log(1, &[(0, Some(tag(0, 1)), Contents::Intact)], true);
    before.history.plan.checkers = vec!["order".to_owned()];
    let kinds: Vec<_> = judge(&before.history).findings.into_iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, ["key-reorder"], "nobody could know of other partitions yet");
}

#[test]
fn a_setting_bites_when_records_are_confirmed_under_it() {
    let told = |scene: &mut Scene, bytes: &str, replicas: &str| {
        let settings = [("segment.bytes", bytes), ("replication.factor", replicas)];
        let settings: BTreeMap<_, _> =
            settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        scene.note(Role::Admin, Note::EffectiveTopic { settings });
    };
    let mut scene = quiet();
    told(&mut scene, "1073741824", "3");
    let fault = scene.ask(FaultClass::AlterTopicConfigs, &[]);
    let mut same = scene.clone();
    told(&mut scene, "2097152", "3");
    let mut idle = scene.clone();
    scene.acked(tag(0, 20), 0, 20);
    told(&mut scene, "1073741824", "3");
    scene.heal(fault);
    insta::assert_snapshot!(evidence(&scene).1, @"`segment.bytes` went from 1073741824 to 2097152, and 1 records were confirmed meanwhile");
    idle.heal(fault);
    idle.acked(tag(0, 20), 0, 20);
    insta::assert_snapshot!(evidence(&idle).1, @"`segment.bytes` went from 1073741824 to 2097152, and no record was confirmed meanwhile (raise `--duration` or `--rate`)");
    told(&mut same, "1073741824", "2");
    same.acked(tag(0, 20), 0, 20);
    same.heal(fault);
    insta::assert_snapshot!(evidence(&same).1, @"the cluster told of no other setting of the topic (try another seed)");
}
