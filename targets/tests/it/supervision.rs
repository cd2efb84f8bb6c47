//! Children are heard, signalled and reaped, and none outlives the process that started it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use targets::process::{Child, ChildLine, ChildOutput, ChildSpec, SpawnError, Supervisor, describe};

use crate::{DEADLINE, stand_in, until_within};

/// How long a child may outlive the process that started it.
const ORPHAN_WITHIN: Duration = Duration::from_secs(2);

/// Whether there is such a process, other than as a zombie that somebody has yet to reap.
fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.trim_start().chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}

fn spec(log: &std::path::Path) -> ChildSpec {
    let (program, args) = stand_in::command("child");
    let first_line = std::process::id().to_string();
    ChildSpec { name: "child".to_owned(), program, args, first_line, log: log.to_owned() }
}

/// A child that is up, and its events.
fn child(supervisor: &Supervisor) -> (Child, Receiver<ChildLine>) {
    let (events, lines) = channel();
    let child = supervisor.spawn(spec("/dev/null".as_ref()), events).expect("a child");
    hear(&lines, &child, &ChildOutput::Line("up".to_owned()));
    (child, lines)
}

/// Waits for an output and passes over others: the test program itself says a few words as it starts.
fn hear(lines: &Receiver<ChildLine>, child: &Child, expected: &ChildOutput) {
    loop {
        let line = lines.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("{expected:?} was never said"));
        assert_eq!((line.name.as_str(), line.pid), ("child", child.pid()));
        if line.output == *expected {
            return;
        }
        assert!(matches!(line.output, ChildOutput::Line(_)), "{line:?} instead of {expected:?}");
    }
}

#[test]
fn a_child_is_heard_and_its_end_is_the_last_word() {
    let supervisor = Supervisor::new().expect("a supervisor");
    let (child, lines) = child(&supervisor);
    child.send_line("some words").expect("it listens");
    hear(&lines, &child, &ChildOutput::Line("some words".to_owned()));
    child.send_line("exit 7").expect("it listens");
    let status = child.wait_exit(DEADLINE).expect("it ends");
    assert_eq!(describe(status), "exited with 7");
    hear(&lines, &child, &ChildOutput::Exited(status));
    assert!(lines.recv_timeout(DEADLINE).is_err(), "nothing follows, and the sender is gone");
    assert!(child.kill().is_err() && child.pause().is_err() && !child.is_stopped());
    assert!(child.send_line("anybody there").is_err());
}

#[test]
fn the_end_of_stdin_ends_a_child() {
    let supervisor = Supervisor::new().expect("a supervisor");
    let (child, _lines) = child(&supervisor);
    child.close_stdin();
    assert_eq!(describe(child.wait_exit(DEADLINE).expect("it ends")), "exited with 0");
}

#[test]
fn a_stopped_child_says_nothing_until_it_is_continued() {
    let supervisor = Supervisor::new().expect("a supervisor");
    let (child, lines) = child(&supervisor);
    child.pause().expect("stopped");
    assert!(child.is_stopped() && child.exit_status().is_none());
    child.send_line("later").expect("the pipe takes it");
    child.resume().expect("continued");
    assert!(!child.is_stopped());
    hear(&lines, &child, &ChildOutput::Line("later".to_owned()));

    child.pause().expect("stopped");
    child.kill().expect("SIGKILL reaches the stopped");
    assert_eq!(describe(child.wait_exit(DEADLINE).expect("it ends")), "killed by SIGKILL");
}

#[test]
fn a_dropped_child_is_dead_and_reaped() {
    let supervisor = Supervisor::new().expect("a supervisor");
    for stopped in [false, true] {
        let (child, _lines) = child(&supervisor);
        if stopped {
            child.pause().expect("stopped");
        }
        let stat = format!("/proc/{}/stat", child.pid());
        assert!(std::fs::exists(&stat).expect("readable"));
        drop(child);
        assert!(!std::fs::exists(&stat).expect("readable"), "a zombie was left");
    }
}

#[test]
fn children_keep_their_spawning_thread_alive() {
    let supervisor = Supervisor::new().expect("a supervisor");
    let (child, lines) = child(&supervisor);
    drop(supervisor);
    child.send_line("still here").expect("it listens");
    hear(&lines, &child, &ChildOutput::Line("still here".to_owned()));
}

#[test]
fn what_cannot_be_started_is_named() {
    let supervisor = Supervisor::new().expect("a supervisor");
    let folder = tempfile::tempdir().expect("a folder");
    let (events, _lines) = channel();
    let mut missing = spec(&folder.path().join("child.log"));
    missing.program = folder.path().join("no-such-program");
    let error = supervisor.spawn(missing, events.clone()).err().expect("no such program");
    assert!(
        matches!(error, SpawnError::Run { .. }) && error.to_string().contains("no-such-program"),
        "{error}"
    );
    let unwritable = spec(&folder.path().join("missing/child.log"));
    let error = supervisor.spawn(unwritable, events).err().expect("no such folder");
    assert!(matches!(error, SpawnError::Log { .. }) && error.to_string().contains("child.log"), "{error}");
}

#[test]
fn no_child_outlives_its_runner_running_or_stopped() {
    // At once after spawning, when the children have not even looked around, and when all are up.
    for phase in ["at-once", "wait"] {
        let (program, args) = stand_in::command("runner");
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut runner = stand_in::Mortal(command.spawn().expect("a runner"));
        let stdin = runner.0.stdin.as_mut().expect("a pipe");
        writeln!(stdin, "{phase}").expect("it listens");
        let stdout = BufReader::new(runner.0.stdout.take().expect("a pipe"));
        let pids = stdout.lines().map_while(Result::ok).find_map(|line| {
            let pids = line.strip_prefix("pids ")?;
            Some(pids.split(' ').map(|pid| pid.parse::<u32>().expect("a number")).collect::<Vec<_>>())
        });
        let pids = pids.expect("the runner names its children");
        assert_eq!(pids.len(), 4);
        if phase == "wait" {
            assert!(pids.iter().all(|&pid| lives(pid)), "they live as long as their runner");
        }
        drop(runner);
        until_within(ORPHAN_WITHIN, "every child is dead", || {
            (!pids.iter().any(|&pid| lives(pid))).then_some(())
        });
    }
}
