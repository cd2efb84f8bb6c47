//! Words, headlines and endings for whole runs.

use history::event::{Phase, Role};
use history::{Contents, Damage, FaultClass, NodeId, Note, Outcome, Partition, Tag, Told};

use super::{Ending, judge, judge_with};
use crate::spec::Spec;
use crate::testing::{Scene, edit_sends, tag};
use crate::{CATALOG, Judgement, Word};

/// Acknowledged records 0..20 of partition 0 under a kill that bit; those in `lost` are not in the log.
fn killed(settings: &[(&str, &str)], lost: &[u64]) -> Scene {
    let mut scene = Scene::new(1);
    let told = [
        ("acks", "all"),
        ("enable.idempotence", "true"),
        ("retries", "5"),
        ("replication.factor", "3"),
        ("min.insync.replicas", "2"),
        ("unclean.leader.election.enable", "false"),
    ];
    told.iter().chain(settings).for_each(|(name, value)| scene.set(name, value));
    scene.leader(0, Some(1), 1, &[1, 2, 3]);
    let fault = scene.inject(FaultClass::Kill, 1, &[0]);
    scene.leader(0, Some(2), 2, &[2, 3]);
    scene.heal(fault);
    (0..20).for_each(|seq| scene.acked(tag(0, seq), 0, i64::try_from(seq).expect("small")));
    let records: Vec<(i64, Option<Tag>, Contents)> = (0..20)
        .filter(|seq| !lost.contains(seq))
        .map(|seq| (i64::try_from(seq).expect("small"), Some(tag(0, seq)), Contents::Intact))
        .collect();
    scene.note(Role::Runner, Note::PhaseEntered { phase: Phase::Drain });
    scene.log(0, &records, true);
    scene.note(Role::Runner, Note::PhaseEntered { phase: Phase::End });
    scene
}

fn word(judgement: &Judgement, guarantee: &str) -> Word {
    judgement.guarantees.iter().find(|judged| judged.guarantee == guarantee).expect("it is judged").word
}

#[test]
fn kept_promises_are_held() {
    let judgement = judge(&killed(&[], &[]).history);
    assert_eq!((judgement.word, Ending::of(judgement.word)), (Word::Held, Ending::Held));
    insta::assert_snapshot!(judgement.headline, @"acknowledged records are kept: 0 of 20 acknowledged records lost, under kill");
    assert!(judgement.findings.is_empty() && judgement.caveats.is_empty() && judgement.assumed.is_empty());
    assert_eq!(
        (judgement.counts.acked, judgement.counts.in_log, judgement.counts.leader_changes),
        (20, 20, 1)
    );
    // An old leader may answer after a kill, so the end offsets are not promised.
    let kept = |judged: &crate::Judged| judged.word == Word::Held || judged.guarantee == "end-offsets";
    assert!(judgement.guarantees.iter().all(kept), "{judgement:#?}");
    assert_eq!(word(&judgement, "end-offsets"), Word::NotSeen);
}

#[test]
fn broken_promises_are_broken() {
    let judgement = judge(&killed(&[], &[3, 4]).history);
    assert_eq!((judgement.word, Ending::of(judgement.word)), (Word::Broken, Ending::Broken));
    insta::assert_snapshot!(judgement.headline, @"2 of 20 acknowledged records lost, though acks=all with min.insync.replicas of 2 or more keeps them");
}

#[test]
fn an_allowed_break_is_shown_with_advice() {
    let judgement = judge(&killed(&[("acks", "1")], &[3, 4]).history);
    assert_eq!((judgement.word, Ending::of(judgement.word)), (Word::Shown, Ending::Held));
    insta::assert_snapshot!(judgement.headline, @"2 of 20 acknowledged records lost, as acks=1 allows when a leader moves");
    insta::assert_snapshot!(judgement.guarantees[0].advice.as_deref().unwrap_or(""), @"set acks=all and min.insync.replicas=2: a record is then confirmed only when a second replica has it");
}

#[test]
fn an_allowed_break_that_did_not_happen_is_not_held() {
    let judgement = judge(&killed(&[("acks", "1")], &[]).history);
    assert_eq!((judgement.word, Ending::of(judgement.word)), (Word::NotSeen, Ending::Held));
    insta::assert_snapshot!(judgement.headline, @"0 of 20 acknowledged records lost this time, under kill, though acks=1 allows when a leader moves");
}

#[test]
fn a_shown_duplicate_does_not_hide_that_records_were_kept() {
    let mut scene = killed(&[("enable.idempotence", "false")], &[]);
    scene.deliver(Role::Drain, 0, 0, 20, Some(tag(0, 0)), Contents::Intact);
    let judgement = judge(&scene.history);
    assert_eq!((judgement.word, word(&judgement, "duplicates")), (Word::Held, Word::Shown));
    insta::assert_snapshot!(judgement.headline, @"acknowledged records are kept: 0 of 20 acknowledged records lost, under kill; second copies: 1, as retries without idempotence allow");
}

#[test]
fn a_fault_that_did_not_bite_leaves_the_run_vacuous() {
    let mut scene = killed(&[], &[]);
    scene.plan_fault(FaultClass::Pause);
    let judgement = judge(&scene.history);
    assert_eq!((judgement.word, Ending::of(judgement.word)), (Word::NotExercised, Ending::Vacuous));
    insta::assert_snapshot!(judgement.headline, @"nothing was put to the test: pause did not bite: it was never injected: the load ended before its time (raise `--duration`)");
}

#[test]
fn damage_makes_everything_indeterminate_even_what_was_seen() {
    let mut scene = killed(&[], &[3]);
    let damage = Damage { file: "drain-0.rows".to_owned(), at: 640, what: "a row is torn".to_owned() };
    scene.history.damage.push(damage);
    let judgement = judge(&scene.history);
    assert_eq!((judgement.word, Ending::of(judgement.word)), (Word::Indeterminate, Ending::Indeterminate));
    insta::assert_snapshot!(judgement.headline, @"nobody can say: the history is damaged: drain-0.rows at byte 640: a row is torn");
    assert!(judgement.guarantees.iter().all(|judged| judged.word == Word::Indeterminate));
    assert_eq!(judgement.findings.len(), 1);
}

#[test]
fn a_history_cut_before_its_drain_is_indeterminate() {
    let mut scene = killed(&[], &[]);
    scene.history.sessions.retain(|session| session.role != Role::Drain);
    let runner = scene.session(Role::Runner, 0, 0);
    runner.notes.retain(|(_, note)| !matches!(note, Note::PhaseEntered { phase: Phase::Drain | Phase::End }));
    let judgement = judge(&scene.history);
    assert_eq!(judgement.word, Word::Indeterminate);
    assert!(judgement.findings.is_empty(), "{:?}", judgement.findings);
}

#[test]
fn an_empty_history_gets_a_clear_answer() {
    let mut scene = Scene::new(4);
    scene.history.sessions.clear();
    let judgement = judge(&scene.history);
    assert_eq!(judgement.word, Word::Indeterminate);
    insta::assert_snapshot!(judgement.assumed.join(" "), @"acks=all enable.idempotence=true retries=2147483647 replication.factor=3 min.insync.replicas=2 unclean.leader.election.enable=false isolation.level=read_committed");
}

#[test]
fn only_failures_put_nothing_to_the_test() {
    let mut scene = Scene::new(1);
    for seq in 0..50 {
        scene.send(tag(0, seq), None, Some((0, None)), (Outcome::Unknown, Told::Failed));
    }
    scene.log(0, &[], true);
    assert_eq!(judge(&scene.history).word, Word::NotExercised);
}

#[test]
fn a_partition_that_does_not_come_back_is_unavailable_and_not_lost() {
    let mut scene = killed(&[], &[]);
    scene.history.plan.load.partitions = 2;
    let fence = Note::FenceAcked { partition: Partition(0), offset: history::Offset(20) };
    scene.note(Role::Admin, fence);
    let judgement = judge(&scene.history);
    assert_eq!((judgement.word, word(&judgement, "availability")), (Word::Broken, Word::Broken));
    assert_eq!(word(&judgement, "acknowledged-loss"), Word::Indeterminate);
    insta::assert_snapshot!(judgement.findings[0].examples[0].text, @"partition 1 is unavailable after healing: no record could be written there in time");
}

#[test]
fn acks_none_is_judged_on_what_was_written_to_a_socket() {
    let mut scene = killed(&[("acks", "0"), ("enable.idempotence", "false")], &[3]);
    for session in scene.history.sessions.iter_mut().filter(|session| session.role == Role::Producer) {
        edit_sends(session, |sends| {
            for send in sends {
                (send.outcome, send.told, send.offset) = (Outcome::Unknown, Told::Sent, None);
            }
        });
    }
    let judgement = judge(&scene.history);
    assert_eq!(
        (judgement.word, judgement.guarantees[0].guarantee.as_str()),
        (Word::Shown, "unconfirmed-loss")
    );
    assert!(judgement.guarantees.iter().all(|judged| judged.guarantee != "acknowledged-loss"));
}

#[test]
fn settings_are_read_back_before_they_are_believed() {
    let mut scene = killed(&[], &[3]);
    scene.session(Role::Producer, 0, 0).effective.insert("acks".to_owned(), "1".to_owned());
    assert_eq!(judge(&scene.history).word, Word::Shown);
    let told = [("min.insync.replicas", "1"), ("replication.factor", "1")];
    let settings = told.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    scene.note(Role::Admin, Note::EffectiveTopic { settings });
    assert_eq!(judge(&scene.history).word, Word::Broken);
}

#[test]
fn a_loss_that_an_unplanned_leader_change_explains_is_nobodys_fault() {
    let mut scene = killed(&[("acks", "1")], &[3]);
    scene.history.plan.schedule.clear();
    let judgement = judge(&scene.history);
    assert_eq!((judgement.word, judgement.counts.unplanned_leader_changes), (Word::Indeterminate, 1));
    insta::assert_snapshot!(judgement.headline, @"nobody can say: 1 of 20 acknowledged records lost, acks=1 needs the leader alone, and no planned fault moves leadership; but leadership moved without any planned fault, which may explain it");
}

#[test]
fn a_checker_that_panics_never_passes() {
    static GIVES_UP: Spec = Spec {
        name: "loss",
        summary: "",
        docs: "",
        kinds: &[crate::spec::Kind {
            name: "lost-write",
            summary: "",
            noun: "records",
            of: crate::spec::Basis::Nothing,
            guarantee: Some(&crate::guarantees::ACKNOWLEDGED_LOSS),
        }],
        check: |_| panic!("index out of bounds"),
    };
    let judgement = judge_with(&killed(&[], &[]).history, &[&GIVES_UP], Vec::new());
    assert_eq!((judgement.word, judgement.guarantees[0].word), (Word::Indeterminate, Word::Indeterminate));
    insta::assert_snapshot!(judgement.headline, @"nobody can say: checker `loss` gave up: index out of bounds");
}

#[test]
fn only_the_checkers_of_the_plan_judge() {
    let mut scene = killed(&[], &[3]);
    scene.history.plan.checkers = vec!["phantoms".to_owned()];
    let judgement = judge(&scene.history);
    assert_eq!((judgement.word, judgement.guarantees.len()), (Word::Held, 1));
    scene.history.plan.checkers.push("nonsense".to_owned());
    let judgement = judge(&scene.history);
    assert_eq!(judgement.word, Word::Indeterminate);
    insta::assert_snapshot!(judgement.headline, @"nobody can say: there is no checker `nonsense` in this build");
}

#[test]
fn what_else_happened_is_remarked_and_decides_nothing() {
    let mut scene = killed(&[], &[]);
    scene.note(Role::Runner, Note::LoadStopped { reason: "interrupted".to_owned() });
    scene.note(Role::Runner, Note::NodeDied { node: NodeId(3), status: "exited with 70".to_owned() });
    let judgement = judge(&scene.history);
    assert_eq!((judgement.word, judgement.caveats.len()), (Word::Held, 2));
}

#[test]
fn the_judgement_survives_json() {
    let judgement = judge(&killed(&[("acks", "1")], &[3]).history);
    let json = serde_json::to_string(&judgement).expect("it serialises");
    assert_eq!(serde_json::from_str::<Judgement>(&json).expect("it reads back"), judgement);
}

#[test]
fn the_catalog_is_in_order() {
    let kebab = |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    let mut names = std::collections::BTreeSet::new();
    let mut kinds = std::collections::BTreeSet::new();
    for spec in CATALOG {
        assert!(kebab(spec.name) && names.insert(spec.name), "{}", spec.name);
        assert!(spec.summary.len() <= 79 && !spec.summary.is_empty(), "{}", spec.name);
        assert!(!spec.docs.is_empty() && !spec.kinds.is_empty(), "{}", spec.name);
        for kind in spec.kinds {
            assert!(kebab(kind.name) && kinds.insert(kind.name), "{}", kind.name);
            assert!(!kind.summary.is_empty() && !kind.noun.is_empty(), "{}", kind.name);
        }
    }
    for guarantee in crate::guarantees::GUARANTEES {
        let mut owned = CATALOG.iter().flat_map(|spec| spec.kinds).filter_map(|kind| kind.guarantee);
        assert!(owned.any(|of| of.name == guarantee.name), "nobody checks {}", guarantee.name);
    }
}
