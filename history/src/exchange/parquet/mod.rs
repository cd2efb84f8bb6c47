//! A history as Parquet tables, for engines that go beyond one machine: `sends`, `deliveries` and `logs`, in
//! files by topic and partition (Hive layout), and beside them the queries that compute loss, duplicates and
//! order.

mod rows;
mod table;

use std::collections::BTreeSet;
use std::fs;
use std::ops::{AddAssign, Range};
use std::path::{Path, PathBuf};

use crate::event::{Note, Role};
use crate::ids::Partition;
use crate::outcome::Outcome;
use crate::view::{History, ImportFormat, Session};
use rows::{DELIVERIES, LOGS, SENDS};
use table::Table;

/// Queries on the tables, by the names of their files. Each gives a row a record that breaks what it is
/// named after.
pub const QUERIES: [(&str, &str); 4] = [
    ("lost.sql", include_str!("sql/lost.sql")),
    ("duplicates.sql", include_str!("sql/duplicates.sql")),
    ("order.sql", include_str!("sql/order.sql")),
    ("real_time_order.sql", include_str!("sql/real_time_order.sql")),
];

const README: &str = include_str!("README.md");

/// Partitions written in one walk over the history: as many files are open at a time.
const OPEN_MAX: usize = 128;
/// Partitions taken from the plan, which no topic exceeds; others are those that have records.
const PLANNED_MAX: u32 = 100_000;
/// Rows between two looks at whether to go on.
const LOOK: u64 = 1 << 12;

/// The directory of sends whose partition nobody knows.
const NOWHERE: i64 = -1;

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// Rows of all tables.
    pub rows: u64,
    /// Parquet files.
    pub files: u64,
}

/// Tables could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The operating system refused, or the directory is there already.
    #[error("failed to write `{path}`")]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The caller did not want to go on.
    #[error("writing tables was stopped")]
    Stopped,
}

impl WriteError {
    fn at(path: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Write { path: path.to_owned(), source: source.into() }
    }
}

/// Writes the tables, the queries and a page about them to `dir`, which must not exist, for as long as
/// `go_on` says yes. What was begun when it fails is left to the caller.
///
/// # Errors
/// If the directory exists or cannot be written to, or `go_on` says no.
pub fn write_parquet(history: &History, dir: &Path, go_on: &dyn Fn() -> bool) -> Result<Written, WriteError> {
    fs::create_dir(dir).map_err(|error| WriteError::at(dir, error))?;
    for (name, text) in QUERIES.into_iter().chain([("README.md", README)]) {
        let path = dir.join(name);
        fs::write(&path, text).map_err(|error| WriteError::at(&path, error))?;
    }
    let tables = Tables::of(history, dir, go_on);
    let (mut sends, mut deliveries, mut logs) = (Written::default(), Written::default(), Written::default());
    for first in (0..tables.places.len()).step_by(OPEN_MAX) {
        let range = first..(first + OPEN_MAX).min(tables.places.len());
        sends += tables.sends(range.clone())?;
        deliveries += tables.deliveries(range.clone())?;
        logs += tables.logs(range)?;
    }
    // Engines know no table without a file.
    let nowhere = &tables.places[tables.places.len() - 1];
    for (table, columns, made) in [("sends", SENDS, &mut sends), ("deliveries", DELIVERIES, &mut deliveries)]
    {
        if made.files == 0 {
            *made += table::empty(&dir.join(table).join(nowhere), columns)?;
        }
    }
    sends += deliveries;
    sends += logs;
    Ok(sends)
}

impl AddAssign for Written {
    fn add_assign(&mut self, more: Self) {
        self.rows += more.rows;
        self.files += more.files;
    }
}

/// A history, seen as tables.
struct Tables<'a> {
    history: &'a History,
    dir: &'a Path,
    go_on: &'a dyn Fn() -> bool,
    /// The partitions, in order.
    partitions: Vec<Partition>,
    /// The directory of each; the last one is of sends that lie nowhere.
    places: Vec<String>,
    /// There was a drain, so that it alone shows the final log.
    drained: bool,
    /// Partitions that a drain read to their end.
    complete: BTreeSet<Partition>,
}

impl<'a> Tables<'a> {
    fn of(history: &'a History, dir: &'a Path, go_on: &'a dyn Fn() -> bool) -> Self {
        let sent = history.senders().flat_map(Session::sends).filter_map(|send| send.partition);
        let read = history.log_sessions().flat_map(Session::deliveries).map(|record| record.partition);
        let planned = (0..history.plan.load.partitions.min(PLANNED_MAX)).map(Partition);
        let mut partitions: BTreeSet<Partition> = planned.collect();
        partitions.extend(sent.chain(read));
        let partitions: Vec<Partition> = partitions.into_iter().collect();
        let mut places: Vec<String> = partitions.iter().map(|partition| place(history, *partition)).collect();
        places.push(format!("topic={}/partition={NOWHERE}", escaped(topic(history))));
        let complete =
            history.of(Role::Drain).flat_map(|drain| &drain.notes).filter_map(|(_, note)| match note {
                Note::Drained { partition } => Some(*partition),
                _ => None,
            });
        let drained = history.of(Role::Drain).next().is_some();
        Self { history, dir, go_on, partitions, places, drained, complete: complete.collect() }
    }

    /// Which directory a partition's rows go to.
    fn place_of(&self, partition: Option<Partition>) -> usize {
        let known = partition.and_then(|partition| self.partitions.binary_search(&partition).ok());
        known.unwrap_or(self.partitions.len())
    }

    fn sends(&self, range: Range<usize>) -> Result<Written, WriteError> {
        let mut table = Table::new(self.dir.join("sends"), SENDS, &self.places[range.clone()]);
        let mut pace = Pace { seen: 0, go_on: self.go_on };
        for session in self.history.senders() {
            for send in session.sends() {
                pace.step()?;
                let place = self.place_of(send.partition);
                if range.contains(&place) {
                    table.push(place - range.start, rows::send(self.history, session, &send))?;
                }
            }
        }
        table.finish()
    }

    fn deliveries(&self, range: Range<usize>) -> Result<Written, WriteError> {
        let mut table = Table::new(self.dir.join("deliveries"), DELIVERIES, &self.places[range.clone()]);
        let mut pace = Pace { seen: 0, go_on: self.go_on };
        for session in self.history.log_sessions().filter(|session| session.delivery_count() > 0) {
            let last = !self.drained || session.role == Role::Drain;
            let mut operations = session.operations().peekable();
            for (seq, record) in session.deliveries().enumerate() {
                pace.step()?;
                let place = self.place_of(Some(record.partition));
                if !range.contains(&place) {
                    continue;
                }
                while operations.peek().is_some_and(|operation| operation.deliveries.end <= seq) {
                    operations.next();
                }
                // What belongs to no operation on record was under way when its session ended.
                let ended = operations.peek().map_or(Outcome::Unknown, |operation| operation.outcome);
                let row = rows::delivery(self.history, session, (seq, &record), ended, last);
                table.push(place - range.start, row)?;
            }
        }
        table.finish()
    }

    /// One row a partition.
    fn logs(&self, range: Range<usize>) -> Result<Written, WriteError> {
        let mut table = Table::new(self.dir.join("logs"), LOGS, &self.places[range.clone()]);
        for place in range.clone() {
            let (name, complete) = match self.partitions.get(place) {
                Some(partition) => {
                    (self.history.partition_name(*partition), self.complete.contains(partition))
                }
                // What lies nowhere is in no log only if all of them are known.
                None => {
                    let all = self.partitions.iter().all(|partition| self.complete.contains(partition));
                    (String::new(), self.drained && all)
                }
            };
            table.push(place - range.start, rows::log(name, complete, self.drained))?;
        }
        table.finish()
    }
}

/// Asks from time to time whether to go on.
struct Pace<'a> {
    seen: u64,
    go_on: &'a dyn Fn() -> bool,
}

impl Pace<'_> {
    fn step(&mut self) -> Result<(), WriteError> {
        self.seen += 1;
        if self.seen.is_multiple_of(LOOK) && !(self.go_on)() { Err(WriteError::Stopped) } else { Ok(()) }
    }
}

fn topic(history: &History) -> &str {
    if history.plan.topic.is_empty() { "history" } else { &history.plan.topic }
}

/// The directory of a partition. Of verifiable clients a partition's name is topic and number.
fn place(history: &History, partition: Partition) -> String {
    let named = history.imported.as_ref().filter(|imported| imported.format == ImportFormat::Verifiable);
    let split = named.and_then(|imported| imported.name_of(partition)?.rsplit_once('-'));
    match split.filter(|(_, number)| number.parse::<u32>().is_ok()) {
        Some((topic, number)) => format!("topic={}/partition={number}", escaped(topic)),
        None => format!("topic={}/partition={partition}", escaped(topic(history))),
    }
}

/// A value of a Hive layout: what a path cannot hold is written as `%XX`.
fn escaped(value: &str) -> String {
    let mut escaped = String::new();
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' => escaped.push(char::from(byte)),
            other => escaped.push_str(&format!("%{other:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn a_topic_cannot_leave_its_directory() {
        assert_eq!(escaped("my-topic_1.x"), "my-topic_1.x");
        assert_eq!(escaped("../a b=ü"), "..%2Fa%20b%3D%C3%BC");
    }
}
