//! Kafka frames: cut from a stream with a size limit, headers decoded, bodies guarded and decoded, answers
//! encoded. No sockets here: the caller owns the bytes.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, FetchResponse, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request};
use thiserror::Error;

use crate::guard;
pub use crate::guard::GuardError;
use crate::schema;

/// Kafka's `socket.request.max.bytes`.
pub const MAX_REQUEST: usize = 104_857_600;

/// Why bytes are not a frame, or not one that is served. Whatever it is, the connection is of no more use.
#[derive(Debug, Error)]
pub enum FrameError {
    /// The length says more than the limit, or is negative.
    #[error("frame of {length} bytes (the limit is {limit})")]
    Length {
        /// What the frame says.
        length: i32,
        /// What is allowed.
        limit: usize,
    },
    /// Fewer bytes than a header has.
    #[error("frame ends inside its header")]
    Header,
    /// Not an API that is served, or not at this version.
    #[error("api key {key} version {version} is not served")]
    Unserved {
        /// Kafka's number for the API.
        key: i16,
        /// Its version.
        version: i16,
    },
    /// A length in it lies.
    #[error("refused: {0}")]
    Guard(#[from] GuardError),
    /// The codec refuses it.
    #[error("malformed message: {0}")]
    Malformed(String),
}

/// The start of a request, and its undecoded body.
#[derive(Debug, Clone)]
pub struct Head {
    /// Which API. ApiVersions of an unknown version arrives here too.
    pub key: ApiKey,
    /// Its version.
    pub version: i16,
    /// What the answer must repeat.
    pub correlation: i32,
    /// Who the client says it is.
    pub client: String,
    body: Bytes,
}

/// Cuts the next frame from what has been read so far; `None` means more bytes are needed, for which room
/// has been reserved.
///
/// # Errors
/// [`FrameError::Length`] if the frame is negative or longer than `limit` bytes.
pub fn split(buffer: &mut BytesMut, limit: usize) -> Result<Option<Bytes>, FrameError> {
    let Some(prefix) = buffer.first_chunk::<4>() else { return Ok(None) };
    let length = i32::from_be_bytes(*prefix);
    let size = usize::try_from(length).ok().filter(|size| *size <= limit);
    let Some(size) = size else { return Err(FrameError::Length { length, limit }) };
    if buffer.len() < 4 + size {
        // Not all at once: a length alone must not cost 100 MB.
        buffer.reserve((4 + size - buffer.len()).min(1 << 20));
        return Ok(None);
    }
    buffer.advance(4);
    Ok(Some(buffer.split_to(size).freeze()))
}

/// The size of the frame that the buffer holds the beginning of; `None` while even its length is not there.
#[must_use]
pub fn announced(buffer: &[u8]) -> Option<usize> {
    usize::try_from(i32::from_be_bytes(*buffer.first_chunk()?)).ok()
}

/// Reads the header of a request.
///
/// # Errors
/// [`FrameError::Unserved`] if the API or its version is not in [`schema::APIS`] (but ApiVersions of any
/// version passes: the answer to it is an error the client understands, KIP-511), and what truncated or
/// malformed bytes deserve.
pub fn head(frame: Bytes) -> Result<Head, FrameError> {
    let mut peek = frame.clone();
    if peek.len() < 8 {
        return Err(FrameError::Header);
    }
    let (key, version, correlation) = (peek.get_i16(), peek.get_i16(), peek.get_i32());
    let api = schema::find(key).ok_or(FrameError::Unserved { key, version })?;
    if !(api.min..=api.max).contains(&version) {
        if api.key == ApiKey::ApiVersions {
            return Ok(Head {
                key: api.key,
                version,
                correlation,
                client: String::new(),
                body: Bytes::new(),
            });
        }
        return Err(FrameError::Unserved { key, version });
    }
    let mut body = frame;
    let header =
        RequestHeader::decode(&mut body, api.key.request_header_version(version)).map_err(malformed)?;
    let client = header.client_id.map(|id| id.to_string()).unwrap_or_default();
    Ok(Head { key: api.key, version, correlation, client, body })
}

impl Head {
    /// Decodes the body, after the length guard has passed it.
    ///
    /// # Errors
    /// If a length lies, or the codec refuses the bytes.
    pub fn body<R: Request>(&self) -> Result<R, FrameError> {
        let unserved = FrameError::Unserved { key: R::KEY, version: self.version };
        let api = schema::find(R::KEY).filter(|api| api.key == self.key).ok_or(unserved)?;
        guard::check(&self.body, api.request, self.version, api.flexible)?;
        R::decode(&mut self.body.clone(), self.version).map_err(malformed)
    }

    /// Encodes the answer to this request, length included.
    ///
    /// # Errors
    /// If the answer cannot be said in this version.
    pub fn answer<R: Encodable + HeaderVersion>(&self, response: &R) -> Result<Bytes, FrameError> {
        // Whoever asks in a version nobody knows is told in the oldest.
        let version = if self.is_unknown_version() { 0 } else { self.version };
        // The header of an ApiVersions answer never becomes flexible: a client could not read it.
        let header_version = if self.key == ApiKey::ApiVersions { 0 } else { R::header_version(version) };
        let header = ResponseHeader::default().with_correlation_id(self.correlation);
        assemble(&header, header_version, response, version)
    }

    /// Whether it is an ApiVersions of a version from the future.
    #[must_use]
    pub fn is_unknown_version(&self) -> bool {
        schema::find(self.key as i16).is_none_or(|api| !(api.min..=api.max).contains(&self.version))
    }
}

/// Encodes a request, length included, as a client sends it.
///
/// # Errors
/// If the request cannot be said in this version.
pub fn request<R: Request>(
    body: &R,
    version: i16,
    correlation: i32,
    client: &str,
) -> Result<Bytes, FrameError> {
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(correlation)
        .with_client_id(Some(client.to_owned().into()));
    assemble(&header, R::header_version(version), body, version)
}

/// Reads the answer to a request of type `R` from a frame without its length: correlation id and body.
/// What brokers answer each other is guarded; the rest is for tests against a broker one trusts.
///
/// # Errors
/// If the frame is not such an answer.
pub fn response<R: Request>(mut frame: Bytes, version: i16) -> Result<(i32, R::Response), FrameError> {
    let header_version =
        if R::KEY == ApiKey::ApiVersions as i16 { 0 } else { R::Response::header_version(version) };
    let header = ResponseHeader::decode(&mut frame, header_version).map_err(malformed)?;
    if let Some((shape, flexible)) = schema::response(R::KEY) {
        guard::check(&frame, shape, version, flexible)?;
    }
    let body = R::Response::decode(&mut frame, version).map_err(malformed)?;
    Ok((header.correlation_id, body))
}

/// Reads the answer to a follower's Fetch.
///
/// # Errors
/// If the frame is not such an answer.
pub fn fetch_response(frame: Bytes, version: i16) -> Result<(i32, FetchResponse), FrameError> {
    response::<kafka_protocol::messages::FetchRequest>(frame, version)
}

pub(crate) fn assemble<H: Encodable, B: Encodable>(
    header: &H,
    hv: i16,
    body: &B,
    bv: i16,
) -> Result<Bytes, FrameError> {
    let size = header.compute_size(hv).map_err(malformed)? + body.compute_size(bv).map_err(malformed)?;
    let mut out = BytesMut::with_capacity(4 + size);
    out.put_u32(0);
    header.encode(&mut out, hv).map_err(malformed)?;
    body.encode(&mut out, bv).map_err(malformed)?;
    let length = i32::try_from(out.len() - 4)
        .map_err(|_| FrameError::Length { length: i32::MAX, limit: MAX_REQUEST })?;
    out[..4].copy_from_slice(&length.to_be_bytes());
    Ok(out.freeze())
}

pub(crate) fn malformed(error: impl std::fmt::Display) -> FrameError {
    FrameError::Malformed(error.to_string())
}
