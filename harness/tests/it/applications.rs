//! Faults of applications from end to end: a producer that dies and goes on as another session, one that stands
//! still, a reader that begins again. Brokers are whole, and so is every promise they made.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;

use history::{History, Plan, Role, Session};
use nix::sys::signal::Signal;
use serde_json::Value;

use super::cluster::Up;
use super::stage::{Background, Ended, Stage};

/// What a run may find where nobody promised otherwise.
const ALLOWED: &[&str] = &["lost-in-client"];

/// Runs it, and sees that every fault bit (again, if one did not on a machine that stands still now and then),
/// everything promised was kept, and nothing else was found.
fn exercised(stage: &Stage, words: &str, also: &[&str]) -> Ended {
    let mut idle = Vec::new();
    for _ in 0..3 {
        let ended = stage.run_exercised(&format!("run {words} -v"));
        assert_eq!(ended.code, 0, "{words}: {}", ended.all());
        let verdict = stage.verdict();
        let faults = verdict["faults"].as_array().expect("a list");
        assert!(!faults.is_empty(), "{words}: {}", ended.all());
        let found: Vec<_> = stage.findings().into_keys().collect();
        idle = faults.iter().filter(|fault| fault["bitten"] != true).cloned().collect();
        if idle.is_empty() {
            let unexpected =
                |kind: &&String| !ALLOWED.contains(&kind.as_str()) && !also.contains(&kind.as_str());
            assert_eq!(found.iter().find(unexpected), None, "{words}: {}", ended.all());
            return ended;
        }
        let _ = writeln!(std::io::stderr(), "AGAIN, a fault did not bite: highwater run {words}");
    }
    panic!("{words}: {idle:?}");
}

/// The history of the newest run.
fn recorded(stage: &Stage) -> History {
    let dir = stage.latest();
    let plan = fs::read_to_string(dir.join("plan.json")).expect("there is a plan");
    let plan: Plan = serde_json::from_str(&plan).expect("it is a plan");
    let history = history::load(plan, &dir.join("history")).expect("it can be read");
    assert_eq!(history.damage, [], "who was killed leaves no damage");
    history
}

fn names(history: &History, role: Role) -> Vec<(String, bool)> {
    history.of(role).map(|session| (session.name(), session.closed)).collect()
}

/// The sessions of the one that was killed, and what the old one and the new one sent.
fn killed(history: &History, role: Role) -> (&Session, &Session) {
    let dead: Vec<_> = history.of(role).filter(|session| !session.closed).collect();
    let [dead] = dead[..] else { panic!("one was killed: {:?}", names(history, role)) };
    let next = history.of(role).find(|next| next.index == dead.index && next.session == dead.session + 1);
    (dead, next.expect("it has a successor"))
}

#[test]
fn a_killed_producer_loses_what_nobody_promised_and_goes_on_as_another_session() {
    for (seed, settings, also) in [
        (1, "", &[][..]),
        (2, "--set acks=1", &["duplicate"]),
        (3, "--set enable.idempotence=true --rate max", &[]),
    ] {
        let stage = Stage::new();
        let words = format!("--nemesis kill-producer --duration 4s --seed {seed} {settings}");
        let ended = exercised(&stage, &words, also);
        let history = recorded(&stage);
        let (dead, next) = killed(&history, Role::Producer);
        assert!(dead.send_count() > 0 && next.send_count() > 0, "{words}: {}", ended.all());
        assert_eq!(next.send(0).tag.seq, 0, "its numbers are its own");
        let sends: Vec<_> = dead.sends().chain(next.sends()).collect();
        let tags: BTreeSet<_> = sends.iter().map(|send| send.tag).collect();
        assert_eq!(tags.len(), sends.len(), "nothing is sent again");
        // Whoever follows goes on with the next partition, and catches up with nothing.
        let turn = u64::from(history.plan.load.partitions);
        let expected = (u64::from(dead.index) + dead.send_count() as u64) % turn;
        assert_eq!(next.send(0).partition.map(|partition| u64::from(partition.0)), Some(expected));
        let sent: usize = history.of(Role::Producer).map(Session::send_count).sum();
        assert_eq!(stage.verdict()["counts"]["sent"], sent as u64, "{words}: {}", ended.all());
    }
}

/// However often somebody dies, the records asked for are sent, each once.
#[test]
fn records_asked_for_are_sent_by_whoever_is_there() {
    let stage = Stage::new();
    let words = "--nemesis kill-producer@500ms+500ms:draw=0,kill-producer@1500ms+500ms:draw=0 --producers 1 \
                 --records 1001 --rate 300 --sync --duration 30s --seed 1";
    let ended = exercised(&stage, words, &[]);
    let history = recorded(&stage);
    let sessions = names(&history, Role::Producer);
    let sessions: Vec<_> = sessions.iter().map(|(name, closed)| (name.as_str(), *closed)).collect();
    let expected = [("producer-0", false), ("producer-0.1", false), ("producer-0.2", true)];
    assert_eq!(sessions, expected, "{}", ended.all());
    assert_eq!(stage.verdict()["counts"]["sent"], 1001, "{}", ended.all());
}

#[test]
fn a_paused_producer_finds_its_records_where_they_were() {
    for (seed, settings, also) in
        [(2, "--set acks=1", &["duplicate"][..]), (3, "--set enable.idempotence=true --producers 1", &[])]
    {
        let stage = Stage::new();
        let words = format!("--nemesis pause-producer --duration 5s --seed {seed} {settings}");
        let ended = exercised(&stage, &words, also);
        let history = recorded(&stage);
        assert!(names(&history, Role::Producer).iter().all(|(_, closed)| *closed), "{}", ended.all());
        assert!(!stage.findings().contains_key("lost-in-client"), "{}", ended.all());
    }
}

#[test]
fn a_killed_reader_begins_again_and_misses_nothing() {
    for (seed, settings, also) in
        [(2, "--set acks=1", &["duplicate"][..]), (3, "--consumers 2 --rate 2000", &[])]
    {
        let stage = Stage::new();
        let words = format!("--nemesis kill-reader --duration 3s --seed {seed} {settings}");
        let ended = exercised(&stage, &words, also);
        let history = recorded(&stage);
        let (dead, next) = killed(&history, Role::Reader);
        assert!(dead.delivery_count() > 0, "{words}: {}", ended.all());
        assert_eq!(next.delivery(0).offset.0, 0, "from the start of the log");
        let acked = stage.verdict()["counts"]["acked"].as_u64().expect("a number");
        assert!(next.delivery_count() as u64 >= acked, "{words}: it was given everything");
    }
}

/// Beside faults of brokers, and where no broker may be touched.
#[test]
fn they_go_with_faults_of_brokers_and_with_clusters_nobody_may_break() {
    let stage = Stage::new();
    let words = "--nemesis kill@1s+3s,kill-producer@1500ms+1s,kill-reader@2s+1s,pause-producer@2500ms+1s \
                 --duration 6s --seed 4 --set enable.idempotence=true";
    let ended = stage.run_exercised(&format!("run {words}"));
    assert_eq!(ended.code, 0, "{}", ended.all());
    drop(stage);

    let stage = Stage::new();
    let place = tempfile::tempdir().expect("a folder");
    let up = Up::start(&stage, &format!("--nodes 3 --data {}", place.path().join("cluster").display()));
    let common = format!("--target kafka --bootstrap {}", up.bootstrap);
    exercised(
        &stage,
        &format!("{common} --nemesis kill-producer,kill-reader --duration 5s --seed 5"),
        &["duplicate"],
    );
    let refused = stage.run(&format!("run {common} --nemesis kill,kill-producer"));
    assert_eq!(refused.code, 2, "{}", refused.all());
    assert!(refused.stderr.contains("`kill` breaks brokers"), "{}", refused.all());
    let nobody = stage.run("run --nemesis kill-reader --consumers 0");
    assert_eq!(nobody.code, 2, "{}", nobody.all());
    assert!(nobody.stderr.contains("--consumers 1"), "{}", nobody.all());
    let by_hand = stage
        .run(&format!("nemesis apply kill-producer --cluster {}", place.path().join("cluster").display()));
    assert_eq!(by_hand.code, 2, "{}", by_hand.all());
    assert!(by_hand.stderr.contains("cannot hit applications"), "{}", by_hand.all());
}

/// Stopped in the middle of its faults, a run continues who is stopped, starts nobody, and judges what there is.
#[test]
fn a_run_that_is_stopped_heals_its_applications() {
    for nemesis in ["pause-producer@500ms+20s", "kill-producer@500ms+20s", "kill-reader@500ms+20s"] {
        let stage = Stage::new();
        let line = format!("run --nemesis {nemesis} --duration 30s --seed 6 --producers 1");
        let mut run = Background::start(stage.command(&line));
        run.read_until("fault 1: ");
        run.signal(Signal::SIGINT);
        let ended = run.finish();
        assert_eq!(ended.code, 130, "{line}: {}", ended.all());
        let verdict = stage.verdict();
        assert_ne!(verdict["word"], Value::from("broken"), "{line}: {}", ended.all());
        let history = recorded(&stage);
        let sessions = history.of(Role::Producer).count() + history.of(Role::Reader).count();
        let started = if nemesis.starts_with("kill-reader") { 3 } else { 2 };
        assert_eq!(sessions, started, "{line}: {}", ended.all());
    }
}
