//! What the figures say of runs with a known course.

use history::event::{Phase, Role};
use history::{Contents, FaultClass, Nanos, Note, Offset, Outcome, Partition, Tag, Told};

use crate::context::Context;
use crate::testing::{Scene, edit_deliveries, edit_sends, tag};
use crate::{Figures, Latency, Outage};

const MS: u64 = 1_000_000;

fn figures(scene: &Scene) -> Figures {
    super::measure(&Context::new(&scene.history), &[])
}

/// A record every 10 ms for three seconds from 2000 ms on; from `down` until `up` nothing is confirmed, and
/// what was due then is confirmed at `up`.
fn stalled(down: u64, up: u64, send: (Outcome, Told)) -> Scene {
    let mut scene = Scene::new(1);
    let mut log: Vec<(i64, Option<Tag>, Contents)> = Vec::new();
    for seq in 0..300 {
        let due = 2000 + seq * 10;
        let stuck = (down..up).contains(&due);
        let fate = if stuck { send } else { (Outcome::Ok, Told::Acked) };
        let offset = i64::try_from(seq).expect("small");
        scene.send(tag(0, seq), None, Some((0, Some(offset))), fate);
        log.push((offset, Some(tag(0, seq)), Contents::Intact));
        edit_sends(scene.session(Role::Producer, 0, 0), |sends| {
            let last = sends.last_mut().expect("it was just sent");
            // A stalled client is called late: the schedule knows when it was due.
            let done = if stuck { up } else { due };
            (last.intended, last.invoked) = (Nanos(due * MS), Nanos(done * MS));
            last.completed = Some(Nanos((done + 2) * MS));
        });
    }
    scene.wait(5000);
    scene.note(Role::Runner, Note::PhaseEntered { phase: Phase::Heal });
    scene.log(0, &log, true);
    scene
}

const ACKED: (Outcome, Told) = (Outcome::Ok, Told::Acked);

#[test]
fn a_stall_is_not_hidden_by_what_was_not_sent_meanwhile() {
    let calm = figures(&stalled(0, 0, ACKED));
    assert_eq!((calm.latency.len(), calm.outages.len()), (1, 0));
    let Latency { operation, phase, count, max_ms, .. } = &calm.latency[0];
    assert_eq!((operation.as_str(), phase.as_str(), *count), ("send", "no fault", 300));
    assert!((1.99..2.01).contains(max_ms), "{max_ms}");
    // 100 of 300 waited up to a second, though every call took 2 ms.
    let stall = figures(&stalled(3000, 4000, ACKED));
    let row = &stall.latency[0];
    assert!((990.0..1010.0).contains(&row.max_ms) && (600.0..800.0).contains(&row.p90_ms), "{row:?}");
    assert!((1.9..2.1).contains(&row.p50_ms), "{row:?}");
}

#[test]
fn latency_is_told_apart_by_fault() {
    let mut scene = stalled(3000, 4000, ACKED);
    let fault = scene.inject(FaultClass::Pause, 1, &[0]);
    scene.heal(fault);
    let runner = scene.session(Role::Runner, 0, 0);
    for (at, note) in &mut runner.notes {
        match note {
            Note::FaultInvoked { .. } | Note::FaultInjected { .. } => *at = Nanos(3000 * MS),
            Note::FaultHealed { .. } => *at = Nanos(4000 * MS),
            _ => {}
        }
    }
    let latency = figures(&scene).latency;
    let rows: Vec<(&str, u64)> = latency.iter().map(|row| (row.phase.as_str(), row.count)).collect();
    assert_eq!(rows, [("no fault", 199), ("pause", 101)]);
    assert!(latency[0].max_ms < 3.0 && latency[1].max_ms > 900.0, "{latency:?}");
    let outages = figures(&scene).outages;
    assert_eq!(outages.iter().map(|outage| outage.fault).collect::<Vec<_>>(), [Some(fault)]);
}

#[test]
fn a_partition_that_confirms_nothing_is_down_for_writes() {
    let outages = figures(&stalled(3000, 4000, ACKED)).outages;
    assert_eq!(outages.len(), 1, "{outages:?}");
    let Outage { operation, partition, lasted_ms, ended, fault, .. } = &outages[0];
    assert_eq!((operation.as_str(), *partition, *ended, *fault), ("write", Partition(0), true, None));
    assert!((900..=1050).contains(lasted_ms), "{outages:?}");
    // Short waits are latency.
    assert!(figures(&stalled(3000, 3300, ACKED)).outages.is_empty());
    // Errors are no service, and an outage that outlasts the load has no end.
    let failed = figures(&stalled(3000, 9000, (Outcome::Unknown, Told::Failed))).outages;
    assert!(failed.len() == 1 && !failed[0].ended && failed[0].lasted_ms > 1900, "{failed:?}");
}

#[test]
fn a_reader_that_is_given_nothing_is_an_outage_for_reads() {
    let mut scene = stalled(0, 0, ACKED);
    for seq in 0..300 {
        let offset = i64::try_from(seq).expect("small");
        scene.deliver(Role::Reader, 0, 0, offset, Some(tag(0, seq)), Contents::Intact);
    }
    let read = |scene: &mut Scene, late: u64| {
        edit_deliveries(scene.session(Role::Reader, 0, 0), |given| {
            for (seq, delivery) in (0..).zip(given) {
                let at = 2005 + seq * 10;
                let at = if (3000..3000 + late).contains(&at) { 3000 + late } else { at };
                (delivery.polled, delivery.returned) = (Nanos(at * MS), Nanos(at * MS));
            }
        });
        figures(scene)
    };
    assert!(read(&mut scene, 0).outages.is_empty());
    let slow = read(&mut scene, 800);
    assert_eq!(slow.outages.len(), 1, "{:?}", slow.outages);
    assert_eq!(slow.outages[0].operation, "read");
    assert!((700..=850).contains(&slow.outages[0].lasted_ms), "{:?}", slow.outages);
    let delivery = slow.latency.iter().find(|row| row.operation == "delivery").expect("it was measured");
    assert!((790.0..810.0).contains(&delivery.max_ms), "{delivery:?}");
}

#[test]
fn progress_is_told_by_partition() {
    let mut scene = Scene::new(2);
    let at = scene.note(Role::Runner, Note::PhaseEntered { phase: Phase::Progress });
    scene.wait(100);
    scene.note(Role::Admin, Note::FenceAcked { partition: Partition(1), offset: Offset(0) });
    scene.note(Role::Runner, Note::PhaseEntered { phase: Phase::Drain });
    scene.wait(50);
    scene.log(1, &[], true);
    let progress = figures(&scene).progress;
    assert!(at > Nanos(0) && progress.len() == 2);
    assert_eq!((progress[0].written_ms, progress[0].read_ms), (None, None));
    assert_eq!((progress[1].written_ms, progress[1].read_ms), (Some(101), Some(53)));
}

#[test]
fn nothing_at_all_has_no_figures() {
    let scene = Scene::new(1);
    assert_eq!(figures(&scene), Figures::default());
}
