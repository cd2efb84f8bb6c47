//! One direction of a connection: bytes from one socket to the other, as the link lets them pass.

use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use history::{Nanos, clock};
use nemesis::Direction;
use socket2::SockRef;
use tokio::net::TcpStream;

use crate::proxy::gate::{Flow, Gate, Severed};
use crate::proxy::line::{Line, Ration};

/// Bytes copied at a time, and the most that one direction of a held connection keeps in this process.
const BUFFER_BYTES: usize = 64 * 1024;

/// How a direction ended. An end is told only while the direction is heard: a fault holds it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The sender closed its end, and the receiver has been told.
    Closed,
    /// The receiver is gone; what it said before may still be under way in the other direction.
    Unheard,
    /// The sender reset the connection, or the link did.
    Reset,
}

impl From<Severed> for Ended {
    fn from(_: Severed) -> Self {
        Self::Reset
    }
}

/// What a direction has done so far, in bytes.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// Passed on.
    pub(super) passed: AtomicU64,
    /// Read from the sender and not passed on yet.
    pub(super) pending: AtomicU64,
    /// Thrown away, delayed, or made to wait for their turn.
    pub(super) struck: AtomicU64,
}

/// One direction of one connection.
pub(super) struct Pump<'a> {
    pub(super) from: &'a TcpStream,
    pub(super) to: &'a TcpStream,
    pub(super) direction: Direction,
    pub(super) counters: &'a Counters,
    pub(super) ration: &'a Ration,
    /// Tells the draws of this connection from those of others.
    pub(super) stream: u64,
}

/// What has become of a direction.
#[derive(Default)]
struct Way {
    line: Line,
    /// The sender has no more to say, and when the receiver may know.
    end: Option<(Nanos, End)>,
    /// Bytes are missing: whatever else comes, the receiver must not take it for the whole.
    damaged: bool,
    /// The next bytes had to wait for their turn.
    waited: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Closed,
    Reset,
}

impl Pump<'_> {
    /// Copies until either side ends the connection or the link resets it.
    pub(super) async fn run(&self, mut gate: Gate) -> Ended {
        match self.copy(&mut gate).await {
            Ok(ended) | Err(ended) => ended,
        }
    }

    async fn copy(&self, gate: &mut Gate) -> Result<Ended, Ended> {
        let mut way = Way::default();
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            gate.flowing(self.direction).await?;
            let Some(flow) = gate.flow(self.direction) else { continue };
            if flow == Flow::Swallowed {
                self.swallow(&mut way);
            } else if way.damaged {
                return Err(Ended::Reset);
            }
            if let Some(ended) = self.end(&way, flow, gate) {
                return Ok(ended);
            }
            let due = way.line.front().map(|(due, _)| self.turn(due, flow));
            let due = due.or(way.end.filter(|_| flow != Flow::Swallowed).map(|(due, _)| late(due, flow)));
            let left = due.map(|due| due.since(clock::now()));
            tokio::select! {
                ready = self.from.readable(), if way.end.is_none() && way.line.has_room(flow) => {
                    self.read(ready, &mut buffer, &mut way, gate);
                }
                ready = self.to.writable(), if left == Some(0) && !way.line.is_empty() => {
                    if ready.is_err() || self.write(&mut way, gate).is_err() {
                        // That the receiver is gone is news of the other direction.
                        gate.heard(self.direction.reverse()).await?;
                        return Err(Ended::Unheard);
                    }
                }
                () = tokio::time::sleep(Duration::from_nanos(left.unwrap_or(0))), if left.is_some_and(|left| left > 0) => {
                    way.waited = matches!(flow, Flow::Narrow { .. });
                }
                changed = gate.changed() => changed?,
            }
        }
    }

    /// When bytes that are due may pass.
    fn turn(&self, due: Nanos, flow: Flow) -> Nanos {
        late(due, flow).max(self.ration.next(flow))
    }

    fn swallow(&self, way: &mut Way) {
        let lost = way.line.clear() as u64;
        way.damaged |= lost > 0;
        self.counters.pending.fetch_sub(lost, Ordering::Relaxed);
        self.counters.struck.fetch_add(lost, Ordering::Relaxed);
    }

    /// Tells the receiver of the end, once everything before it has arrived.
    fn end(&self, way: &Way, flow: Flow, gate: &Gate) -> Option<Ended> {
        let (due, end) = way.end.filter(|_| way.line.is_empty() && flow != Flow::Swallowed)?;
        if late(due, flow) > clock::now() {
            return None;
        }
        gate.pass(self.direction, |flow| match (flow, end) {
            (Flow::Swallowed, _) => None,
            (_, End::Reset) => Some(Ended::Reset),
            (_, End::Closed) => {
                // A receiver that is gone needs not be told.
                let _ = SockRef::from(self.to).shutdown(Shutdown::Write);
                Some(Ended::Closed)
            }
        })?
    }

    /// Reads once. Nothing is read while the direction is held: bytes stay in the kernel, and the sender
    /// feels a full window in the end.
    fn read(&self, ready: io::Result<()>, buffer: &mut [u8], way: &mut Way, gate: &Gate) {
        let read = gate.pass(self.direction, |flow| {
            let read = ready.and_then(|()| self.from.try_read(buffer));
            if let Ok(filled) = read {
                let struck = matches!(flow, Flow::Swallowed | Flow::Delayed { .. });
                let counter = if flow == Flow::Swallowed { None } else { Some(&self.counters.pending) };
                let counters = counter.into_iter().chain(struck.then_some(&self.counters.struck));
                counters.for_each(|counter| {
                    counter.fetch_add(filled as u64, Ordering::Relaxed);
                });
            }
            (read, flow)
        });
        let Some((read, flow)) = read else { return };
        match read {
            Ok(0) => way.end = Some((way.line.due(flow, self.stream), End::Closed)),
            Ok(_) if flow == Flow::Swallowed => way.damaged = true,
            Ok(filled) => {
                let due = way.line.due(flow, self.stream);
                way.line.push(due, &buffer[..filled]);
            }
            Err(error) if is_transient(&error) => {}
            Err(_) => way.end = Some((way.line.due(flow, self.stream), End::Reset)),
        }
    }

    /// Writes once; an error says that the receiver is gone.
    fn write(&self, way: &mut Way, gate: &Gate) -> io::Result<()> {
        let Some((due, bytes)) = way.line.front() else { return Ok(()) };
        let waited = std::mem::take(&mut way.waited);
        let written = gate.pass(self.direction, |flow| {
            // Another connection may have taken the turn, or a fault have begun.
            if flow == Flow::Swallowed || self.turn(due, flow) > clock::now() {
                return Ok(0);
            }
            let count = self.to.try_write(&bytes[..bytes.len().min(Ration::piece(flow))])?;
            self.ration.spend(flow, count);
            self.counters.pending.fetch_sub(count as u64, Ordering::Relaxed);
            self.counters.passed.fetch_add(count as u64, Ordering::Relaxed);
            if waited {
                self.counters.struck.fetch_add(count as u64, Ordering::Relaxed);
            }
            Ok(count)
        });
        match written {
            None => Ok(()),
            Some(Ok(count)) => {
                way.line.advance(count);
                Ok(())
            }
            Some(Err(error)) if is_transient(&error) => Ok(()),
            Some(Err(error)) => Err(error),
        }
    }
}

/// When what is due then arrives: at once where nothing is late any more.
fn late(due: Nanos, flow: Flow) -> Nanos {
    if matches!(flow, Flow::Delayed { .. }) { due } else { Nanos(0) }
}

fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
