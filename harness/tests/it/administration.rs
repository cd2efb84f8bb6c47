//! Requests to the cluster about the topic, from end to end: replicas are moved, leaders elected, partitions added and
//! settings changed under load, and everything is as it was afterwards. Brokers are whole, and so is what they promised.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;

use history::{FaultClass, History, Nanos, NodeId, Note, Partition, Plan, Role};
use nix::sys::signal::Signal;

use super::cluster::Up;
use super::stage::{Background, Ended, Stage};

/// Runs it until every fault bit (on a machine that stands still now and then one may not), and sees that everything
/// promised was kept and nothing was found but what is allowed.
fn exercised(stage: &Stage, words: &str, allowed: &[&str]) -> Ended {
    for _ in 0..3 {
        let ended = stage.run_exercised(&format!("run {words}"));
        assert_eq!(ended.code, 0, "{words}: {}", ended.all());
        let verdict = stage.verdict();
        let faults = verdict["faults"].as_array().expect("a list");
        assert!(!faults.is_empty(), "{words}: {}", ended.all());
        let found: Vec<_> = stage.findings().into_keys().collect();
        let unexpected = found.iter().find(|kind| !allowed.contains(&kind.as_str()));
        assert_eq!(unexpected, None, "{words}: {}", ended.all());
        if faults.iter().all(|fault| fault["bitten"] == true) {
            return ended;
        }
        let _ = writeln!(std::io::stderr(), "AGAIN, a fault did not bite: highwater run {words}");
    }
    panic!("{words}: a fault never bit: {}", stage.verdict()["faults"]);
}

/// The history of the newest run.
fn recorded(stage: &Stage) -> History {
    let dir = stage.latest();
    let plan = fs::read_to_string(dir.join("plan.json")).expect("there is a plan");
    let plan: Plan = serde_json::from_str(&plan).expect("it is a plan");
    history::load(plan, &dir.join("history")).expect("it can be read")
}

/// Replicas of a partition as the cluster told of them, in order of time.
fn replicas(history: &History, of: Partition) -> Vec<(Nanos, Vec<NodeId>)> {
    let told = history.notes().filter_map(|(_, at, note)| match note {
        Note::PartitionState { partition, replicas, .. } if *partition == of => Some((at, replicas.clone())),
        _ => None,
    });
    let mut told: Vec<_> = told.collect();
    told.sort_by_key(|(at, _)| *at);
    told.dedup_by(|(_, next), (_, before)| next == before);
    told
}

/// The replicas that a fault hit, before, during and after it.
fn course(history: &History) -> Vec<Vec<NodeId>> {
    let hit = history.notes().find_map(|(_, _, note)| match note {
        Note::FaultInvoked { partitions, .. } => Some(partitions[0]),
        _ => None,
    });
    replicas(history, hit.expect("it was injected")).into_iter().map(|(_, replicas)| replicas).collect()
}

/// The topic's settings as they were told, in order of time.
fn settings(history: &History) -> Vec<BTreeMap<String, String>> {
    let told = history.notes().filter_map(|(_, _, note)| match note {
        Note::EffectiveTopic { settings } => Some(settings.clone()),
        _ => None,
    });
    told.collect()
}

#[test]
fn replicas_are_moved_or_dropped_and_are_back_afterwards() {
    for (settings, count) in
        [("", 3), ("--set replication.factor=2", 2), ("--set acks=1 --set replication.factor=1", 1)]
    {
        let stage = Stage::new();
        let words = format!(
            "--nemesis reassign-replicas@1s+1500ms:partition=1 --duration 4s --seed 3 --set min.insync.replicas=1 \
             --set enable.idempotence=false {settings}"
        );
        let ended = exercised(&stage, &words, &["lost-write", "duplicate", "nonmonotonic-send", "poll-skip"]);
        let acked_by_all = !words.contains("acks=1");
        assert!(!acked_by_all || !stage.findings().contains_key("lost-write"), "{words}: {}", ended.all());
        let course = course(&recorded(&stage));
        let (first, last) = (&course[0], &course[course.len() - 1]);
        assert_eq!((first.len(), first), (count, last), "{words}: they are back, in their order: {course:?}");
        let during = course.iter().min_by_key(|replicas| (replicas.len(), *replicas == first)).expect("some");
        let shrunk = usize::from(count == 3);
        assert_eq!(during.len(), count - shrunk, "{words}: {course:?}");
        assert_ne!(during, first, "{words}");
    }
}

#[test]
fn elections_move_leadership_and_lose_nothing_that_all_replicas_have() {
    let stage = Stage::new();
    exercised(
        &stage,
        "--nemesis preferred-election --duration 4s --seed 1 --set enable.idempotence=true",
        &[],
    );
    let verdict = stage.verdict();
    assert!(verdict["counts"]["leader_changes"].as_u64() > Some(0), "credited to the request: {verdict}");
    let course = course(&recorded(&stage));
    assert!(course.len() > 1 && course.first() == course.last(), "the order is as it was: {course:?}");
}

/// Nobody in sync is left, so that nobody leads; an administrator has somebody elected all the same, and what the old
/// leader had alone is gone, although every in-sync replica (it alone) had it.
#[test]
fn an_unclean_election_loses_what_no_election_would_have_lost() {
    let out = "isolate-followers@1s+4s,kill@3500ms+4s";
    let common = "--partitions 1 --duration 9s --seed 1 --set min.insync.replicas=1 --rate 200";
    let stage = Stage::new();
    let words = format!("--nemesis {out},unclean-election@5500ms+1500ms {common}");
    let mut lost = 0;
    for _ in 0..3 {
        let ended = exercised(&stage, &words, &["lost-write", "lost-read", "duplicate", "nonmonotonic-send"]);
        assert!(ended.stdout.contains("unclean election"), "{}", ended.all());
        lost = stage.findings().get("lost-write").copied().unwrap_or(0);
        if lost > 0 {
            break;
        }
    }
    assert!(lost > 0, "{}", stage.verdict());
    drop(stage);

    let stage = Stage::new();
    let ended = stage.run_exercised(&format!("run --nemesis {out} {common}"));
    assert_eq!(ended.code, 0, "{}", ended.all());
    assert!(
        !stage.findings().contains_key("lost-write"),
        "it waits for the one that has it: {}",
        ended.all()
    );
    drop(stage);

    // Where everybody is led there is nobody to elect, and nothing is proved.
    let stage = Stage::new();
    let ended = stage.run("run --nemesis unclean-election --duration 2s --seed 1");
    assert_eq!(ended.code, 4, "{}", ended.all());
    assert!(ended.stdout.contains("every partition has a leader"), "{}", ended.all());
}

/// The records that went to partitions which were not there when the run began are judged like all others.
#[test]
fn partitions_are_added_under_load_and_drained_like_the_others() {
    for (seed, settings) in [(1, "--keys 200 --set enable.idempotence=true"), (3, "")] {
        let stage = Stage::new();
        let words = format!("--nemesis add-partitions@1s+1s --duration 6s --seed {seed} {settings}");
        let ended = exercised(&stage, &words, &[]);
        let history = recorded(&stage);
        let drained: Vec<_> = history
            .notes()
            .filter_map(|(_, _, note)| match note {
                Note::Drained { partition } => Some(partition.0),
                _ => None,
            })
            .collect();
        assert_eq!(drained.len(), 6, "{words}: {}", ended.all());
        let new = |partition: Partition| partition.0 >= 4;
        let sends = history.sends().filter(|send| send.partition.is_some_and(new)).count();
        assert_eq!(sends > 0, settings.contains("--keys"), "{words}: {}", ended.all());
        let reader = history.of(Role::Reader).next().expect("one reads");
        let given = reader.deliveries().filter(|delivery| new(delivery.partition)).count();
        assert!(given >= sends.min(1) && given >= 2, "{words}: the reader follows them too, to their fences");
        assert_eq!(stage.verdict()["counts"]["in_log"], stage.verdict()["counts"]["acked"], "{words}");
    }
}

/// A broker that loses what it acknowledged is found in the partition that the run has had added, too.
#[test]
fn what_is_lost_in_an_added_partition_is_found() {
    let stage = Stage::new();
    let line = "run --flaw ack-before-append --nemesis add-partitions@200ms+3s --partitions 1 --keys 50 --duration 5s \
                --seed 1";
    let ended = stage.run_exercised(line);
    assert_eq!(ended.code, 1, "{}", ended.all());
    let history = recorded(&stage);
    let found: std::collections::BTreeSet<_> = history
        .of(Role::Drain)
        .flat_map(|drain| drain.deliveries())
        .filter_map(|delivery| delivery.tag)
        .collect();
    let acked = history.sends().filter(|send| send.told == history::Told::Acked);
    let lost: Vec<_> = acked.filter(|send| !found.contains(&send.tag)).collect();
    assert_eq!(stage.findings()["lost-write"], lost.len() as u64, "{}", ended.all());
    let there = lost.iter().filter(|send| send.partition == Some(Partition(1))).count();
    assert!(there > 0, "some of them in the new partition: {}", ended.all());
}

#[test]
fn a_setting_is_changed_under_load_and_is_back_afterwards() {
    let stage = Stage::new();
    let words = "--nemesis alter-topic-configs --duration 4s --seed 2 --set segment.ms=120000 --set segment.bytes=3000000";
    exercised(&stage, words, &[]);
    let told = settings(&recorded(&stage));
    assert!(told.len() >= 3, "before, during and after: {told:?}");
    assert_eq!(told.first(), told.last());
    let changed = told[0].iter().filter(|(name, value)| told[1].get(*name) != Some(value)).count();
    assert_eq!(changed, 1, "{told:?}");
}

/// One on top of the other, of a cluster that is not ours to break, beside a broker that dies.
#[test]
fn they_go_with_each_other_with_faults_of_brokers_and_with_clusters_nobody_may_break() {
    let stage = Stage::new();
    let words = "--nemesis reassign-replicas@500ms+3s,preferred-election@1500ms+1s,kill@2s+3s:partition=2,\
                 alter-topic-configs@1s+4s,add-partitions@3s+1s,reassign-replicas@2500ms+4s --duration 8s --seed 2 \
                 --keys 100 --set enable.idempotence=true";
    let ended = stage.run_exercised(&format!("run {words}"));
    assert_eq!(ended.code, 0, "{}", ended.all());
    let history = recorded(&stage);
    let course = replicas(&history, Partition(0));
    assert_eq!(course.first().map(|(_, first)| first), course.last().map(|(_, last)| last), "{course:?}");
    drop(stage);

    let stage = Stage::new();
    let place = tempfile::tempdir().expect("a folder");
    let up = Up::start(&stage, &format!("--nodes 3 --data {}", place.path().join("cluster").display()));
    let common = format!("--target kafka --bootstrap {}", up.bootstrap);
    let all = "reassign-replicas,preferred-election,add-partitions,alter-topic-configs";
    exercised(
        &stage,
        &format!("{common} --nemesis {all} --duration 15s --seed 4 --keys 100"),
        &["duplicate", "nonmonotonic-send", "key-reorder"],
    );
    let theirs = "--topic theirs --allow-existing-topic";
    for (words, says) in [
        ("--nemesis add-partitions", "cannot be undone"),
        ("--nemesis reassign-replicas", "--allow-destructive"),
        ("--nemesis unclean-election@1s+1s", "--allow-destructive"),
    ] {
        let refused = stage.run(&format!("run {common} {theirs} {words}"));
        assert_eq!(refused.code, 2, "{words}: {}", refused.all());
        assert!(refused.stderr.contains(says), "{words}: {}", refused.all());
    }
    let tls = stage.run(&format!("run {common} --nemesis preferred-election -X security.protocol=sasl_ssl"));
    assert_eq!(tls.code, 2, "{}", tls.all());
    assert!(
        tls.stderr.contains("cannot be asked for") && tls.stderr.contains("`sasl.mechanism`"),
        "{}",
        tls.all()
    );
    // Killed in mid-fault, a run leaves its own topic behind, and nothing that keeps another from running.
    let line = format!("run {common} --nemesis reassign-replicas@300ms+20s --duration 21s --seed 1");
    let mut killed = Background::start(stage.command(&line));
    killed.read_until("fault 1: ");
    killed.signal(Signal::SIGKILL);
    killed.finish();
    let next = stage.run(&format!("run {common} --nemesis none --duration 1s --seed 2"));
    assert_eq!(next.code, 0, "{}", next.all());
    let by_hand = stage
        .run(&format!("nemesis apply add-partitions --cluster {}", place.path().join("cluster").display()));
    assert_eq!(by_hand.code, 2, "{}", by_hand.all());
    assert!(by_hand.stderr.contains("cannot change the topic"), "{}", by_hand.all());
}

/// Replicas and settings were others and are what they were, and so many faults were undone.
fn gave_back(history: &History, faults: usize, ended: &Ended) {
    let course = course(history);
    assert!(course.len() > 1 && course.first() == course.last(), "{course:?}");
    let told = settings(history);
    assert!(told.len() > 1 && told.first() == told.last(), "{told:?}");
    let healed = history.notes().filter(|(_, _, note)| matches!(note, Note::FaultHealed { .. })).count();
    assert_eq!(healed, faults, "{}", ended.all());
}

/// What the cluster cannot grant while another fault is in force is given back once that one is over.
#[test]
fn what_cannot_be_given_back_at_once_is_given_back_later() {
    let stage = Stage::new();
    let line = "run --nemesis reassign-replicas@300ms+1500ms,alter-topic-configs@500ms+1500ms,\
                isolate-controller@1500ms+3s --duration 7s --seed 1";
    let ended = stage.run_exercised(line);
    assert_eq!(ended.code, 0, "{}", ended.all());
    gave_back(&recorded(&stage), 3, &ended);
}

/// Stopped in mid-fault, a run gives back what it has changed.
#[test]
fn a_run_that_is_stopped_gives_back_what_it_changed() {
    let stage = Stage::new();
    let line =
        "run --nemesis reassign-replicas@500ms+20s,alter-topic-configs@700ms+20s --duration 30s --seed 6";
    let mut run = Background::start(stage.command(line));
    run.read_until("fault 2: ");
    run.signal(Signal::SIGINT);
    let ended = run.finish();
    assert_eq!(ended.code, 130, "{line}: {}", ended.all());
    let history = recorded(&stage);
    gave_back(&history, 2, &ended);
    assert!(history.plan.schedule.iter().any(|fault| fault.class == FaultClass::ReassignReplicas));
}
