//! The broker's one connection to its controller, made again whenever it breaks or falls silent. A link may
//! hold bytes for seconds, accept and never answer, or reset: everything here has a deadline. What arrives
//! late is harmless: it went to a connection nobody reads any more, or the epochs in it are old.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::engine::Host;
use super::lines::{self, Lines};
use crate::core::{FromController, Input, ToController};

const CONNECT: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(50);

/// Keeps the link up for as long as the broker runs. `silence` is how long an answer may take.
pub(super) async fn keep(host: Rc<Host>, controller: SocketAddr, silence: Duration) {
    let mut told = false;
    loop {
        if let Ok(Ok(stream)) = timeout(CONNECT, TcpStream::connect(controller)).await {
            let _ = SockRef::from(&stream).set_tcp_nodelay(true);
            let (reader, writer) = stream.into_split();
            let (sender, outbox) = mpsc::unbounded_channel();
            host.link_up(sender);
            let heard = converse(&host, Lines::new(reader), writer, outbox, silence).await;
            host.link_down();
            if heard || !told {
                host.log("the connection to the controller is gone");
            }
            told = !heard;
        }
        sleep(PAUSE).await;
    }
}

/// Speaks and listens until the connection breaks; says whether anything was heard on it.
async fn converse(
    host: &Rc<Host>,
    mut lines: Lines<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    mut outbox: mpsc::UnboundedReceiver<ToController>,
    silence: Duration,
) -> bool {
    let mut heard = false;
    // Since when an answer is owed.
    let mut owed: Option<Instant> = None;
    let (feed, lines_to_write) = mpsc::unbounded_channel();
    let writing = write(writer, lines_to_write);
    tokio::pin!(writing);
    loop {
        let deadline = owed.map(|since| since + silence);
        tokio::select! {
            biased;
            message = lines.next::<FromController>() => match message {
                None => return heard,
                Some(message) => {
                    heard = true;
                    owed = None;
                    host.hear(message);
                }
            },
            Some(message) = outbox.recv() => {
                owed = owed.or_else(|| Some(Instant::now()));
                let _ = feed.send(lines::encode(&message));
            }
            () = &mut writing => return heard,
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => return heard,
        }
    }
}

/// Ends when the connection does not take more.
async fn write(mut writer: OwnedWriteHalf, mut lines: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(line) = lines.recv().await {
        if writer.write_all(&line).await.is_err() {
            return;
        }
    }
}

impl Host {
    fn hear(self: &Rc<Self>, message: FromController) {
        match message {
            FromController::Admin { request, result } => self.admin_answered(request, result),
            message => self.step(Input::FromController(message)),
        }
    }
}
