//! Logging in to a broker (KIP-43, KIP-152): which mechanism, and its tokens. What they say is the mechanism's.

use bytes::{Bytes, BytesMut};
use kafka_protocol::error::ParseResponseErrorCode;
use kafka_protocol::messages::{SaslAuthenticateRequest, SaslHandshakeRequest};

use crate::frame::{self, FrameError};

/// Kafka 1.0 and 2.5 later know them.
const HANDSHAKE: i16 = 1;
const AUTHENTICATE: i16 = 2;
/// More than an answer ever has.
const ANSWER_MAX: usize = 1 << 20;
const CLIENT: &str = "highwater";

/// What a broker makes of it: a token of its own, or why it refuses.
pub type Answer = Result<Bytes, String>;

/// Says which mechanism is to be used, length included.
///
/// # Errors
/// If the name cannot be said.
pub fn handshake(mechanism: &str) -> Result<Bytes, FrameError> {
    let body = SaslHandshakeRequest::default().with_mechanism(mechanism.to_owned().into());
    frame::request(&body, HANDSHAKE, 0, CLIENT)
}

/// Cuts the answer to [`handshake`] from what has been read so far; `None` means more bytes are needed. The token is
/// empty.
///
/// # Errors
/// If the frame is too long, or no such answer.
pub fn shaken(buffer: &mut BytesMut) -> Result<Option<Answer>, FrameError> {
    let Some(frame) = frame::split(buffer, ANSWER_MAX)? else { return Ok(None) };
    let (_, body) = frame::response::<SaslHandshakeRequest>(frame, HANDSHAKE)?;
    Ok(Some(match body.error_code.err() {
        None => Ok(Bytes::new()),
        Some(error) => {
            let has: Vec<_> = body.mechanisms.iter().map(|name| name.as_str()).collect();
            Err(format!("{error} (it has {})", has.join(", ")))
        }
    }))
}

/// Hands over a token, length included.
///
/// # Errors
/// If it is too long.
pub fn authenticate(token: Vec<u8>) -> Result<Bytes, FrameError> {
    let body = SaslAuthenticateRequest::default().with_auth_bytes(token.into());
    frame::request(&body, AUTHENTICATE, 0, CLIENT)
}

/// Cuts the answer to [`authenticate`] from what has been read so far; `None` means more bytes are needed.
///
/// # Errors
/// If the frame is too long, or no such answer.
pub fn authenticated(buffer: &mut BytesMut) -> Result<Option<Answer>, FrameError> {
    let Some(frame) = frame::split(buffer, ANSWER_MAX)? else { return Ok(None) };
    let (_, body) = frame::response::<SaslAuthenticateRequest>(frame, AUTHENTICATE)?;
    Ok(Some(match body.error_code.err() {
        None => Ok(body.auth_bytes),
        Some(error) => Err(body.error_message.map_or_else(|| error.to_string(), |said| said.to_string())),
    }))
}
