//! One client connection: requests are taken in order and answered in order. Up to some are worked on at a
//! time, so a pipelining producer need not wait for each acknowledgement; a fetch that waits holds back the
//! answers behind it, as in Kafka.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::ApiKey;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use wire::frame::{self, FrameError};

use super::apis;
use super::engine::Host;
use super::limits::{self, Leave};

/// Requests taken from a connection and not yet answered.
const AHEAD: usize = 16;

/// Room for a read: a full buffer would otherwise grow by a few bytes at a time.
const READ: usize = 1 << 16;

/// What becomes of a request: its answer, nothing (acks=0), or the end of the connection.
pub(super) type Answer = Pin<Box<dyn Future<Output = Result<Option<Bytes>, Closed>>>>;

/// The connection must be closed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Closed {
    /// The bytes were no request.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A produce with acks=0 failed, which has no other way to be said.
    #[error("a produce with acks=0 failed")]
    Unacknowledged,
    /// A request was begun and not gone on with.
    #[error("a request of {0} bytes stalled")]
    Stalled(usize),
    /// The broker ends.
    #[error("the broker ends")]
    Ending,
}

/// A request that was taken, with what it holds until it is answered: its memory, and the connection's turn to
/// fetch, because the answers to fetches are large and must not pile up before a client that does not read.
struct Taken {
    answer: Answer,
    _memory: Option<Leave>,
    _fetch: Option<Leave>,
}

/// Starts the task of a connection.
pub(super) fn serve(host: Rc<Host>, stream: TcpStream, leave: Leave) {
    let _ = SockRef::from(&stream).set_tcp_nodelay(true);
    let peer = stream.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    let (reader, writer) = stream.into_split();
    tokio::task::spawn_local(async move {
        let _leave = leave;
        let (queue, answers) = mpsc::channel(AHEAD);
        // Whichever ends first takes the other, and with it every waiting fetch, along.
        let outcome = tokio::select! {
            outcome = read(&host, peer, reader, queue) => outcome,
            outcome = write(writer, answers) => outcome,
        };
        match outcome {
            Err(error @ (Closed::Frame(_) | Closed::Stalled(_))) => {
                host.log(format_args!("closed a connection: {error}"));
            }
            Err(Closed::Unacknowledged | Closed::Ending) | Ok(()) => {}
        }
    });
}

async fn read(
    host: &Rc<Host>,
    peer: IpAddr,
    mut reader: OwnedReadHalf,
    queue: mpsc::Sender<Taken>,
) -> Result<(), Closed> {
    let fetches = Arc::new(Semaphore::new(1));
    let mut buffer = BytesMut::new();
    // Leave for the request whose beginning lies in the buffer.
    let mut memory: Option<Leave> = None;
    loop {
        while let Some(request) = frame::split(&mut buffer, frame::MAX_REQUEST)? {
            let head = frame::head(request)?;
            let fetch = match head.key {
                ApiKey::Fetch => Arc::clone(&fetches).acquire_owned().await.ok(),
                _ => None,
            };
            // First room in the queue, then the step: answers come in the order of steps.
            let Ok(place) = queue.reserve().await else { return Ok(()) };
            let answer = apis::handle(host, peer, head)?;
            place.send(Taken { answer, _memory: memory.take(), _fetch: fetch });
        }
        let begun = frame::announced(&buffer);
        if memory.is_none()
            && let Some(bytes) = begun
        {
            memory = host.limits.hold(bytes).await;
        }
        buffer.reserve(READ);
        let patience = if begun.is_some() { limits::STALL } else { limits::IDLE };
        match timeout(patience, reader.read_buf(&mut buffer)).await {
            Ok(Ok(read)) if read > 0 => {}
            Err(_) if begun.is_some() => return Err(Closed::Stalled(begun.unwrap_or_default())),
            // Half a connection is none, and one that does nothing is in the way.
            _ => return Ok(()),
        }
    }
}

async fn write(mut writer: OwnedWriteHalf, mut answers: mpsc::Receiver<Taken>) -> Result<(), Closed> {
    while let Some(Taken { answer, _memory, _fetch }) = answers.recv().await {
        let Some(bytes) = answer.await? else { continue };
        // A client that does not read must not make its answers be kept for ever.
        if !matches!(timeout(limits::STALL, writer.write_all(&bytes)).await, Ok(Ok(()))) {
            return Ok(());
        }
    }
    Ok(())
}
