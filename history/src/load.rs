//! Every worker's segment, merged into the history that checkers judge.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::clock::ClockIdentity;
use crate::event::{Event, Note};
use crate::ids::{Nanos, Tag};
use crate::outcome::{ErrorCode, Outcome, Told};
use crate::plan::Plan;
use crate::segment::{self, Header, MAJOR, ROWS, WIDE};
use crate::view::{Damage, Delivery, History, Send, Session, worker_name};

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
    let mut damage = Vec::new();
    let mut sessions = Vec::new();
    let (rows, orphans) = segments(dir)?;
    for path in rows {
        let mut merge = Merge::new(segment::file_name(&path));
        let header = segment::read(&path, &mut damage, |damage, at, time, event| {
            merge.take(damage, at, time, event);
        })?;
        let Some(header) = header else { continue };
        let name = worker_name(header.role, header.index, header.session);
        if path.file_stem().is_none_or(|stem| *stem != *name) {
            damage.push(Damage {
                file: merge.file.clone(),
                at: 0,
                what: format!("the header says this is `{name}`"),
            });
        }
        sessions.push(merge.finish(header));
    }
    for path in orphans {
        let what = "the rows of this side table are missing".to_owned();
        damage.push(Damage { file: segment::file_name(&path), at: 0, what });
    }
    sessions.sort_by_key(|session: &Session| (session.role, session.index, session.session));
    Ok(History { plan, sessions, damage, imported: None })
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

/// One session, while its events arrive.
struct Merge {
    file: String,
    sends: Vec<Send>,
    /// Where a send is that is not at the index of its sequence number (fences, and behind damage).
    elsewhere: HashMap<Tag, usize>,
    deliveries: Vec<Delivery>,
    notes: Vec<(Nanos, Note)>,
    clock: ClockIdentity,
    effective: BTreeMap<String, String>,
    closed: bool,
}

impl Merge {
    fn new(file: String) -> Self {
        Self {
            file,
            sends: Vec::new(),
            elsewhere: HashMap::new(),
            deliveries: Vec::new(),
            notes: Vec::new(),
            clock: ClockIdentity::default(),
            effective: BTreeMap::new(),
            closed: false,
        }
    }

    fn take(&mut self, damage: &mut Vec<Damage>, at: u64, time: Nanos, event: Event) {
        let mut report = |what: String| damage.push(Damage { file: self.file.clone(), at, what });
        match event {
            Event::SendInvoked { tag, partition, key, payload_bytes: _, intended } => {
                if self.find(tag).is_some() {
                    return report(format!("`{tag}` is invoked twice"));
                }
                if usize::try_from(tag.seq).ok() != Some(self.sends.len()) {
                    self.elsewhere.insert(tag, self.sends.len());
                }
                self.sends.push(Send {
                    tag,
                    key,
                    partition,
                    offset: None,
                    intended,
                    invoked: time,
                    completed: None,
                    outcome: Outcome::Unknown,
                    told: Told::Nothing,
                    error: ErrorCode::NONE,
                });
            }
            Event::SendCompleted { tag, partition, offset, outcome, told, error } => {
                let Some(send) = self.find(tag) else {
                    return report(format!("a report on `{tag}`, which was never invoked"));
                };
                let send = &mut self.sends[send];
                if send.completed.is_some() {
                    return report(format!("a second report on `{tag}`"));
                }
                send.partition = partition.or(send.partition);
                (send.offset, send.completed) = (offset, Some(time));
                (send.outcome, send.told, send.error) = (outcome, told, error);
            }
            Event::Delivered { polled, partition, offset, tag, contents } => {
                self.deliveries.push(Delivery { partition, offset, tag, contents, polled, returned: time });
            }
            Event::Note(note) => {
                match &note {
                    Note::SessionStarted { clock, effective, .. } => {
                        self.clock = clock.clone();
                        self.effective = effective.clone();
                    }
                    Note::SessionClosed => self.closed = true,
                    _ => {}
                }
                self.notes.push((time, note));
            }
        }
    }

    /// Where a send is. Sequence numbers are given from 0 in the order of invocation, so that it is almost
    /// always there by its number.
    fn find(&self, tag: Tag) -> Option<usize> {
        let by_number = usize::try_from(tag.seq).ok()?;
        match self.sends.get(by_number) {
            Some(send) if send.tag == tag => Some(by_number),
            _ => self.elsewhere.get(&tag).copied(),
        }
    }

    fn finish(self, header: Header) -> Session {
        let mut session = Session::new(header.role, header.index, header.session);
        (session.clock, session.effective, session.closed) = (self.clock, self.effective, self.closed);
        session.notes = self.notes;
        self.sends.iter().for_each(|send| {
            session.push_send(send);
        });
        self.deliveries.iter().for_each(|delivery| {
            session.push_delivery(delivery);
        });
        session.seal();
        session
    }
}
