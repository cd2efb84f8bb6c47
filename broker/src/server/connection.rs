//! One client connection: requests are taken in order and answered in order. Up to some are worked on at a
//! time, so a pipelining producer need not wait for each acknowledgement; a fetch that waits holds back the
//! answers behind it, as in Kafka.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use wire::frame::{self, FrameError};

use super::apis;
use super::engine::Host;

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
    /// The broker ends.
    #[error("the broker ends")]
    Ending,
}

/// Starts the task of a connection.
pub(super) fn serve(host: Rc<Host>, stream: TcpStream) {
    let _ = SockRef::from(&stream).set_tcp_nodelay(true);
    let peer = stream.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    let (reader, writer) = stream.into_split();
    tokio::task::spawn_local(async move {
        let (queue, answers) = mpsc::channel(AHEAD);
        // Whichever ends first takes the other, and with it every waiting fetch, along.
        let outcome = tokio::select! {
            outcome = read(&host, peer, reader, queue) => outcome,
            outcome = write(writer, answers) => outcome,
        };
        match outcome {
            Err(Closed::Frame(error)) => host.log(format_args!("closed a connection: {error}")),
            Err(Closed::Unacknowledged | Closed::Ending) | Ok(()) => {}
        }
    });
}

async fn read(
    host: &Rc<Host>,
    peer: IpAddr,
    mut reader: OwnedReadHalf,
    queue: mpsc::Sender<Answer>,
) -> Result<(), Closed> {
    let mut buffer = BytesMut::new();
    loop {
        while let Some(request) = frame::split(&mut buffer, frame::MAX_REQUEST)? {
            // First room in the queue, then the step: answers come in the order of steps.
            let Ok(place) = queue.reserve().await else { return Ok(()) };
            place.send(apis::handle(host, peer, frame::head(request)?)?);
        }
        buffer.reserve(READ);
        match reader.read_buf(&mut buffer).await {
            Ok(read) if read > 0 => {}
            // Half a connection is none.
            _ => return Ok(()),
        }
    }
}

async fn write(mut writer: OwnedWriteHalf, mut answers: mpsc::Receiver<Answer>) -> Result<(), Closed> {
    while let Some(answer) = answers.recv().await {
        if let Some(bytes) = answer.await?
            && writer.write_all(&bytes).await.is_err()
        {
            return Ok(());
        }
    }
    Ok(())
}
