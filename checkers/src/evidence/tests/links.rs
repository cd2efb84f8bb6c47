//! Faults of links that let their node be, graceful ends, and restarts: bitten and not.

use history::event::Role;
use history::{FaultClass, Nanos, NodeId, Note, Outcome, Told};

use super::{evidence, quiet};
use crate::testing::{Scene, edit_sends, tag};

/// Records sent from a moment on and told of only now.
fn unanswered_since(scene: &mut Scene, since: Nanos, seqs: std::ops::Range<u64>, fate: (Outcome, Told)) {
    for seq in seqs.clone() {
        let offset = i64::try_from(seq).expect("small");
        scene.send(tag(0, seq), None, Some((0, Some(offset))), fate);
    }
    edit_sends(scene.session(Role::Producer, 0, 0), |sends| {
        for send in sends.iter_mut().filter(|send| seqs.contains(&send.tag.seq)) {
            send.invoked = since;
        }
    });
}

fn retries(scene: &mut Scene, total: u64) {
    let at = scene.now();
    scene.session(Role::Producer, 0, 0).notes.push((at, Note::Retries { total }));
}

#[test]
fn graceful_ends_bite_like_others_and_are_called_what_they_are() {
    for (class, said) in [
        (FaultClass::Stop, "node 1 was stopped; partition 0 got node 2"),
        (FaultClass::RollingRestart, "node 1 was restarted in turn; partition 0 got node 2"),
    ] {
        let mut scene = quiet();
        let fault = scene.inject(class, 1, &[0]);
        let mut idle = scene.clone();
        scene.leader(0, Some(2), 5, &[1, 2, 3]);
        scene.heal(fault);
        let (bitten, detail) = evidence(&scene);
        assert!(bitten && detail.starts_with(said), "{detail}");
        idle.heal(fault);
        assert!(!evidence(&idle).0, "nobody took over");
    }
}

#[test]
fn a_minority_is_judged_like_an_isolated_leader() {
    let mut scene = quiet();
    scene.set("acks", "all");
    let fault = scene.inject(FaultClass::IsolateMinority, 1, &[0]);
    let mut short = scene.clone();
    scene.leader(0, Some(2), 5, &[2, 3]);
    scene.send(tag(0, 20), None, Some((0, None)), (Outcome::Unknown, Told::Failed));
    scene.heal(fault);
    assert!(evidence(&scene).0);
    short.heal(fault);
    assert!(!evidence(&short).0);
}

#[test]
fn one_way_either_a_new_epoch_or_a_smaller_isr_shows() {
    let mut scene = quiet();
    let fault = scene.inject(FaultClass::IsolateOneWay, 1, &[0]);
    let (mut deaf, mut short) = (scene.clone(), scene.clone());
    scene.leader(0, Some(2), 5, &[2, 3]);
    scene.heal(fault);
    insta::assert_snapshot!(evidence(&scene).1, @"node 1 was cut off one way; partition 0 was given a new epoch 0.0 s later");
    deaf.leader(0, Some(1), 4, &[1]);
    deaf.heal(fault);
    assert!(evidence(&deaf).1.contains("from 3 to 1"));
    short.heal(fault);
    assert!(!evidence(&short).0);
}

#[test]
fn a_partial_partition_shrinks_an_isr() {
    let mut scene = quiet();
    let fault = scene.inject(FaultClass::PartialPartition, 1, &[0]);
    let mut short = scene.clone();
    scene.leader(0, Some(1), 4, &[1, 2]);
    scene.heal(fault);
    assert!(evidence(&scene).0);
    short.heal(fault);
    assert!(!evidence(&short).0);
}

#[test]
fn isolated_clients_wait() {
    let mut scene = quiet();
    let fault = scene.inject(FaultClass::IsolateClients, 1, &[0]);
    let cut = scene.now();
    let mut idle = scene.clone();
    scene.wait(1000);
    scene.heal(fault);
    unanswered_since(&mut scene, cut, 20..23, (Outcome::Ok, Told::Acked));
    insta::assert_snapshot!(evidence(&scene).1, @"clients lost node 1; 3 records for its partitions had to wait or were given up");
    // It was cut off, and clients were answered all the same.
    idle.acked(tag(0, 20), 0, 20);
    idle.heal(fault);
    let (bitten, detail) = evidence(&idle);
    assert!(!bitten && detail.contains("only 0 records"), "{detail}");
}

#[test]
fn dropped_answers_bite_when_somebody_sent_again() {
    let dropped = |bytes: u64, then: &dyn Fn(&mut Scene, Nanos)| {
        let mut scene = quiet();
        retries(&mut scene, 2);
        let fault = scene.inject(FaultClass::DropResponses, 1, &[0]);
        let since = scene.now();
        scene.heal_having_touched(fault, bytes);
        then(&mut scene, since);
        evidence(&scene)
    };
    let counted = dropped(70, &|scene, _| retries(scene, 5));
    assert!(counted.0);
    insta::assert_snapshot!(counted.1, @"70 bytes of node 1's answers to clients were thrown away; clients sent 3 requests again");
    let late = dropped(70, &|scene, since| {
        unanswered_since(scene, since, 20..24, (Outcome::Ok, Told::Acked));
    });
    assert!(late.0);
    insta::assert_snapshot!(late.1, @"70 bytes of node 1's answers to clients were thrown away; 4 records were confirmed only when they were sent again after healing");
    let given_up = dropped(70, &|scene, since| {
        unanswered_since(scene, since, 20..24, (Outcome::Unknown, Told::Failed));
    });
    assert!(!given_up.0, "{}", given_up.1);
    assert!(!dropped(0, &|scene, _| retries(scene, 5)).0, "there was no answer to throw away");
}

#[test]
fn links_between_brokers_bite_by_their_bytes() {
    for class in [FaultClass::SlowLinks, FaultClass::NarrowLinks, FaultClass::SlowClients] {
        let mut scene = quiet();
        let fault = scene.inject(class, 1, &[0]);
        let mut idle = scene.clone();
        scene.heal_having_touched(fault, 900);
        assert!(evidence(&scene).0);
        idle.heal(fault);
        assert!(!evidence(&idle).0);
    }
}

#[test]
fn a_controller_that_is_cut_off_fences() {
    let mut scene = quiet();
    let fault = scene.inject(FaultClass::IsolateController, 1, &[0]);
    let mut short = scene.clone();
    scene.wait(1500);
    scene.note(Role::Runner, Note::Fenced { node: NodeId(1), fenced: true });
    scene.acked(tag(0, 20), 0, 20);
    scene.heal(fault);
    insta::assert_snapshot!(evidence(&scene).1, @"the controller was cut off, and fenced 1 brokers from 1.5 s on; 1 records were confirmed all the same");
    short.heal(fault);
    assert!(!evidence(&short).0);
}
