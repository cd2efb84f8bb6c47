//! One segment file and the positions of its batches. The index is dense and in memory only: recovery reads
//! every batch anyway, to check it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, IoSlice, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use wire::batch::{HEADER, Header, PATCHED};
use wire::power::{self, Note};

use super::{Doing, StorageError};
use crate::core::{BatchInfo, SegmentFacts};

/// Buffer for a pass over headers: many small batches are read at once, the bodies of large ones never.
const HEADERS: usize = 8 << 10;

/// Where a batch lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) base_offset: i64,
    pub(super) end_offset: i64,
    pub(super) leader_epoch: i32,
    pub(super) max_timestamp: i64,
    pub(super) at: u64,
    /// Compaction has left nothing of it but its offsets and sequence numbers.
    pub(super) empty: bool,
}

impl Place {
    /// Where a batch lies that is stored under this offset and epoch.
    pub(super) fn of(header: &Header, base_offset: i64, leader_epoch: i32, at: u64) -> Self {
        Self {
            base_offset,
            end_offset: base_offset + i64::from(header.last_offset_delta) + 1,
            leader_epoch,
            max_timestamp: header.max_timestamp,
            at,
            empty: header.count == 0,
        }
    }
}

/// A file of batches.
pub(super) struct Segment {
    pub(super) base_offset: i64,
    pub(super) size: u64,
    pub(super) places: Vec<Place>,
    path: PathBuf,
    /// Open while it is written to, its cursor at the end: appends go there, reads name their position. Of the
    /// others there may be more than a process may hold open.
    file: Option<File>,
    synced: u64,
    /// Holds the synced length, for whoever plays power failure.
    note: Note,
}

impl Segment {
    /// An empty segment.
    pub(super) fn create(folder: &Path, base_offset: i64) -> Result<Self, StorageError> {
        let path = folder.join(format!("{base_offset:020}.log"));
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path);
        let file = file.doing("create", &path)?;
        // The note of an older segment of that name must not speak for it.
        let mut note = Note::beside(&path);
        note.remove().doing("remove the note of", &path)?;
        Ok(Self { base_offset, size: 0, places: Vec::new(), path, file: Some(file), synced: 0, note })
    }

    /// Reads a segment from disk, batch by batch, and cuts it at the first that is torn, damaged or does not
    /// continue the offsets. Says what was cut, if anything. Of batches below `trusted`, which are known to be
    /// durable and good, only the headers are read.
    pub(super) fn recover(
        path: &Path,
        base_offset: i64,
        trusted: i64,
        batches: &mut Vec<BatchInfo>,
    ) -> Result<(Self, Option<String>), StorageError> {
        let mut file = OpenOptions::new().read(true).write(true).open(path).doing("open", path)?;
        let length = file.metadata().doing("read", path)?.len();
        let mut segment = Self {
            base_offset,
            size: 0,
            places: Vec::new(),
            path: path.to_owned(),
            file: None,
            synced: 0,
            note: Note::beside(path),
        };
        let mut cut = None;
        let mut next_offset = base_offset;
        let mut buffer = Vec::new();
        let mut headers = BufReader::with_capacity(HEADERS, file.try_clone().doing("open", path)?);
        while next_offset < trusted
            && let Some(header) =
                known_batch(&mut headers, length - segment.size, trusted, &mut buffer).doing("read", path)?
        {
            if header.base_offset < next_offset {
                break;
            }
            segment.place(&header, header.base_offset, header.leader_epoch);
            next_offset = header.last_offset() + 1;
            batches.push(BatchInfo::read(&header, &buffer));
        }
        file.seek(SeekFrom::Start(segment.size)).doing("seek", path)?;
        let mut reader = BufReader::with_capacity(1 << 20, file.try_clone().doing("open", path)?);
        while segment.size < length {
            let found = next_batch(&mut reader, length - segment.size, &mut buffer).doing("read", path)?;
            match found {
                Ok(header) if header.base_offset >= next_offset => {
                    segment.place(&header, header.base_offset, header.leader_epoch);
                    next_offset = header.last_offset() + 1;
                    batches.push(BatchInfo::read(&header, &buffer));
                }
                Ok(header) => {
                    cut = Some(format!("offset {} after {}", header.base_offset, next_offset - 1));
                }
                Err(reason) => cut = Some(reason.to_string()),
            }
            if cut.is_some() {
                break;
            }
        }
        if cut.is_some() {
            file.set_len(segment.size).doing("truncate", path)?;
        }
        let noted = segment.note.read();
        segment.synced = noted.min(segment.size);
        if segment.synced < noted {
            segment.write_note()?;
        }
        let cut = cut.map(|reason| {
            format!("`{}`: cut {} bytes at {}: {reason}", path.display(), length - segment.size, segment.size)
        });
        Ok((segment, cut))
    }

    /// Takes a compacted file in the place of this segment, and of those whose records it holds too. Until the
    /// name has changed the old file counts, after that the new one; at no time is there neither.
    pub(super) fn replaced(
        mut self,
        aside: &Path,
        places: Vec<Place>,
        size: u64,
    ) -> Result<Self, StorageError> {
        let path = &self.path;
        // It has been synced. The note must not speak for too little of either file.
        self.note.write(self.synced.max(size)).doing("write the note of", path)?;
        fs::rename(aside, path).doing("rename", aside)?;
        power::sync_folder(path).doing("sync the folder of", path)?;
        self.note.write(size).doing("write the note of", path)?;
        let mut fresh = Self { file: None, places, size, synced: size, ..self };
        fresh.seal();
        Ok(fresh)
    }

    /// What the rules of cleaning want to know of it.
    pub(super) fn facts(&self) -> SegmentFacts {
        SegmentFacts {
            base: self.base_offset,
            end: self.end_offset(),
            bytes: self.size,
            first_ms: self.places.first().map_or(-1, |place| place.max_timestamp),
            newest_ms: self.places.iter().map(|place| place.max_timestamp).max().unwrap_or(-1),
        }
    }

    /// The offset up to which it is durable.
    pub(super) fn durable(&self) -> i64 {
        let after = self.places.partition_point(|place| place.at < self.synced);
        self.places.get(after).map_or_else(|| self.end_offset(), |place| place.base_offset)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The folder has another name now.
    pub(super) fn moved(&mut self, folder: &Path) {
        if let Some(name) = self.path.file_name() {
            self.path = folder.join(name);
            self.note = Note::beside(&self.path);
        }
    }

    /// Offset after the last record.
    pub(super) fn end_offset(&self) -> i64 {
        self.places.last().map_or(self.base_offset, |place| place.end_offset)
    }

    /// Nothing will be written to it before it is cut.
    pub(super) fn seal(&mut self) {
        self.file = None;
        self.note = Note::beside(&self.path);
    }

    /// The file, to be written to.
    fn writer(&mut self) -> Result<&mut File, StorageError> {
        let file = match self.file.take() {
            Some(file) => file,
            None => {
                let mut file =
                    OpenOptions::new().read(true).write(true).open(&self.path).doing("open", &self.path)?;
                file.seek(SeekFrom::Start(self.size)).doing("seek", &self.path)?;
                file
            }
        };
        Ok(self.file.insert(file))
    }

    /// Appends a batch under another base offset and leader epoch. If that fails, the file is as before.
    pub(super) fn append(
        &mut self,
        header: &Header,
        base_offset: i64,
        leader_epoch: i32,
        bytes: &[u8],
    ) -> Result<(), StorageError> {
        let prefix = wire::batch::patched_prefix(bytes, base_offset, leader_epoch);
        let (end, file) = (self.size, self.writer()?);
        if let Err(error) = write_both(file, &prefix, &bytes[PATCHED..]) {
            // What was half written must not be there after a restart either; the scan would cut it too.
            let _ = file.set_len(end);
            let _ = file.seek(SeekFrom::Start(end));
            return Err(error).doing("append to", &self.path);
        }
        self.place(header, base_offset, leader_epoch);
        Ok(())
    }

    fn place(&mut self, header: &Header, base_offset: i64, leader_epoch: i32) {
        self.places.push(Place::of(header, base_offset, leader_epoch, self.size));
        self.size += header.size as u64;
    }

    /// Cuts it so that it ends before this offset.
    pub(super) fn truncate(&mut self, to: i64) -> Result<(), StorageError> {
        let keep = self.places.partition_point(|place| place.end_offset <= to);
        let size = self.places.get(keep).map_or(self.size, |place| place.at);
        // The note first: it must never promise more than the file can hold.
        if self.synced > size {
            self.synced = size;
            self.write_note()?;
        }
        self.size = size;
        self.places.truncate(keep);
        let file = self.writer()?;
        let cut = file.set_len(size).and_then(|()| file.seek(SeekFrom::Start(size)));
        cut.map(drop).doing("truncate", &self.path)
    }

    /// The bytes of the batches from one offset up to another, appended to `out`.
    pub(super) fn read(&self, from: i64, to: i64, out: &mut Vec<u8>) -> Result<(), StorageError> {
        let first = self.places.partition_point(|place| place.end_offset <= from);
        let after = self.places.partition_point(|place| place.base_offset < to);
        let position = |index: usize| self.places.get(index).map_or(self.size, |place| place.at);
        let (start, end) = (position(first), position(after));
        let old = out.len();
        out.resize(old + usize::try_from(end.saturating_sub(start)).unwrap_or(0), 0);
        let read = match &self.file {
            Some(file) => file.read_exact_at(&mut out[old..], start),
            None => File::open(&self.path).and_then(|file| file.read_exact_at(&mut out[old..], start)),
        };
        read.doing("read", &self.path)
    }

    /// Makes what is in it durable, and notes how much that is. The first time that includes the entry of the
    /// file in its folder (KAFKA-3968).
    pub(super) fn sync(&mut self) -> Result<(), StorageError> {
        if self.synced < self.size {
            let synced = self.writer()?.sync_data();
            synced.doing("sync", &self.path)?;
            if self.synced == 0 {
                power::sync_folder(&self.path).doing("sync the folder of", &self.path)?;
            }
            self.synced = self.size;
            self.write_note()?;
        }
        Ok(())
    }

    /// Deletes the files.
    pub(super) fn remove(mut self) -> Result<(), StorageError> {
        self.note.remove().doing("remove the note of", &self.path)?;
        fs::remove_file(&self.path).doing("remove", &self.path)
    }

    fn write_note(&mut self) -> Result<(), StorageError> {
        self.note.write(self.synced).doing("write the note of", &self.path)
    }
}

/// The header of the next batch, if the batch is whole and lies below `trusted`; a marker is read with it, since
/// what it says is not in the header.
fn known_batch(
    reader: &mut BufReader<File>,
    left: u64,
    trusted: i64,
    buffer: &mut Vec<u8>,
) -> io::Result<Option<Header>> {
    if left < HEADER as u64 {
        return Ok(None);
    }
    buffer.resize(HEADER, 0);
    reader.read_exact(buffer)?;
    let good = |header: &Header| header.size as u64 <= left && header.last_offset() < trusted;
    let Some(header) = Header::parse(buffer).ok().filter(good) else { return Ok(None) };
    if header.is_control() {
        buffer.resize(header.size, 0);
        reader.read_exact(&mut buffer[HEADER..])?;
    } else {
        reader.seek_relative(i64::try_from(header.size - HEADER).unwrap_or(i64::MAX))?;
    }
    Ok(Some(header))
}

/// Reads one batch into `buffer` and checks it; the inner error says why it must be cut.
pub(super) fn next_batch(
    reader: &mut impl Read,
    left: u64,
    buffer: &mut Vec<u8>,
) -> io::Result<Result<Header, wire::batch::BatchError>> {
    let have = usize::try_from(left).unwrap_or(usize::MAX);
    buffer.resize(HEADER.min(have), 0);
    reader.read_exact(buffer)?;
    let size = match Header::parse(buffer) {
        Ok(header) => header.size,
        Err(reason) => return Ok(Err(reason)),
    };
    if size > have {
        return Ok(Err(wire::batch::BatchError::Torn { have, need: size }));
    }
    buffer.resize(size, 0);
    reader.read_exact(&mut buffer[HEADER..])?;
    Ok(Header::check(buffer))
}

/// Writes both parts with as few calls as the system allows, usually one.
fn write_both(file: &mut File, prefix: &[u8], rest: &[u8]) -> io::Result<()> {
    let mut slices = &mut [IoSlice::new(prefix), IoSlice::new(rest)][..];
    while !slices.is_empty() {
        match file.write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
