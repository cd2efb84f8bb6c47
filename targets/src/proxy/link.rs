//! One link: its state, its connections, and what its cut has touched.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use history::Manner;
use nemesis::{Direction, Impairment, Touched};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::proxy::connection::{Connection, Rations};
use crate::proxy::gate::{Gate, State, Trouble};

/// More than a socket's receive buffer ever holds; only its address range is used on Linux.
const SCRATCH_BYTES: usize = 16 << 20;

const BOTH: [Direction; 2] = [Direction::Requests, Direction::Answers];

#[derive(Default)]
struct Book {
    next: u64,
    connections: HashMap<u64, Arc<Connection>>,
    /// What the current fault has touched so far.
    touched: Touched,
    /// Bytes passed by connections that have ended.
    passed: u64,
    /// Bytes that impairments have struck on connections that have ended.
    struck: u64,
    /// Bytes that earlier impairments have struck.
    struck_before: u64,
}

impl Book {
    fn struck(&self) -> u64 {
        self.struck + self.connections.values().map(|connection| connection.struck_bytes()).sum::<u64>()
    }
}

/// A link of the proxy.
pub(super) struct LinkState {
    state: watch::Sender<State>,
    book: Mutex<Book>,
    rations: Arc<Rations>,
}

impl LinkState {
    pub(super) fn new() -> Self {
        Self { state: watch::Sender::new(State::default()), book: Mutex::default(), rations: Arc::default() }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_backend(&self, backend: Option<SocketAddr>) {
        self.state.send_modify(|state| state.backend = backend);
    }

    /// What is wrong with it.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        self.state.borrow().trouble
    }

    /// Bytes passed in both directions since the link exists.
    pub(super) fn passed_bytes(&self) -> u64 {
        let book = self.book();
        book.passed + book.connections.values().map(|connection| connection.passed_bytes()).sum::<u64>()
    }

    #[cfg(test)]
    pub(super) fn struck_bytes(&self) -> u64 {
        self.book().struck()
    }

    /// Cuts the link, which must not be impaired. When this returns no byte passes. Cutting again in the same
    /// manner does nothing.
    pub(super) fn cut(&self, manner: Manner) {
        let mut book = self.book();
        let before = self.trouble();
        if before == Some(Trouble::Cut(manner)) {
            return;
        }
        if before.is_none() {
            book.touched = Touched { connections: book.connections.len() as u64, bytes: 0 };
        }
        self.state.send_modify(|state| {
            state.trouble = Some(Trouble::Cut(manner));
            state.resets += u64::from(manner == Manner::Reset);
        });
        if manner == Manner::Reset {
            book.touched.bytes += held_bytes(&book, &BOTH);
        }
    }

    /// Impairs the link, which must be whole or impaired like that already.
    pub(super) fn impair(&self, impairment: Impairment) {
        let mut book = self.book();
        let trouble = Some(Trouble::Impaired(impairment));
        if self.trouble() == trouble {
            return;
        }
        book.touched = Touched { connections: book.connections.len() as u64, bytes: 0 };
        book.struck_before = book.struck();
        self.state.send_modify(|state| state.trouble = trouble);
    }

    /// Mends the link and tells what its fault touched. Mending a whole link does nothing.
    pub(super) fn heal(&self) -> Touched {
        let mut book = self.book();
        let bytes = match self.trouble() {
            None | Some(Trouble::Cut(Manner::Reset)) => 0,
            Some(Trouble::Cut(Manner::Held)) => held_bytes(&book, &BOTH),
            Some(Trouble::Impaired(Impairment::Hold(direction))) => held_bytes(&book, &[direction]),
            Some(Trouble::Impaired(_)) => book.struck() - book.struck_before,
        };
        book.touched.bytes += bytes;
        self.state.send_modify(|state| state.trouble = None);
        std::mem::take(&mut book.touched)
    }

    /// Takes an accepted connection and carries it to its end.
    pub(super) async fn serve(self: Arc<Self>, client: TcpStream) {
        let (connection, admitted) = self.admit(client);
        match admitted {
            Some((gate, _listed)) => connection.carry(gate).await,
            None => connection.reset_on_close(),
        }
    }

    /// Enters a connection in the book, unless the link resets it.
    fn admit(self: &Arc<Self>, client: TcpStream) -> (Arc<Connection>, Option<(Gate, Listed)>) {
        // Under the lock of the book, so that a cut either lists the connection or refuses it.
        let mut book = self.book();
        book.touched.connections += u64::from(self.trouble().is_some());
        let number = book.next;
        book.next += 1;
        let connection = Arc::new(Connection::new(client, Arc::clone(&self.rations), number));
        let admitted = Gate::new(self.state.subscribe()).ok().map(|gate| {
            book.connections.insert(number, Arc::clone(&connection));
            (gate, Listed { link: Arc::clone(self), number })
        });
        (connection, admitted)
    }
}

fn held_bytes(book: &Book, directions: &[Direction]) -> u64 {
    let mut scratch = vec![0; SCRATCH_BYTES];
    let held = |connection: &Arc<Connection>| -> u64 {
        directions.iter().map(|direction| connection.held_bytes(*direction, &mut scratch)).sum()
    };
    book.connections.values().map(held).sum()
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
            book.struck += connection.struck_bytes();
        }
    }
}
