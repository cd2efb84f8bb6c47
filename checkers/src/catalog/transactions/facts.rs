//! What the checks of transactions share: which operations there are, which sends failed, and which a
//! committed reader was given.

use history::view::{Function, Operation};
use history::{Contents, Delivery, Outcome, Role, Session, Tag};

use crate::context::{Context, SendAt};

/// Facts about sends, by producer session and rank.
pub(super) struct Facts {
    /// A committed reader was given it: an operation that ended well, a reader, a drain.
    pub(super) seen: Vec<Vec<bool>>,
    /// Any send failed at all.
    pub(super) any_failed: bool,
    /// There are operations of several micro-operations that take effect as one.
    pub(super) transactional: bool,
}

impl Facts {
    pub(super) fn new(context: &Context<'_>) -> Self {
        let any_failed =
            context.producers.iter().any(|producer| (0..producer.len()).any(|rank| producer.failed(rank)));
        let mut seen: Vec<Vec<bool>> =
            context.producers.iter().map(|producer| vec![false; producer.len()]).collect();
        if context.terms.transactional {
            each_read(context, |_, _, delivery| {
                if let Some(at) = intact(&delivery).and_then(|tag| context.find(tag)) {
                    seen[at.producer][at.send] = true;
                }
            });
        }
        Self { seen, any_failed, transactional: context.terms.transactional }
    }

    pub(super) fn seen(&self, at: SendAt) -> bool {
        self.seen[at.producer][at.send]
    }
}

/// The tag of a record that is whole.
pub(super) fn intact(delivery: &Delivery) -> Option<Tag> {
    delivery.tag.filter(|_| delivery.contents == Contents::Intact)
}

/// Whether a session reads committed records only. A reader of ours tells; else the run's setting holds.
pub(super) fn reads_committed(context: &Context<'_>, session: &Session) -> bool {
    let told = session.effective.get("isolation.level").map(|level| level != "read_uncommitted");
    // The raw log is read beside the committed one, on purpose.
    told.unwrap_or(session.role == Role::Drain || context.terms.read_committed)
}

/// Calls back with everything that committed readers were given by operations that ended well.
pub(super) fn each_read(
    context: &Context<'_>,
    mut each: impl FnMut(usize, (usize, &Operation<'_>), Delivery),
) {
    for (number, session) in context.history.sessions.iter().enumerate() {
        if session.delivery_count() == 0 || !session.reads_log() || !reads_committed(context, session) {
            continue;
        }
        let mut deliveries = session.deliveries();
        let ended = |(_, operation): &(usize, Operation<'_>)| operation.outcome == Outcome::Ok;
        for (index, operation) in session.operations().enumerate().filter(ended) {
            for delivery in deliveries.seek(operation.deliveries.clone()) {
                each(number, (index, &operation), delivery);
            }
        }
    }
}

/// Whether an operation is a transaction: it said so, or it does several things in one go.
pub(super) fn is_transaction(operation: &Operation<'_>) -> bool {
    match operation.function {
        Function::Txn => true,
        Function::Send | Function::Poll => operation.sends.len() + operation.polls().count() > 1,
        _ => false,
    }
}
