//! The cluster behind a front, as nemeses see it: its clients' links can be broken, and nothing else.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::BytesMut;
use history::{Manner, Nanos, NodeId, Note, Partition};
use nemesis::{Cluster, FaultError, Impairment, Link, Touched};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use wire::front::{self, Broker};

use super::relay::Relay;
use crate::hosts::Watch;
use crate::proxy::{LinkProxy, ProxyError};
use crate::secure::Security;
use crate::view::ClusterView;

/// How long a broker may take to tell where the others are.
const ANSWER: Duration = Duration::from_secs(5);

/// A front cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum FrontError {
    /// The link proxy.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// No thread, or no port.
    #[error("failed to open a front for the cluster")]
    Open(#[source] io::Error),
    /// No broker says where the brokers are.
    #[error("failed to ask `{bootstrap}` where its brokers are (compare --bootstrap)")]
    Ask {
        /// Who was asked.
        bootstrap: String,
        /// Why the last of them did not tell.
        #[source]
        source: io::Error,
    },
}

/// A running front. Dropping it closes every connection and port.
pub struct FrontCluster {
    relay: Arc<Relay>,
    watch: Watch,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl FrontCluster {
    /// Opens a front for the cluster at `HOST:PORT,…` (plaintext), and follows who leads the topic.
    ///
    /// # Errors
    /// If no broker tells where the others are, or a port or thread cannot be had.
    pub fn open(bootstrap: &str, topic: &str) -> Result<Self, FrontError> {
        let brokers = ask_any(bootstrap)?;
        let runtime = Builder::new_current_thread().enable_io().enable_time().build();
        let runtime = runtime.map_err(FrontError::Open)?;
        let relay = Arc::new(Relay::new(LinkProxy::start()?, runtime.handle().clone()));
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name("front".to_owned()).spawn(move || {
            let _ = runtime.block_on(stopped);
        });
        let thread = Some(thread.map_err(FrontError::Open)?);
        for broker in brokers.iter().cloned() {
            relay.via(broker).map_err(FrontError::Open)?;
        }
        let followed: Vec<_> =
            brokers.into_iter().map(|(id, host, port)| (NodeId(id), format!("{host}:{port}"))).collect();
        let watch = Watch::start(topic, None, &followed, &Security::default()).map_err(FrontError::Open)?;
        Ok(Self { relay, watch, stop: Some(stop), thread })
    }

    /// `HOST:PORT,…` for clients.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        let addresses = self.relay.addresses();
        addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }

    /// The cluster as its brokers last told.
    #[must_use]
    pub fn cluster_view(&self) -> ClusterView {
        self.watch.view()
    }

    /// What happened since the last call, for the history, with its time.
    #[must_use]
    pub fn events(&self) -> Vec<(Nanos, Note)> {
        self.watch.take_notes()
    }
}

impl Drop for FrontCluster {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn cannot<T>(action: &'static str) -> Result<T, FaultError> {
    Err(FaultError::Unsupported { target: "a cluster whose clients alone may be disturbed", action })
}

fn failed(action: &'static str, error: ProxyError) -> FaultError {
    FaultError::Target { action, what: "links of clients".to_owned(), source: io::Error::other(error) }
}

/// Its brokers run as far as anybody here is concerned.
impl Cluster for FrontCluster {
    fn nodes(&self) -> Vec<NodeId> {
        self.relay.nodes()
    }

    fn leader(&self, partition: Partition) -> Option<NodeId> {
        self.cluster_view().partitions.get(&partition)?.leader
    }

    fn partitions(&self) -> Vec<Partition> {
        self.cluster_view().partitions.into_keys().collect()
    }

    fn kill(&mut self, _: &[NodeId]) -> Result<(), FaultError> {
        cannot("kill brokers")
    }

    fn power_off(&mut self, _: &[NodeId], _: bool) -> Result<(), FaultError> {
        cannot("cut the power of brokers")
    }

    fn start(&mut self, _: &[NodeId]) -> Result<Touched, FaultError> {
        cannot("start brokers")
    }

    fn pause(&mut self, _: &[NodeId]) -> Result<(), FaultError> {
        cannot("pause brokers")
    }

    fn resume(&mut self, _: &[NodeId]) -> Result<(), FaultError> {
        cannot("resume brokers")
    }

    fn is_running(&self, node: NodeId) -> bool {
        self.nodes().contains(&node)
    }

    fn cut(&mut self, links: &[Link], manner: Manner) -> Result<(), FaultError> {
        self.relay.proxy.cut(links, manner).map_err(|error| failed("cut", error))
    }

    fn impair(&mut self, links: &[Link], impairment: Impairment) -> Result<(), FaultError> {
        self.relay.proxy.impair(links, impairment).map_err(|error| failed("impair", error))
    }

    fn heal(&mut self, links: &[Link]) -> Result<Touched, FaultError> {
        self.relay.proxy.heal(links).map_err(|error| failed("heal", error))
    }

    fn is_cut(&self, link: Link) -> bool {
        self.relay.proxy.is_cut(link)
    }
}

/// Asks one after the other until one tells.
fn ask_any(bootstrap: &str) -> Result<Vec<Broker>, FrontError> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in bootstrap.split(',') {
        match ask(address.trim()) {
            Ok(brokers) if !brokers.is_empty() => return Ok(brokers),
            Ok(_) => last = io::Error::other("it knows of no broker"),
            Err(error) => last = error,
        }
    }
    Err(FrontError::Ask { bootstrap: bootstrap.to_owned(), source: last })
}

fn ask(address: &str) -> io::Result<Vec<Broker>> {
    let address = address.to_socket_addrs()?.next().ok_or(io::ErrorKind::NotFound)?;
    let mut stream = TcpStream::connect_timeout(&address, ANSWER)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(ANSWER))?;
    stream.write_all(&front::question().map_err(io::Error::other)?)?;
    let mut buffer = BytesMut::new();
    let mut chunk = [0; 8192];
    loop {
        if let Some(brokers) = front::brokers(&mut buffer).map_err(io::Error::other)? {
            return Ok(brokers);
        }
        match stream.read(&mut chunk)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => buffer.extend_from_slice(&chunk[..read]),
        }
    }
}
