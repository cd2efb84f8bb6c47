//! The listing of runs.

use std::fs;
use std::time::{Duration, UNIX_EPOCH};

use insta::assert_snapshot;

use super::*;
use crate::format::Format;
use crate::listing::render_runs;
use crate::testing::{held, shown};

#[test]
fn runs_are_listed_newest_first_and_none_is_hidden() {
    let root = tempfile::tempdir().expect("a directory");
    let started = |run: &RunDir, seconds: u64| {
        let file = fs::File::options().write(true).open(run.plan_path()).expect("opened");
        file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).expect("dated");
    };
    let (plan, judgement) = shown();
    let run = RunDir::create(root.path(), "r-shown").expect("created");
    run.write_plan(&plan).expect("written");
    run.write_verdict(&judgement).expect("written");
    started(&run, 1_800_000_000);
    let (plan, _) = held();
    let run = RunDir::create(root.path(), "r-unfinished").expect("created");
    run.write_plan(&plan).expect("written");
    started(&run, 1_800_000_100);
    let run = RunDir::create(root.path(), "r-unreadable").expect("created");
    fs::write(run.plan_path(), "{").expect("written");
    started(&run, 1_700_000_000);
    fs::create_dir(root.path().join("not-a-run")).expect("created");

    let mut runs = list_runs(root.path()).expect("listed");
    let states: Vec<_> = runs.iter().map(|run| run.state).collect();
    assert_eq!(states, [RunState::Unfinished, RunState::Judged(Word::Shown), RunState::Unreadable]);
    assert!(runs[2].headline.ends_with("it is damaged"), "{}", runs[2].headline);
    runs[2].headline = "failed to read `plan.json`: it is damaged".to_owned();
    assert_snapshot!(render_runs(&runs, Format::Human { width: 120, color: false }), @r#"
    ╭──────────────┬──────────────────┬────────────┬───────────────────────────────────┬───────────┬────────────────┬──────╮
    │ run          │ when (UTC)       │ verdict    │ headline                          │ target    │ nemeses        │ seed │
    ├──────────────┼──────────────────┼────────────┼───────────────────────────────────┼───────────┼────────────────┼──────┤
    │ r-unfinished │ 2027-01-15 08:01 │ unfinished │                                   │ reference │ isolate-leader │ 7    │
    │ r-shown      │ 2027-01-15 08:00 │ shown      │ 1312 of 9900 acknowledged records │ reference │ isolate-leader │ 7    │
    │              │                  │            │ lost, as acks=1 allows            │           │                │      │
    │ r-unreadable │ 2023-11-14 22:13 │ unreadable │ failed to read `plan.json`: it is │           │                │      │
    │              │                  │            │ damaged                           │           │                │      │
    ╰──────────────┴──────────────────┴────────────┴───────────────────────────────────┴───────────┴────────────────┴──────╯
    "#);
}

#[test]
fn no_directory_is_no_runs() {
    let root = tempfile::tempdir().expect("a directory");
    assert_eq!(list_runs(&root.path().join("none")).expect("listed"), []);
}
