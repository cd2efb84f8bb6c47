//! One proxied connection from its acceptance to its end.

use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use nemesis::Direction;
use nix::sys::socket::{MsgFlags, recv};
use socket2::SockRef;
use tokio::net::TcpStream;

use crate::proxy::gate::Gate;
use crate::proxy::line::Ration;
use crate::proxy::pump::{Counters, Ended, Pump};

/// The rations of a link, one for each direction.
#[derive(Debug, Default)]
pub(super) struct Rations {
    requests: Ration,
    answers: Ration,
}

/// A connection's sockets and counters, shared with the link that counts what a cut touches.
pub(super) struct Connection {
    client: TcpStream,
    backend: OnceLock<TcpStream>,
    requests: Counters,
    answers: Counters,
    rations: Arc<Rations>,
    /// Its number on its link.
    number: u64,
}

impl Connection {
    pub(super) fn new(client: TcpStream, rations: Arc<Rations>, number: u64) -> Self {
        // Small requests must not wait for each other's acknowledgements.
        let _ = client.set_nodelay(true);
        let (requests, answers) = <(Counters, Counters)>::default();
        Self { client, backend: OnceLock::new(), requests, answers, rations, number }
    }

    /// Bytes that were sent into a direction and have not come out: those read and not passed on, and
    /// those that wait in the kernel to be read (a window may hold more on the sender's side: a lower bound).
    pub(super) fn held_bytes(&self, direction: Direction, scratch: &mut [u8]) -> u64 {
        let (counters, from) = match direction {
            Direction::Requests => (&self.requests, Some(&self.client)),
            Direction::Answers => (&self.answers, self.backend.get()),
        };
        counters.pending.load(Ordering::Relaxed) + from.map_or(0, |from| unread(from, scratch))
    }

    /// Bytes of both directions that an impairment has thrown away, delayed, or made wait.
    pub(super) fn struck_bytes(&self) -> u64 {
        self.requests.struck.load(Ordering::Relaxed) + self.answers.struck.load(Ordering::Relaxed)
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
        if gate.connectable().await.is_err() {
            return Ended::Reset;
        }
        let Some(backend) = self.connect(gate).await else { return Ended::Reset };
        let requests = self.pump(Direction::Requests, backend);
        let answers = self.pump(Direction::Answers, backend);
        let requests = requests.run(gate.clone());
        let answers = answers.run(gate.clone());
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

    fn pump<'a>(&'a self, direction: Direction, backend: &'a TcpStream) -> Pump<'a> {
        let (client, stream) = (&self.client, self.number.wrapping_mul(2));
        match direction {
            Direction::Requests => Pump {
                from: client,
                to: backend,
                direction,
                counters: &self.requests,
                ration: &self.rations.requests,
                stream,
            },
            Direction::Answers => Pump {
                from: backend,
                to: client,
                direction,
                counters: &self.answers,
                ration: &self.rations.answers,
                stream: stream.wrapping_add(1),
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
                    gate.connectable().await.ok()?;
                    if gate.backend() != Some(address) {
                        return None;
                    }
                }
            }
        };
        gate.connectable().await.ok()?;
        let Some(backend) = backend else {
            // A refusal is news from beyond the link as well.
            gate.heard(Direction::Answers).await.ok()?;
            return None;
        };
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
