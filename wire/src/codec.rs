//! Compression and decompression of record batches, in Kafka's four codecs, each at its usual level.
//!
//! What comes out of decompression is bounded, whatever a header claims: a few hostile bytes must not become
//! gigabytes.

use std::io::{self, Read, Write};

/// Most bytes the records of one batch may have: what Kafka's clients accept is far below.
pub(crate) const MAX_RECORDS: u64 = 256 << 20;

/// The magic with which the Java library frames snappy (xerial), and its length with version and compatibility.
const XERIAL: &[u8] = b"\x82SNAPPY\0";
const XERIAL_HEADER: usize = 16;
/// What follows the magic: version 1, compatible with 1.
const XERIAL_VERSIONS: &[u8] = &[0, 0, 0, 1, 0, 0, 0, 1];
/// Bytes of a block in that framing, as the Java library cuts them.
const XERIAL_BLOCK: usize = 32 << 10;

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

/// The records of a batch in a codec; `codec` is Kafka's number.
///
/// # Errors
/// If the codec is unknown.
pub(crate) fn compress(codec: i16, bytes: &[u8]) -> io::Result<Vec<u8>> {
    match codec {
        0 => Ok(bytes.to_vec()),
        1 => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(bytes)?;
            encoder.finish()
        }
        2 => {
            let mut out = [XERIAL, XERIAL_VERSIONS].concat();
            for block in bytes.chunks(XERIAL_BLOCK) {
                let block = snap::raw::Encoder::new().compress_vec(block).map_err(io::Error::other)?;
                let length = i32::try_from(block.len()).map_err(io::Error::other)?;
                out.extend(length.to_be_bytes());
                out.extend(block);
            }
            Ok(out)
        }
        3 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(bytes)?;
            encoder.finish().map_err(io::Error::other)
        }
        4 => {
            let level = ruzstd::encoding::CompressionLevel::Fastest;
            Ok(ruzstd::encoding::compress_to_vec(bytes, level))
        }
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
