//! How many rows each record has in one sink: a byte a record, so that a walk stays linear.

use history::{Outcome, Role, Session, Tag};

use crate::context::{Context, Fact, Producer, Row, SendAt};

/// What a context counts of a record's copies in the log; more are not told apart.
pub(super) const MOST_COPIES: u32 = 3;

/// Rows of one sink by producer session and rank.
pub(super) struct Counts {
    rows: Vec<Vec<u8>>,
    /// Records of which a row is there that came out damaged: a finding of its own. Sorted.
    damaged: Vec<Tag>,
}

impl Counts {
    pub(super) fn of(context: &Context<'_>, sink: &Session) -> Self {
        let none = |producer: &Producer<'_>| vec![0_u8; producer.len()];
        let mut counts = Self { rows: context.producers.iter().map(none).collect(), damaged: Vec::new() };
        for row in sink.deliveries() {
            match Row::of(&row) {
                Row::Of(tag) => {
                    if let Some(at) = context.find(tag) {
                        let rows = &mut counts.rows[at.producer][at.send];
                        *rows = rows.saturating_add(1);
                    }
                }
                Row::Damaged(tag) => counts.damaged.extend(tag),
                Row::Foreign | Row::Fence => {}
            }
        }
        counts.damaged.sort_unstable();
        counts
    }

    /// Records with several rows, and how many (255 is that or more). One whose send certainly failed is a
    /// phantom, however many rows it has.
    pub(super) fn repeated<'c>(
        &'c self,
        context: &'c Context<'_>,
    ) -> impl Iterator<Item = (SendAt, u8)> + 'c {
        let failed = |at: SendAt| context.producers[at.producer].failed(at.send);
        self.each().filter(move |(at, rows)| *rows > 1 && !failed(*at))
    }

    /// Records that were to be processed and have no row.
    pub(super) fn missing<'c>(&'c self, context: &'c Context<'_>) -> impl Iterator<Item = SendAt> + 'c {
        let committed = Committed::of(context);
        self.each().filter(|(_, rows)| *rows == 0).map(|(at, _)| at).filter(move |at| {
            let producer = &context.producers[at.producer];
            !producer.failed(at.send)
                && is_there(context, producer, *at)
                && committed.includes(producer, *at)
                && (self.damaged.is_empty()
                    || self.damaged.binary_search(&producer.send(at.send).tag).is_err())
        })
    }

    fn each(&self) -> impl Iterator<Item = (SendAt, u8)> {
        self.rows.iter().enumerate().flat_map(|(producer, rows)| {
            rows.iter().enumerate().map(move |(send, rows)| (SendAt { producer, send }, *rows))
        })
    }
}

/// Whether a record is in the log: the drain read it; where there was none, whatever took effect and is not
/// known to be lost.
fn is_there(context: &Context<'_>, producer: &Producer<'_>, at: SendAt) -> bool {
    let copies = producer.copies(at.send);
    match &context.derived {
        None => copies > 0,
        Some(derived) => {
            let tag = producer.send(at.send).tag;
            derived.is_due(tag) || (copies > 1 && !derived.knows(tag, Fact::Lost))
        }
    }
}

/// In a run with transactions, the records that a drain of committed records was given: others may be in the
/// log and aborted.
struct Committed(Option<Vec<Vec<bool>>>);

impl Committed {
    fn of(context: &Context<'_>) -> Self {
        if !context.terms.transactional || context.derived.is_some() {
            return Self(None);
        }
        let mut seen: Vec<Vec<bool>> =
            context.producers.iter().map(|producer| vec![false; producer.len()]).collect();
        let committed = |drain: &&Session| {
            drain.effective.get("isolation.level").is_none_or(|level| level != "read_uncommitted")
        };
        for given in context.history.of(Role::Drain).filter(committed).flat_map(Session::deliveries) {
            if let Row::Of(tag) = Row::of(&given)
                && let Some(at) = context.find(tag)
            {
                seen[at.producer][at.send] = true;
            }
        }
        Self(Some(seen))
    }

    fn includes(&self, producer: &Producer<'_>, at: SendAt) -> bool {
        match &self.0 {
            None => true,
            Some(seen) => seen[at.producer][at.send] || producer.send(at.send).outcome == Outcome::Ok,
        }
    }
}
