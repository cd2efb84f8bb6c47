//! One direction of a connection: bytes from one socket to the other, as long as the link lets them pass.

use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::sync::atomic::{AtomicU64, Ordering};

use socket2::SockRef;
use tokio::net::TcpStream;

use crate::proxy::gate::{Gate, Severed};

/// Bytes copied at a time, and the most that one direction of a held connection keeps in this process.
const BUFFER_BYTES: usize = 64 * 1024;

/// How a direction ended. An end is told only while the link is whole: a cut holds it back.
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

/// What a direction has done so far.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// Bytes passed on.
    pub(super) passed: AtomicU64,
    /// Bytes read from the sender and not passed on yet.
    pub(super) pending: AtomicU64,
}

/// Copies until either side ends the connection or the link resets it.
pub(super) async fn pump(from: &TcpStream, to: &TcpStream, mut gate: Gate, counters: &Counters) -> Ended {
    match copy(from, to, &mut gate, counters).await {
        Ok(()) => Ended::Closed,
        Err(ended) => ended,
    }
}

async fn copy(from: &TcpStream, to: &TcpStream, gate: &mut Gate, counters: &Counters) -> Result<(), Ended> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match read(from, &mut buffer, gate, counters).await? {
            0 => break,
            filled => write(to, &buffer[..filled], gate, counters).await?,
        }
    }
    // The end of the stream, like any byte of it, waits for the link to be whole.
    loop {
        gate.opened().await?;
        if gate.pass(|| SockRef::from(to).shutdown(Shutdown::Write)).is_some() {
            return Ok(());
        }
    }
}

/// Reads once; 0 is the end. Nothing is read while the link is cut: bytes stay in the kernel, and the
/// sender feels a full window in the end.
async fn read(
    from: &TcpStream,
    buffer: &mut [u8],
    gate: &mut Gate,
    counters: &Counters,
) -> Result<usize, Ended> {
    loop {
        gate.opened().await?;
        tokio::select! {
            ready = from.readable() => if ready.is_err() { return Err(broken(gate, Ended::Reset).await) },
            changed = gate.changed() => { changed?; continue }
        }
        let read = gate.pass(|| {
            let read = from.try_read(buffer);
            if let Ok(filled) = read {
                counters.pending.store(filled as u64, Ordering::Relaxed);
            }
            read
        });
        match read {
            None => {}
            Some(Ok(filled)) => return Ok(filled),
            Some(Err(error)) if is_transient(&error) => {}
            Some(Err(_)) => return Err(broken(gate, Ended::Reset).await),
        }
    }
}

async fn write(to: &TcpStream, mut bytes: &[u8], gate: &mut Gate, counters: &Counters) -> Result<(), Ended> {
    while !bytes.is_empty() {
        gate.opened().await?;
        tokio::select! {
            ready = to.writable() => if ready.is_err() { return Err(broken(gate, Ended::Unheard).await) },
            changed = gate.changed() => { changed?; continue }
        }
        let written = gate.pass(|| {
            let written = to.try_write(bytes);
            if let Ok(count) = written {
                counters.pending.fetch_sub(count as u64, Ordering::Relaxed);
                counters.passed.fetch_add(count as u64, Ordering::Relaxed);
            }
            written
        });
        match written {
            None => {}
            Some(Ok(count)) => bytes = &bytes[count..],
            Some(Err(error)) if is_transient(&error) => {}
            Some(Err(_)) => return Err(broken(gate, Ended::Unheard).await),
        }
    }
    Ok(())
}

/// A connection broke; the other side learns of it only when the link is whole.
async fn broken(gate: &mut Gate, ended: Ended) -> Ended {
    gate.opened().await.map_or_else(Ended::from, |()| ended)
}

fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
