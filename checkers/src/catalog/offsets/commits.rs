//! Offsets that consumers committed: do they go forward, and no further than what was given?

use history::{Function, ImportFormat, Nanos, Offset, Operation, Outcome, Partition, Session, Tag};

use super::{BEYOND, REGRESS, SPEC};
use crate::Finding;
use crate::context::{Context, MAX_EXAMPLES, involved, parallel};
use crate::guarantees::Commits;
use crate::judgement::Witness;
use crate::spec::Kind;

/// Why a lower commit may be what the application wanted.
const SOUGHT: &str =
    "the consumer was given earlier offsets again in between, so that it may have sought them";
/// Why it may have been rewound by others.
const REGROUPED: &str = "the consumer subscribes and the history tells of no rebalance, so that the partition may have been \
                         elsewhere in between";
/// Why nobody can say that anything was passed.
const NOTHING_THERE: &str = "nothing is known to lie between what was given and what was committed: control records, compaction \
                             and records of others leave such gaps";

/// A commit that came back: the number of its operation in the session, the offset, and when.
#[derive(Debug, Clone, Copy)]
struct Committed {
    operation: usize,
    offset: Offset,
    completed: Nanos,
}

/// Where a session is in one partition, since it last was assigned, moved or sought.
#[derive(Debug, Clone, Copy, Default)]
struct Stand {
    /// The highest commit that came back.
    committed: Option<Committed>,
    /// Deliveries below that commit came after it.
    rewound: bool,
    /// The highest offset given.
    given: Option<Offset>,
}

#[derive(Default)]
struct Tally {
    count: u64,
    examples: Vec<Witness>,
}

impl Tally {
    fn add(&mut self, count: u64, witness: impl FnOnce() -> Witness) {
        self.count += count;
        if self.examples.len() < MAX_EXAMPLES {
            self.examples.push(witness());
        }
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.examples.extend(other.examples);
        self.examples.truncate(MAX_EXAMPLES);
    }

    fn finding(self, context: &Context<'_>, kind: &Kind, allowed: Option<&str>) -> Option<Finding> {
        let summary = kind.phrase(self.count, context.counts());
        let mut finding =
            (self.count > 0).then(|| kind.finding(&SPEC, self.count, summary, self.examples))?;
        finding.allowed = allowed.map(str::to_owned);
        Some(finding)
    }
}

#[derive(Default)]
struct Found {
    back: Tally,
    sought: Tally,
    regrouped: Tally,
    beyond: Tally,
    moved: Tally,
    nothing: Tally,
}

pub(super) fn check(context: &Context<'_>) -> Vec<Finding> {
    let commits = |session: &&Session| session.details().any(|detail| !detail.committed.is_empty());
    let sessions: Vec<&Session> = context.history.sessions.iter().filter(commits).collect();
    let mut all = Found::default();
    for found in parallel::map(&sessions, |session| walk(context, session)) {
        all.back.merge(found.back);
        all.sought.merge(found.sought);
        all.regrouped.merge(found.regrouped);
        all.beyond.merge(found.beyond);
        all.moved.merge(found.moved);
        all.nothing.merge(found.nothing);
    }
    let kinds = [
        (all.back, &REGRESS, None),
        (all.sought, &REGRESS, Some(SOUGHT)),
        (all.regrouped, &REGRESS, Some(REGROUPED)),
        (all.beyond, &BEYOND, None),
        (all.moved, &BEYOND, Some(REGROUPED)),
        (all.nothing, &BEYOND, Some(NOTHING_THERE)),
    ];
    kinds.into_iter().filter_map(|(tally, kind, allowed)| tally.finding(context, kind, allowed)).collect()
}

/// One session's commits.
struct Walk<'c, 'h> {
    context: &'c Context<'h>,
    session: &'c Session,
    stands: Vec<Stand>,
    /// Subscribed, and the session tells of no rebalance.
    silent: bool,
    /// A poll never came back, so that nobody knows what was given.
    unsure: bool,
    found: Found,
}

fn walk(context: &Context<'_>, session: &Session) -> Found {
    let told = context.derived.as_ref().is_some_and(|derived| derived.tells_rebalances)
        || session.details().any(|detail| !detail.rebalanced.is_empty());
    // Who commits what it has not processed yet was handed more than is on record.
    let early = session.effective.get("commit").and_then(|word| Commits::of(word));
    let unsure = early.is_some_and(|commits| commits != Commits::After);
    let mut walk =
        Walk { context, session, stands: Vec::new(), silent: false, unsure, found: Found::default() };
    let mut deliveries = session.deliveries();
    for (number, operation) in session.operations().enumerate() {
        walk.moves(&operation, told);
        let rebalanced = operation.detail.map_or(&[][..], |detail| &detail.rebalanced);
        for delivery in deliveries.by_ref().take(operation.deliveries.len()) {
            let stand = walk.stand(delivery.partition);
            stand.rewound |= stand.committed.is_some_and(|commit| delivery.offset < commit.offset);
            stand.given = stand.given.max(Some(delivery.offset));
        }
        let polls = matches!(operation.function, Function::Poll | Function::Txn);
        walk.unsure |= polls && operation.outcome == Outcome::Unknown;
        for (partition, offset) in operation.detail.iter().flat_map(|detail| &detail.committed) {
            // What a rebalance moved meanwhile may have been anywhere.
            if operation.outcome == Outcome::Ok && !rebalanced.contains(partition) {
                walk.commit(number, &operation, *partition, *offset);
            }
        }
        // Given before the rebalance or after it: nobody says.
        for partition in rebalanced {
            *walk.stand(*partition) = Stand::default();
        }
    }
    walk.found
}

impl Walk<'_, '_> {
    fn stand(&mut self, partition: Partition) -> &mut Stand {
        let at = partition.0 as usize;
        if self.stands.len() <= at {
            self.stands.resize(at + 1, Stand::default());
        }
        &mut self.stands[at]
    }

    /// Forgets where the session was, if the operation may have moved it. One whose outcome is unknown may
    /// have happened; what it does that touches no record may be a seek.
    fn moves(&mut self, operation: &Operation<'_>, told: bool) {
        if operation.outcome == Outcome::Fail {
            return;
        }
        let moved = operation.detail.is_some_and(|detail| !detail.rebalanced.is_empty());
        match operation.function {
            Function::Subscribe if moved => self.silent = false,
            Function::Subscribe => {
                (self.silent, self.unsure) = (!told, false);
                self.stands.clear();
            }
            Function::Assign | Function::Crash => {
                (self.silent, self.unsure) = (false, false);
                self.stands.clear();
            }
            Function::Other => self.stands.clear(),
            Function::Send | Function::Poll | Function::Txn | Function::Commit => {}
        }
    }

    fn commit(&mut self, number: usize, operation: &Operation<'_>, partition: Partition, offset: Offset) {
        let completed = operation.completed.unwrap_or(operation.invoked);
        let (silent, stand) = (self.silent, *self.stand(partition));
        // Two commits under way at once may arrive in either order.
        let before = stand.committed.filter(|before| {
            before.operation != number && (self.tells_no_calls() || before.completed < operation.invoked)
        });
        if let Some(before) = before.filter(|before| offset < before.offset) {
            let (context, session) = (self.context, self.session);
            let tally = match (stand.rewound, silent) {
                (true, _) => &mut self.found.sought,
                (false, true) => &mut self.found.regrouped,
                (false, false) => &mut self.found.back,
            };
            tally.add(1, || regress(context, session, before, (number, operation), partition, offset));
        }
        if !self.unsure
            && let Some(given) = stand.given.filter(|given| offset.0 > given.0.saturating_add(1))
        {
            self.beyond((number, operation), partition, given, offset);
        }
        let now = Committed { operation: number, offset, completed };
        let back = before.is_some_and(|before| offset < before.offset);
        let stand = self.stand(partition);
        // It goes on from here, so that each step back counts once.
        if back || stand.committed.is_none_or(|before| before.offset <= offset) {
            (stand.committed, stand.rewound) = (Some(now), false);
        }
    }

    /// Lines that tell when something was reported and never when it was asked for: their order is what counts.
    fn tells_no_calls(&self) -> bool {
        let imported = self.context.history.imported.as_ref();
        imported.is_some_and(|imported| imported.format == ImportFormat::Verifiable)
    }

    /// A commit beyond the last record given: which records did it pass that nobody was given before?
    fn beyond(
        &mut self,
        commit: (usize, &Operation<'_>),
        partition: Partition,
        given: Offset,
        offset: Offset,
    ) {
        let context = self.context;
        let Some(log) = context.log(partition).filter(|log| !log.deletes) else { return };
        let from = log.entries.position_from(Offset(given.0 + 1));
        let between = log.entries.from(from).take_while(|entry| entry.offset < offset);
        let ours: Vec<(Tag, Offset)> =
            between.filter_map(|entry| Some((entry.intact()?, entry.offset))).collect();
        let due: Vec<(Tag, Offset)> = ours.iter().copied().filter(|(tag, _)| is_due(context, *tag)).collect();
        let passed = self.not_given(partition, &due, commit.1);
        let session = self.session;
        if let Some(first) = passed.first() {
            let more = passed.len() - 1;
            let tally = if self.silent { &mut self.found.moved } else { &mut self.found.beyond };
            let passed = Some((*first, more));
            tally.add(1, || passing(context, session, commit, partition, (given, offset), passed));
        } else if ours.is_empty() && !context.terms.transactional {
            let known = context.history.log_sessions().flat_map(Session::deliveries);
            let known = known.filter(|delivery| delivery.partition == partition);
            let last = known.map(|delivery| delivery.offset).max();
            let log_end = log.entries.len().checked_sub(1).map(|last| log.entries.offset(last));
            if last.max(log_end).is_some_and(|last| offset.0 <= last.0.saturating_add(1)) {
                return;
            }
            // Behind what a drain read there is nothing at all, unless the log was cut meanwhile.
            let certain =
                log.complete && context.derived.is_none() && context.stale.is_empty() && !self.silent;
            let tally = if certain { &mut self.found.beyond } else { &mut self.found.nothing };
            tally.add(1, || passing(context, session, commit, partition, (given, offset), None));
        }
    }

    /// Of these records, those that no other session of the group was given before the commit was over.
    fn not_given(
        &self,
        partition: Partition,
        records: &[(Tag, Offset)],
        commit: &Operation<'_>,
    ) -> Vec<(Tag, Offset)> {
        let mut left = records.to_vec();
        if left.is_empty() {
            return left;
        }
        let until = commit.completed.unwrap_or(commit.invoked);
        let group = |session: &Session| session.effective.get("group.id").cloned();
        let mine = group(self.session);
        let own = std::ptr::from_ref(self.session);
        let ours = |other: &&Session| {
            let other_group = group(other);
            !std::ptr::eq(*other, own)
                && other.role == self.session.role
                && (mine.is_none() || other_group.is_none() || other_group == mine)
        };
        for other in self.context.history.sessions.iter().filter(ours) {
            for delivery in other.deliveries().filter(|delivery| delivery.partition == partition) {
                let before =
                    delivery.polled <= until && (!self.tells_no_calls() || delivery.returned <= until);
                if before && let Ok(at) = left.binary_search_by_key(&delivery.offset, |(_, offset)| *offset) {
                    left.remove(at);
                }
            }
        }
        left
    }
}

/// Whether a reader must be given a record, if it reads that far.
fn is_due(context: &Context<'_>, tag: Tag) -> bool {
    match &context.derived {
        Some(derived) => derived.is_due(tag),
        None => context.find(tag).is_some_and(|at| context.send(at).outcome == Outcome::Ok),
    }
}

fn regress(
    context: &Context<'_>,
    session: &Session,
    before: Committed,
    (number, operation): (usize, &Operation<'_>),
    partition: Partition,
    offset: Offset,
) -> Witness {
    let text = format!(
        "{} committed offset {offset} of partition {} after offset {}",
        session.name(),
        context.history.partition_name(partition),
        before.offset
    );
    let at = operation.completed.unwrap_or(operation.invoked);
    let earlier = involved(session, before.operation, &session.operation(before.operation));
    context
        .witness(text, None, Some(partition), Some(offset), Some(at))
        .with([earlier, involved(session, number, operation)])
}

/// `passed` is the first record passed, and how many more.
fn passing(
    context: &Context<'_>,
    session: &Session,
    (number, operation): (usize, &Operation<'_>),
    partition: Partition,
    (given, offset): (Offset, Offset),
    passed: Option<((Tag, Offset), usize)>,
) -> Witness {
    let mut text = format!(
        "{} committed offset {offset} of partition {} having been given nothing behind offset {given}",
        session.name(),
        context.history.partition_name(partition)
    );
    let (mut tag, mut place) = (None, offset);
    if let Some(((first, at), more)) = passed {
        text.push_str(&format!(", past {} at offset {at}", context.name(first)));
        if more > 0 {
            text.push_str(&format!(" and {more} more"));
        }
        (tag, place) = (Some(first), at);
    }
    let at = operation.completed.unwrap_or(operation.invoked);
    let witness = context.witness(text, tag, Some(partition), Some(place), Some(at));
    witness.with([involved(session, number, operation)]).with(tag.and_then(|tag| context.sender(tag)))
}
