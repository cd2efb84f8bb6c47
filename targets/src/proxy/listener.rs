//! The listener of a link, whose port stays the same for its life.

use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::proxy::link::LinkState;

/// How long to wait when the system gives no more sockets.
const EXHAUSTED: Duration = Duration::from_millis(10);

/// Opens a listener on a free port of the loopback interface.
pub(super) fn open() -> std::io::Result<(StdListener, SocketAddr)> {
    let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Accepts for ever.
pub(super) async fn accept(listener: TcpListener, link: Arc<LinkState>) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => drop(tokio::spawn(Arc::clone(&link).serve(client))),
            // Out of descriptors, most likely; the connection stays in the backlog.
            Err(_) => tokio::time::sleep(EXHAUSTED).await,
        }
    }
}
