//! A TCP connection to a host: its name resolved, its addresses tried one after the other, all within one time
//! limit; begun in another network namespace where a lab's addresses exist.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use history::{Nanos, clock};
use socket2::{SockRef, TcpKeepalive};

use super::super::options::{SSH_PORT, SshOptions};
use crate::lab::Entered;

/// How long a silent host goes unasked, and how often it is asked then: as the system's `ssh` is told.
const ASK: Duration = Duration::from_secs(5);
/// Questions that may go unanswered.
#[cfg(not(target_os = "macos"))]
const UNANSWERED: u32 = 3;
/// How long sent bytes may go unconfirmed.
#[cfg(target_os = "linux")]
const UNCONFIRMED: Duration = Duration::from_secs(20);

/// When something must be over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(Nanos);

impl Deadline {
    /// So long from now.
    pub(super) fn after(within: Duration) -> Self {
        Self(Nanos(clock::now().0.saturating_add(u64::try_from(within.as_nanos()).unwrap_or(u64::MAX))))
    }

    /// What is left; zero when it is over.
    pub(super) fn left(self) -> Duration {
        Duration::from_nanos(self.0.0.saturating_sub(clock::now().0))
    }

    /// What is left as libssh2 takes it, for whom zero means for ever.
    pub(super) fn left_ms(self) -> u32 {
        u32::try_from(self.left().as_millis()).unwrap_or(u32::MAX).max(1)
    }
}

/// Connects.
///
/// # Errors
/// If there is no such name or namespace, no address answers, or the time is over.
pub(super) fn dial(options: &SshOptions, deadline: Deadline) -> io::Result<TcpStream> {
    let (host, port) = (options.host.clone(), options.port.unwrap_or(SSH_PORT));
    let namespace = options.namespace.clone();
    let (sender, connected) = channel();
    // On a thread: a resolver has time limits of its own, and a namespace is a thread's.
    thread::Builder::new().name(format!("dial-{host}")).spawn(move || {
        let _inside = match namespace.map(|name| enter(&name)).transpose() {
            Ok(inside) => inside,
            Err(error) => return drop(sender.send(Err(error))),
        };
        // Nobody waits any more for what came too late.
        let _ = sender.send(connect(&host, port, deadline));
    })?;
    match connected.recv_timeout(deadline.left()) {
        Ok(stream) => stream,
        Err(RecvTimeoutError::Timeout) => Err(timed_out(options)),
        Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("the thread that connects is gone")),
    }
}

fn timed_out(options: &SshOptions) -> io::Error {
    let seconds = options.timeout().as_secs();
    io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {seconds} s"))
}

fn enter(namespace: &str) -> io::Result<Entered> {
    Entered::new(namespace).map_err(|error| {
        io::Error::other(format!("failed to enter network namespace `{namespace}`: {error}"))
    })
}

fn connect(host: &str, port: u16, deadline: Deadline) -> io::Result<TcpStream> {
    let addresses: Vec<_> = (host, port).to_socket_addrs()?.collect();
    let mut error = io::Error::new(io::ErrorKind::NotFound, "its name has no address");
    for (tried, address) in (0_u32..).zip(&addresses) {
        let others = u32::try_from(addresses.len()).unwrap_or(u32::MAX) - tried;
        // One that does not answer leaves the next its share.
        let share = (deadline.left() / others).max(Duration::from_millis(1));
        match TcpStream::connect_timeout(address, share) {
            Ok(stream) => return keep_alive(&stream).map(|()| stream),
            Err(again) => error = again,
        }
    }
    Err(error)
}

/// The kernel asks a silent host whether it is there, so that a connection that is kept for later is known to be
/// dead, and addresses are not forgotten on the way.
fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let asked = TcpKeepalive::new().with_time(ASK).with_interval(ASK);
    #[cfg(not(target_os = "macos"))]
    let asked = asked.with_retries(UNANSWERED);
    socket.set_tcp_keepalive(&asked)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNCONFIRMED))?;
    Ok(())
}
