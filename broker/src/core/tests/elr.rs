//! The last replica standing (KIP-966): it alone is in sync, loses its page cache, and comes back.

use crate::simulation::{Cut, World, batch, key};

/// Acknowledges a record on three replicas, lets the others fall out of sync without ending, cuts the power of
/// the last one, brings everything back, and says what is left of the record.
fn what_is_left(version: &str) -> (World, bool) {
    let settings = [("eligible.leader.replicas.version", version)];
    let mut world = World::with_settings(3, 1, &[("min.insync.replicas", "2")], None, &settings);
    let leads = world.leader();
    let sent = world.send_produce(leads, key(0), -1, batch("kept", 1, None));
    assert!(world.run_until(1_000, |world| matches!(world.reply(sent), Some(Ok(_)))));
    let others: Vec<i32> = world.nodes().into_iter().filter(|node| *node != leads).collect();
    for node in &others {
        world.isolate(*node, Cut::Held);
        world.run(4_000);
    }
    assert_eq!(world.isr().len(), 1, "it stands alone");
    world.power_cut(leads);
    world.run(3_000);
    world.start(leads);
    world.run(3_000);
    world.heal();
    assert!(world.run_until(20_000, |world| world.agree(key(0))), "{:?}", world.partition(key(0)));
    let kept = world.nodes().into_iter().all(|node| world.values(node).contains(&"kept".to_owned()));
    (world, kept)
}

#[test]
fn without_eligible_replicas_the_last_one_standing_takes_acknowledged_records_with_it() {
    let (_, kept) = what_is_left("0");
    assert!(!kept);
}

#[test]
fn with_eligible_replicas_another_leads_that_has_them() {
    let (world, kept) = what_is_left("1");
    assert!(kept);
    assert!(world.partition(key(0)).elr.is_empty(), "the ISR is full again");
}

#[test]
fn the_high_watermark_stands_still_below_the_minimum_only_with_eligible_replicas() {
    for (version, moves) in [("0", true), ("1", false)] {
        let settings = [("eligible.leader.replicas.version", version)];
        let mut world = World::with_settings(3, 1, &[("min.insync.replicas", "2")], None, &settings);
        let leads = world.leader();
        let others: Vec<i32> = world.nodes().into_iter().filter(|node| *node != leads).collect();
        others.iter().for_each(|node| world.isolate(*node, Cut::Held));
        assert!(world.run_until(10_000, |world| world.isr().len() == 1));
        let before = world.high_watermark(leads);
        world.send_produce(leads, key(0), 1, batch("alone", 1, None));
        world.run(200);
        assert_eq!(world.high_watermark(leads) > before, moves, "version {version}");
        world.heal();
        assert!(world.run_until(20_000, |world| world.agree(key(0))));
        assert!(world.run_until(2_000, |world| world.high_watermark(leads) > before));
    }
}
