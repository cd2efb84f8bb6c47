//! Builds a history in memory: imports, tests, and whatever else did not record one.

use crate::event::{Note, Role};
use crate::ids::Nanos;
use crate::plan::Plan;

use super::imported::{Imported, Value};
use super::rows::{Delivery, Send};
use super::session::{Ended, Session};
use super::{Damage, History};

/// A history under construction: sessions, and per session its sends, deliveries and operations, each in
/// order. Sessions may be filled in any interleaving.
#[derive(Debug, Clone)]
pub struct Builder {
    history: History,
}

/// A session of a [`Builder`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(usize);

impl Builder {
    /// A history of this plan, with nothing in it.
    #[must_use]
    pub const fn new(plan: Plan) -> Self {
        Self { history: History { plan, sessions: Vec::new(), damage: Vec::new(), imported: None } }
    }

    /// Says what the source calls things. May be called at any time; the last call holds.
    pub fn imported(&mut self, imported: Imported) {
        self.history.imported = Some(imported);
    }

    /// Adds a session, closed in an orderly way unless changed. In an imported history its index is the
    /// `producer` of its sends' tags.
    pub fn open(&mut self, role: Role, index: u32, session: u32) -> SessionId {
        let mut opened = Session::new(role, index, session);
        opened.closed = true;
        self.history.sessions.push(opened);
        SessionId(self.history.sessions.len() - 1)
    }

    /// A session, to change.
    ///
    /// # Panics
    /// If it belongs to another builder.
    pub fn session(&mut self, id: SessionId) -> &mut Session {
        &mut self.history.sessions[id.0]
    }

    /// Adds a send; returns its index in the session.
    pub fn send(&mut self, id: SessionId, send: &Send) -> usize {
        self.session(id).push_send(send)
    }

    /// Adds a send with the source's own value.
    pub fn send_valued(&mut self, id: SessionId, send: &Send, value: &Value) -> usize {
        self.session(id).push_valued(send, value)
    }

    /// Begins a poll (see [`Session::push_poll`]).
    pub fn poll(&mut self, id: SessionId) {
        self.session(id).push_poll();
    }

    /// Adds a delivery; returns its index in the session.
    pub fn deliver(&mut self, id: SessionId, delivery: &Delivery) -> usize {
        self.session(id).push_delivery(delivery)
    }

    /// Adds a delivery of something nobody sent, by its source's own value.
    pub fn deliver_foreign(&mut self, id: SessionId, delivery: &Delivery, value: Value) -> usize {
        self.session(id).push_foreign(delivery, value)
    }

    /// Ends an operation: all sends and deliveries added to the session since the last one are its.
    pub fn operation(&mut self, id: SessionId, ended: Ended) {
        self.session(id).push_operation(ended);
    }

    /// Adds a note.
    pub fn note(&mut self, id: SessionId, at: Nanos, note: Note) {
        self.session(id).notes.push((at, note));
    }

    /// Adds something that keeps the history from being whole.
    pub fn damage(&mut self, damage: Damage) {
        self.history.damage.push(damage);
    }

    /// The history, its sessions ordered by role, index and session.
    #[must_use]
    pub fn finish(mut self) -> History {
        self.history.sessions.iter_mut().for_each(Session::seal);
        self.history.sessions.sort_by_key(|session| (session.role, session.index, session.session));
        self.history
    }
}
