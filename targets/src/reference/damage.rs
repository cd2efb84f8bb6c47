//! Damage to the files of a broker that is down: what a disk, or whoever restores a backup, may do.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A bit that was turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flipped {
    /// The byte's place in its file.
    pub(super) at: u64,
    /// The bit.
    pub(super) mask: u8,
}

/// The newest segment of a log that holds records.
fn segment(log: &Path) -> io::Result<(PathBuf, u64)> {
    let mut found: Option<(PathBuf, u64)> = None;
    for entry in fs::read_dir(log)? {
        let path = entry?.path();
        let length = fs::metadata(&path)?.len();
        let is_segment = path.extension().is_some_and(|ending| ending == "log");
        if is_segment && length > 0 && found.as_ref().is_none_or(|(newest, _)| path > *newest) {
            found = Some((path, length));
        }
    }
    found.ok_or_else(|| {
        io::Error::new(io::ErrorKind::NotFound, format!("log `{}` holds no records", log.display()))
    })
}

/// Cuts so many bytes off the newest segment, at most all; returns how many.
///
/// # Errors
/// If there is no such log, or it cannot be cut.
pub(super) fn truncate(log: &Path, bytes: u64) -> io::Result<u64> {
    let (path, length) = segment(log)?;
    let cut = bytes.min(length);
    OpenOptions::new().write(true).open(path)?.set_len(length - cut)?;
    Ok(cut)
}

/// Turns one bit of the newest segment, at a place drawn from `seed`.
///
/// # Errors
/// If there is no such log, or it cannot be read and written.
pub(super) fn flip_bit(log: &Path, seed: u64) -> io::Result<Flipped> {
    let (path, length) = segment(log)?;
    // Well spread over the file, whatever the seed.
    let at = (seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 3) % length;
    let mask = 1 << (seed & 7);
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, at)?;
    file.write_all_at(&[byte[0] ^ mask], at)?;
    Ok(Flipped { at, mask })
}

/// Where a copy of a data directory is put away.
pub(super) fn aside(data: &Path) -> PathBuf {
    let mut name: OsString = data.as_os_str().to_owned();
    name.push(".stale");
    PathBuf::from(name)
}

/// Copies a data directory. An older copy gives way.
///
/// # Errors
/// If something cannot be copied.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    copy_into(from, to)
}

fn copy_into(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy_into(&path, &to)?;
        } else {
            fs::copy(&path, &to)?;
        }
    }
    Ok(())
}

/// Puts a copy in the place of a data directory, and returns the bytes of records that went.
///
/// # Errors
/// If it cannot be put there.
pub(super) fn restore(data: &Path, copy: &Path) -> io::Result<u64> {
    let (had, has) = (log_bytes(data)?, log_bytes(copy)?);
    fs::remove_dir_all(data)?;
    fs::rename(copy, data)?;
    if let Some(folder) = data.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(had.saturating_sub(has))
}

/// How long the segments below a directory are.
fn log_bytes(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            bytes += log_bytes(&path)?;
        } else if path.extension().is_some_and(|ending| ending == "log") {
            bytes += fs::metadata(&path)?.len();
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(folder: &Path, segments: &[(&str, usize)]) -> PathBuf {
        let log = folder.join("orders-0");
        fs::create_dir(&log).expect("a folder");
        for (name, length) in segments {
            fs::write(log.join(name), vec![7; *length]).expect("writable");
        }
        log
    }

    #[test]
    fn the_newest_segment_that_holds_records_is_damaged() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = log(folder.path(), &[("0.log", 900), ("5.log", 100), ("9.log", 0), ("9.log.synced", 3)]);
        assert_eq!(truncate(&log, 30).expect("cut"), 30);
        assert_eq!(fs::metadata(log.join("5.log")).expect("there").len(), 70);
        let flipped = flip_bit(&log, 12_345).expect("turned");
        let bytes = fs::read(log.join("5.log")).expect("readable");
        let wrong: Vec<_> = (0..).zip(&bytes).filter(|(_, byte)| **byte != 7).collect();
        assert_eq!(wrong, [(flipped.at, &(7 ^ flipped.mask))]);
        assert_eq!(truncate(&log, 1000).expect("cut"), 70, "at most the segment");
        assert_eq!(fs::metadata(log.join("0.log")).expect("there").len(), 900);
    }

    #[test]
    fn a_copy_comes_back_with_what_was_there_then() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("node-1");
        fs::create_dir(&data).expect("a folder");
        let log = log(&data, &[("0.log", 100)]);
        copy(&data, &aside(&data)).expect("copied");
        fs::write(log.join("0.log"), vec![8; 250]).expect("writable");
        fs::write(log.join("later"), "x").expect("writable");
        assert_eq!(restore(&data, &aside(&data)).expect("restored"), 150);
        assert_eq!(fs::read(log.join("0.log")).expect("readable"), vec![7; 100]);
        assert!(!log.join("later").exists() && !aside(&data).exists());
    }
}
