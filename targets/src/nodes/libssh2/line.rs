//! One connection to a host, and a command on it. It carries one command at a time: libssh2 cannot send for two
//! channels by turns.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use ssh2::{BlockDirections, Channel, Session};

use super::dial::Deadline;
use crate::nodes::exec::{Ended, OUTPUT_MAX};

/// How long saying goodbye to a channel may take.
const GOODBYE: Duration = Duration::from_secs(2);
/// How long the socket is waited for at once.
const WAIT: Duration = Duration::from_millis(500);
/// Read at once.
const CHUNK: usize = 32 << 10;

/// A command did not come to its end.
#[derive(Debug)]
pub(super) enum Lost {
    /// The connection was gone before the host heard of the command.
    Before(String),
    /// It broke while the command ran: nobody knows how far it came.
    Under(String),
}

/// A connection that somebody is logged in on. Dropping it hangs up.
pub(super) struct Line {
    session: Session,
    socket: Arc<TcpStream>,
}

impl Drop for Line {
    fn drop(&mut self) {
        // Else libssh2 would wait for answers to its goodbyes. It may be gone already.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// What libssh2 has begun to send and must be asked to send on, before anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sending {
    Input,
    Output,
    Errors,
}

impl Line {
    pub(super) const fn new(session: Session, socket: Arc<TcpStream>) -> Self {
        Self { session, socket }
    }

    /// Runs a command with this input to its end, or until its time is over.
    ///
    /// # Errors
    /// If the connection breaks, before or under it.
    pub(super) fn run(
        &self,
        command: &str,
        stdin: &[u8],
        opened: Deadline,
        done: Deadline,
    ) -> Result<Ended, Lost> {
        self.session.set_blocking(true);
        self.session.set_timeout(opened.left_ms());
        let mut channel =
            self.session.channel_session().map_err(|error| Lost::Before(error.message().to_owned()))?;
        self.session.set_timeout(done.left_ms());
        channel.exec(command).map_err(|error| Lost::Under(error.message().to_owned()))?;
        self.session.set_blocking(false);
        let ended = Talk { line: self, channel: &mut channel, stdin, input_open: true, sending: None }
            .talk(done)
            .map_err(|error| Lost::Under(error.to_string()))?;
        if ended.code.is_some() {
            self.session.set_blocking(true);
            self.session.set_timeout(Deadline::after(GOODBYE).left_ms());
            channel.close().map_err(|error| Lost::Under(error.message().to_owned()))?;
        }
        Ok(ended)
    }

    fn is_sending(&self) -> bool {
        matches!(self.session.block_directions(), BlockDirections::Outbound | BlockDirections::Both)
    }

    /// Waits until the host has sent something, or can be sent something.
    fn wait(&self, sending: bool, within: Duration) -> io::Result<()> {
        let mut flags = PollFlags::POLLIN;
        flags.set(PollFlags::POLLOUT, sending);
        let mut socket = [PollFd::new(self.socket.as_fd(), flags)];
        let within = PollTimeout::try_from(within.min(WAIT)).unwrap_or(PollTimeout::ZERO);
        match poll(&mut socket, within) {
            Ok(_) | Err(nix::Error::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

struct Talk<'a> {
    line: &'a Line,
    channel: &'a mut Channel,
    /// What is still to be sent.
    stdin: &'a [u8],
    input_open: bool,
    sending: Option<Sending>,
}

impl Talk<'_> {
    fn talk(mut self, done: Deadline) -> io::Result<Ended> {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        loop {
            let mut moved = false;
            if self.may(Sending::Input) {
                moved |= self.feed()?;
            }
            if self.may(Sending::Output) {
                moved |= self.read(Sending::Output, &mut stdout)?;
            }
            if self.may(Sending::Errors) {
                moved |= self.read(Sending::Errors, &mut stderr)?;
            }
            if self.sending.is_none() && self.channel.eof() && self.is_closed()? {
                return Ok(Ended { code: Some(self.code()?), stdout, stderr });
            }
            let left = done.left();
            if left.is_zero() {
                return Ok(Ended { code: None, stdout, stderr });
            }
            if !moved {
                self.line.wait(self.sending.is_some(), left)?;
            }
        }
    }

    /// Whether this one's turn is now.
    fn may(&self, which: Sending) -> bool {
        self.sending.is_none_or(|sending| sending == which)
    }

    /// Sends on what the command reads; whether anything was sent.
    fn feed(&mut self) -> io::Result<bool> {
        if !self.input_open {
            return Ok(false);
        }
        if self.stdin.is_empty() {
            let ended = self.channel.send_eof().map_err(io::Error::from);
            let ended = self.now(Sending::Input, ended)?.is_some();
            self.input_open = !ended;
            return Ok(ended);
        }
        let sent = self.channel.write(self.stdin);
        let sent = self.now(Sending::Input, sent)?.unwrap_or(0);
        self.stdin = &self.stdin[sent..];
        Ok(sent > 0)
    }

    /// Reads what the command has written since; whether there was any.
    fn read(&mut self, which: Sending, into: &mut Vec<u8>) -> io::Result<bool> {
        let mut stream =
            if which == Sending::Errors { self.channel.stderr() } else { self.channel.stream(0) };
        let mut chunk = vec![0; CHUNK];
        let mut any = false;
        loop {
            let read = stream.read(&mut chunk);
            match self.now(which, read)? {
                None | Some(0) => return Ok(any),
                Some(read) => {
                    let room = OUTPUT_MAX.saturating_sub(into.len());
                    into.extend_from_slice(&chunk[..read.min(room)]);
                    any = true;
                }
            }
        }
    }

    /// Whether the host has closed the channel; what it tells of the end is there then.
    fn is_closed(&mut self) -> io::Result<bool> {
        let closed = self.channel.wait_close().map_err(io::Error::from);
        Ok(self.now(Sending::Output, closed)?.is_some())
    }

    /// What can be had now; remembers whose packet is on its way only in part.
    fn now<T>(&mut self, which: Sending, result: io::Result<T>) -> io::Result<Option<T>> {
        match result {
            Ok(value) => {
                self.sending = None;
                Ok(Some(value))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.sending = self.line.is_sending().then_some(which);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The exit code; 128 and the signal's number if one ended it.
    fn code(&self) -> io::Result<i32> {
        match self.channel.exit_signal()?.exit_signal {
            Some(name) => Ok(128 + Signal::from_str(&format!("SIG{name}")).map_or(0, |signal| signal as i32)),
            None => Ok(self.channel.exit_status()?),
        }
    }
}
