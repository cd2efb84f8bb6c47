//! What a workload is.

use history::{Load, Partition};

use crate::CATALOG;

/// One workload of the catalog.
pub struct Spec {
    /// Its name, kebab-case.
    pub name: &'static str,
    /// What it does, in at most 79 columns.
    pub summary: &'static str,
    /// What it does exactly, and what counts as an error.
    pub docs: &'static str,
    /// The checkers that judge it, by catalog name.
    pub checks: &'static [&'static str],
    /// What its consumers do.
    pub consumers: Consumers,
    /// The script of the producer with this index; every random value comes from the seed.
    pub script: fn(load: &Load, producer: u32, seed: u64) -> Box<dyn Script>,
}

/// What the consumers of a workload do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consumers {
    /// Each follows the whole log, and commits nothing.
    Readers,
    /// They share the partitions as members of one group, and commit.
    Members(Commit),
}

impl Consumers {
    /// How many there are where nobody says.
    #[must_use]
    pub const fn usual(self) -> u32 {
        match self {
            Self::Readers => 1,
            Self::Members(_) => 3,
        }
    }

    /// When members commit, if they are members.
    #[must_use]
    pub const fn commit(self) -> Option<Commit> {
        match self {
            Self::Readers => None,
            Self::Members(commit) => Some(commit),
        }
    }
}

/// When a member of a group commits what it was handed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commit {
    /// When it has processed it: nothing is skipped, and something may be processed twice.
    AfterProcessing,
    /// Before it processes it: nothing is processed twice, and something may be skipped.
    BeforeProcessing,
}

/// What one producer sends, record by record.
pub trait Script: Send {
    /// The next record; `None` when the workload has no more.
    fn next(&mut self) -> Option<Step>;
}

/// One record to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The partition; `None` leaves it to the client's partitioner.
    pub partition: Option<Partition>,
    /// The number of its key.
    pub key: Option<u64>,
    /// When it is due, in nanoseconds after the load began; `None` is as soon as the client takes it.
    pub due_ns: Option<u64>,
}

/// The workload of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Spec> {
    CATALOG.iter().copied().find(|spec| spec.name == name)
}
