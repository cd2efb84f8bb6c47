//! Whether bytes may pass over a link: the state that a cut changes and every connection watches.

use std::net::SocketAddr;

use history::Manner;
use tokio::sync::watch;

/// The state of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct State {
    /// Where connections go; `None` while nobody listens there.
    pub(super) backend: Option<SocketAddr>,
    /// How the link is cut, if it is.
    pub(super) cut: Option<Manner>,
    /// How often connections of the link have been reset, so that one which wakes up only after the
    /// healing knows that it is dead.
    pub(super) resets: u64,
}

/// The connection was cut by reset and must die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Severed;

/// One connection's view of its link.
#[derive(Clone)]
pub(super) struct Gate {
    state: watch::Receiver<State>,
    born: u64,
}

impl Gate {
    /// The view of a connection accepted now. `Err` if the link resets connections.
    pub(super) fn new(state: watch::Receiver<State>) -> Result<Self, Severed> {
        let now = *state.borrow();
        if now.cut == Some(Manner::Reset) { Err(Severed) } else { Ok(Self { state, born: now.resets }) }
    }

    /// Where the link leads now.
    pub(super) fn backend(&self) -> Option<SocketAddr> {
        self.state.borrow().backend
    }

    /// Waits until bytes may pass.
    pub(super) async fn opened(&mut self) -> Result<(), Severed> {
        let born = self.born;
        let wait = self.state.wait_for(|state| state.cut.is_none() || state.resets != born);
        // The sender is gone only when the proxy is shutting down.
        let state = wait.await.map_err(|_| Severed)?;
        if state.resets == born { Ok(()) } else { Err(Severed) }
    }

    /// Waits until the link changes in any way; check it anew afterwards.
    pub(super) async fn changed(&mut self) -> Result<(), Severed> {
        self.state.changed().await.map_err(|_| Severed)
    }

    /// Runs `pass` unless the link is cut, and lets no cut happen meanwhile: once a cut has returned, not a
    /// byte passes. `None` if the link is cut.
    pub(super) fn pass<T>(&self, pass: impl FnOnce() -> T) -> Option<T> {
        // The read lock is held while `pass` runs; a cut takes the write lock.
        let state = self.state.borrow();
        (state.cut.is_none() && state.resets == self.born).then(pass)
    }
}
