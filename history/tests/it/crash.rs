//! A worker process killed by SIGKILL at any point leaves every event that it had recorded.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use history::{Detail, Ended, EndedOperation, Event, Function, Nanos, Note, Outcome, Recorder, Role};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::sample::{UNGUARDED, acked, invoked, load};

/// Set for the child: the directory it records to.
const CHILD: &str = "HISTORY_TEST_CRASH_DIR";
/// Every so many sends the child also records a note.
const NOTE_EVERY: u64 = 64;
/// Every so many an operation with a wide part.
const OPERATION_EVERY: u64 = 48;

/// Not a test of its own: what the child of the test below does until it is killed. It tells its parent of
/// every send only after it is on record.
#[test]
fn worker() {
    let Ok(dir) = env::var(CHILD) else { return };
    let mut recorder =
        Recorder::create(Path::new(&dir), Role::Producer, 0, 0, UNGUARDED).expect("the segment is created");
    let mut pipe = std::io::stderr();
    for seq in 0.. {
        recorder.record(Nanos(seq), &invoked(seq)).expect("recorded");
        recorder.record(Nanos(seq), &acked(seq)).expect("recorded");
        if seq % NOTE_EVERY == 0 {
            recorder.record(Nanos(seq), &Event::Note(Note::Retries { total: seq })).expect("recorded");
        }
        if seq % OPERATION_EVERY == 0 {
            recorder.record(Nanos(seq), &operation(seq)).expect("recorded");
        }
        if seq % 16 == 0 && writeln!(pipe, "{seq}").is_err() {
            return;
        }
    }
}

fn operation(seq: u64) -> Event {
    let ended = Ended {
        function: Function::Txn,
        invoked: Nanos(seq),
        completed: Some(Nanos(seq)),
        outcome: Outcome::Ok,
        line: Some(seq + 1),
        detail: Some(Detail { error: Some("none".to_owned()), ..Detail::default() }),
    };
    Event::OperationEnded(Box::new(EndedOperation { ended, runs: Vec::new() }))
}

/// Ends the child it started, also when the test fails.
pub(crate) struct Killed(pub(crate) Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn what_was_recorded_before_sigkill_is_there() {
    let mut random = ChaCha8Rng::seed_from_u64(0x6877);
    // Early, around the edges of the first chunks (4096 and 8192 rows more), and late.
    let points = [0, 1, 900, 2_030, 2_048, 6_090].map(|point| point + random.random_range(0..64));
    for point in points.into_iter().chain((0..14).map(|_| random.random_range(0..40_000))) {
        let dir = tempfile::tempdir().expect("a directory");
        let child = Command::new(env::current_exe().expect("this test binary"))
            .args(["--exact", "crash::worker", "--nocapture"])
            .env(CHILD, dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the child starts");
        let mut child = Killed(child);
        let pipe = BufReader::new(child.0.stderr.take().expect("its pipe"));
        let mut told = 0;
        for line in pipe.lines() {
            told = line.expect("a line").parse::<u64>().expect("a number");
            if told >= point {
                break;
            }
        }
        assert!(told >= point, "the child ended by itself at {told}");
        drop(child);

        let history = load(dir.path());
        assert_eq!(history.damage, [], "killed at {told}");
        let session = &history.sessions[0];
        assert!(session.send_count() as u64 > told, "{} of {told} sends", session.send_count());
        assert!(!session.closed);
        let reported = session.sends().filter(|send| send.completed.is_some()).count() as u64;
        assert!(reported > told, "{reported} reports of {told}");
        assert!(session.notes.len() as u64 > told / NOTE_EVERY);
        let operations = session.recorded_operations();
        assert!(operations as u64 > told / OPERATION_EVERY, "{operations} operations of {told}");
        let last = session.operation(operations - 1);
        assert_eq!(last.line, Some((operations as u64 - 1) * OPERATION_EVERY + 1));
    }
}
