//! What became of an operation, and what the application was told of it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What is certain about an operation. An invocation without completion is [`Outcome::Unknown`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It happened.
    Ok,
    /// It certainly did not happen, and never will.
    Fail,
    /// Nobody can say; it may still happen.
    Unknown,
}

/// What the application was told of a record it handed to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Told {
    /// A broker acknowledged it.
    Acked,
    /// acks=0: it was written to a socket.
    Sent,
    /// The client reported an error (the record may be in the log all the same).
    Failed,
    /// No report came.
    Nothing,
}

/// The client library's error number; 0 is no error, negative numbers are local to librdkafka.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ErrorCode(pub i32);

impl ErrorCode {
    /// No error.
    pub const NONE: Self = Self(0);
    /// librdkafka's `_MSG_TIMED_OUT`: the client gave the record up.
    pub const MSG_TIMED_OUT: Self = Self(-192);
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
