//! What applications left in sinks: which read-back of each sink counts, and which are not whole.

use std::collections::BTreeMap;

use history::{Contents, Delivery, History, Role, Session, Tag};

use super::{involved, is_fence};
use crate::guarantees::Effects;
use crate::judgement::Involved;

/// The session that counts of each sink: the last that was read to its end, else the last.
pub(super) fn collect(history: &History) -> Vec<&Session> {
    let mut sinks: BTreeMap<u32, &Session> = BTreeMap::new();
    // In order of their numbers, so that later ones come later.
    for session in history.of(Role::Sink) {
        let known = sinks.entry(session.index).or_insert(session);
        if session.closed || !known.closed {
            *known = session;
        }
    }
    sinks.into_values().collect()
}

/// Why nobody knows what a sink holds, or what it was to hold.
pub(super) fn doubts(sinks: &[&Session], said: Option<&str>) -> Vec<String> {
    let cut = sinks.iter().filter(|sink| !sink.closed).map(|sink| {
        format!(
            "{} was not read to its end, so nobody knows which records took effect there (read it back again)",
            sink.name()
        )
    });
    // The command line refuses such a word; a plan that was written by hand may hold it.
    let unknown = said.filter(|said| !sinks.is_empty() && Effects::of(said).is_none()).map(|said| {
        let words = Effects::ALL.map(Effects::name).join("`, `");
        format!("setting `effects` is `{said}`, which promises nothing that is known (give one of `{words}`)")
    });
    cut.chain(unknown).collect()
}

/// What a row is a row of.
pub(crate) enum Row {
    /// A record, by its tag.
    Of(Tag),
    /// A record that came out damaged; its tag says which, as far as it can be trusted.
    Damaged(Option<Tag>),
    /// Nothing of this run.
    Foreign,
    /// The mark behind the last record: not the workload's.
    Fence,
}

impl Row {
    pub(crate) fn of(row: &Delivery) -> Self {
        match (row.contents, row.tag) {
            _ if is_fence(row.tag) => Self::Fence,
            (Contents::Corrupt, tag) => Self::Damaged(tag),
            (Contents::Intact, Some(tag)) => Self::Of(tag),
            (Contents::Foreign, _) | (Contents::Intact, None) => Self::Foreign,
        }
    }
}

/// The operation that read a row back.
pub(crate) fn read_back(sink: &Session, row: usize) -> Option<Involved> {
    let mut operations = sink.operations().enumerate();
    let (index, operation) = operations.find(|(_, operation)| operation.deliveries.contains(&row))?;
    Some(involved(sink, index, &operation))
}
