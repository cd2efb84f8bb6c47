//! Whether bytes may pass over a link, and how: the state that a fault changes and every connection watches.

use std::fmt;
use std::net::SocketAddr;

use history::Manner;
use nemesis::{Direction, Impairment};
use tokio::sync::watch;

/// What is wrong with a link; one thing at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Nothing passes in either direction.
    Cut(Manner),
    /// Something passes, not as it should.
    Impaired(Impairment),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut(_) => f.write_str("cut"),
            Self::Impaired(impairment) => impairment.fmt(f),
        }
    }
}

/// The state of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct State {
    /// Where connections go; `None` while nobody listens there.
    pub(super) backend: Option<SocketAddr>,
    /// What is wrong with the link, if anything is.
    pub(super) trouble: Option<Trouble>,
    /// How often connections of the link have been reset, so that one which wakes up only after the
    /// healing knows that it is dead.
    pub(super) resets: u64,
}

/// How the bytes of one direction pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// As they come.
    Free,
    /// Into nothing.
    Swallowed,
    /// Late.
    Delayed { at_least_ms: u64, jitter_ms: u64, seed: u64 },
    /// So many a second.
    Narrow { bytes_per_second: u64 },
}

impl State {
    /// How a direction flows; `None` if nothing moves.
    fn flow(&self, direction: Direction) -> Option<Flow> {
        match self.trouble {
            None => Some(Flow::Free),
            Some(Trouble::Cut(_)) => None,
            Some(Trouble::Impaired(impairment)) => match impairment {
                Impairment::Hold(held) => (held != direction).then_some(Flow::Free),
                Impairment::Swallow(swallowed) if swallowed == direction => Some(Flow::Swallowed),
                Impairment::Swallow(_) => Some(Flow::Free),
                Impairment::Delay { at_least_ms, jitter_ms, seed } => {
                    Some(Flow::Delayed { at_least_ms, jitter_ms, seed })
                }
                Impairment::Narrow { bytes_per_second } => Some(Flow::Narrow { bytes_per_second }),
                // Refused before: there are no packets here.
                Impairment::Lose { .. }
                | Impairment::Reorder { .. }
                | Impairment::Duplicate { .. }
                | Impairment::Corrupt { .. } => Some(Flow::Free),
            },
        }
    }

    fn is_cut(&self) -> bool {
        matches!(self.trouble, Some(Trouble::Cut(_)))
    }
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
        if now.trouble == Some(Trouble::Cut(Manner::Reset)) {
            Err(Severed)
        } else {
            Ok(Self { state, born: now.resets })
        }
    }

    /// Where the link leads now.
    pub(super) fn backend(&self) -> Option<SocketAddr> {
        self.state.borrow().backend
    }

    /// Waits until connections can be opened: while the link is not cut.
    pub(super) async fn connectable(&mut self) -> Result<(), Severed> {
        self.wait(|state| !state.is_cut()).await
    }

    /// Waits until bytes of a direction may move, into nothing also.
    pub(super) async fn flowing(&mut self, direction: Direction) -> Result<(), Severed> {
        self.wait(|state| state.flow(direction).is_some()).await
    }

    /// Waits until what is said in a direction is heard.
    pub(super) async fn heard(&mut self, direction: Direction) -> Result<(), Severed> {
        self.wait(|state| state.flow(direction).is_some_and(|flow| flow != Flow::Swallowed)).await
    }

    async fn wait(&mut self, until: impl Fn(&State) -> bool) -> Result<(), Severed> {
        let born = self.born;
        let wait = self.state.wait_for(|state| until(state) || state.resets != born);
        // The sender is gone only when the proxy is shutting down.
        let state = wait.await.map_err(|_| Severed)?;
        if state.resets == born { Ok(()) } else { Err(Severed) }
    }

    /// Waits until the link changes in any way; check it anew afterwards.
    pub(super) async fn changed(&mut self) -> Result<(), Severed> {
        self.state.changed().await.map_err(|_| Severed)
    }

    /// How a direction flows now; `None` if nothing moves. What comes of it must be checked by
    /// [`Gate::pass`].
    pub(super) fn flow(&self, direction: Direction) -> Option<Flow> {
        self.state.borrow().flow(direction)
    }

    /// Runs `pass`, telling how the direction flows, unless nothing moves, and lets no fault begin
    /// meanwhile: once a cut has returned, not a byte passes. `None` if nothing moves.
    pub(super) fn pass<T>(&self, direction: Direction, pass: impl FnOnce(Flow) -> T) -> Option<T> {
        // The read lock is held while `pass` runs; a fault takes the write lock.
        let state = self.state.borrow();
        let flow = state.flow(direction).filter(|_| state.resets == self.born);
        flow.map(pass)
    }
}
