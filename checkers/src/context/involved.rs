//! Finds the operations behind a witness: who sent a record, who was given what. Only findings ask, so these
//! searches may walk the history.

use std::collections::BTreeMap;

use history::{Delivery, Nanos, Offset, Operation, Outcome, Partition, Session, Tag};

use super::Context;
use crate::judgement::{Involved, Witness};

/// A place in a log.
type At = (Partition, Offset);

/// Polls named for each offset; more add nothing.
const MOST_POLLS: usize = 3;

impl Context<'_> {
    /// The operation that sent a record.
    pub(crate) fn sender(&self, tag: Tag) -> Option<Involved> {
        let at = self.find(tag)?;
        let producer = &self.producers[at.producer];
        let (index, operation) = producer.session.operation_of_send(producer.index(at.send))?;
        Some(involved(producer.session, index, &operation))
    }

    /// Operations that were given anything at each of these offsets, a few for each record.
    pub(crate) fn polls_of(&self, offsets: &[At]) -> BTreeMap<At, Vec<Involved>> {
        if offsets.is_empty() {
            return BTreeMap::new();
        }
        let mut given: BTreeMap<At, Vec<(Option<Tag>, Involved)>> = BTreeMap::new();
        for at in offsets {
            given.insert(*at, Vec::new());
        }
        self.each_delivery(|session, index, operation, delivery| {
            if let Some(polls) = given.get_mut(&(delivery.partition, delivery.offset)) {
                let same = polls.iter().filter(|(tag, _)| *tag == delivery.tag).count();
                if same < MOST_POLLS {
                    polls.push((delivery.tag, involved(session, index, operation)));
                }
            }
        });
        given.into_iter().map(|(at, polls)| (at, polls.into_iter().map(|(_, poll)| poll).collect())).collect()
    }

    /// For each of these offsets the first operation that came back and was given a later one, and which.
    pub(crate) fn polls_past(&self, offsets: &[At]) -> BTreeMap<At, (Offset, Involved)> {
        if offsets.is_empty() {
            return BTreeMap::new();
        }
        let mut lowest: BTreeMap<Partition, Offset> = BTreeMap::new();
        for (partition, offset) in offsets {
            lowest.entry(*partition).and_modify(|lowest| *lowest = (*lowest).min(*offset)).or_insert(*offset);
        }
        let mut past: BTreeMap<At, (Nanos, Offset, Involved)> = BTreeMap::new();
        self.each_delivery(|session, index, operation, delivery| {
            // Nearly all of a history lies before what is asked for.
            if lowest.get(&delivery.partition).is_none_or(|lowest| delivery.offset < *lowest) {
                return;
            }
            let Some(returned) = operation.completed.filter(|_| operation.outcome == Outcome::Ok) else {
                return;
            };
            for at in offsets
                .iter()
                .filter(|(partition, offset)| delivery.partition == *partition && delivery.offset >= *offset)
            {
                if past.get(at).is_none_or(|(first, ..)| returned < *first) {
                    past.insert(*at, (returned, delivery.offset, involved(session, index, operation)));
                }
            }
        });
        past.into_iter().map(|(at, (_, offset, poll))| (at, (offset, poll))).collect()
    }

    fn each_delivery(&self, mut each: impl FnMut(&Session, usize, &Operation<'_>, &Delivery)) {
        for session in self.history.log_sessions() {
            let mut deliveries = session.deliveries();
            for (index, operation) in session.operations().enumerate() {
                for delivery in deliveries.by_ref().take(operation.deliveries.len()) {
                    each(session, index, &operation, &delivery);
                }
            }
        }
    }

    /// A record as a sentence names it.
    pub(crate) fn name(&self, tag: Tag) -> String {
        match self.history.value_of(tag) {
            Some(value) => format!("value {value}"),
            None => tag.to_string(),
        }
    }
}

/// An operation as a witness names it.
pub(crate) fn involved(session: &Session, index: usize, operation: &Operation<'_>) -> Involved {
    Involved {
        session: session.name(),
        operation: index as u64,
        line: operation.line,
        function: operation.function,
        outcome: operation.outcome,
        invoked: operation.invoked,
        completed: operation.completed,
    }
}

impl Witness {
    /// The same, with the operations that show it.
    pub(crate) fn with(mut self, operations: impl IntoIterator<Item = Involved>) -> Self {
        for operation in operations {
            if !self.operations.contains(&operation) {
                self.operations.push(operation);
            }
        }
        self
    }
}
