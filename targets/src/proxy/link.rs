//! One link: its state, its connections, and what its cut has touched.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use history::Manner;
use nemesis::Touched;
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::proxy::connection::Connection;
use crate::proxy::gate::{Gate, State};

/// More than a socket's receive buffer ever holds; only its address range is used on Linux.
const SCRATCH_BYTES: usize = 16 << 20;

#[derive(Default)]
struct Book {
    next: u64,
    connections: HashMap<u64, Arc<Connection>>,
    /// What the current cut has touched so far.
    touched: Touched,
    /// Bytes passed by connections that have ended.
    passed: u64,
}

/// A link of the proxy.
pub(super) struct LinkState {
    state: watch::Sender<State>,
    book: Mutex<Book>,
}

impl LinkState {
    pub(super) fn new() -> Self {
        Self { state: watch::Sender::new(State::default()), book: Mutex::default() }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_backend(&self, backend: Option<SocketAddr>) {
        self.state.send_modify(|state| state.backend = backend);
    }

    pub(super) fn is_cut(&self) -> bool {
        self.state.borrow().cut.is_some()
    }

    /// Bytes passed in both directions since the link exists.
    pub(super) fn passed_bytes(&self) -> u64 {
        let book = self.book();
        book.passed + book.connections.values().map(|connection| connection.passed_bytes()).sum::<u64>()
    }

    /// Cuts the link. When this returns no byte passes. Cutting again in the same manner does nothing.
    pub(super) fn cut(&self, manner: Manner) {
        let mut book = self.book();
        let before = self.state.borrow().cut;
        if before == Some(manner) {
            return;
        }
        if before.is_none() {
            book.touched = Touched { connections: book.connections.len() as u64, bytes: 0 };
        }
        self.state.send_modify(|state| {
            state.cut = Some(manner);
            state.resets += u64::from(manner == Manner::Reset);
        });
        if manner == Manner::Reset {
            book.touched.bytes += held_bytes(&book);
        }
    }

    /// Mends the link and tells what its cut touched. Mending a whole link does nothing.
    pub(super) fn heal(&self) -> Touched {
        let mut book = self.book();
        if let Some(Manner::Held) = self.state.borrow().cut {
            book.touched.bytes += held_bytes(&book);
        }
        self.state.send_modify(|state| state.cut = None);
        std::mem::take(&mut book.touched)
    }

    /// Takes an accepted connection and carries it to its end.
    pub(super) async fn serve(self: Arc<Self>, client: TcpStream) {
        let connection = Arc::new(Connection::new(client));
        let Some((gate, _listed)) = self.admit(&connection) else {
            connection.reset_on_close();
            return;
        };
        connection.carry(gate).await;
    }

    /// Enters a connection in the book; `None` if the link resets it.
    fn admit(self: &Arc<Self>, connection: &Arc<Connection>) -> Option<(Gate, Listed)> {
        // Under the lock of the book, so that a cut either lists the connection or refuses it.
        let mut book = self.book();
        book.touched.connections += u64::from(self.is_cut());
        let gate = Gate::new(self.state.subscribe()).ok()?;
        let number = book.next;
        book.next += 1;
        book.connections.insert(number, Arc::clone(connection));
        Some((gate, Listed { link: Arc::clone(self), number }))
    }
}

fn held_bytes(book: &Book) -> u64 {
    let mut scratch = vec![0; SCRATCH_BYTES];
    book.connections.values().map(|connection| connection.held_bytes(&mut scratch)).sum()
}

/// An entry in the book of connections, struck out when dropped.
struct Listed {
    link: Arc<LinkState>,
    number: u64,
}

impl Drop for Listed {
    fn drop(&mut self) {
        let mut book = self.link.book();
        if let Some(connection) = book.connections.remove(&self.number) {
            book.passed += connection.passed_bytes();
        }
    }
}
