//! A running child: signals, stdin, and its end. A signal can never hit a stranger, because the process id
//! is given back to the system only under the lock that every signal takes.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use history::clock;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::process::output::{ChildLine, ChildOutput, forward_lines};
use crate::process::spec::SignalError;
use crate::process::state;
use crate::process::stdin::Stdin;
use crate::process::supervisor::Supervisor;

/// How long a signal may take to show in the state of a process.
const SIGNAL_WITHIN: Duration = Duration::from_secs(5);
/// How often the state of a process is looked at while waiting for it.
const LOOK: Duration = Duration::from_millis(1);

/// A raw wait status that reads as exit code 255.
const UNKNOWN_END: i32 = 255 << 8;

struct Process {
    handle: std::process::Child,
    status: Option<ExitStatus>,
}

pub(super) struct Shared {
    name: String,
    pid: u32,
    process: Mutex<Process>,
    ended: Condvar,
}

impl Shared {
    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A child process. Dropping it kills it (SIGCONT, SIGKILL) and waits until it is gone.
pub struct Child {
    shared: Arc<Shared>,
    stdin: Stdin,
    /// The thread that spawned the child must live as long as the child.
    _supervisor: Supervisor,
}

impl Child {
    /// Takes over a process that was just spawned with piped stdin and stdout, and starts its watcher.
    pub(super) fn adopt(
        name: String,
        mut handle: std::process::Child,
        events: Sender<ChildLine>,
        supervisor: Supervisor,
    ) -> io::Result<Self> {
        let missing = || io::Error::other("the process has no pipes");
        let stdin = Stdin::new(handle.stdin.take().ok_or_else(missing)?)?;
        let stdout = handle.stdout.take().ok_or_else(missing)?;
        let pid = handle.id();
        let process = Mutex::new(Process { handle, status: None });
        let shared = Arc::new(Shared { name, pid, process, ended: Condvar::new() });
        let child = Self { shared: Arc::clone(&shared), stdin, _supervisor: supervisor };
        let watcher = std::thread::Builder::new().name(format!("watch-{}", shared.name));
        let spawned = watcher.spawn(move || {
            forward_lines(&shared.name, pid, stdout, &events);
            reap(&shared, &events);
        });
        if let Err(error) = spawned {
            // Without a watcher nobody would reap it, so `Drop` could wait in vain.
            let mut process = child.shared.process();
            let _ = process.handle.kill();
            process.status = process.handle.wait().ok();
            drop(process);
            return Err(error);
        }
        Ok(child)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.shared.pid
    }

    /// Writes a line (without line feed) to its stdin.
    ///
    /// # Errors
    /// If the child is gone, its stdin was closed, or it made no room for five seconds; then its stdin is
    /// closed, which tells it to exit.
    pub fn send_line(&self, line: &str) -> io::Result<()> {
        self.stdin.send_line(line)
    }

    /// Closes its stdin, which asks it to exit in an orderly way. A stopped child obeys when continued.
    pub fn close_stdin(&self) {
        self.stdin.close();
    }

    /// Sends SIGKILL, which also ends a stopped process. Wait for the end by [`Child::wait_exit`].
    ///
    /// # Errors
    /// If it is dead already, or the signal cannot be sent.
    pub fn kill(&self) -> Result<(), SignalError> {
        self.signal(Signal::SIGKILL)
    }

    /// Sends SIGTERM, which asks it to exit in an orderly way while its stdin stays open. Wait for the end by
    /// [`Child::wait_exit`].
    ///
    /// # Errors
    /// If it is dead already, or the signal cannot be sent.
    pub fn terminate(&self) -> Result<(), SignalError> {
        self.signal(Signal::SIGTERM)
    }

    /// Sends SIGSTOP and waits until the whole process is stopped.
    ///
    /// # Errors
    /// If it is dead, the signal cannot be sent, or it is not stopped within five seconds.
    pub fn pause(&self) -> Result<(), SignalError> {
        self.signal(Signal::SIGSTOP)?;
        self.wait_state("stopped", true)
    }

    /// Sends SIGCONT and waits until the process is no longer stopped.
    ///
    /// # Errors
    /// If it is dead, the signal cannot be sent, or it is still stopped after five seconds.
    pub fn resume(&self) -> Result<(), SignalError> {
        self.signal(Signal::SIGCONT)?;
        self.wait_state("running", false)
    }

    /// Whether it is stopped, as the operating system says.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        let process = self.shared.process();
        process.status.is_none() && matches!(state::letter(self.shared.pid), Some('T'))
    }

    /// How it ended; `None` while it lives.
    #[must_use]
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.shared.process().status
    }

    /// Waits for its end, at most so long. Its [`ChildOutput::Exited`] is in the channel before this
    /// returns.
    #[must_use]
    pub fn wait_exit(&self, within: Duration) -> Option<ExitStatus> {
        let process = self.shared.process();
        let waited =
            self.shared.ended.wait_timeout_while(process, within, |process| process.status.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.status
    }

    fn signal(&self, signal: Signal) -> Result<(), SignalError> {
        let process = self.shared.process();
        let name = || self.shared.name.clone();
        if process.status.is_some() {
            return Err(SignalError::Dead { name: name() });
        }
        match kill(pid(self.shared.pid), signal) {
            Ok(()) => Ok(()),
            Err(Errno::ESRCH) => Err(SignalError::Dead { name: name() }),
            Err(source) => Err(SignalError::Refused { name: name(), source }),
        }
    }

    fn wait_state(&self, state: &'static str, stopped: bool) -> Result<(), SignalError> {
        let started = clock::now();
        while self.is_stopped() != stopped {
            if self.exit_status().is_some() {
                return Err(SignalError::Dead { name: self.shared.name.clone() });
            }
            if u128::from(clock::now().since(started)) > SIGNAL_WITHIN.as_nanos() {
                let within_ms = SIGNAL_WITHIN.as_millis() as u64;
                return Err(SignalError::Late { name: self.shared.name.clone(), state, within_ms });
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // The reaper may have been faster: a dead child needs no signal.
        let _ = self.signal(Signal::SIGCONT);
        let _ = self.signal(Signal::SIGKILL);
        let _ = self.wait_exit(SIGNAL_WITHIN);
    }
}

fn pid(pid: u32) -> Pid {
    Pid::from_raw(pid.cast_signed())
}

/// Waits for the end of the process and gives its id back to the system.
fn reap(shared: &Shared, events: &Sender<ChildLine>) {
    wait_for_end(shared);
    let mut process = shared.process();
    // It has ended, so this does not block; it fails only if somebody else reaped the process, and then
    // nobody knows how it ended: never as a success.
    let status = process.handle.wait().unwrap_or_else(|_| ExitStatus::from_raw(UNKNOWN_END));
    // Whoever sees the status may rely on the event being in the channel.
    let output = ChildOutput::Exited(status);
    let _ = events.send(ChildLine { name: shared.name.clone(), pid: shared.pid, output });
    process.status = Some(status);
    drop(process);
    shared.ended.notify_all();
}

/// Blocks until the process has ended and leaves it to be reaped.
#[cfg(target_os = "linux")]
fn wait_for_end(shared: &Shared) {
    use nix::sys::wait::{Id, WaitPidFlag, waitid};
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
    while waitid(Id::Pid(pid(shared.pid)), flags) == Err(Errno::EINTR) {}
}

/// Blocks until the process has ended; there is no waiting without reaping here, so it is asked again and
/// again under the lock.
#[cfg(not(target_os = "linux"))]
fn wait_for_end(shared: &Shared) {
    while matches!(shared.process().handle.try_wait(), Ok(None)) {
        std::thread::sleep(LOOK);
    }
}
