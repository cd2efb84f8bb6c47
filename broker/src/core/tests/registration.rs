//! Who may be a broker: incarnations, sessions, fencing, and who may be counted in sync.

use super::super::{
    ControllerInput, ControllerOutput, FromController, IsrMember, Refusal, ToController, Uuid,
};
use crate::simulation::{Cut, World, key};

fn ask(world: &mut World, message: ToController) -> Vec<FromController> {
    let mut out = Vec::new();
    world.controller.step(world.now, ControllerInput::Message { connection: 9_999, message }, &mut out);
    let sent = |output| match output {
        ControllerOutput::Send { connection: 9_999, message } => Some(message),
        _ => None,
    };
    out.into_iter().filter_map(sent).collect()
}

#[test]
fn a_new_incarnation_is_refused_until_the_old_session_has_expired() {
    let mut world = World::new(3, 1, &[], None);
    let old = world.controller.snapshot().image.brokers[&1].clone();
    let register = ToController::Register {
        node: 1,
        incarnation: Uuid([99; 16]),
        host: "127.0.0.1".to_owned(),
        port: 1,
        previous_epoch: -1,
    };
    let reason = Refusal::DuplicateBrokerRegistration;
    assert_eq!(ask(&mut world, register.clone()), [FromController::RegistrationRefused { reason }]);
    world.kill(1);
    world.run(1_000);
    assert_eq!(ask(&mut world, register.clone()), [FromController::RegistrationRefused { reason }]);
    assert!(world.run_until(2_000, |world| world.controller.snapshot().image.brokers[&1].fenced));
    let answers = ask(&mut world, register.clone());
    let now = world.controller.snapshot().image.brokers[&1].clone();
    assert!(matches!(answers.last(), Some(FromController::Registered { broker_epoch, .. })
        if *broker_epoch == now.epoch));
    assert!(now.epoch > old.epoch && now.fenced);
    let again = ask(&mut world, register);
    assert!(
        matches!(again.last(), Some(FromController::Registered { broker_epoch, .. })
        if *broker_epoch == now.epoch),
        "the same process may ask again"
    );
    let late = ToController::Heartbeat { node: 1, broker_epoch: old.epoch, image_version: u64::MAX };
    let [FromController::HeartbeatAck { result, .. }] = ask(&mut world, late)[..] else {
        panic!("one answer")
    };
    assert_eq!(result, Err(Refusal::StaleBrokerEpoch));
}

/// A leader with a full ISR loses power and is back within 50 ms: it must not lead on with what is left.
#[test]
fn a_leader_that_loses_power_and_restarts_at_once_loses_nothing() {
    let mut world = World::new(3, 1, &[("min.insync.replicas", "2")], None);
    world.produce(1, -1, "m1");
    world.produce(1, -1, "m2");
    let epoch = world.partition(key(0)).leader_epoch;
    world.power_cut(1);
    assert!(world.values(1).is_empty(), "nothing was synced");
    world.run(50);
    world.start(1);
    world.run(500);
    assert!(world.broker(1).offsets(key(0), -1).is_err(), "not registered yet");
    assert!(world.run_until(10_000, |world| world.leader() != 1));
    assert!(world.partition(key(0)).leader_epoch > epoch);
    assert!(world.run_until(10_000, |world| world.isr().len() == 3));
    world.run(200);
    assert!(world.agree(key(0)));
    assert_eq!(world.values(1), ["m1", "m2"]);
}

#[test]
fn a_broker_that_was_cut_off_comes_back_under_its_epoch() {
    let mut world = World::new(3, 1, &[], None);
    let epoch = world.controller.snapshot().image.brokers[&1].epoch;
    world.isolate(1, Cut::Held);
    assert!(world.run_until(5_000, |world| world.controller.snapshot().image.brokers[&1].fenced));
    world.heal();
    assert!(world.run_until(500, |world| !world.controller.snapshot().image.brokers[&1].fenced));
    assert_eq!(world.controller.snapshot().image.brokers[&1].epoch, epoch);
    assert!(world.run_until(5_000, |world| world.isr().len() == 3));
}

fn proposal(world: &World, request: u64, members: &[(i32, i64)]) -> ToController {
    let state = world.partition(key(0));
    ToController::AlterPartition {
        request,
        node: state.leader,
        broker_epoch: world.controller.snapshot().image.brokers[&state.leader].epoch,
        key: key(0),
        leader_epoch: state.leader_epoch,
        partition_epoch: state.partition_epoch,
        isr: members.iter().map(|&(node, broker_epoch)| IsrMember { node, broker_epoch }).collect(),
    }
}

fn verdict(world: &mut World, message: ToController) -> Option<Result<Vec<i32>, Refusal>> {
    match ask(world, message).pop() {
        Some(FromController::AlterPartition { result, .. }) => Some(result.map(|state| state.isr)),
        _ => None,
    }
}

/// KIP-903: the leader has seen broker 3 fetch before it restarted; its successor may have lost records.
#[test]
fn a_member_under_a_stale_broker_epoch_is_ineligible() {
    let mut world = World::new(3, 1, &[], None);
    let brokers = world.controller.snapshot().image.brokers.clone();
    let (leader, old) = (brokers[&1].epoch, brokers[&3].epoch);
    world.kill(3);
    assert!(world.run_until(5_000, |world| world.isr().len() == 2));
    world.cut(1, 3, Cut::Held);
    let two = brokers[&2].epoch;
    let fenced = proposal(&world, 1_000, &[(1, leader), (2, two), (3, old)]);
    assert_eq!(verdict(&mut world, fenced), Some(Err(Refusal::IneligibleReplica)), "it is fenced");
    world.start(3);
    assert!(world.run_until(5_000, |world| !world.controller.snapshot().image.brokers[&3].fenced));
    let new = world.controller.snapshot().image.brokers[&3].epoch;
    let stale = proposal(&world, 1_001, &[(1, leader), (2, two), (3, old)]);
    assert_eq!(verdict(&mut world, stale), Some(Err(Refusal::IneligibleReplica)), "it has restarted");
    let current = proposal(&world, 1_002, &[(1, leader), (2, two), (3, new)]);
    assert_eq!(verdict(&mut world, current), Some(Ok(vec![1, 2, 3])));
}

/// Changes a proposal's node, leader epoch and partition epoch.
type Change = fn(&mut i32, &mut i32, &mut i32);

#[test]
fn a_proposal_must_build_on_the_current_state() {
    let mut world = World::new(3, 1, &[], None);
    let change = |world: &World, request, change: Change| {
        let mut message = proposal(world, request, &[(1, -1), (2, -1)]);
        if let ToController::AlterPartition { node, leader_epoch, partition_epoch, .. } = &mut message {
            change(node, leader_epoch, partition_epoch);
        }
        message
    };
    let cases: [(Change, Refusal); 4] = [
        (|_, leader_epoch, _| *leader_epoch -= 1, Refusal::FencedLeaderEpoch),
        (|_, leader_epoch, _| *leader_epoch += 1, Refusal::NotController),
        (|_, _, partition_epoch| *partition_epoch -= 1, Refusal::InvalidUpdateVersion),
        (|node, _, _| *node = 2, Refusal::StaleBrokerEpoch),
    ];
    for (request, (case, refusal)) in (100..).zip(cases) {
        let message = change(&world, request, case);
        assert_eq!(verdict(&mut world, message), Some(Err(refusal)));
    }
    let without_leader = proposal(&world, 200, &[(2, -1), (3, -1)]);
    assert_eq!(verdict(&mut world, without_leader), Some(Err(Refusal::InvalidRequest)));
    let overtaken = proposal(&world, 150, &[(1, -1), (2, -1)]);
    assert_eq!(verdict(&mut world, overtaken), None, "a later request was heeded already");
    let good = proposal(&world, 201, &[(1, -1), (2, -1)]);
    assert_eq!(verdict(&mut world, good), Some(Ok(vec![1, 2])));
}

#[test]
fn a_restarted_controller_goes_on_from_its_snapshot() {
    let mut world = World::new(3, 1, &[], None);
    world.produce(1, -1, "m1");
    let version = world.controller.snapshot().image.version;
    world.restart_controller();
    assert_eq!(world.controller.snapshot().image.version, version);
    world.run(3_000);
    assert_eq!((world.leader(), world.isr().len()), (1, 3), "nobody was fenced for its absence");
    world.kill(1);
    assert!(world.run_until(5_000, |world| world.leader() == 2));
    world.run(20);
    let reply = world.produce(2, -1, "m2");
    assert_eq!(world.reply(reply), Some(Ok(1)));
}
