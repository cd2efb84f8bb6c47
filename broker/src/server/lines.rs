//! Messages between broker and controller: one JSON object a line. Read so that a half-read line survives
//! being interrupted, and never grows without bound.

use bytes::BytesMut;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt};

/// More than the metadata of some ten thousand partitions.
const LONGEST: usize = 64 << 20;

/// The bytes of a message.
pub(super) fn encode(message: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(message).unwrap_or_default();
    line.push(b'\n');
    line
}

/// Reads messages from a stream.
pub(super) struct Lines<R> {
    stream: R,
    buffer: BytesMut,
    /// So far no line ends.
    searched: usize,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(stream: R) -> Self {
        Self { stream, buffer: BytesMut::new(), searched: 0 }
    }

    /// The next message; `None` if the stream has ended, failed, or says what nobody understands. Cancel
    /// safe.
    pub(super) async fn next<M: DeserializeOwned>(&mut self) -> Option<M> {
        loop {
            if let Some(found) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(self.searched + found + 1);
                self.searched = 0;
                return serde_json::from_slice(&line).ok();
            }
            self.searched = self.buffer.len();
            if self.searched > LONGEST || self.stream.read_buf(&mut self.buffer).await.ok()? == 0 {
                return None;
            }
        }
    }
}
