//! A file, line by line, in bounded memory.

use std::io::{BufRead, BufReader, Read};

use super::{Model, Operations, OperationsError, Reason, line};

/// A line may have this many bytes.
pub const LINE_BYTES_MAX: usize = 8 << 20;

/// Reads operations of a model from JSON Lines; `file` is what errors call the source. Empty lines are passed
/// over; a byte order mark and carriage returns do no harm.
///
/// Memory: what the operations need (about 60 bytes each and every distinct text once) and one line.
///
/// # Errors
/// The source cannot be read, or a line is no operation of the model; the first such line is named.
pub fn read(source: impl Read, file: &str, model: Model) -> Result<Operations, OperationsError> {
    let mut source = BufReader::with_capacity(1 << 20, source);
    let mut operations = Operations::new(model);
    let mut text = Vec::new();
    let mut number = 0_u64;
    loop {
        text.clear();
        number += 1;
        let in_line = |reason| OperationsError::Line { file: file.to_owned(), line: number, reason };
        let limit = LINE_BYTES_MAX as u64 + 2;
        let read = source
            .by_ref()
            .take(limit)
            .read_until(b'\n', &mut text)
            .map_err(|source| OperationsError::Io { file: file.to_owned(), source })?;
        if read == 0 {
            return Ok(operations);
        }
        let mut bytes = text.strip_suffix(b"\n").unwrap_or(&text);
        if bytes.len() > LINE_BYTES_MAX {
            return Err(in_line(Reason::TooLong(LINE_BYTES_MAX)));
        }
        if number == 1 {
            bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        }
        let bytes = bytes.trim_ascii();
        if bytes.is_empty() {
            continue;
        }
        let place = u32::try_from(number).map_err(|_| in_line(Reason::TooMany("lines")))?;
        line::read_line(bytes, place, &mut operations).map_err(in_line)?;
    }
}
