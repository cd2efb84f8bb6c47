//! The group's findings on lives of groups drawn from seeds: nothing is found where everybody did what is legal, and
//! what was planted is.

use std::collections::BTreeMap;

use crate::context::Context;
use crate::testing::grouped::{Grouped, Planted, Policy, grouped};
use crate::{CATALOG, Finding};

const SEEDS: u64 = 1500;

/// Everything that any checker of a group's run finds and nothing allows, by kind.
fn found(group: &Grouped) -> BTreeMap<String, Finding> {
    let context = Context::new(&group.scene.history);
    let names = ["duplicates", "groups", "loss", "offsets", "order", "phantoms", "visibility"];
    let specs = CATALOG.iter().filter(|spec| names.contains(&spec.name));
    let findings = specs.flat_map(|spec| (spec.check)(&context));
    let broken = findings.filter(|finding| finding.allowed.is_none());
    broken.map(|finding| (finding.kind.clone(), finding)).collect()
}

fn kinds(found: &BTreeMap<String, Finding>) -> Vec<&str> {
    found.keys().map(String::as_str).filter(|kind| *kind != "redelivered").collect()
}

#[test]
fn a_group_that_commits_afterwards_skips_nothing_whatever_happens_to_its_members() {
    let mut again = 0;
    for seed in 0..SEEDS {
        let group = grouped(seed, Policy::After, Planted::Nothing);
        let found = found(&group);
        assert_eq!(kinds(&found), [""; 0], "seed {seed}: {found:#?}");
        assert_eq!(group.never(), 0, "seed {seed}");
        again += u64::from(found.contains_key("redelivered"));
    }
    assert!(again > SEEDS / 4, "members die between processing and committing: {again}");
}

#[test]
fn a_group_that_commits_first_skips_exactly_what_nobody_processed_and_repeats_nothing() {
    let mut skipped = 0;
    for seed in 0..SEEDS {
        let group = grouped(seed, Policy::First, Planted::Nothing);
        let found = found(&group);
        let unseen = found.get("unseen").map_or(0, |finding| finding.count);
        assert_eq!(unseen, group.never() as u64, "seed {seed}: {found:#?}");
        assert!(found.keys().all(|kind| kind == "unseen"), "seed {seed}: {found:#?}");
        skipped += u64::from(unseen > 0);
    }
    assert!(skipped > SEEDS / 4, "members die between committing and processing: {skipped}");
}

#[test]
fn a_record_that_nobody_is_given_is_unseen_and_named() {
    let mut shown = 0;
    for seed in 0..SEEDS {
        let place = (0, (seed % 20).cast_signed());
        let group = grouped(seed, Policy::After, Planted::Skipped(place.0, place.1));
        if !group.came_true {
            continue;
        }
        let found = found(&group);
        let unseen = found.get("unseen").unwrap_or_else(|| panic!("seed {seed}: {found:#?}"));
        assert_eq!(unseen.count, 1, "seed {seed}");
        let named = &unseen.examples[0];
        assert_eq!(named.offset.map(|offset| offset.0), Some(place.1), "seed {seed}: {}", named.text);
        // Committed, though not given: the same root seen from the other side.
        assert!(kinds(&found).iter().all(|kind| ["unseen", "commit-beyond"].contains(kind)), "{found:#?}");
        shown += 1;
    }
    assert!(shown > SEEDS / 2, "{shown}");
}

#[test]
fn a_commit_that_the_coordinator_forgets_is_a_regress() {
    let mut shown = 0;
    for seed in 0..SEEDS {
        let group = grouped(seed, Policy::After, Planted::Forgotten(0));
        let found = found(&group);
        let regress = found.contains_key("commit-regress");
        // One in doubt may have been the last that was taken, and then nothing is proven.
        assert!(group.came_true || !regress, "seed {seed}: {found:#?}");
        assert!(kinds(&found).iter().all(|kind| *kind == "commit-regress"), "seed {seed}: {found:#?}");
        shown += u64::from(regress);
    }
    assert!(shown > SEEDS / 5, "{shown}");
}

#[test]
fn two_owners_that_are_both_believed_are_found() {
    let mut shown = 0;
    for seed in 0..SEEDS {
        let group = grouped(seed, Policy::After, Planted::Shared(0));
        let found = found(&group);
        assert_eq!(found.contains_key("double-ownership"), group.came_true, "seed {seed}: {found:#?}");
        shown += u64::from(group.came_true);
    }
    assert!(shown > SEEDS / 2, "{shown}");
}
