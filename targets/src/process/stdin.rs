//! The runner's end of a child's stdin: whole lines, never blocking for long on a child that is stopped.

use std::io::{self, Write};
use std::process::ChildStdin;
use std::sync::Mutex;
use std::time::Duration;

use history::clock;
use nix::fcntl::{FcntlArg, OFlag, fcntl};

/// How long a child may take to make room in its stdin pipe (64 KiB on Linux).
const WRITE_WITHIN: Duration = Duration::from_secs(5);
/// How often a full pipe is tried again.
const RETRY: Duration = Duration::from_millis(1);

/// The only write end of a child's stdin; closed, it tells the child to exit.
pub(super) struct Stdin(Mutex<Option<ChildStdin>>);

impl Stdin {
    pub(super) fn new(pipe: ChildStdin) -> io::Result<Self> {
        fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Self(Mutex::new(Some(pipe))))
    }

    /// Writes a line. If the child makes no room in time the pipe is closed: half a line must not be
    /// followed by another.
    pub(super) fn send_line(&self, line: &str) -> io::Result<()> {
        let mut slot = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let pipe =
            slot.as_mut().ok_or_else(|| io::Error::new(io::ErrorKind::BrokenPipe, "stdin is closed"))?;
        let mut bytes = Vec::with_capacity(line.len() + 1);
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
        let result = write_within(pipe, &bytes);
        if result.is_err() {
            *slot = None;
        }
        result
    }

    pub(super) fn close(&self) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = None;
    }
}

fn write_within(pipe: &mut ChildStdin, mut bytes: &[u8]) -> io::Result<()> {
    let started = clock::now();
    while !bytes.is_empty() {
        match pipe.write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if u128::from(clock::now().since(started)) > WRITE_WITHIN.as_nanos() {
                    return Err(io::Error::new(
                        io::ErrorKind::TimedOut,
                        "the process does not read its stdin",
                    ));
                }
                std::thread::sleep(RETRY);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
