//! One node on one thread: its runtime, how it is started, and how it is stopped.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::LocalSet;
use wire::node::{NodeEvent, NodeOrder, NodeSpec};

use super::error::ServeError;
use super::report::{Reporter, Sink};
use super::{broker, controller};

/// How a node is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Logs synced, high watermarks written down.
    Clean,
    /// At once, as if killed: nothing is written, connections just close.
    Abrupt,
}

/// Tells a node to stop.
pub(super) struct Stopper(watch::Sender<Option<Ending>>);

/// Hears when to stop.
#[derive(Clone)]
pub(super) struct Stop(watch::Receiver<Option<Ending>>);

pub(super) fn stopper() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(None);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    pub(super) fn stop(&self, ending: Ending) {
        self.0.send_replace(Some(ending));
    }
}

impl Stop {
    /// Returns when the node is to stop; a stopper that is gone cannot tell any more, which is the same.
    pub(super) async fn wait(&mut self) -> Ending {
        self.0.wait_for(Option::is_some).await.ok().and_then(|ending| *ending).unwrap_or(Ending::Abrupt)
    }
}

/// What a node is told while it runs.
pub(super) type Orders = UnboundedReceiver<NodeOrder>;

/// Serves a node on this thread until it is told to stop.
pub(super) fn run(spec: NodeSpec, sink: Sink, stop: Stop, orders: Orders) -> Result<(), ServeError> {
    let who = match &spec {
        NodeSpec::Controller(_) => "controller".to_owned(),
        NodeSpec::Broker(spec) => format!("broker {}", spec.node_id),
    };
    let reporter = Rc::new(Reporter::new(who, sink));
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(|source| ServeError::System { doing: "start a runtime", source })
        .and_then(|runtime| {
            // The tasks go with the set, and with them every connection.
            LocalSet::new().block_on(&runtime, async {
                match spec {
                    NodeSpec::Controller(spec) => controller::serve(spec, &reporter, stop).await,
                    NodeSpec::Broker(spec) => broker::serve(spec, &reporter, stop, orders).await,
                }
            })
        });
    if let Err(error) = &outcome {
        reporter.log(error);
        reporter.event(&NodeEvent::Failed { reason: error.to_string() });
    }
    outcome
}

/// Binds a listener and tells the port.
pub(super) async fn listen(
    address: SocketAddr,
    reporter: &Reporter,
) -> Result<(TcpListener, SocketAddr), ServeError> {
    let fail = |source| ServeError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(fail)?;
    let bound = listener.local_addr().map_err(fail)?;
    reporter.event(&NodeEvent::Listening { port: bound.port() });
    Ok((listener, bound))
}

/// A node on a thread of this process, for tests: a process of its own is what runs elsewhere.
pub struct Node {
    stopper: Stopper,
    orders: UnboundedSender<NodeOrder>,
    events: mpsc::Receiver<NodeEvent>,
    thread: Option<JoinHandle<Result<(), ServeError>>>,
}

impl Node {
    /// Starts it.
    ///
    /// # Panics
    /// If the system has no thread to give.
    #[must_use]
    pub fn start(spec: NodeSpec) -> Self {
        let (stopper, stop) = stopper();
        let (sender, events) = mpsc::channel();
        let sink = Box::new(move |event: &NodeEvent| {
            let _ = sender.send(event.clone());
        });
        let (orders, obeyed) = unbounded_channel();
        let thread = thread::Builder::new().spawn(|| run(spec, sink, stop, obeyed)).expect("a thread");
        Self { stopper, orders, events, thread: Some(thread) }
    }

    /// What it tells.
    #[must_use]
    pub const fn events(&self) -> &mpsc::Receiver<NodeEvent> {
        &self.events
    }

    /// Tells a broker something; it answers with [`NodeEvent::Obeyed`], unless it has ended.
    pub fn order(&self, order: NodeOrder) {
        let _ = self.orders.send(order);
    }

    /// Stops it and waits for its end.
    ///
    /// # Errors
    /// What [`super::serve`] would have returned.
    pub fn stop(mut self, ending: Ending) -> Result<(), ServeError> {
        self.stopper.stop(ending);
        self.thread.take().map_or(Ok(()), |thread| thread.join().unwrap_or(Ok(())))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stopper.stop(Ending::Abrupt);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
