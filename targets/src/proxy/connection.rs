//! One proxied connection from its acceptance to its end.

use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use nix::sys::socket::{MsgFlags, recv};
use socket2::SockRef;
use tokio::net::TcpStream;

use crate::proxy::gate::Gate;
use crate::proxy::pump::{Counters, Ended, pump};

/// A connection's sockets and counters, shared with the link that counts what a cut touches.
pub(super) struct Connection {
    client: TcpStream,
    backend: OnceLock<TcpStream>,
    requests: Counters,
    answers: Counters,
}

impl Connection {
    pub(super) fn new(client: TcpStream) -> Self {
        // Small requests must not wait for each other's acknowledgements.
        let _ = client.set_nodelay(true);
        Self { client, backend: OnceLock::new(), requests: Counters::default(), answers: Counters::default() }
    }

    /// Bytes that were sent into the connection and have not come out: those read and not passed on, and
    /// those that wait in the kernel to be read (a window may hold more on the sender's side: a lower bound).
    pub(super) fn held_bytes(&self, scratch: &mut [u8]) -> u64 {
        let pending = |counters: &Counters| counters.pending.load(Ordering::Relaxed);
        let backend = self.backend.get().map_or(0, |backend| unread(backend, scratch));
        pending(&self.requests) + pending(&self.answers) + unread(&self.client, scratch) + backend
    }

    /// Bytes passed on in both directions.
    pub(super) fn passed_bytes(&self) -> u64 {
        self.requests.passed.load(Ordering::Relaxed) + self.answers.passed.load(Ordering::Relaxed)
    }

    /// Makes closing the sockets reset them.
    pub(super) fn reset_on_close(&self) {
        for stream in std::iter::once(&self.client).chain(self.backend.get()) {
            let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
    }

    /// Carries the connection until it ends. A backend that refuses, is not there, or resets, resets the
    /// client: a dead broker must not look like a paused one.
    pub(super) async fn carry(self: &Arc<Self>, mut gate: Gate) {
        if self.run(&mut gate).await != Ended::Closed {
            self.reset_on_close();
        }
    }

    async fn run(&self, gate: &mut Gate) -> Ended {
        // A connection made during a cut is accepted, as by a host behind a silent link, and goes nowhere.
        if gate.opened().await.is_err() {
            return Ended::Reset;
        }
        let Some(backend) = self.connect(gate).await else { return Ended::Reset };
        let requests = pump(&self.client, backend, gate.clone(), &self.requests);
        let answers = pump(backend, &self.client, gate.clone(), &self.answers);
        tokio::pin!(requests, answers);
        tokio::select! {
            // The backend has no more to say: then nothing the client could still send matters.
            ended = &mut answers => ended,
            ended = &mut requests => match ended {
                // A dead backend's last answers still come through, then its end does.
                Ended::Closed | Ended::Unheard => answers.await,
                Ended::Reset => Ended::Reset,
            },
        }
    }

    async fn connect(&self, gate: &mut Gate) -> Option<&TcpStream> {
        let address = gate.backend()?;
        let connecting = TcpStream::connect(address);
        tokio::pin!(connecting);
        let backend = loop {
            tokio::select! {
                connected = &mut connecting => break connected.ok(),
                changed = gate.changed() => {
                    // A reset, or a backend that went away for good, ends the attempt; a hold lets it finish.
                    changed.ok()?;
                    gate.opened().await.ok()?;
                    if gate.backend() != Some(address) {
                        return None;
                    }
                }
            }
        };
        // A refusal is news from beyond the link as well.
        gate.opened().await.ok()?;
        let backend = backend?;
        let _ = backend.set_nodelay(true);
        Some(self.backend.get_or_init(|| backend))
    }
}

/// Bytes in the kernel's receive buffer, without reading them: on Linux `MSG_TRUNC` counts without copying,
/// elsewhere they are peeked at.
fn unread(stream: &TcpStream, scratch: &mut [u8]) -> u64 {
    #[cfg(target_os = "linux")]
    let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_TRUNC | MsgFlags::MSG_DONTWAIT;
    #[cfg(not(target_os = "linux"))]
    let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
    recv(stream.as_raw_fd(), scratch, flags).map_or(0, |count| count as u64)
}
