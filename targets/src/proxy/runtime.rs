//! The proxy as its owner sees it: links by name, on a runtime and a thread of its own, so that nothing else
//! in the process delays a byte.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use history::Manner;
use nemesis::{Impairment, Link, Touched};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::proxy::gate::Trouble;
use crate::proxy::link::LinkState;
use crate::proxy::listener;

/// The proxy cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// Its thread or runtime cannot be started.
    #[error("failed to start the link proxy")]
    Start(#[source] io::Error),
    /// A link's port cannot be opened.
    #[error("failed to listen for the link from {from} to {to}", from = link.from, to = link.to)]
    Listen {
        /// The link.
        link: Link,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A proxy passes on streams.
    #[error("a proxy has streams and no packets, and cannot have a link {0} (choose hosts as the target)")]
    NoPackets(Impairment),
    /// No connection runs over such a link.
    #[error("there is no link from {from} to {to}", from = .0.from, to = .0.to)]
    NoLink(Link),
    /// Something else is wrong with the link already.
    #[error("the link from {from} to {to} is {how} already (undo that first)", from = link.from, to = link.to)]
    Busy {
        /// The link.
        link: Link,
        /// What is wrong with it.
        how: String,
    },
}

/// A userspace TCP proxy with a listener per link. Dropping it closes every connection and port.
pub struct LinkProxy {
    handle: Handle,
    links: Mutex<BTreeMap<Link, (SocketAddr, Arc<LinkState>)>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl LinkProxy {
    /// Starts the proxy's thread.
    ///
    /// # Errors
    /// If the thread or its runtime cannot be started.
    pub fn start() -> Result<Self, ProxyError> {
        // One thread: the links of a cluster share it fairly, and a cut is one step to all of them.
        let runtime = Builder::new_current_thread().enable_io().enable_time().build();
        let runtime = runtime.map_err(ProxyError::Start)?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name("link-proxy".to_owned()).spawn(move || {
            let _ = runtime.block_on(stopped);
        });
        let thread = Some(thread.map_err(ProxyError::Start)?);
        Ok(Self { handle, links: Mutex::default(), stop: Some(stop), thread })
    }

    fn links(&self) -> MutexGuard<'_, BTreeMap<Link, (SocketAddr, Arc<LinkState>)>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn link(&self, link: Link) -> Result<Arc<LinkState>, ProxyError> {
        self.links().get(&link).map(|(_, state)| Arc::clone(state)).ok_or(ProxyError::NoLink(link))
    }

    /// Opens a link, without a backend yet, and returns the loopback address to reach it by, which stays
    /// the same for its life. Opening it again returns that address.
    ///
    /// # Errors
    /// If no port can be opened.
    pub fn listen(&self, link: Link) -> Result<SocketAddr, ProxyError> {
        let mut links = self.links();
        if let Some((address, _)) = links.get(&link) {
            return Ok(*address);
        }
        let failed = |source| ProxyError::Listen { link, source };
        let (socket, address) = listener::open().map_err(failed)?;
        // The listener registers with the reactor of the proxy's runtime.
        let entered = self.handle.enter();
        let socket = tokio::net::TcpListener::from_std(socket).map_err(failed)?;
        drop(entered);
        let state = Arc::new(LinkState::new());
        drop(self.handle.spawn(listener::accept(socket, Arc::clone(&state))));
        links.insert(link, (address, state));
        Ok(address)
    }

    /// Says where a link leads; `None` while nobody listens there, which resets new connections at once.
    /// Open connections stay as they are.
    ///
    /// # Errors
    /// If there is no such link.
    pub fn set_backend(&self, link: Link, backend: Option<SocketAddr>) -> Result<(), ProxyError> {
        self.link(link)?.set_backend(backend);
        Ok(())
    }

    /// Cuts links. When this returns not a byte passes over them: *held* keeps connections open and gives
    /// everything sent meanwhile on healing; *reset* ends connections, old and new, by RST. Idempotent.
    ///
    /// # Errors
    /// If one of them does not exist or is impaired; then none is cut.
    pub fn cut(&self, links: &[Link], manner: Manner) -> Result<(), ProxyError> {
        let states = self.free(links, |trouble| matches!(trouble, Trouble::Cut(_)))?;
        states.iter().for_each(|state| state.cut(manner));
        Ok(())
    }

    /// Impairs links. When this returns their bytes are held, swallowed, late or rationed. Idempotent.
    ///
    /// # Errors
    /// If one of them does not exist, is cut, or is impaired in another way, or it is done to packets; then none
    /// is impaired.
    pub fn impair(&self, links: &[Link], impairment: Impairment) -> Result<(), ProxyError> {
        if impairment.is_of_packets() {
            return Err(ProxyError::NoPackets(impairment));
        }
        let states = self.free(links, |trouble| trouble == Trouble::Impaired(impairment))?;
        states.iter().for_each(|state| state.impair(impairment));
        Ok(())
    }

    /// The links, if nothing is wrong with any of them but what is `compatible`.
    fn free(
        &self,
        links: &[Link],
        compatible: impl Fn(Trouble) -> bool,
    ) -> Result<Vec<Arc<LinkState>>, ProxyError> {
        let states = self.states(links)?;
        for (&link, state) in links.iter().zip(&states) {
            if let Some(trouble) = state.trouble().filter(|trouble| !compatible(*trouble)) {
                return Err(ProxyError::Busy { link, how: trouble.to_string() });
            }
        }
        Ok(states)
    }

    /// Mends links and tells what their faults touched, together: connections that were open or opened
    /// meanwhile, and bytes held back, thrown away, delayed or made to wait for their turn (at least so many:
    /// what a full window kept on the sender's side is not seen). Whole links count nothing.
    ///
    /// # Errors
    /// If one of them does not exist; then none is mended.
    pub fn heal(&self, links: &[Link]) -> Result<Touched, ProxyError> {
        let mut sum = Touched::default();
        for state in self.states(links)? {
            let touched = state.heal();
            sum.connections += touched.connections;
            sum.bytes += touched.bytes;
        }
        Ok(sum)
    }

    fn states(&self, links: &[Link]) -> Result<Vec<Arc<LinkState>>, ProxyError> {
        links.iter().map(|&link| self.link(link)).collect()
    }

    /// Whether a link is cut or impaired; one that does not exist is not.
    #[must_use]
    pub fn is_cut(&self, link: Link) -> bool {
        self.link(link).is_ok_and(|state| state.trouble().is_some())
    }

    /// Bytes that impairments have thrown away, delayed or made wait since the link was opened.
    #[cfg(test)]
    pub(crate) fn struck_bytes(&self, link: Link) -> u64 {
        self.link(link).map_or(0, |state| state.struck_bytes())
    }

    /// Bytes that passed over a link, both directions together, since it was opened.
    #[must_use]
    pub fn passed_bytes(&self, link: Link) -> u64 {
        self.link(link).map_or(0, |state| state.passed_bytes())
    }
}

impl Drop for LinkProxy {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The runtime dies with its thread, and every socket with it.
            let _ = thread.join();
        }
    }
}
