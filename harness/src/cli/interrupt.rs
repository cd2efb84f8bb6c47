//! SIGINT and SIGTERM for commands that leave something half made if they just die: they look here from time
//! to time, stop, and clear away what they began.

use std::cell::Cell;
use std::io::{self, Write};
use std::sync::mpsc::{self, Receiver};

use anyhow::Context;
use signal_hook::consts::SIGTERM;

use crate::exit::Exit;
use crate::runner::signals::SignalWatch;

/// Catches signals while it lives.
#[derive(Debug)]
pub(crate) struct Interrupt {
    signals: Receiver<i32>,
    caught: Cell<Option<i32>>,
    _watch: SignalWatch,
}

impl Interrupt {
    /// Catches them from now on.
    pub(crate) fn watch() -> anyhow::Result<Self> {
        let (sender, signals) = mpsc::channel();
        let watch = SignalWatch::start(sender, |signal| signal).context("failed to watch for signals")?;
        Ok(Self { signals, caught: Cell::new(None), _watch: watch })
    }

    /// No signal has come yet.
    pub(crate) fn go_on(&self) -> bool {
        self.caught.set(self.caught.get().or_else(|| self.signals.try_recv().ok()));
        self.caught.get().is_none()
    }

    /// The signal that came first, if any.
    pub(crate) fn caught(&self) -> Option<i32> {
        self.go_on();
        self.caught.get()
    }

    /// How to exit, if a signal came.
    pub(crate) fn exit(&self) -> Option<Exit> {
        self.caught().map(|signal| if signal == SIGTERM { Exit::Terminated } else { Exit::Interrupted })
    }

    /// Writes through to `out` until a signal comes; from then on every write fails.
    pub(super) const fn writer<W: Write>(&self, out: W) -> Interruptible<'_, W> {
        Interruptible { interrupt: self, out }
    }
}

/// What [`Interrupt::writer`] gives.
pub(super) struct Interruptible<'a, W> {
    interrupt: &'a Interrupt,
    out: W,
}

impl<W: Write> Write for Interruptible<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.interrupt.go_on() {
            // Not `ErrorKind::Interrupted`, on which `write_all` tries again.
            return Err(io::Error::other("stopped by a signal"));
        }
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use nix::sys::signal::{Signal, raise};

    use super::*;

    #[test]
    fn a_signal_stops_what_is_written() {
        let interrupt = Interrupt::watch().unwrap();
        let mut written = Vec::new();
        let mut out = interrupt.writer(&mut written);
        out.write_all(b"before").unwrap();
        assert_eq!(interrupt.exit(), None);
        raise(Signal::SIGTERM).unwrap();
        let started = Instant::now();
        while interrupt.go_on() && started.elapsed() < Duration::from_secs(10) {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        assert_eq!(interrupt.exit(), Some(Exit::Terminated));
        assert!(out.write_all(b"after").is_err());
        assert_eq!(written, b"before");
    }
}
