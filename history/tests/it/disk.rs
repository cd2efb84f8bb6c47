//! A full disk is an error where room is allocated, never a SIGBUS and never a silent gap.

use std::env;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use history::{Event, Nanos, Note, RecordError, Recorder, Role};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, Signal};

use crate::sample::{UNGUARDED, invoked, load};

/// Set for the child: the directory it records to.
const CHILD: &str = "HISTORY_TEST_DISK_DIR";
const NOTES: &str = "HISTORY_TEST_DISK_NOTES";
const LIMIT: u64 = 1024 * 1024;

/// Not a test of its own: the child of the tests below records under a file size limit until it fails, and
/// tells how.
#[test]
fn worker() {
    let Ok(dir) = env::var(CHILD) else { return };
    let mut limited = SigSet::empty();
    limited.add(Signal::SIGXFSZ);
    limited.thread_block().expect("the signal is blocked");
    setrlimit(Resource::RLIMIT_FSIZE, LIMIT, LIMIT).expect("the limit is set");
    let mut recorder = Recorder::create(Path::new(&dir), Role::Producer, 0, 0, UNGUARDED).expect("created");
    let note = Event::Note(Note::LoadStopped { reason: "x".repeat(100_000) });
    let mut pipe = std::io::stderr();
    for seq in 0.. {
        let event = if env::var_os(NOTES).is_some() { note.clone() } else { invoked(seq) };
        let Err(error) = recorder.record(Nanos(seq), &event) else { continue };
        let RecordError::Io { action, source, .. } = &error else { panic!("{error}") };
        writeln!(pipe, "{seq} {action}: {source}").expect("the parent listens");
        // The recorder stays usable: the next attempt fails in the same way, and what is there stays whole.
        assert!(recorder.record(Nanos(seq), &event).is_err());
        return;
    }
}

fn run_child(dir: &Path, notes: bool) -> (u64, String) {
    let mut command = Command::new(env::current_exe().expect("this test binary"));
    command.args(["--exact", "disk::worker", "--nocapture"]).env(CHILD, dir).stdout(Stdio::null());
    if notes {
        command.env(NOTES, "1");
    }
    let output = command.output().expect("the child runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{} {text}", output.status);
    let (count, error) = text.trim().split_once(' ').expect("a count and an error");
    (count.parse().expect("a count"), error.to_owned())
}

#[test]
fn rows_beyond_the_limit_fail_when_room_is_allocated() {
    let dir = tempfile::tempdir().expect("a directory");
    let (recorded, error) = run_child(dir.path(), false);
    assert!(error.starts_with("allocate room for: File too large"), "{error}");
    let history = load(dir.path());
    assert_eq!(history.damage, []);
    assert_eq!(history.sends().count() as u64, recorded);
}

#[test]
fn a_note_beyond_the_limit_is_an_error_and_leaves_the_others_whole() {
    let dir = tempfile::tempdir().expect("a directory");
    let (recorded, error) = run_child(dir.path(), true);
    assert!(error.starts_with("write: File too large"), "{error}");
    let history = load(dir.path());
    assert_eq!(history.damage, []);
    assert_eq!(history.sessions[0].notes.len() as u64, recorded);
}

#[test]
fn a_directory_that_is_not_there_is_an_error() {
    let dir = tempfile::tempdir().expect("a directory");
    let error =
        Recorder::create(&dir.path().join("none"), Role::Runner, 0, 0, UNGUARDED).expect_err("refused");
    assert!(error.to_string().starts_with("failed to create `"), "{error}");
}
