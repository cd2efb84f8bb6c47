//! One anomaly planted at a random place of a clean history, hundreds of times: it must be found, with the
//! planted record among the witnesses, and nothing else with it.

use history::event::Role;
use history::{Contents, Note, Outcome, Tag, Told};

use super::{Rng, Scene, clean, edit_deliveries, edit_sends};
use crate::context::Context;
use crate::{CATALOG, Finding};

const SEEDS: u64 = 300;

fn findings(scene: &Scene) -> Vec<Finding> {
    let context = Context::new(&scene.history);
    CATALOG.iter().flat_map(|spec| (spec.check)(&context)).collect()
}

/// An anomaly: plants itself and returns the kinds to be found and a record that must be a witness.
type Plant = fn(&mut Scene, &mut Rng) -> Option<(&'static [&'static str], Option<Tag>)>;

fn try_all(plant: Plant) {
    let mut planted = 0;
    for seed in 0..SEEDS {
        let mut scene = clean(seed);
        let mut rng = Rng(seed ^ 0xabcd);
        let Some((kinds, tag)) = plant(&mut scene, &mut rng) else { continue };
        planted += 1;
        let found = findings(&scene);
        let mut names: Vec<&str> = found.iter().map(|finding| finding.kind.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, kinds, "seed {seed}: {found:#?}");
        for finding in &found {
            assert!(finding.examples.len() <= 10 && finding.count >= finding.examples.len() as u64);
            let named = |tag: Tag| finding.examples.iter().any(|witness| witness.tag == Some(tag));
            assert!(tag.is_none_or(named), "seed {seed}: {tag:?} in {finding:#?}");
        }
    }
    assert!(planted > SEEDS / 2, "only {planted} of {SEEDS} seeds had room for it");
}

/// A random record of the final log that was acknowledged: its index among the drain's deliveries.
fn some_acked(scene: &mut Scene, rng: &mut Rng) -> Option<(usize, Tag)> {
    let acked: Vec<Tag> =
        scene.history.sends().filter(|send| send.told == Told::Acked).map(|send| send.tag).collect();
    let tag = acked[rng.below(acked.len())];
    let drain = scene.session(Role::Drain, 0, 0);
    let index = drain.deliveries().position(|delivery| delivery.tag == Some(tag))?;
    Some((index, tag))
}

fn each_reader(scene: &mut Scene, mut change: impl FnMut(&mut Vec<history::Delivery>)) {
    for reader in 0..2 {
        edit_deliveries(scene.session(Role::Reader, reader, 0), &mut change);
    }
}

#[test]
fn clean_histories_show_nothing() {
    for seed in 0..SEEDS {
        let found = findings(&clean(seed));
        assert!(found.is_empty(), "seed {seed}: {found:#?}");
    }
}

#[test]
fn a_lost_record_is_found() {
    try_all(|scene, rng| {
        let (index, tag) = some_acked(scene, rng)?;
        edit_deliveries(scene.session(Role::Drain, 0, 0), |given| given.remove(index));
        each_reader(scene, |given| given.retain(|delivery| delivery.tag != Some(tag)));
        Some((&["lost-write"], Some(tag)))
    });
}

#[test]
fn a_record_lost_after_it_was_read_is_found() {
    try_all(|scene, rng| {
        // One that nobody was promised: reported failed, though it had landed.
        let failed = |send: &history::view::Send| send.told == Told::Failed;
        let failed: Vec<Tag> = scene.history.sends().filter(failed).map(|send| send.tag).collect();
        let drain = scene.session(Role::Drain, 0, 0);
        let in_log: Vec<Tag> = drain
            .deliveries()
            .filter_map(|delivery| delivery.tag)
            .filter(|tag| failed.contains(tag))
            .collect();
        let tag = *in_log.get(rng.below(in_log.len().max(1)))?;
        edit_deliveries(drain, |given| given.retain(|delivery| delivery.tag != Some(tag)));
        Some((&["lost-read"], Some(tag)))
    });
}

#[test]
fn a_second_copy_is_found() {
    try_all(|scene, rng| {
        let (index, tag) = some_acked(scene, rng)?;
        let partition = scene.session(Role::Drain, 0, 0).delivery(index).partition;
        let drain = scene.session(Role::Drain, 0, 0);
        let ours = drain.deliveries().filter(|delivery| delivery.partition == partition);
        let end = ours.map(|delivery| delivery.offset.0).max().expect("the fence at least") + 1;
        scene.deliver(Role::Drain, 0, partition.0, end, Some(tag), Contents::Intact);
        Some((&["duplicate"], Some(tag)))
    });
}

#[test]
fn two_records_in_each_others_place_are_found() {
    try_all(|scene, rng| {
        let (index, first) = some_acked(scene, rng)?;
        let partition = scene.session(Role::Drain, 0, 0).delivery(index).partition;
        let later = scene.history.sends().filter(|send| {
            let same = (send.tag.producer, send.partition) == (first.producer, Some(partition));
            same && send.told == Told::Acked && send.tag.seq > first.seq
        });
        let second = later.map(|send| send.tag).min_by_key(|tag| tag.seq)?;
        let key = |tag: Tag| scene.history.sends().find(|send| send.tag == tag).and_then(|send| send.key);
        let kinds: &[&str] = if key(first).is_some() && key(first) == key(second) {
            &["key-reorder"]
        } else {
            &["nonmonotonic-send"]
        };
        // Several keys share a partition: an exchange may turn round more than the pair.
        let alone = key(first).is_none() || kinds == ["key-reorder"];
        let swap = |given: &mut Vec<history::Delivery>| {
            for delivery in given.iter_mut() {
                if delivery.tag == Some(first) {
                    delivery.tag = Some(second);
                } else if delivery.tag == Some(second) {
                    delivery.tag = Some(first);
                }
            }
        };
        edit_deliveries(scene.session(Role::Drain, 0, 0), swap);
        each_reader(scene, swap);
        alone.then_some((kinds, Some(second)))
    });
}

#[test]
fn a_record_a_reader_never_got_is_found() {
    try_all(|scene, rng| {
        let (_, tag) = some_acked(scene, rng)?;
        let reader = scene.session(Role::Reader, 1, 0);
        edit_deliveries(reader, |given| given.retain(|delivery| delivery.tag != Some(tag)));
        Some((&["unseen"], Some(tag)))
    });
}

#[test]
fn a_record_a_reader_jumped_over_is_found() {
    try_all(|scene, rng| {
        let (index, tag) = some_acked(scene, rng)?;
        let partition = scene.session(Role::Drain, 0, 0).delivery(index).partition;
        let reader = scene.session(Role::Reader, 1, 0);
        reader.notes.retain(|(_, note)| !matches!(note, Note::ReaderStopped { .. }));
        let of_it = reader.deliveries().filter(|delivery| delivery.partition == partition);
        let tags: Vec<Option<Tag>> = of_it.map(|delivery| delivery.tag).collect();
        let at_an_end = tags.first() == Some(&Some(tag)) || tags.last() == Some(&Some(tag));
        edit_deliveries(reader, |given| given.retain(|delivery| delivery.tag != Some(tag)));
        (!at_an_end).then_some((&["poll-skip"], Some(tag)))
    });
}

#[test]
fn a_record_given_again_is_found() {
    try_all(|scene, rng| {
        let (_, tag) = some_acked(scene, rng)?;
        let reader = scene.session(Role::Reader, 0, 0);
        let index = reader.deliveries().position(|delivery| delivery.tag == Some(tag))?;
        let again = reader.delivery(index);
        edit_deliveries(reader, |given| given.insert(index, again));
        Some((&["nonmonotonic-poll"], Some(tag)))
    });
}

#[test]
fn a_phantom_is_found() {
    try_all(|scene, rng| {
        let (index, _) = some_acked(scene, rng)?;
        let partition = scene.session(Role::Drain, 0, 0).delivery(index).partition;
        let nobody = Tag { producer: 9, session: 0, seq: rng.next() };
        scene.deliver(Role::Drain, 0, partition.0, 1_000_000, Some(nobody), Contents::Intact);
        Some((&["phantom"], Some(nobody)))
    });
}

#[test]
fn a_record_that_certainly_failed_is_found() {
    try_all(|scene, rng| {
        let drain = scene.session(Role::Drain, 0, 0);
        let in_log: Vec<Tag> = drain.deliveries().filter_map(|delivery| delivery.tag).collect();
        let failed = scene.history.sends().filter(|send| send.told == Told::Failed);
        let failed: Vec<Tag> = failed.map(|send| send.tag).filter(|tag| in_log.contains(tag)).collect();
        let tag = *failed.get(rng.below(failed.len().max(1)))?;
        edit_sends(scene.session(Role::Producer, tag.producer, tag.session), |sends| {
            sends.iter_mut().filter(|send| send.tag == tag).for_each(|send| send.outcome = Outcome::Fail);
        });
        Some((&["phantom"], Some(tag)))
    });
}

#[test]
fn a_damaged_record_is_found() {
    try_all(|scene, rng| {
        let (index, tag) = some_acked(scene, rng)?;
        edit_deliveries(scene.session(Role::Drain, 0, 0), |given| given[index].contents = Contents::Corrupt);
        Some((&["corrupt"], Some(tag)))
    });
}

/// A sink that holds every record of the log once.
fn applied(scene: &mut Scene) {
    let drain = scene.session(Role::Drain, 0, 0);
    let rows: Vec<Tag> = drain.deliveries().filter_map(|delivery| delivery.tag).collect();
    for (offset, tag) in (0..).zip(rows) {
        scene.deliver(Role::Sink, 0, 0, offset, Some(tag), Contents::Intact);
    }
}

#[test]
fn a_sink_with_every_record_shows_nothing() {
    for seed in 0..SEEDS {
        let mut scene = clean(seed);
        applied(&mut scene);
        let found = findings(&scene);
        assert!(found.is_empty(), "seed {seed}: {found:#?}");
    }
}

#[test]
fn a_record_without_a_row_is_found() {
    try_all(|scene, rng| {
        applied(scene);
        let (_, tag) = some_acked(scene, rng)?;
        edit_deliveries(scene.session(Role::Sink, 0, 0), |rows| rows.retain(|row| row.tag != Some(tag)));
        Some((&["lost-effect"], Some(tag)))
    });
}

#[test]
fn a_record_with_two_rows_is_found() {
    try_all(|scene, rng| {
        applied(scene);
        let (_, tag) = some_acked(scene, rng)?;
        scene.deliver(Role::Sink, 0, 7, 0, Some(tag), Contents::Intact);
        Some((&["duplicate-effect"], Some(tag)))
    });
}

#[test]
fn a_row_of_nobody_is_found() {
    try_all(|scene, rng| {
        applied(scene);
        let nobody = Tag { producer: 9, session: 0, seq: rng.next() };
        scene.deliver(Role::Sink, 0, u32::MAX, i64::MAX, Some(nobody), Contents::Intact);
        Some((&["phantom"], Some(nobody)))
    });
}

#[test]
fn two_readers_that_disagree_are_found() {
    try_all(|scene, rng| {
        let (index, tag) = some_acked(scene, rng)?;
        let at = scene.session(Role::Drain, 0, 0).delivery(index);
        let (_, other) = some_acked(scene, rng)?;
        // The reader is given another record of the log there, and never in its own place.
        let reader = scene.session(Role::Reader, 0, 0);
        edit_deliveries(reader, |given| {
            given.retain(|delivery| delivery.tag != Some(other));
            let there = given.iter_mut().find(|delivery| delivery.tag == Some(tag))?;
            assert_eq!(there.offset, at.offset);
            there.tag = Some(other);
            Some(())
        })?;
        reader.notes.clear();
        (tag != other).then_some((&["inconsistent-offsets"], Some(other)))
    });
}
