//! The reader of one segment: plain reads, every row checked on its own, and whatever is not whole named
//! by file and offset.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::event::{EndedOperation, Event};
use crate::ids::Nanos;
use crate::load::LoadError;
use crate::view::{Damage, Ended, Value};

use super::header::{BadHeader, Extent, HEADER_BYTES, Header};
use super::row::{self, BODY_BYTES, Body, Content, Place, ROW_BYTES, WideOperation};
use super::{WIDE, wide};

/// Rows read at a time.
const BATCH_ROWS: usize = 4096;

/// Reads the segment whose rows are in `path` and hands each event to `each`, in order, with the byte
/// offset of its row and its time. What is not whole goes to `damage`, and reading goes on behind it.
///
/// Returns whose segment it is, unless the header is damaged (then there are no events).
pub(crate) fn read(
    path: &Path,
    damage: &mut Vec<Damage>,
    mut each: impl FnMut(&mut Vec<Damage>, u64, Nanos, Event),
) -> Result<Option<Header>, LoadError> {
    let failed = |action, path: &Path| {
        let path = path.to_owned();
        move |source| LoadError::Io { action, path, source }
    };
    let mut file = File::open(path).map_err(failed("open", path))?;
    let bytes = file.metadata().map_err(failed("read", path))?.len();
    let mut reporter = Reporter { file: file_name(path), damage };

    let mut head = [0; HEADER_BYTES];
    let got = fill(&mut file, &mut head).map_err(failed("read", path))?;
    if got < HEADER_BYTES {
        reporter.report(got as u64, "the file ends within its header".to_owned());
        return Ok(None);
    }
    let (header, extent) = match Header::decode(&head) {
        Ok(decoded) => decoded,
        Err(BadHeader::Version(found)) => return Err(LoadError::version(path, found)),
        Err(BadHeader::Damaged(at, what)) => {
            reporter.report(at, what);
            return Ok(None);
        }
    };
    if bytes < row_offset(extent.rows) {
        reporter
            .report(bytes, format!("the file ends here, before row {} of {}", row_at(bytes), extent.rows));
    }

    let mut table = Table::of(path)?;
    let mut rows = Rows { extent, next: 0, empty: None, bad: None };
    let mut batch = vec![0; BATCH_ROWS * ROW_BYTES];
    loop {
        let got = fill(&mut file, &mut batch).map_err(failed("read", path))?;
        for bytes in batch[..got].chunks_exact(ROW_BYTES) {
            if rows.next == extent.rows {
                break;
            }
            let at = row_offset(rows.next);
            let Some(body) = rows.take(bytes, &mut reporter) else { continue };
            match row::decode(&body) {
                Ok((time, Content::Event(event))) => each(reporter.damage, at, time, event),
                Ok((time, content)) => {
                    if let Some(event) = table.event(content, reporter.damage) {
                        each(reporter.damage, at, time, event);
                    }
                }
                Err(what) => reporter.report(at, format!("{what} (recorded by a newer highwater)")),
            }
        }
        if got < batch.len() || rows.next == extent.rows {
            break;
        }
    }
    rows.end(&mut reporter);
    Ok(Some(header))
}

/// Tells committed rows from empty and from damaged ones.
struct Rows {
    extent: Extent,
    /// Number of the next row.
    next: u32,
    /// First of the empty rows just before `next`.
    empty: Option<u32>,
    /// First and number of the damaged rows just before `next`.
    bad: Option<(u32, u32)>,
}

impl Rows {
    /// The next row, if it is committed and whole.
    fn take(&mut self, bytes: &[u8], reporter: &mut Reporter<'_>) -> Option<Body> {
        let number = self.next;
        self.next += 1;
        let (body, word) = bytes.split_at(BODY_BYTES);
        let body: Body = body.try_into().expect("a row's body");
        let word = u64::from_le_bytes(word.try_into().expect("a row's commit word"));
        if word == 0 {
            self.flush_bad(reporter);
            self.empty.get_or_insert(number);
            return None;
        }
        if word != row::commit_word(&body, number) {
            let (_, rows) = self.bad.get_or_insert((number, 0));
            *rows += 1;
            return None;
        }
        self.flush_bad(reporter);
        if let Some(first) = self.empty.take() {
            reporter.report(row_offset(first), "an uncommitted row is followed by committed ones".to_owned());
        }
        Some(body)
    }

    /// An uncommitted row at the end is how a killed writer leaves its file; a sealed one has none.
    fn end(mut self, reporter: &mut Reporter<'_>) {
        self.flush_bad(reporter);
        if let (true, Some(first)) = (self.extent.sealed, self.empty) {
            reporter.report(row_offset(first), "an uncommitted row in a sealed segment".to_owned());
        }
    }

    fn flush_bad(&mut self, reporter: &mut Reporter<'_>) {
        match self.bad.take() {
            Some((first, 1)) => {
                reporter.report(row_offset(first), "a row's checksum does not match".to_owned())
            }
            Some((first, rows)) => {
                reporter.report(row_offset(first), format!("the checksums of {rows} rows do not match"));
            }
            None => {}
        }
    }
}

/// The side table, whole.
struct Table {
    file: String,
    /// `None` if there is no such file (reported once).
    bytes: Option<Vec<u8>>,
    missing_reported: bool,
}

impl Table {
    fn of(rows: &Path) -> Result<Self, LoadError> {
        let path = rows.with_extension(WIDE);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(LoadError::Io { action: "read", path, source }),
        };
        Ok(Self { file: file_name(&path), bytes, missing_reported: false })
    }

    /// The event of a row, with what the side table has of it.
    fn event(&mut self, content: Content, damage: &mut Vec<Damage>) -> Option<Event> {
        Some(match content {
            Content::Event(event) => event,
            Content::Note(place) => Event::Note(self.entry(place, damage)?),
            Content::Text(place) => Event::SourceValue(Value::Text(self.entry(place, damage)?)),
            Content::Wide(ended, place) => {
                let WideOperation { detail, runs } = self.entry(place, damage)?;
                let ended = Ended { detail, ..ended };
                Event::OperationEnded(Box::new(EndedOperation { ended, runs }))
            }
        })
    }

    fn entry<T: DeserializeOwned>(&mut self, place: Place, damage: &mut Vec<Damage>) -> Option<T> {
        let mut reporter = Reporter { file: self.file.clone(), damage };
        let Some(bytes) = &self.bytes else {
            if !self.missing_reported {
                reporter.report(place.offset, "the side table is missing, and notes with it".to_owned());
                self.missing_reported = true;
            }
            return None;
        };
        wide::decode(bytes, place).map_err(|what| reporter.report(place.offset, what)).ok()
    }
}

struct Reporter<'a> {
    file: String,
    damage: &'a mut Vec<Damage>,
}

impl Reporter<'_> {
    fn report(&mut self, at: u64, what: String) {
        self.damage.push(Damage { file: self.file.clone(), at, what });
    }
}

/// The last part of a path, as damage names it: a run directory may have been moved.
pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn row_offset(number: u32) -> u64 {
    HEADER_BYTES as u64 + u64::from(number) * ROW_BYTES as u64
}

fn row_at(offset: u64) -> u64 {
    (offset - HEADER_BYTES as u64) / ROW_BYTES as u64
}

/// Reads until `buffer` is full or the file ends; returns how much.
fn fill(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match file.read(&mut buffer[got..]) {
            Ok(0) => break,
            Ok(more) => got += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}
