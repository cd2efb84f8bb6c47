//! A node as a process: its specification and its orders on stdin, its events on stdout, its end with its starter.

use std::io::{BufRead, Write};
use std::sync::Arc;
use std::thread;

use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::getppid;
use tokio::sync::mpsc;
use wire::node::{NodeEvent, NodeSpec};

use super::error::ServeError;
use super::node::{self, Ending, Stopper};

/// Reads a [`NodeSpec`] from the first line of stdin and serves it until stdin ends.
///
/// The process dies with the thread that started it, and does not start if its parent is another than the
/// specification says. Call it first thing in `main`, before any other thread exists: it blocks signals.
///
/// # Errors
/// [`ServeError`] if the specification cannot be read or served; then [`NodeEvent::Failed`] was told too.
pub fn serve_stdin() -> Result<(), ServeError> {
    let system = |doing| move |error: nix::Error| ServeError::System { doing, source: error.into() };
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(system("ask for a signal when the parent ends"))?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(|error| ServeError::Spec(error.to_string()))?;
    let spec: NodeSpec = serde_json::from_str(&line).map_err(|error| ServeError::Spec(error.to_string()))?;
    let expected = match &spec {
        NodeSpec::Controller(spec) => spec.parent,
        NodeSpec::Broker(spec) => spec.parent,
    };
    // Whoever was to kill it may have died before the signal was asked for.
    let found = getppid().as_raw().unsigned_abs();
    if found != expected {
        return Err(ServeError::Orphan { found, expected });
    }
    serve(spec)
}

/// Serves a node until stdin ends or SIGTERM comes, then shuts down cleanly: logs synced, high watermarks
/// written down.
///
/// # Errors
/// [`ServeError`] if it cannot start, or its storage fails; then [`NodeEvent::Failed`] was told too.
pub fn serve(spec: NodeSpec) -> Result<(), ServeError> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGTERM);
    let mut blocked = signals;
    // A file-size limit is then an error of the write and not the death of the process.
    blocked.add(Signal::SIGXFSZ);
    blocked
        .thread_block()
        .map_err(|error| ServeError::System { doing: "block signals", source: error.into() })?;
    let (stopper, stop) = node::stopper();
    let stopper = Arc::new(stopper);
    watch("signals", &stopper, move || {
        let _ = signals.wait();
    })?;
    let (orders, obeyed) = mpsc::unbounded_channel();
    watch("stdin", &stopper, move || {
        let lines = std::io::stdin().lock().lines().map_while(Result::ok);
        // What nobody understands is an order of a starter of another version, which waits in vain and says so.
        for order in lines.filter_map(|line| serde_json::from_str(&line).ok()) {
            // A node that is ending obeys no more.
            let _ = orders.send(order);
        }
    })?;
    let sink = Box::new(|event: &NodeEvent| {
        let mut line = serde_json::to_vec(event).unwrap_or_default();
        line.push(b'\n');
        // Nobody may be listening any more; stdin says so soon.
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(&line).and_then(|()| out.flush());
    });
    node::run(spec, sink, stop, obeyed)
}

/// A thread that stops the node when `wait` returns.
fn watch(name: &str, stopper: &Arc<Stopper>, wait: impl FnOnce() + Send + 'static) -> Result<(), ServeError> {
    let stopper = Arc::clone(stopper);
    let body = move || {
        wait();
        stopper.stop(Ending::Clean);
    };
    let started = thread::Builder::new().name(name.to_owned()).spawn(body);
    started.map(drop).map_err(|source| ServeError::System { doing: "start a thread", source })
}
