//! A stage for runs from end to end: the binary, a results directory of its own, and a look at what it
//! leaves behind.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// Runs mostly wait, so a few go side by side; more clusters at once on a small machine make each other miss
/// heartbeats.
const SIDE_BY_SIDE: usize = 2;
static FREE: Mutex<usize> = Mutex::new(SIDE_BY_SIDE);
static GIVEN_BACK: Condvar = Condvar::new();

/// Places that a test has taken.
struct Turn(usize);

impl Turn {
    fn take(places: usize) -> Self {
        let free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = GIVEN_BACK.wait_while(free, |free| *free < places);
        *waited.unwrap_or_else(PoisonError::into_inner) -= places;
        Self(places)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *FREE.lock().unwrap_or_else(PoisonError::into_inner) += self.0;
        GIVEN_BACK.notify_all();
    }
}

/// The exit code of a run that proves nothing.
const VACUOUS: i32 = 4;

/// One test's stage.
pub(crate) struct Stage {
    pub(crate) results: TempDir,
    _turn: Turn,
}

/// How a run ended.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Everything it said, for the message of an assertion.
    pub(crate) fn all(&self) -> String {
        format!("exit {}\nstdout:\n{}\nstderr:\n{}", self.code, self.stdout, self.stderr)
    }
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(Turn::take(1))
    }

    /// One with no run beside it: for virtual machines, and for what exists once on a machine.
    pub(crate) fn alone() -> Self {
        Self::with(Turn::take(SIDE_BY_SIDE))
    }

    fn with(turn: Turn) -> Self {
        Self { results: tempfile::tempdir().expect("a temporary directory"), _turn: turn }
    }

    /// The binary with these words, its results on this stage.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_highwater"));
        command.args(line.split_whitespace()).env("HIGHWATER_RESULTS", self.results.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, line: &str) -> Ended {
        Ended::of(self.command(line).output().expect("the binary starts"))
    }

    /// Runs it again while it says that nothing was put to the test: on a machine that stands still for
    /// seconds a fault may not bite, and such a run proves neither this nor that. Said past the test
    /// runner's capture, so that it is seen.
    pub(crate) fn run_exercised(&self, line: &str) -> Ended {
        let mut ended = self.run(line);
        for _ in 0..2 {
            if ended.code != VACUOUS {
                break;
            }
            let _ = writeln!(std::io::stderr(), "AGAIN, nothing was put to the test: highwater {line}");
            ended = self.run(line);
        }
        ended
    }

    /// The directory of the newest run.
    pub(crate) fn latest(&self) -> PathBuf {
        fs::canonicalize(self.results.path().join("latest")).expect("there is a newest run")
    }

    /// The stored verdict of the newest run.
    pub(crate) fn verdict(&self) -> Value {
        let text = fs::read_to_string(self.latest().join("verdict.json")).expect("there is a verdict");
        serde_json::from_str(&text).expect("the verdict is JSON")
    }

    /// Findings of the newest run: kind and count.
    pub(crate) fn findings(&self) -> BTreeMap<String, u64> {
        let verdict = self.verdict();
        let findings = verdict["findings"].as_array().expect("a list").iter();
        findings
            .map(|finding| {
                (finding["kind"].as_str().expect("a kind").to_owned(), finding["count"].as_u64().unwrap_or(0))
            })
            .collect()
    }
}

/// Waits until `met`, at most `within`.
pub(crate) fn poll(within: Duration, mut met: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    loop {
        if met() {
            return true;
        }
        if started.elapsed() > within {
            return false;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// A run in the background. Dropping it ends it.
pub(crate) struct Background {
    child: Child,
    lines: BufReader<std::process::ChildStderr>,
    said: String,
}

impl Background {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the binary starts");
        let lines = BufReader::new(child.stderr.take().expect("stderr is piped"));
        Self { child, lines, said: String::new() }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Reads on until a line begins so; panics if the run ends before.
    pub(crate) fn read_until(&mut self, beginning: &str) {
        loop {
            let mut line = String::new();
            let bytes = self.lines.read_line(&mut line).expect("stderr is readable");
            assert!(bytes > 0, "the run ended before `{beginning}`; it said:\n{}", self.said);
            self.said.push_str(&line);
            if line.trim_start().starts_with(beginning) {
                return;
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).expect("a process id");
        kill(Pid::from_raw(pid), signal).expect("the run is there");
    }

    /// Reads it to its end.
    pub(crate) fn finish(mut self) -> Ended {
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut self.lines, &mut rest).expect("stderr is readable");
        self.said.push_str(&rest);
        let mut stdout = String::new();
        let mut pipe = self.child.stdout.take().expect("stdout is piped");
        std::io::Read::read_to_string(&mut pipe, &mut stdout).expect("stdout is readable");
        let code = self.child.wait().expect("it ends").code().unwrap_or(-1);
        Ended { code, stdout, stderr: std::mem::take(&mut self.said) }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process, told apart from a later one with the same id by when it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    began: u64,
}

/// The living children of a process.
pub(crate) fn children_of(parent: u32) -> Vec<Process> {
    let entries = fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| {
        let (ppid, process) = stat(pid)?;
        (ppid == parent).then_some(process)
    })
    .collect()
}

/// Parent and identity of a process that is neither gone nor a zombie.
fn stat(pid: u32) -> Option<(u32, Process)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything; fields are counted behind it.
    let fields: Vec<_> = text.rsplit_once(')')?.1.split_whitespace().collect();
    if fields[0] == "Z" || fields[0] == "X" {
        return None;
    }
    Some((fields[1].parse().ok()?, Process { pid, began: fields[19].parse().ok()? }))
}

impl Process {
    /// Whether a signal has stopped it.
    pub(crate) fn is_stopped(self) -> bool {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        text.rsplit_once(')').is_some_and(|(_, fields)| fields.trim_start().starts_with('T'))
    }

    pub(crate) fn lives(self) -> bool {
        stat(self.pid).is_some_and(|(_, process)| process == self)
    }
}
