//! Runs a program of this machine with input and a time limit: what every way to a node comes down to.

use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use history::{Nanos, clock};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// How often a program is looked at.
const LOOK: Duration = Duration::from_millis(3);
/// How long its output may take to end once it has.
const REST: Duration = Duration::from_millis(500);
/// No command is asked for more than this.
pub(crate) const OUTPUT_MAX: usize = 64 << 20;

/// How a program ended.
pub(crate) struct Ended {
    /// Its exit code, 128 and the signal's number if one ended it; `None` if its time was over.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

/// Runs it in a process group of its own, so that its time limit ends what it started too.
///
/// # Errors
/// If it cannot be started.
pub(crate) fn run(mut command: Command, stdin: &[u8], within: Duration) -> io::Result<Ended> {
    command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    if let Some(mut pipe) = child.stdin.take() {
        let bytes = stdin.to_vec();
        // On a thread, because a program that reads nothing would stop this one. One that ends early is no
        // mistake; its exit code says what it is.
        thread::spawn(move || drop(pipe.write_all(&bytes)));
    }
    let code = wait(&mut child, within)?;
    let rest = |output: Receiver<Vec<u8>>| output.recv_timeout(REST).unwrap_or_default();
    Ok(Ended { code, stdout: rest(stdout), stderr: rest(stderr) })
}

fn wait(child: &mut Child, within: Duration) -> io::Result<Option<i32>> {
    let deadline = Nanos(clock::now().0.saturating_add(u64::try_from(within.as_nanos()).unwrap_or(u64::MAX)));
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))));
        }
        if clock::now() >= deadline {
            if let Ok(pid) = i32::try_from(child.id()) {
                // It may have ended just now.
                let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
            }
            child.wait()?;
            return Ok(None);
        }
        thread::park_timeout(LOOK);
    }
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, bytes) = channel();
    thread::spawn(move || {
        let mut all = Vec::new();
        if let Some(pipe) = pipe {
            // What was read before a mistake is still worth showing.
            let _ = pipe.take(OUTPUT_MAX as u64).read_to_end(&mut all);
        }
        // Nobody waits any more for what a time limit cut off.
        let _ = sender.send(all);
    });
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn input_output_complaints_and_exit_are_told() {
        let ended = run(sh("cat; echo no >&2; exit 7"), b"hello", Duration::from_secs(20)).unwrap();
        assert_eq!(
            (ended.code, ended.stdout.as_slice(), ended.stderr.as_slice()),
            (Some(7), &b"hello"[..], &b"no\n"[..])
        );
    }

    #[test]
    fn a_program_that_hangs_is_ended_with_what_it_started() {
        let ended = run(sh("echo begun; sleep 1000 & wait"), b"", Duration::from_millis(300)).unwrap();
        assert_eq!(ended.code, None);
        assert_eq!(ended.stdout, b"begun\n");
    }
}
