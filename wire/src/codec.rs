//! Decompression of record batches. Nothing here compresses: a batch that is rewritten is stored plain.
//!
//! What comes out is bounded, whatever a header claims: a few hostile bytes must not become gigabytes.

use std::io::{self, Read};

/// Most bytes the records of one batch may have: what Kafka's clients accept is far below.
pub(crate) const MAX_RECORDS: u64 = 256 << 20;

/// The magic with which the Java library frames snappy (xerial), and its length with version and compatibility.
const XERIAL: &[u8] = b"\x82SNAPPY\0";
const XERIAL_HEADER: usize = 16;

/// The records of a batch as they were before compression; `codec` is Kafka's number.
///
/// # Errors
/// If the codec is unknown, the bytes are not its output, or there is too much of it.
pub(crate) fn decompress(codec: i16, bytes: &[u8]) -> io::Result<Vec<u8>> {
    match codec {
        0 => Ok(bytes.to_vec()),
        1 => bounded(flate2::read::MultiGzDecoder::new(bytes)),
        2 => snappy(bytes),
        3 => bounded(lz4_flex::frame::FrameDecoder::new(bytes)),
        4 => bounded(ruzstd::decoding::StreamingDecoder::new(bytes).map_err(io::Error::other)?),
        _ => Err(io::Error::other(format!("there is no codec {codec}"))),
    }
}

fn bounded(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let read = reader.take(MAX_RECORDS + 1).read_to_end(&mut out)?;
    if read as u64 > MAX_RECORDS { Err(too_much()) } else { Ok(out) }
}

/// Raw snappy, or blocks of it in xerial's framing.
fn snappy(bytes: &[u8]) -> io::Result<Vec<u8>> {
    if !bytes.starts_with(XERIAL) {
        return block(bytes);
    }
    let mut rest = bytes.get(XERIAL_HEADER..).ok_or_else(cut_off)?;
    let mut out = Vec::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<4>().ok_or_else(cut_off)?;
        let length = usize::try_from(i32::from_be_bytes(*length)).map_err(io::Error::other)?;
        let (one, after) = after.split_at_checked(length).ok_or_else(cut_off)?;
        out.extend(block(one)?);
        if out.len() as u64 > MAX_RECORDS {
            return Err(too_much());
        }
        rest = after;
    }
    Ok(out)
}

fn block(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let length = snap::raw::decompress_len(bytes).map_err(io::Error::other)?;
    if length as u64 > MAX_RECORDS {
        return Err(too_much());
    }
    snap::raw::Decoder::new().decompress_vec(bytes).map_err(io::Error::other)
}

fn cut_off() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "compressed records are cut off")
}

fn too_much() -> io::Error {
    io::Error::other(format!("records of more than {MAX_RECORDS} bytes"))
}
