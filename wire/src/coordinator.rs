//! Who coordinates a consumer group: FindCoordinator as a client asks it, and the rule behind the answer.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::FindCoordinatorRequest;
use kafka_protocol::protocol::StrBytes;

use crate::frame::{self, FrameError};

/// The version that is asked for: the last with one key a question, which Kafka 2.4 and later know.
const VERSION: i16 = 3;
/// More than an answer ever has.
const ANSWER_MAX: usize = 1 << 20;
/// Groups, not transactions.
const GROUP: i8 = 0;

/// The topic whose partitions' leaders coordinate groups.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";
/// Its partitions, where nothing else is set (`offsets.topic.num.partitions`).
pub const OFFSETS_PARTITIONS: u32 = 50;

/// The partition of [`OFFSETS_TOPIC`] whose leader coordinates a group: Java's `String.hashCode`, made positive as
/// Kafka does it, modulo the partitions.
#[must_use]
pub fn partition_of(group: &str, partitions: u32) -> u32 {
    let hash =
        group.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    hash.checked_abs().unwrap_or(0).unsigned_abs() % partitions.max(1)
}

/// The question about a group, length included. Brokers may create [`OFFSETS_TOPIC`] to answer it.
///
/// # Errors
/// If the name cannot be said.
pub fn question(group: &str) -> Result<Bytes, FrameError> {
    let body = FindCoordinatorRequest::default()
        .with_key(StrBytes::from_string(group.to_owned()))
        .with_key_type(GROUP);
    frame::request(&body, VERSION, 0, "highwater-watch")
}

/// Cuts the answer from what has been read so far; `None` means more bytes are needed, and `Some(None)` that
/// the broker knows of no coordinator just now.
///
/// # Errors
/// If the frame is too long, or no such answer.
pub fn answer(buffer: &mut BytesMut) -> Result<Option<Option<i32>>, FrameError> {
    let Some(frame) = frame::split(buffer, ANSWER_MAX)? else { return Ok(None) };
    let (_, body) = frame::response::<FindCoordinatorRequest>(frame, VERSION)?;
    Ok(Some((body.error_code == 0 && body.node_id.0 >= 0).then_some(body.node_id.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a Java client computes them.
    #[test]
    fn a_groups_partition_is_kafkas() {
        assert_eq!(partition_of("abc", 50), 96_354 % 50);
        assert_eq!(partition_of("highwater", 50), 671_277_899 % 50);
        assert_eq!(partition_of("", 50), 0);
        assert_eq!(partition_of("abc", 0), 0);
    }

    #[test]
    fn an_answer_is_cut_when_it_is_whole() {
        let mut buffer = BytesMut::from(&question("g").expect("a group").as_ref()[..3]);
        assert!(matches!(answer(&mut buffer), Ok(None)));
    }
}
