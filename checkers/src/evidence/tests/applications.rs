//! Faults of applications, bitten and not.

use history::event::Role;
use history::{Contents, FaultClass, Outcome, Tag, Told};

use super::{evidence, quiet};
use crate::context::Context;
use crate::evidence::faults;
use crate::testing::{Scene, tag};
use crate::{Word, judge};

fn untold(scene: &mut Scene, tag: Tag) {
    scene.send(tag, None, Some((0, None)), (Outcome::Unknown, Told::Nothing));
}

/// Its next session, which sends on from its own number 0.
fn successor(scene: &mut Scene, offset: i64) {
    scene.acked(Tag { producer: 0, session: 1, seq: 0 }, 0, offset);
}

#[test]
fn a_killed_producer_leaves_records_in_doubt_and_goes_on_as_another_session() {
    let mut scene = quiet();
    (20..23).for_each(|seq| untold(&mut scene, tag(0, seq)));
    let mut done = scene.clone();
    scene.session(Role::Producer, 0, 0).closed = false;
    let fault = scene.inject_on(FaultClass::KillProducer, 0);
    scene.wait(1000);
    successor(&mut scene, 21);
    scene.heal(fault);
    // One of the three arrived, unknown to anybody.
    let mut log: Vec<_> = (0..21).map(|seq| (seq as i64, Some(tag(0, seq)), Contents::Intact)).collect();
    log.push((21, Some(Tag { producer: 0, session: 1, seq: 0 }), Contents::Intact));
    scene.log(0, &log, true);
    insta::assert_snapshot!(evidence(&scene).1, @"producer-0 was killed with 3 records in doubt, 2 of which never arrived; producer-0.1 began 1.0 s later");
    assert_eq!(faults(&Context::new(&scene.history))[0].recovery_ms, None, "no partition was hit");
    scene.history.plan.checkers = vec!["loss".to_owned(), "duplicates".to_owned(), "order".to_owned()];
    let judgement = judge(&scene.history);
    let found: Vec<_> = judgement.findings.iter().map(|finding| (&*finding.kind, finding.count)).collect();
    assert_eq!(found, [("lost-in-client", 2)]);
    assert_eq!(judgement.word, Word::Held, "nobody promised to keep these");

    let fault = done.inject_on(FaultClass::KillProducer, 0);
    done.heal(fault);
    insta::assert_snapshot!(evidence(&done).1, @"producer-0 was done before it was killed (raise `--records` or `--duration`)");
}

#[test]
fn a_producer_that_was_killed_while_it_sent_nothing_was_not_put_to_the_test() {
    let mut scene = quiet();
    scene.session(Role::Producer, 0, 0).closed = false;
    let mut idle = scene.clone();
    scene.inject_on(FaultClass::KillProducer, 0);
    assert!(evidence(&scene).0, "it was sending a moment ago");
    idle.wait(2000);
    idle.inject_on(FaultClass::KillProducer, 0);
    insta::assert_snapshot!(evidence(&idle).1, @"producer-0 was sending nothing when it was killed (raise `--rate`)");
}

#[test]
fn of_two_kills_each_has_the_session_it_hit() {
    let mut scene = quiet();
    scene.session(Role::Producer, 0, 0).closed = false;
    for session in 1..3 {
        let fault = scene.inject_on(FaultClass::KillProducer, 0);
        scene.wait(500);
        scene.acked(Tag { producer: 0, session, seq: 0 }, 0, i64::from(19 + session));
        scene.session(Role::Producer, 0, session).closed = session == 2;
        scene.heal(fault);
    }
    let context = Context::new(&scene.history);
    let details: Vec<_> = faults(&context).into_iter().map(|fault| fault.detail).collect();
    assert!(details[0].starts_with("producer-0 was killed") && details[0].contains("producer-0.1 began"));
    assert!(details[1].starts_with("producer-0.1 was killed") && details[1].contains("producer-0.2 began"));
}

#[test]
fn a_paused_producer_sends_nothing_meanwhile() {
    let mut scene = quiet();
    let fault = scene.inject_on(FaultClass::PauseProducer, 0);
    let mut awake = scene.clone();
    let mut done = scene.clone();
    scene.wait(2500);
    scene.heal(fault);
    scene.acked(tag(0, 20), 0, 20);
    insta::assert_snapshot!(evidence(&scene).1, @"producer-0 was paused, and sent nothing for 2.5 s");
    awake.wait(500);
    awake.acked(tag(0, 20), 0, 20);
    awake.wait(2000);
    awake.heal(fault);
    insta::assert_snapshot!(evidence(&awake).1, @"producer-0 was paused, and sent again 0.5 s later all the same");
    done.wait(2500);
    done.heal(fault);
    insta::assert_snapshot!(evidence(&done).1, @"producer-0 had nothing more to send when it was paused (raise `--records`)");
}

#[test]
fn a_killed_reader_is_followed_by_another_session() {
    let mut scene = quiet();
    scene.deliver(Role::Reader, 0, 0, 0, Some(tag(0, 0)), Contents::Intact);
    scene.session(Role::Reader, 0, 0).closed = false;
    let fault = scene.inject_on(FaultClass::KillReader, 0);
    let mut alone = scene.clone();
    scene.wait(800);
    let at = scene.now();
    scene.session(Role::Reader, 0, 1).notes.push((at, history::Note::SessionClosed));
    scene.heal(fault);
    insta::assert_snapshot!(evidence(&scene).1, @"reader-0 was killed after 1 records; reader-0.1 began 0.8 s later and was given 0");
    alone.heal(fault);
    insta::assert_snapshot!(evidence(&alone).1, @"reader-0 was killed, and no session of it followed (raise `--duration`)");
}
