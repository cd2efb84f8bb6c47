//! One anomaly planted at a random place of a clean history, hundreds of times: it is found, with the planted
//! record among the witnesses, and no other checker sees another. `HIGHWATER_HISTORIES=100000` tries more.

use history::{Nanos, Note, Offset, Role, Tag, Told};

use crate::CATALOG;
use crate::context::Context;
use crate::testing::{Rng, Scene, clean, edit_deliveries};

type Plant = fn(&mut Scene, &mut Rng) -> Option<(&'static str, Vec<Tag>)>;

#[expect(clippy::print_stderr, reason = "the figures of a run by hand")]
fn try_all(plant: Plant) {
    let seeds: u64 =
        std::env::var("HIGHWATER_HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(300);
    let mut planted = 0;
    let mut what = "";
    for seed in 0..seeds {
        let mut scene = clean(seed);
        let Some((kind, tags)) = plant(&mut scene, &mut Rng(seed ^ 0xfeed)) else { continue };
        (planted, what) = (planted + 1, kind);
        let context = Context::new(&scene.history);
        let found: Vec<_> = CATALOG.iter().flat_map(|spec| (spec.check)(&context)).collect();
        let kinds: Vec<&str> = found.iter().map(|finding| finding.kind.as_str()).collect();
        assert_eq!(kinds, [kind], "seed {seed}: {found:#?}");
        let named = |tag: &Tag| {
            found[0]
                .examples
                .iter()
                .any(|witness| witness.tag == Some(*tag) || witness.text.contains(&tag.to_string()))
        };
        assert!(tags.iter().any(named), "seed {seed}: {tags:?} in {found:#?}");
    }
    eprintln!("{what}: {planted} planted in {seeds} histories, all found, nothing else");
    assert!(planted > seeds / 4, "only {planted} of {seeds} seeds had room for it");
}

fn acked(scene: &Scene) -> Vec<Tag> {
    scene.history.sends().filter(|send| send.told == Told::Acked).map(|send| send.tag).collect()
}

#[test]
fn neighbours_of_two_producers_in_each_others_place_are_found() {
    try_all(|scene, rng| {
        let acked = acked(scene);
        let log: Vec<_> = scene.session(Role::Drain, 0, 0).deliveries().collect();
        let both = |at: &usize| {
            let (Some(first), Some(second)) = (log[*at].tag, log[*at + 1].tag) else { return false };
            log[*at].partition == log[*at + 1].partition
                && first.producer != second.producer
                && acked.contains(&first)
                && acked.contains(&second)
        };
        let places: Vec<usize> = (0..log.len() - 1).filter(both).collect();
        let at = *places.get(rng.below(places.len().max(1)))?;
        let (first, second) = (log[at].tag?, log[at + 1].tag?);
        for (role, index) in [(Role::Drain, 0), (Role::Reader, 0), (Role::Reader, 1)] {
            edit_deliveries(scene.session(role, index, 0), |given| {
                for delivery in given {
                    if delivery.tag == Some(first) {
                        delivery.tag = Some(second);
                    } else if delivery.tag == Some(second) {
                        delivery.tag = Some(first);
                    }
                }
            });
        }
        Some(("realtime-reorder", vec![first, second]))
    });
}

#[test]
fn a_record_read_before_it_was_sent_is_found() {
    try_all(|scene, rng| {
        let reader = u32::try_from(rng.below(2)).expect("small");
        let given = scene.session(Role::Reader, reader, 0).delivery_count();
        let at = rng.below(given.max(1));
        let tag = (given > 0).then(|| scene.session(Role::Reader, reader, 0).delivery(at).tag)??;
        let sent = scene.history.sends().find(|send| send.tag == tag)?;
        edit_deliveries(scene.session(Role::Reader, reader, 0), |given| {
            (given[at].polled, given[at].returned) = (Nanos(sent.invoked.0 - 2), Nanos(sent.invoked.0 - 1));
        });
        Some(("future-read", vec![tag]))
    });
}

#[test]
fn an_end_below_what_was_acknowledged_is_found() {
    try_all(|scene, rng| {
        let acked = acked(scene);
        let tag = acked[rng.below(acked.len())];
        let drain = scene.session(Role::Drain, 0, 0);
        let at = drain.deliveries().find(|delivery| delivery.tag == Some(tag))?;
        // The end of its partition, as if nobody had heard of this record and those behind it.
        let (partition, end) = (at.partition, Offset(at.offset.0));
        scene.note(Role::Drain, Note::Watermarks { partition, start: Offset(0), end });
        let behind = scene.session(Role::Drain, 0, 0).deliveries();
        let tags = behind.filter(|delivery| delivery.partition == partition && delivery.offset >= end);
        Some(("stale-end", tags.filter_map(|delivery| delivery.tag).collect()))
    });
}
