//! What a power failure takes. A node notes beside each of its files how much of it is durable, after the
//! `fsync` that made it so has returned; whoever plays power failure kills the node and then cuts every file
//! back to its note. A file without a note was never made durable, so it vanishes, and with it a folder that
//! holds nothing else: the entry of a file is durable only once its directory was synced.
//!
//! A process that is merely killed loses nothing: what it wrote is in the page cache of the system.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const SUFFIX: &str = "synced";
/// The note of a file that is only ever replaced as a whole, durably: there is nothing to cut.
const WHOLE: &str = "whole";
/// Where torn writes end: a page is written whole or not at all, sectors within it in any order.
const SECTOR: u64 = 512;

/// The note beside a file.
#[must_use]
pub fn note_path(file: &Path) -> PathBuf {
    let mut name: OsString = file.as_os_str().to_owned();
    name.push(".");
    name.push(SUFFIX);
    PathBuf::from(name)
}

/// The note of one growing file, kept open because it is written after every sync.
#[derive(Debug)]
pub struct Note {
    path: PathBuf,
    file: Option<File>,
}

impl Note {
    /// The note beside `file`, which may not exist yet.
    #[must_use]
    pub fn beside(file: &Path) -> Self {
        Self { path: note_path(file), file: None }
    }

    /// What it says; 0 if there is none or it cannot be read.
    #[must_use]
    pub fn read(&self) -> u64 {
        fs::read_to_string(&self.path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }

    /// Whether there is one.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.path.exists()
    }

    /// Notes that the first `length` bytes are durable, and so is the file's entry in its directory.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&mut self, length: u64) -> io::Result<()> {
        let file = match self.file.take() {
            Some(file) => file,
            None => OpenOptions::new().write(true).create(true).truncate(false).open(&self.path)?,
        };
        file.write_all_at(format!("{length:020}\n").as_bytes(), 0)?;
        self.file = Some(file);
        Ok(())
    }

    /// Removes it, if it is there.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn remove(&mut self) -> io::Result<()> {
        self.file = None;
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Replaces a small file durably and at once: after a crash or a power failure it is the old or the new one.
///
/// # Errors
/// If it cannot be written, renamed or synced.
pub fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut fresh: OsString = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    let mut file = File::create(&fresh)?;
    file.write_all(contents)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    sync_folder(path)?;
    let note = note_path(path);
    if note.exists() { Ok(()) } else { fs::write(note, WHOLE) }
}

/// Makes a small file that is finished durable as it is.
///
/// # Errors
/// If it cannot be synced.
pub fn settle(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()?;
    sync_folder(path)?;
    fs::write(note_path(path), WHOLE)
}

/// Makes the entry of a file in its directory durable.
///
/// # Errors
/// If the directory cannot be synced.
pub fn sync_folder(file: &Path) -> io::Result<()> {
    file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// What a power failure took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lost {
    /// Files that were cut or vanished.
    pub files: u64,
    /// Bytes they lost.
    pub bytes: u64,
}

/// Does to the files below `data` what a power failure does; their node must be dead. With `tear`, what lies
/// behind the durable part of a cut file may have got to the disk in pieces: `tear(bytes)` says how many of so
/// many bytes did, and of the last sector of these only half.
///
/// # Errors
/// If a file cannot be looked at, cut or removed; some may have been by then.
pub fn fail(data: &Path, mut tear: Option<&mut dyn FnMut(u64) -> u64>) -> io::Result<Lost> {
    let mut lost = Lost::default();
    fail_in(data, &mut tear, &mut lost)?;
    Ok(lost)
}

/// Returns whether anything durable is left in a folder.
fn fail_in(
    folder: &Path,
    tear: &mut Option<&mut dyn FnMut(u64) -> u64>,
    lost: &mut Lost,
) -> io::Result<bool> {
    let mut left = false;
    let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    for entry in entries {
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            if fail_in(&path, tear, lost)? {
                left = true;
            } else {
                fs::remove_dir_all(&path)?;
            }
        } else if path.extension().is_none_or(|extension| extension != SUFFIX) {
            left |= fail_file(&path, tear, lost)?;
        }
    }
    Ok(left)
}

/// Returns whether the file is still there.
fn fail_file(
    path: &Path,
    tear: &mut Option<&mut dyn FnMut(u64) -> u64>,
    lost: &mut Lost,
) -> io::Result<bool> {
    let length = fs::metadata(path)?.len();
    let note = note_path(path);
    let noted = match fs::read_to_string(&note) {
        Ok(noted) => noted,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::remove_file(path)?;
            if length > 0 {
                lost.files += 1;
                lost.bytes += length;
            }
            return Ok(false);
        }
        Err(error) => return Err(error),
    };
    if noted.trim() == WHOLE {
        return Ok(true);
    }
    // A note that was never finished speaks of nothing.
    let durable = noted.trim().parse::<u64>().unwrap_or(0);
    if durable >= length {
        return Ok(true);
    }
    let torn = tear.as_mut().map_or(0, |tear| tear(length - durable).min(length - durable));
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    file.set_len(durable + torn)?;
    if torn > 0 {
        blank_half_a_sector(&file, durable + torn, torn)?;
    }
    lost.files += 1;
    lost.bytes += length - durable - torn;
    Ok(true)
}

/// The end of a torn write: the second half of the last sector's bytes never got there.
fn blank_half_a_sector(mut file: &File, end: u64, torn: u64) -> io::Result<()> {
    let within = SECTOR.min(torn);
    let mut sector = vec![0; usize::try_from(within).unwrap_or(0)];
    file.seek(SeekFrom::Start(end - within))?;
    file.read_exact(&mut sector)?;
    let half = sector.len() / 2;
    sector[half..].fill(0);
    file.write_all_at(&sector, end - within)
}
