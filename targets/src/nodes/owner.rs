//! Whose a temporary folder is: its process, by id and by when it started, so that another one that has got the
//! same id since is not taken for it.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::Uid;

/// Folders of ours begin so.
pub(super) const PREFIX: &str = "hw-";
/// Where they are: the path of a socket has at most 108 bytes, so not in a run's directory.
pub(super) const PLACE: &str = "/tmp";
const OWNER: &str = "owner";

/// Says that a folder is this process's.
pub(super) fn mark(folder: &Path) -> io::Result<()> {
    let pid = std::process::id();
    fs::write(folder.join(OWNER), format!("{pid} {}\n", started(pid).unwrap_or(0)))
}

/// When a process started, in ticks since boot; `None` if there is none, or nobody tells.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Field 22; the program's name, which may hold anything, is the second.
    stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()
}

/// Folders of this user whose process is gone; removed, if asked to. What cannot be read is nobody's to remove.
///
/// # Errors
/// If one cannot be removed.
pub fn abandoned(remove: bool) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(PLACE)?.filter_map(Result::ok) {
        let path = entry.path();
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX)
            && entry.metadata().is_ok_and(|about| about.is_dir() && about.uid() == Uid::effective().as_raw());
        let Some(owner) = ours.then(|| fs::read_to_string(path.join(OWNER)).ok()).flatten() else { continue };
        let mut numbers = owner.split_whitespace();
        let pid = numbers.next().and_then(|pid| pid.parse().ok());
        let since: Option<u64> = numbers.next().and_then(|since| since.parse().ok());
        let (Some(pid), Some(since)) = (pid, since.filter(|since| *since > 0)) else { continue };
        if started(pid) == Some(since) {
            continue;
        }
        if remove {
            fs::remove_dir_all(&path)?;
        }
        found.push(path);
    }
    found.sort();
    Ok(found)
}
