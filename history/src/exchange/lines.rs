//! Lines of a file of any size, in bounded memory: blocks are read, checked to be UTF-8 once, and cut at
//! line ends.

use std::io::{self, Read};

/// Bytes read at a time; a longer line makes the buffer grow.
const BLOCK: usize = 1 << 18;

/// No line is longer: an operation of half a million records fits, and a file without line ends does not
/// fill the memory.
pub(crate) const LINE_BYTES_MAX: usize = 8 << 20;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Why the lines ended early.
#[derive(Debug)]
pub(crate) enum Stop<E> {
    /// The source could not be read.
    Io(io::Error),
    /// A line is not what it should be.
    Line(u64, E),
}

/// Calls `take` with the number (from 1) and the text of every line that holds anything but white space,
/// without line end (`\n` or `\r\n`) and without byte order mark. Returns how many bytes were read.
///
/// # Errors
/// If reading fails, a line is not UTF-8 or too long, or `take` fails.
pub(crate) fn each<E: From<String>>(
    mut source: impl Read,
    mut take: impl FnMut(u64, &str) -> Result<(), E>,
) -> Result<u64, Stop<E>> {
    let mut buffer = vec![0; BLOCK];
    let (mut filled, mut number, mut total) = (0, 0, 0);
    loop {
        if filled == buffer.len() {
            buffer.resize((filled * 2).min(LINE_BYTES_MAX + BLOCK), 0);
        }
        let read = match source.read(&mut buffer[filled..]) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Stop::Io(error)),
        };
        let fresh = filled;
        let first = total == fresh as u64;
        filled += read;
        total += read as u64;
        let whole = match memchr::memrchr(b'\n', &buffer[fresh..filled]) {
            _ if read == 0 => filled,
            Some(end) => fresh + end + 1,
            None if filled > LINE_BYTES_MAX => return Err(too_long(number + 1)),
            None => continue,
        };
        let skip = if first && buffer[..whole].starts_with(BOM) { BOM.len() } else { 0 };
        cut(&buffer[skip..whole], &mut number, &mut take)?;
        if read == 0 {
            return Ok(total);
        }
        buffer.copy_within(whole..filled, 0);
        filled -= whole;
    }
}

/// Hands out the lines of a block; its last one may lack an end.
fn cut<E: From<String>>(
    block: &[u8],
    number: &mut u64,
    take: &mut impl FnMut(u64, &str) -> Result<(), E>,
) -> Result<(), Stop<E>> {
    let (text, broken) = match std::str::from_utf8(block) {
        Ok(text) => (text, false),
        // What comes before the damage is read all the same, so that the first mistake is the one reported.
        Err(error) => {
            let sound = &block[..error.valid_up_to()];
            let whole = memchr::memrchr(b'\n', sound).map_or(0, |end| end + 1);
            (std::str::from_utf8(&sound[..whole]).unwrap_or_default(), true)
        }
    };
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', text.as_bytes()).chain([text.len()]) {
        if start < text.len() {
            let line = &text[start..end];
            let line = line.strip_suffix('\r').unwrap_or(line);
            *number += 1;
            if line.len() > LINE_BYTES_MAX {
                return Err(too_long(*number));
            }
            if !line.trim_ascii_start().is_empty() {
                take(*number, line).map_err(|error| Stop::Line(*number, error))?;
            }
        }
        start = end + 1;
    }
    if broken {
        return Err(Stop::Line(*number + 1, "it is not UTF-8".to_owned().into()));
    }
    Ok(())
}

fn too_long<E: From<String>>(number: u64) -> Stop<E> {
    Stop::Line(number, format!("it is longer than {} MiB", LINE_BYTES_MAX >> 20).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A source that gives a few bytes at a time, so that lines and characters are cut everywhere.
    struct Drips<'a>(&'a [u8], usize);

    impl Read for Drips<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    type Numbered = (u64, String);

    fn read(bytes: &[u8], step: usize) -> (Vec<Numbered>, Option<Numbered>) {
        let mut lines = Vec::new();
        let stop = each::<String>(Drips(bytes, step), |number, line| {
            lines.push((number, line.to_owned()));
            Ok(())
        });
        (
            lines,
            stop.err().map(|stop| match stop {
                Stop::Line(line, why) => (line, why),
                Stop::Io(error) => panic!("{error}"),
            }),
        )
    }

    #[test]
    fn ends_marks_and_empty_lines_are_no_content() {
        for step in [1, 2, 3, 1000] {
            let (lines, stop) = read("\u{feff}a\r\n\n \r\nbü\nc".as_bytes(), step);
            assert_eq!(stop, None);
            assert_eq!(lines, [(1, "a".to_owned()), (4, "bü".to_owned()), (5, "c".to_owned())]);
            assert_eq!(read(b"", step), (Vec::new(), None));
        }
    }

    #[test]
    fn damage_is_named_by_its_line() {
        let (lines, stop) = read(b"a\nb\n\xff\nd\n", 1000);
        assert_eq!((lines.len(), stop), (2, Some((3, "it is not UTF-8".to_owned()))));
        let long = [b"a\n".as_slice(), &vec![b'x'; LINE_BYTES_MAX + 1], b"\nb"].concat();
        for step in [1 << 16, usize::MAX] {
            let (lines, stop) = read(&long, step);
            assert_eq!((lines.len(), stop), (1, Some((2, "it is longer than 8 MiB".to_owned()))));
        }
        let fits = vec![b'x'; LINE_BYTES_MAX];
        assert_eq!(read(&fits, usize::MAX).1, None);
    }
}
