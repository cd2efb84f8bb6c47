//! A run directory as people and scripts meet it.

use std::fs;

use super::*;
use crate::testing::{held, shown};

#[test]
fn what_is_written_comes_back() {
    let root = tempfile::tempdir().expect("a directory");
    let (plan, mut judgement) = shown();
    judgement.findings[0].picture = Some("<svg/>".to_owned());
    let run = RunDir::create(root.path(), "r-1").expect("created");
    run.write_plan(&plan).expect("written");
    assert_eq!(run.read_verdict().expect("read"), None, "unfinished");
    run.write_verdict(&judgement).expect("written");
    run.write_summary("shown\n").expect("written");
    let run = RunDir::open(root.path(), "r-1").expect("opened");
    assert_eq!(run.read_plan().expect("read"), plan);
    assert_eq!(run.read_verdict().expect("read"), Some(judgement));
    assert!(run.history().is_dir() && run.node_logs().is_dir() && run.actor_logs().is_dir());
    assert!(run.node_log("node-1").ends_with("r-1/nodes/node-1.log"));
    assert!(run.actor_log("producer-0").ends_with("r-1/actors/producer-0.log"));
    let left: Vec<_> =
        fs::read_dir(run.path()).expect("read").map(|e| e.expect("read").file_name()).collect();
    let picture = run.path().join(format!("{}.svg", shown().1.findings[0].kind));
    assert_eq!(fs::read_to_string(picture).expect("drawn"), "<svg/>");
    assert_eq!(left.len(), 7, "no drafts are left: {left:?}");
}

#[test]
fn latest_is_the_newest_run_and_stays_what_was_opened() {
    let root = tempfile::tempdir().expect("a directory");
    let (plan, _) = held();
    for name in ["r-1", "r-2"] {
        RunDir::create(root.path(), name).expect("created").write_plan(&plan).expect("written");
    }
    let latest = RunDir::open(root.path(), "latest").expect("opened");
    assert_eq!(latest.name(), "r-2");
    RunDir::create(root.path(), "r-3").expect("created").write_plan(&plan).expect("written");
    assert_eq!(latest.name(), "r-2");
    assert_eq!(RunDir::open(root.path(), "latest").expect("opened").name(), "r-3");
    let by_path = RunDir::open(Path::new("elsewhere"), &root.path().join("r-1").to_string_lossy());
    assert_eq!(by_path.expect("opened").name(), "r-1");
}

#[test]
fn what_cannot_be_is_said_with_its_remedy() {
    let root = tempfile::tempdir().expect("a directory");
    let error = RunDir::open(root.path(), "r-9").expect_err("there is none");
    assert!(error.to_string().starts_with("failed to open run `r-9`: there is none in `"), "{error}");
    RunDir::create(root.path(), "r-1").expect("created");
    let error = RunDir::create(root.path(), "r-1").expect_err("taken");
    assert!(matches!(error, ResultsError::Exists { .. }), "{error}");
    // A file where the directory should be is refused whoever asks, also the superuser.
    let file = root.path().join("file");
    fs::write(&file, "").expect("written");
    let error = RunDir::create(&file, "r-1").expect_err("not a directory");
    assert!(error.to_string().ends_with("(pass --results DIR)"), "{error}");
}

#[test]
fn newer_and_damaged_files_are_refused() {
    let root = tempfile::tempdir().expect("a directory");
    let run = RunDir::create(root.path(), "r-1").expect("created");
    fs::write(run.path().join("plan.json"), r#"{"version": 99, "shape": "unknown"}"#).expect("written");
    let error = run.read_plan().expect_err("newer");
    let text = error.to_string();
    assert!(text.ends_with("format version 99 is newer than 1 (upgrade highwater)"), "{text}");
    fs::write(run.path().join("verdict.json"), r#"{"schema_version": 1, "run"#).expect("written");
    let error = run.read_verdict().expect_err("damaged");
    assert!(matches!(error, ResultsError::Damaged { .. }), "{error}");
}

#[test]
fn a_staged_run_is_seen_when_it_is_published_and_never_before() {
    let root = tempfile::tempdir().expect("a directory");
    let (plan, judgement) = held();
    let begin = || {
        let staged = StagedRun::create(root.path(), "elsewhere").expect("begun");
        staged.dir().write_plan(&plan).expect("written");
        staged.dir().write_verdict(&judgement).expect("written");
        staged
    };
    let staged = begin();
    assert_eq!(crate::list_runs(root.path()).expect("listed"), []);
    drop(staged);
    assert_eq!(fs::read_dir(root.path()).expect("read").count(), 0, "nothing is left of what was given up");
    let run = begin().publish().expect("published");
    assert_eq!(run.name(), "elsewhere");
    let opened = RunDir::open(root.path(), "latest").expect("opened");
    assert_eq!(opened.read_verdict().expect("read"), Some(judgement.clone()));
    assert_eq!(crate::list_runs(root.path()).expect("listed").len(), 1);
    assert_eq!(fs::read_dir(root.path()).expect("read").count(), 2, "the run, and the link to it");
    assert!(matches!(StagedRun::create(root.path(), "elsewhere"), Err(ResultsError::Exists { .. })));
}
