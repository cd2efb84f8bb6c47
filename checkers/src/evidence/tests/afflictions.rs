//! Faults of disks, files, clocks and packets: bitten and not.

use history::event::Role;
use history::{FaultClass, NodeId, Note};

use super::{evidence, quiet};
use crate::testing::Scene;

/// What is said of a fault that was injected, went on as `then` says, and was healed having touched so many bytes.
fn after(class: FaultClass, bytes: u64, then: &dyn Fn(&mut Scene)) -> (bool, String) {
    let mut scene = quiet();
    let fault = scene.inject(class, 1, &[0]);
    scene.wait(1500);
    then(&mut scene);
    scene.heal_having_touched(fault, bytes);
    evidence(&scene)
}

fn fenced(scene: &mut Scene) {
    scene.note(Role::Runner, Note::Fenced { node: NodeId(1), fenced: true });
}

#[test]
fn a_full_disk_bites_when_its_broker_gives_up() {
    let (bitten, detail) = after(FaultClass::DiskFull, 0, &fenced);
    assert!(bitten);
    insta::assert_snapshot!(detail, @"the disk of node 1 was full; node 1 was fenced after 1.5 s");
    let led = after(FaultClass::DiskFull, 0, &|scene| scene.leader(0, Some(2), 5, &[2, 3]));
    assert!(led.0 && led.1.contains("partition 0 got node 2 as its leader"), "{}", led.1);
    assert!(!after(FaultClass::DiskFull, 0, &|_| ()).0, "nobody wrote to it");
    let other = |scene: &mut Scene| {
        let _ = scene.note(Role::Runner, Note::Fenced { node: NodeId(2), fenced: true });
    };
    assert!(!after(FaultClass::DiskFull, 0, &other).0, "another node was fenced");
}

#[test]
fn a_read_only_disk_bites_by_what_is_gone() {
    let (bitten, detail) = after(FaultClass::ReadOnlyDisk, 700, &fenced);
    assert!(bitten);
    insta::assert_snapshot!(detail, @"the file system of node 1 was read-only; node 1 was fenced after 1.5 s, and 700 bytes that were not synced are gone");
    assert!(!after(FaultClass::ReadOnlyDisk, 0, &fenced).0, "nothing was there to be lost");
    let synced = after(FaultClass::ReadOnlyDisk, 0, &|scene| {
        scene.history.plan.cell.topic.insert("flush.messages".to_owned(), "1".to_owned());
        fenced(scene);
    });
    assert!(synced.0 && synced.1.contains("with every record synced"), "{}", synced.1);
}

#[test]
fn what_is_counted_bites_by_its_count() {
    for class in [
        FaultClass::SlowDisk,
        FaultClass::TruncateLog,
        FaultClass::FlipBit,
        FaultClass::StaleDisk,
        FaultClass::DropCache,
    ] {
        assert!(after(class, 1, &|_| ()).0, "{class}");
        let (bitten, detail) = after(class, 0, &|_| ());
        assert!(!bitten && detail.contains("(raise `"), "{class}: {detail}");
    }
}

#[test]
fn a_clock_bites_when_it_was_seen_wrong_and_packets_when_they_were_touched() {
    let told = |class, connections, words: &[&str]| {
        let mut scene = quiet();
        let fault = scene.inject(class, 1, &[0]);
        let seen = words.iter().map(|word| (*word).to_owned()).collect();
        scene.note(Role::Runner, Note::FaultHealed { fault, connections, bytes: 900, seen });
        evidence(&scene)
    };
    for class in [FaultClass::ClockBump, FaultClass::ClockSkew, FaultClass::ClockStrobe] {
        assert_eq!(
            told(class, 0, &["node 1: its clock was 9 ms ahead"]).1,
            "node 1: its clock was 9 ms ahead"
        );
        assert!(!told(class, 0, &[]).0);
    }
    for class in [
        FaultClass::LossyLinks,
        FaultClass::ReorderPackets,
        FaultClass::DuplicatePackets,
        FaultClass::CorruptPackets,
    ] {
        assert!(told(class, 3, &[]).0 && !told(class, 0, &[]).0);
    }
}

#[test]
fn the_means_are_told_where_there_is_a_choice() {
    let mut scene = quiet();
    let fault = scene.inject(FaultClass::LossyLinks, 1, &[0]);
    let by = vec!["iptables -m statistic on nodes 1 and 2".to_owned()];
    scene.note(Role::Runner, Note::FaultInjected { fault, by });
    let healed = Note::FaultHealed { fault, connections: 3, bytes: 900, seen: Vec::new() };
    scene.note(Role::Runner, healed);
    insta::assert_snapshot!(evidence(&scene).1, @"3 packets of 900 bytes between brokers were lost (by iptables -m statistic on nodes 1 and 2)");
}
