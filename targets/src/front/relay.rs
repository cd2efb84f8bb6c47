//! Carries connections between the link proxy and brokers frame by frame, and rewrites what names a broker.
//! A broker that is named for the first time gets a link, a port and a listener of its own.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use history::NodeId;
use nemesis::{End, Link};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use wire::frame::{self, FrameError, MAX_REQUEST};
use wire::front::{Broker, Session};

use crate::proxy::LinkProxy;

/// How long a broker may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How long to wait when the system gives no more sockets.
const EXHAUSTED: Duration = Duration::from_millis(10);
/// Bytes read at a time.
const CHUNK: usize = 64 * 1024;

/// A broker behind the front.
struct Known {
    /// Where it is.
    real: (String, u16),
    /// Where clients find it.
    via: SocketAddr,
}

/// The brokers behind the front, and the runtime that carries their connections.
pub(super) struct Relay {
    pub(super) proxy: LinkProxy,
    handle: Handle,
    known: Mutex<BTreeMap<i32, Known>>,
}

impl Relay {
    pub(super) fn new(proxy: LinkProxy, handle: Handle) -> Self {
        Self { proxy, handle, known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<i32, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The addresses by which clients reach the brokers known so far.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.known().values().map(|known| known.via).collect()
    }

    /// The ids of the brokers known so far.
    pub(super) fn nodes(&self) -> Vec<NodeId> {
        self.known().keys().copied().map(NodeId).collect()
    }

    /// Where clients find a broker from now on.
    pub(super) fn via(self: &Arc<Self>, broker: Broker) -> io::Result<SocketAddr> {
        let (id, host, port) = broker;
        let mut known = self.known();
        if let Some(known) = known.get_mut(&id) {
            // It may have moved.
            known.real = (host, port);
            return Ok(known.via);
        }
        let link = Link { from: End::Clients, to: End::Node(NodeId(id)) };
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let via = self.proxy.listen(link).map_err(io::Error::other)?;
        self.proxy.set_backend(link, Some(listener.local_addr()?)).map_err(io::Error::other)?;
        let entered = self.handle.enter();
        let listener = TcpListener::from_std(listener)?;
        drop(entered);
        drop(self.handle.spawn(Arc::clone(self).accept(id, listener)));
        known.insert(id, Known { real: (host, port), via });
        Ok(via)
    }

    async fn accept(self: Arc<Self>, id: i32, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((client, _)) => drop(self.handle.spawn(Arc::clone(&self).serve(id, client))),
                Err(_) => tokio::time::sleep(EXHAUSTED).await,
            }
        }
    }

    /// Carries a connection to its end. A broker that refuses, or says what cannot be understood, resets its
    /// client.
    async fn serve(self: Arc<Self>, id: i32, mut client: TcpStream) {
        let _ = SockRef::from(&client).set_linger(Some(Duration::ZERO));
        let _ = client.set_nodelay(true);
        let Some(real) = self.known().get(&id).map(|known| known.real.clone()) else { return };
        let connecting = tokio::time::timeout(CONNECT, TcpStream::connect((real.0.as_str(), real.1)));
        let Ok(Ok(mut broker)) = connecting.await else { return };
        let _ = broker.set_nodelay(true);
        let session = Mutex::new(Session::default());
        let (from_client, to_client) = client.split();
        let (from_broker, to_broker) = broker.split();
        let orderly = {
            let requests = requests(from_client, to_broker, &session);
            let answers = self.answers(from_broker, to_client, &session);
            tokio::pin!(requests, answers);
            tokio::select! {
                ended = &mut answers => ended,
                ended = &mut requests => match ended {
                    // What the broker still has to say comes through.
                    Ok(()) => answers.await,
                    Err(error) => Err(error),
                },
            }
        };
        if orderly.is_ok() {
            let _ = SockRef::from(&client).set_linger(None);
        }
    }

    async fn answers(
        self: &Arc<Self>,
        mut from: ReadHalf<'_>,
        mut to: WriteHalf<'_>,
        session: &Mutex<Session>,
    ) -> io::Result<()> {
        let mut buffer = BytesMut::with_capacity(CHUNK);
        loop {
            while let Some(answer) = frame::split(&mut buffer, MAX_REQUEST).map_err(io::Error::other)? {
                let mut via = |broker| {
                    let address =
                        self.via(broker).map_err(|error| FrameError::Malformed(error.to_string()))?;
                    Ok((address.ip().to_string(), address.port()))
                };
                let rewritten = lock(session).answer(&answer, &mut via).map_err(io::Error::other)?;
                match rewritten {
                    Some(rewritten) => to.write_all(&rewritten).await?,
                    None => pass(&mut to, &answer).await?,
                }
            }
            if from.read_buf(&mut buffer).await? == 0 {
                return to.shutdown().await;
            }
        }
    }
}

async fn requests(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, session: &Mutex<Session>) -> io::Result<()> {
    let mut buffer = BytesMut::with_capacity(CHUNK);
    loop {
        while let Some(request) = frame::split(&mut buffer, MAX_REQUEST).map_err(io::Error::other)? {
            // On record before its answer can come.
            lock(session).request(&request);
            pass(&mut to, &request).await?;
        }
        if from.read_buf(&mut buffer).await? == 0 {
            return to.shutdown().await;
        }
    }
}

/// A frame with its length.
async fn pass(to: &mut WriteHalf<'_>, frame: &[u8]) -> io::Result<()> {
    // It was cut out by a length of that type.
    let length = u32::try_from(frame.len()).map_err(io::Error::other)?;
    to.write_all(&length.to_be_bytes()).await?;
    to.write_all(frame).await
}

fn lock(session: &Mutex<Session>) -> MutexGuard<'_, Session> {
    session.lock().unwrap_or_else(PoisonError::into_inner)
}
