//! Transactions that consume, transform and produce: do their outputs and the offsets of their inputs go
//! together?

use std::collections::{BTreeMap, HashMap, HashSet};

use history::{Nanos, Note, Offset, Operation, Outcome, Partition, Role, Send, Session};

use super::facts::{Facts, is_transaction, reads_committed};
use super::{OFFSETS_WITHOUT_OUTPUT, OUTPUT_WITHOUT_OFFSETS, Tally, story};
use crate::context::{Context, Fact, involved};
use crate::{Finding, Witness};

/// A place in the log.
type At = (Partition, Offset);

/// An offset that an operation committed.
#[derive(Debug, Clone, Copy)]
struct Commit {
    /// Session, and number of the operation there.
    by: (usize, usize),
    offset: Offset,
    invoked: Nanos,
    completed: Option<Nanos>,
    outcome: Outcome,
}

/// An offset that a group said it had committed.
#[derive(Debug, Clone, Copy)]
struct Fetch {
    session: usize,
    at: At,
    invoked: Nanos,
}

/// A transaction that says what its outputs were made of.
struct Step<'h> {
    /// Session, and number of the operation there.
    by: (usize, usize),
    operation: Operation<'h>,
    /// Something of it can be read.
    seen: bool,
    /// Each output with the place of its input.
    outputs: Vec<(Send, At)>,
}

impl Step<'_> {
    /// The next offset to be read that it committed in a partition.
    fn committed(&self, partition: Partition) -> Option<Offset> {
        let committed = self.operation.detail.map_or(&[][..], |detail| &detail.committed);
        committed.iter().filter(|(of, _)| *of == partition).map(|(_, offset)| *offset).max()
    }

    /// Whether its own commit goes past an input.
    fn covers(&self, (partition, offset): At) -> bool {
        self.committed(partition).is_some_and(|next| next > offset)
    }
}

/// What all sessions consumed and committed.
struct Consumed<'c, 'h> {
    context: &'c Context<'h>,
    facts: &'c Facts,
    commits: HashMap<Partition, Vec<Commit>>,
    fetches: Vec<Fetch>,
    steps: Vec<Step<'h>>,
    /// Inputs of which an output can be read, with the sessions that made them.
    done: HashMap<At, Vec<usize>>,
    /// Partitions that a drain of committed records read to the fence.
    drained: HashSet<Partition>,
}

pub(super) fn check(context: &Context<'_>, facts: &Facts) -> Vec<Finding> {
    let mut links = context.history.sessions.iter().flat_map(Session::details);
    if !facts.transactional || !links.any(|detail| !detail.inputs.is_empty()) {
        return Vec::new();
    }
    let consumed = Consumed::of(context, facts);
    let without_output = consumed.without_output().finding(context, &OFFSETS_WITHOUT_OUTPUT);
    let without_offsets = consumed.without_offsets().finding(context, &OUTPUT_WITHOUT_OFFSETS);
    without_output.into_iter().chain(without_offsets).collect()
}

impl<'c, 'h> Consumed<'c, 'h> {
    fn of(context: &'c Context<'h>, facts: &'c Facts) -> Self {
        let mut consumed = Self {
            context,
            facts,
            commits: HashMap::new(),
            fetches: Vec::new(),
            steps: Vec::new(),
            done: HashMap::new(),
            drained: HashSet::new(),
        };
        let history = context.history;
        for (number, session) in history.sessions.iter().enumerate() {
            if session.details().next().is_some() {
                consumed.session(number, session);
            }
        }
        let mut done: HashMap<At, Vec<usize>> = HashMap::new();
        for step in &consumed.steps {
            for (_, input) in step.outputs.iter().filter(|(send, _)| consumed.seen(send)) {
                done.entry(*input).or_default().push(step.by.0);
            }
        }
        consumed.done = done;
        let drains = history.of(Role::Drain).filter(|drain| reads_committed(context, drain));
        consumed.drained = drains
            .flat_map(|drain| &drain.notes)
            .filter_map(|(_, note)| match note {
                Note::Drained { partition } => Some(*partition),
                _ => None,
            })
            .collect();
        consumed
    }

    fn session(&mut self, number: usize, session: &'h Session) {
        // What it was told it was told, whatever became of the operation. With read_uncommitted a consumer asks for offsets that a transaction may be about to change.
        let stable = session.effective.get("isolation.level").is_none_or(|level| level != "read_uncommitted");
        let mut sends = session.sends();
        for (index, operation) in session.recorded().enumerate() {
            let Some(detail) = operation.detail else { continue };
            let by = (number, index);
            for (partition, offset) in &detail.committed {
                self.commits.entry(*partition).or_default().push(Commit {
                    by,
                    offset: *offset,
                    invoked: operation.invoked,
                    completed: operation.completed,
                    outcome: operation.outcome,
                });
            }
            let fetched = detail.fetched.iter().filter(|_| stable);
            let invoked = operation.invoked;
            self.fetches.extend(fetched.map(|at| Fetch { session: number, at: *at, invoked }));
            if is_transaction(&operation) {
                let sent: Vec<Send> = sends.seek(operation.sends.clone()).collect();
                let seen = sent.iter().any(|send| self.seen(send));
                let outputs = sent.into_iter().zip(&detail.inputs);
                let outputs: Vec<(Send, At)> =
                    outputs.filter_map(|(send, input)| Some((send, (*input)?))).collect();
                if !outputs.is_empty() {
                    self.steps.push(Step { by, operation, seen, outputs });
                }
            }
        }
    }

    /// Whether somebody of a session's group made an output of an input that can be read.
    fn is_done(&self, session: usize, input: &At) -> bool {
        self.done.get(input).is_some_and(|by| by.iter().any(|other| self.may_share(*other, session)))
    }

    fn seen(&self, send: &Send) -> bool {
        self.context.find(send.tag).is_some_and(|at| self.facts.seen(at))
    }

    /// Whether no committed reader can ever be given an output.
    fn absent(&self, send: &Send) -> bool {
        let context = self.context;
        if let Some(derived) = &context.derived {
            return derived.knows(send.tag, Fact::Lost);
        }
        let hidden = |partition| self.drained.contains(partition) && context.absence_counts(send);
        !self.seen(send) && send.partition.as_ref().is_some_and(hidden)
    }

    fn group(&self, session: usize) -> Option<&str> {
        self.context.history.sessions[session].effective.get("group.id").map(String::as_str)
    }

    /// Whether two sessions may be of one group; certainly so, if both say the same or neither says any.
    fn may_share(&self, one: usize, other: usize) -> bool {
        let (one, other) = (self.group(one), self.group(other));
        one.is_none() || other.is_none() || one == other
    }

    fn share(&self, one: usize, other: usize) -> bool {
        self.group(one) == self.group(other)
    }

    /// Other operations that may have committed in a partition for the group of this one.
    fn others(&self, by: (usize, usize), partition: Partition) -> impl Iterator<Item = &Commit> {
        let commits = self.commits.get(&partition).into_iter().flatten();
        commits.filter(move |commit| commit.by != by && self.may_share(commit.by.0, by.0))
    }

    /// Committed offsets, and no output of theirs.
    fn without_output(&self) -> Tally {
        let mut tally = Tally::default();
        let proofs = self.proofs();
        for step in &self.steps {
            let ok = step.operation.outcome == Outcome::Ok;
            let proof = proofs.get(&step.by);
            // Where some of it can be read, it is torn.
            if !(ok || proof.is_some()) || step.seen {
                continue;
            }
            let missing = step.outputs.iter().find(|(send, input)| {
                step.covers(*input) && !self.is_done(step.by.0, input) && self.absent(send)
            });
            if let Some((send, input)) = missing {
                tally.add(|| {
                    let how = match proof {
                        Some(fetch) if !ok => {
                            let group = self.context.history.sessions[fetch.session].name();
                            format!("ended without success, and {group} was told that its offset")
                        }
                        _ => "committed offset".to_owned(),
                    };
                    let next = step.committed(input.0).unwrap_or(input.1);
                    let told = if ok { "" } else { " is committed" };
                    let rest = format!("{how} {next} of {}{told}, past", self.partition(input.0));
                    self.witness(step, (send, *input), &rest, "is in no log")
                });
            }
        }
        tally
    }

    /// Outputs that can be read, of inputs that are still to be processed.
    fn without_offsets(&self) -> Tally {
        let mut tally = Tally::default();
        let highest = self.highest();
        // What a failed transaction wrote and somebody read is an aborted read.
        let lasting = |step: &&Step<'_>| step.operation.outcome != Outcome::Fail;
        for step in self.steps.iter().filter(lasting) {
            let visible = step.outputs.iter().filter(|(send, _)| self.seen(send));
            let mut behind = visible
                .filter_map(|(send, input)| Some((send, *input, self.left_behind(step, *input, &highest)?)));
            if let Some((send, input, how)) = behind.next() {
                tally.add(|| self.witness(step, (send, input), &how, "can be read"));
            }
        }
        tally
    }

    /// How it is known that the group never went past an input, if it is.
    fn left_behind(
        &self,
        step: &Step<'_>,
        input: At,
        highest: &BTreeMap<(Option<&str>, Partition), Offset>,
    ) -> Option<String> {
        let (partition, offset) = input;
        let place = self.partition(partition);
        let group = self.group(step.by.0);
        let mut theirs = highest
            .iter()
            .filter(|((of, at), _)| *at == partition && (of.is_none() || group.is_none() || *of == group));
        if theirs.all(|(_, next)| *next <= offset) {
            // Who never commits offsets in transactions keeps them elsewhere.
            let session = &self.context.history.sessions[step.by.0];
            let commits = session.details().any(|detail| !detail.committed.is_empty());
            return commits.then(|| format!("committed no offset of {place} past"));
        }
        let returned = step.operation.completed.filter(|_| step.operation.outcome == Outcome::Ok)?;
        if !step.covers(input) {
            return None;
        }
        let lower = |commit: &Commit| {
            let over = commit.completed.is_some_and(|at| at < step.operation.invoked);
            commit.offset <= offset
                && commit.outcome != Outcome::Fail
                && !(over && commit.outcome == Outcome::Ok)
        };
        let fetch = self.fetches.iter().find(|fetch| {
            fetch.at.0 == partition
                && fetch.at.1 <= offset
                && returned < fetch.invoked
                && self.share(fetch.session, step.by.0)
        })?;
        let excused = self.others(step.by, partition).any(lower);
        (!excused).then(|| {
            let told = self.context.history.sessions[fetch.session].name();
            let next = step.committed(partition).unwrap_or(offset);
            format!(
                "committed offset {next} of {place}, and {told} was told afterwards that offset {} is committed, not past",
                fetch.at.1
            )
        })
    }

    /// The highest offset that may have been committed, by group and partition.
    fn highest(&self) -> BTreeMap<(Option<&str>, Partition), Offset> {
        let mut highest = BTreeMap::new();
        for (partition, commits) in &self.commits {
            for commit in commits.iter().filter(|commit| commit.outcome != Outcome::Fail) {
                let known = highest.entry((self.group(commit.by.0), *partition)).or_insert(commit.offset);
                *known = (*known).max(commit.offset);
            }
        }
        highest
    }

    /// Operations whose commit a group told of afterwards, so that it took effect whatever they were told:
    /// nobody else may have committed that offset.
    fn proofs(&self) -> HashMap<(usize, usize), Fetch> {
        let mut by_offset: HashMap<At, Vec<&Commit>> = HashMap::new();
        for (partition, commits) in &self.commits {
            for commit in commits {
                by_offset.entry((*partition, commit.offset)).or_default().push(commit);
            }
        }
        let mut proofs = HashMap::new();
        for fetch in &self.fetches {
            let all = by_offset.get(&fetch.at).map_or(&[][..], Vec::as_slice);
            let mut of_group = all.iter().filter(|commit| self.may_share(commit.by.0, fetch.session));
            if let (Some(commit), None) = (of_group.next(), of_group.next())
                && self.share(commit.by.0, fetch.session)
                && commit.invoked < fetch.invoked
            {
                proofs.entry(commit.by).or_insert(*fetch);
            }
        }
        proofs
    }

    fn partition(&self, partition: Partition) -> String {
        format!("partition {}", self.context.history.partition_name(partition))
    }

    fn witness(&self, step: &Step<'_>, (send, input): (&Send, At), how: &str, fate: &str) -> Witness {
        let context = self.context;
        let session = &context.history.sessions[step.by.0];
        let text = format!(
            "{} {how} its input at offset {} of {}; {}, which it made of that, {fate}",
            story::name(context, session, &step.operation),
            input.1,
            self.partition(input.0),
            context.history.name_of(send.tag),
        );
        let at = Some(send.completed.unwrap_or(send.invoked));
        let witness = context.witness(text, Some(send.tag), send.partition, send.offset, at);
        witness.with(context.derived.as_ref().map(|_| involved(session, step.by.1, &step.operation)))
    }
}
