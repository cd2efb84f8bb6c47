//! Every worker's segment, merged into the history that checkers judge.

mod merge;

use std::fs;
use std::io;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::event::Role;
use crate::plan::Plan;
use crate::segment::{self, MAJOR, ROWS, WIDE};
use crate::view::{Builder, Damage, History, Imported, Session, worker_name};

use merge::Merge;

/// A history could not be read at all. (What can be read, but is not whole, is [`Damage`].)
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The operating system refused.
    #[error("failed to {action} `{path}`")]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// A segment has another major format version.
    #[error("failed to open segment `{path}`: format version {found} is {}", against(*found))]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u16,
    },
}

impl LoadError {
    pub(crate) fn version(path: &Path, found: u16) -> Self {
        Self::Version { path: path.to_owned(), found }
    }
}

fn against(found: u16) -> String {
    if found > MAJOR {
        format!("newer than {MAJOR} (upgrade highwater)")
    } else {
        format!("older than {MAJOR} (use the highwater that recorded it)")
    }
}

/// Reads every segment in `dir` and merges them. An invocation without completion is
/// [`Outcome::Unknown`] and [`Told::Nothing`]. An empty directory is an empty history.
///
/// A row that its writer did not live to commit is no damage: nothing had been done about it. Everything
/// else that is missing or does not match is in [`History::damage`], and the rest is read all the same.
///
/// # Errors
/// If the directory or a file cannot be read, or was written in another major format version.
pub fn load(plan: Plan, dir: &Path) -> Result<History, LoadError> {
    let (rows, orphans) = segments(dir)?;
    let mut history = Builder::new(plan).finish();
    for read in read_all(&rows) {
        let Read { session, imported, mut damage } = read?;
        history.sessions.extend(session);
        history.imported = history.imported.or(imported);
        history.damage.append(&mut damage);
    }
    for path in orphans {
        let what = "the rows of this side table are missing".to_owned();
        history.damage.push(Damage { file: segment::file_name(&path), at: 0, what });
    }
    history.sessions.sort_by_key(|session| (session.role, session.index, session.session));
    Ok(history)
}

/// What one worker's session has recorded so far; `None` if it has not begun a segment.
///
/// # Errors
/// If its segment cannot be read, or was written in another major format version.
pub fn session(dir: &Path, role: Role, index: u32, session: u32) -> Result<Option<Session>, LoadError> {
    let path = dir.join(format!("{}.{ROWS}", worker_name(role, index, session)));
    if !path.exists() {
        return Ok(None);
    }
    Ok(read_one(&path)?.session)
}

/// What became of one segment.
struct Read {
    /// Its session, unless the header is damaged.
    session: Option<Session>,
    imported: Option<Imported>,
    damage: Vec<Damage>,
}

/// Reads segments on as many threads as there are processors; answers in the order of `paths`.
fn read_all(paths: &[PathBuf]) -> Vec<Result<Read, LoadError>> {
    let size = |path: &PathBuf| fs::metadata(path).map_or(0, |metadata| metadata.len());
    // The longest first, so that no thread begins one when the others are done.
    let mut queue: Vec<usize> = (0..paths.len()).collect();
    queue.sort_by_key(|&index| size(&paths[index]));
    let queue = Mutex::new(queue);
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let work = || -> Vec<(usize, Result<Read, LoadError>)> {
        std::iter::from_fn(next).map(|index| (index, read_one(&paths[index]))).collect()
    };
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(paths.len());
    let mut read: Vec<(usize, Result<Read, LoadError>)> = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut read = work();
        for other in others {
            read.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        read
    });
    read.sort_by_key(|(index, _)| *index);
    read.into_iter().map(|(_, result)| result).collect()
}

fn read_one(path: &Path) -> Result<Read, LoadError> {
    let mut damage = Vec::new();
    let mut merge = Merge::new(segment::file_name(path));
    let header = segment::read(path, &mut damage, |damage, at, time, event| {
        merge.take(damage, at, time, event);
    })?;
    let Some(header) = header else { return Ok(Read { session: None, imported: None, damage }) };
    let name = worker_name(header.role, header.index, header.session);
    if path.file_stem().is_none_or(|stem| *stem != *name) {
        let what = format!("the header says this is `{name}`");
        damage.push(Damage { file: merge.file.clone(), at: 0, what });
    }
    let imported = merge.imported.take();
    Ok(Read { session: Some(merge.finish(&header)), imported, damage })
}

/// The files of rows, and the side tables that hold notes of no rows, both by name.
fn segments(dir: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), LoadError> {
    let failed = |source| LoadError::Io { action: "read", path: dir.to_owned(), source };
    let (mut rows, mut orphans) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        if path.extension().is_some_and(|ending| ending == ROWS) {
            rows.push(path);
        } else if path.extension().is_some_and(|ending| ending == WIDE)
            // A writer that died while it created its segment leaves an empty one.
            && entry.metadata().map_err(failed)?.len() > 0
            && !path.with_extension(ROWS).exists()
        {
            orphans.push(path);
        }
    }
    rows.sort_unstable();
    orphans.sort_unstable();
    Ok((rows, orphans))
}
