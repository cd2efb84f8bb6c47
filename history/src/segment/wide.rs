//! Entries of the side table: length `u32`, CRC32C `u32` of length, offset and JSON, then the JSON.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::row::Place;

/// Bytes before an entry's JSON.
pub(super) const PREFIX_BYTES: usize = 8;

/// Something that cannot be an entry.
#[derive(Debug, thiserror::Error)]
pub(super) enum EncodeError {
    #[error("the note is not JSON")]
    Json(#[from] serde_json::Error),
    #[error("the note is larger than 4 GiB")]
    Large,
}

/// The entry of `wide` at byte `offset` of the side table, and its place.
pub(super) fn encode(wide: &impl Serialize, offset: u64) -> Result<(Vec<u8>, Place), EncodeError> {
    let mut entry = vec![0; PREFIX_BYTES];
    serde_json::to_writer(&mut entry, wide)?;
    let length = u32::try_from(entry.len() - PREFIX_BYTES).map_err(|_| EncodeError::Large)?;
    let place = Place { offset, length };
    let crc = checksum(place, &entry[PREFIX_BYTES..]);
    entry[..4].copy_from_slice(&length.to_le_bytes());
    entry[4..PREFIX_BYTES].copy_from_slice(&crc.to_le_bytes());
    Ok((entry, place))
}

/// Reads what is at `place` of a whole side table; `Err` says what is wrong there.
pub(super) fn decode<T: DeserializeOwned>(table: &[u8], place: Place) -> Result<T, String> {
    let start = usize::try_from(place.offset).unwrap_or(usize::MAX);
    let json = start.saturating_add(PREFIX_BYTES);
    let end = json.saturating_add(place.length as usize);
    let Some(entry) = table.get(start..end) else {
        return Err(format!("a note of {} bytes is missing: the file ends at {}", place.length, table.len()));
    };
    let (prefix, text) = entry.split_at(PREFIX_BYTES);
    if prefix[..4] != place.length.to_le_bytes() {
        return Err("a note's length does not match its row".to_owned());
    }
    if prefix[4..] != checksum(place, text).to_le_bytes() {
        return Err("a note's checksum does not match".to_owned());
    }
    serde_json::from_slice(text).map_err(|error| format!("a note cannot be read: {error}"))
}

fn checksum(place: Place, json: &[u8]) -> u32 {
    let head = crc32c::crc32c(&place.length.to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c_append(head, &place.offset.to_le_bytes()), json)
}
