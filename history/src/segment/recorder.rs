//! The writer: one per worker session, cheap enough to put every operation on record before it is made.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::event::{Event, Role};
use crate::ids::Nanos;
use crate::view::worker_name;

use super::header::{EXTENT_AT, Extent, HEADER_BYTES, Header, MAX_ROWS};
use super::mapping::Chunk;
use super::row::{self, Body, Encoded, ROW_BYTES, Referring, Wide};
use super::wide;
use super::{ROWS, WIDE};

/// First chunk of a segment; small, because most workers (and every test) write little.
const FIRST_CHUNK: u64 = 256 * 1024;
/// Chunks double up to this size.
const LARGEST_CHUNK: u64 = 16 * 1024 * 1024;

/// A segment could not be written. A recording failure ends the run: what is not on record cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The operating system refused (disk full, file size limit, no permission).
    #[error("failed to {action} `{path}` (free some space, or pass another --results DIR)")]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// There is a segment of this worker and session already; it is never overwritten.
    #[error("failed to create `{path}`: this session is on record already (start a new session)")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The size guard: no new invocation is taken, so the load must stop.
    #[error("failed to record to `{path}`: it has reached {max_bytes} bytes (raise --max-disk)")]
    SizeGuard {
        /// The file.
        path: PathBuf,
        /// The limit.
        max_bytes: u64,
    },
    /// A note that cannot be written as JSON.
    #[error("failed to record a note to `{path}`: {reason}")]
    Note {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// Puts a worker's events on record. What [`Recorder::record`] returned from survives SIGKILL of this
/// process; it does not survive power loss of the host.
#[derive(Debug)]
pub struct Recorder {
    writer: Option<Writer>,
}

impl Recorder {
    /// Creates the segment of a worker's session in `dir`, which must exist. `max_bytes` is the size guard
    /// (see [`Recorder::record`]).
    ///
    /// The process must ignore or block SIGXFSZ, or a file size limit ends it instead of failing here.
    ///
    /// # Errors
    /// [`RecordError::Exists`] if this session has a segment already, [`RecordError::Io`] if the disk is
    /// full or the directory cannot be written to.
    pub fn create(
        dir: &Path,
        role: Role,
        index: u32,
        session: u32,
        max_bytes: u64,
    ) -> Result<Self, RecordError> {
        Writer::create(dir, role, index, session, max_bytes).map(|writer| Self { writer: Some(writer) })
    }

    /// A recorder that records nothing: the other arm of the benchmark that measures what recording costs.
    #[must_use]
    pub const fn disabled() -> Self {
        Self { writer: None }
    }

    /// Puts one event on record. `at` is stamped before the call for an invocation, after it for a
    /// completion. Frequent events make no system call except when a chunk is full.
    ///
    /// # Errors
    /// [`RecordError::SizeGuard`] if the segment has reached its `max_bytes` and the event would begin new
    /// work (a `SendInvoked`), which then must not be done; everything else is still taken, so that what
    /// is in flight can be put on record, up to twice that size. [`RecordError::Io`] if the disk is full.
    pub fn record(&mut self, at: Nanos, event: &Event) -> Result<(), RecordError> {
        match &mut self.writer {
            Some(writer) => writer.record(at, event),
            None => Ok(()),
        }
    }

    /// Bytes recorded so far (not: allocated), both files together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.writer.as_ref().map_or(0, Writer::bytes)
    }
}

#[derive(Debug)]
struct Writer {
    rows: File,
    rows_path: PathBuf,
    wide: File,
    wide_path: PathBuf,
    /// The part of `rows` that is written to now.
    chunk: Chunk,
    /// Next free slot of the chunk.
    slot: usize,
    /// Rows committed.
    count: u32,
    /// Bytes of `rows` that are allocated.
    allocated: u64,
    next_chunk: u64,
    wide_bytes: u64,
    max_bytes: u64,
}

impl Writer {
    fn create(dir: &Path, role: Role, index: u32, session: u32, max_bytes: u64) -> Result<Self, RecordError> {
        let name = worker_name(role, index, session);
        let rows_path = dir.join(format!("{name}.{ROWS}"));
        let wide_path = dir.join(format!("{name}.{WIDE}"));
        // The side table comes first, and exclusively: it is the claim on this name.
        let wide = match OpenOptions::new().write(true).create_new(true).open(&wide_path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(RecordError::Exists { path: wide_path });
            }
            Err(source) => return Err(RecordError::Io { action: "create", path: wide_path, source }),
        };
        let created = Self::create_rows(&rows_path, Header::new(role, index, session), max_bytes);
        let (rows, chunk, allocated) = match created {
            Ok(created) => created,
            Err(error) => {
                // Nothing is on record; an empty claim would only keep the name from the next attempt.
                let _ = fs::remove_file(&wide_path);
                return Err(error);
            }
        };
        Ok(Self {
            rows,
            rows_path,
            wide,
            wide_path,
            chunk,
            slot: HEADER_BYTES / ROW_BYTES,
            count: 0,
            allocated,
            next_chunk: FIRST_CHUNK * 2,
            wide_bytes: 0,
            max_bytes,
        })
    }

    /// The file of rows appears under its name with its header whole, or not at all.
    fn create_rows(path: &Path, header: Header, max_bytes: u64) -> Result<(File, Chunk, u64), RecordError> {
        let draft = path.with_extension("rows-new");
        let result = (|| {
            let failed = |action| {
                let path = path.to_owned();
                move |source| RecordError::Io { action, path, source }
            };
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(true)
                .open(&draft)
                .map_err(failed("create"))?;
            let bytes = FIRST_CHUNK.min(whole_rows(max_bytes)).max(HEADER_BYTES as u64 + ROW_BYTES as u64);
            allocate(&file, 0, bytes).map_err(failed("allocate room for"))?;
            file.write_all_at(&header.encode(allocated_extent(bytes)), 0).map_err(failed("write"))?;
            let chunk = Chunk::map(&file, 0, bytes as usize).map_err(failed("map"))?;
            fs::rename(&draft, path).map_err(failed("create"))?;
            Ok((file, chunk, bytes))
        })();
        if result.is_err() {
            let _ = fs::remove_file(&draft);
        }
        result
    }

    fn bytes(&self) -> u64 {
        HEADER_BYTES as u64 + u64::from(self.count) * ROW_BYTES as u64 + self.wide_bytes
    }

    fn record(&mut self, at: Nanos, event: &Event) -> Result<(), RecordError> {
        let begins_work = matches!(event, Event::SendInvoked { .. });
        let limit = if begins_work { self.max_bytes } else { self.max_bytes.saturating_mul(2) };
        match row::encode(at, event) {
            Encoded::Row(body) => {
                self.guard(ROW_BYTES as u64, limit)?;
                self.commit(&body)
            }
            Encoded::Wide(wide, row) => self.wide(&wide, row, limit),
        }
    }

    fn wide(&mut self, wide: &Wide<'_>, row: Referring, limit: u64) -> Result<(), RecordError> {
        let (entry, place) = wide::encode(wide, self.wide_bytes)
            .map_err(|error| RecordError::Note { path: self.wide_path.clone(), reason: error.to_string() })?;
        self.guard((entry.len() + ROW_BYTES) as u64, limit)?;
        // At its offset, not appended: after a failed write the next note begins where this one should have.
        self.wide.write_all_at(&entry, place.offset).map_err(|source| RecordError::Io {
            action: "write",
            path: self.wide_path.clone(),
            source,
        })?;
        self.wide_bytes += entry.len() as u64;
        self.commit(&row.to(place))
    }

    fn guard(&self, more: u64, limit: u64) -> Result<(), RecordError> {
        if self.bytes() + more > limit {
            return Err(RecordError::SizeGuard { path: self.rows_path.clone(), max_bytes: self.max_bytes });
        }
        Ok(())
    }

    fn commit(&mut self, body: &Body) -> Result<(), RecordError> {
        if self.slot == self.chunk.rows() {
            self.grow()?;
        }
        self.chunk.commit(self.slot, body, row::commit_word(body, self.count));
        self.slot += 1;
        self.count += 1;
        Ok(())
    }

    #[cold]
    fn grow(&mut self) -> Result<(), RecordError> {
        // Preallocation stays below the limit too: a small limit is there because the disk is small.
        let limit = whole_rows(self.max_bytes.saturating_mul(2)).max(self.allocated + ROW_BYTES as u64);
        let bytes = self.next_chunk.min(limit - self.allocated);
        let total = self.allocated + bytes;
        if total / ROW_BYTES as u64 > u64::from(MAX_ROWS) {
            return Err(RecordError::SizeGuard { path: self.rows_path.clone(), max_bytes: total });
        }
        let failed = |action| {
            let path = self.rows_path.clone();
            move |source| RecordError::Io { action, path, source }
        };
        allocate(&self.rows, self.allocated, bytes).map_err(failed("allocate room for"))?;
        let chunk = Chunk::map(&self.rows, self.allocated, bytes as usize).map_err(failed("map"))?;
        // From here on a file shorter than this has lost something.
        let extent = allocated_extent(total).word().to_le_bytes();
        self.rows.write_all_at(&extent, EXTENT_AT as u64).map_err(failed("write"))?;
        self.chunk = chunk;
        self.slot = 0;
        self.allocated = total;
        self.next_chunk = (self.next_chunk * 2).min(LARGEST_CHUNK);
        Ok(())
    }
}

impl Drop for Writer {
    /// Seals the segment and gives back its unused tail. Best effort: without it the segment is merely
    /// longer, and read as one whose writer died.
    fn drop(&mut self) {
        let sealed = Extent { rows: self.count, sealed: true }.word().to_le_bytes();
        if self.rows.write_all_at(&sealed, EXTENT_AT as u64).is_ok() {
            let used = HEADER_BYTES as u64 + u64::from(self.count) * ROW_BYTES as u64;
            let _ = self.rows.set_len(used);
        }
    }
}

const fn whole_rows(bytes: u64) -> u64 {
    bytes / ROW_BYTES as u64 * ROW_BYTES as u64
}

fn allocated_extent(bytes: u64) -> Extent {
    let rows = (bytes - HEADER_BYTES as u64) / ROW_BYTES as u64;
    Extent { rows: u32::try_from(rows).expect("checked against the highest number of rows"), sealed: false }
}

/// Makes sure that storing to this stretch of a file cannot fail for want of room.
fn allocate(file: &File, offset: u64, length: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use nix::errno::Errno;
        use nix::fcntl::{FallocateFlags, fallocate};
        let refused = |_| io::Error::from(io::ErrorKind::FileTooLarge);
        let (from, bytes) = (offset.try_into().map_err(refused)?, length.try_into().map_err(refused)?);
        loop {
            match fallocate(file, FallocateFlags::empty(), from, bytes) {
                Ok(()) => return Ok(()),
                Err(Errno::EINTR) => {}
                // Some file systems (NFS 3, some overlays) cannot; zeros take the same room.
                Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
    let zeros = [0; 64 * 1024];
    let mut done = 0;
    while done < length {
        let bytes = (length - done).min(zeros.len() as u64);
        file.write_all_at(&zeros[..bytes as usize], offset + done)?;
        done += bytes;
    }
    Ok(())
}
