//! A member of the run's consumer group: processes what it is handed in batches, and commits when its workload says.
//!
//! A record is put on record when it is processed, not when it is handed over: that is what a group owes its
//! application, and what tells committing before from committing after.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::Duration;

use history::{
    Detail, Ended, EndedOperation, ErrorCode, Event, FENCE_PRODUCER, Function, Nanos, Note, Offset, Outcome,
    Partition, clock,
};
use workloads::Commit;
use workloads::client::{Change, Handed, Member, Positions, Rebalance, Remark};

use super::entry::ActorError;
use super::protocol::Command;
use super::shared::Session;
use crate::kafka::member::KafkaMember;
use crate::kafka::properties::{Use, put, read_back_member};

const WAIT: Duration = Duration::from_millis(50);
/// How long an application is busy with a batch: whoever dies, dies most likely in the middle of one.
const WORK: Duration = Duration::from_millis(50);
/// How long the coordinator may take to tell what is committed.
const ASK: Duration = Duration::from_millis(1500);
/// How often it is asked once the load is over.
const LOOK_NS: u64 = 200_000_000;
/// How long the first assignment is waited for.
const JOINED_NS: u64 = 5_000_000_000;
/// Records of a batch where `max.poll.records` is not set.
const BATCH: usize = 5000;

/// When what was handed over is committed, and by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    /// By the member, when it is processed.
    After,
    /// By the member, before it is processed.
    First,
    /// By the client, on its own timer.
    Automatic {
        /// When it was handed over; else when it is processed.
        handed: bool,
    },
}

impl Policy {
    pub(super) fn of(commit: Commit, effective: &BTreeMap<String, String>) -> Self {
        let is = |name: &str| effective.get(name).is_some_and(|value| value == "true");
        match commit {
            _ if is("enable.auto.commit") => Self::Automatic { handed: is("enable.auto.offset.store") },
            Commit::AfterProcessing => Self::After,
            Commit::BeforeProcessing => Self::First,
        }
    }

    /// The word for it in the session's effective settings.
    const fn word(self) -> &'static str {
        match self {
            Self::After => "after-processing",
            Self::First => "before-processing",
            Self::Automatic { handed: true } => "automatic",
            Self::Automatic { handed: false } => "automatic-after-processing",
        }
    }
}

pub(super) fn act(mut session: Session) -> Result<(), ActorError> {
    let plan = session.plan();
    let commit = workloads::find(&plan.workload).and_then(|workload| workload.consumers.commit());
    let commit = commit.ok_or_else(|| ActorError::Workload(plan.workload.clone()))?;
    let mut config = session.config(Use::Member);
    if let Some(name) = plan.cell.consumer.get("group.instance.id") {
        // Of each member its own.
        put(&mut config, "group.instance.id", &format!("{name}-{}", session.spec.index));
    }
    let mut effective = read_back_member(&config)?;
    let policy = Policy::of(commit, &effective);
    effective.insert("commit".to_owned(), policy.word().to_owned());
    let batch_max = plan.cell.consumer.get("max.poll.records").and_then(|value| value.parse().ok());
    let client = KafkaMember::new(&config, &plan.topic, plan.run_hash)?;
    session.started(effective)?;
    let actor = Actor {
        client,
        policy,
        batch_max: batch_max.unwrap_or(BATCH),
        begun: clock::now(),
        partitions: session.spec.partitions,
        ready: false,
        owned: BTreeSet::new(),
        done: BTreeMap::new(),
        fences: None,
        deadline: Nanos(u64::MAX),
        looked: Nanos(0),
        settled: clock::now(),
        remarks: Vec::new(),
        session,
    };
    actor.run()
}

struct Actor<M> {
    session: Session,
    client: M,
    policy: Policy,
    batch_max: usize,
    begun: Nanos,
    /// Partitions that the topic has by now.
    partitions: u32,
    ready: bool,
    /// The partitions it was given and has not given up.
    owned: BTreeSet<Partition>,
    /// What is to be read next in each of them, as far as it has processed any.
    done: BTreeMap<Partition, Offset>,
    fences: Option<BTreeMap<Partition, Offset>>,
    deadline: Nanos,
    /// When it last asked what is committed.
    looked: Nanos,
    /// When the client last told that it had committed something by itself.
    settled: Nanos,
    remarks: Vec<(Nanos, Remark)>,
}

impl<M: Member> Actor<M> {
    fn run(mut self) -> Result<(), ActorError> {
        loop {
            let polled = clock::now();
            let batch = self.collect();
            let rebalances = self.client.rebalances();
            let lost = rebalances.iter().any(|rebalance| rebalance.change == Change::Lost);
            self.process(polled, &batch, lost)?;
            for rebalance in rebalances {
                self.rebalance(&rebalance)?;
            }
            self.listen()?;
            if let Some(caught_up) = self.is_over(batch.is_empty())? {
                return self.close(caught_up);
            }
        }
    }

    /// What is there, once something is, until the batch is full or a rebalance is to be carried out.
    fn collect(&mut self) -> Vec<Handed> {
        let mut batch: Vec<Handed> = self.client.poll(WAIT).into_iter().collect();
        while !batch.is_empty() && batch.len() < self.batch_max {
            match self.client.poll(Duration::ZERO) {
                Some(handed) => batch.push(handed),
                None => break,
            }
        }
        batch
    }

    fn process(&mut self, polled: Nanos, batch: &[Handed], lost: bool) -> Result<(), ActorError> {
        if batch.is_empty() {
            return Ok(());
        }
        let (mut next, mut first) = (BTreeMap::new(), BTreeMap::new());
        for handed in batch {
            next.insert(handed.partition, Offset(handed.offset.0 + 1));
            first.entry(handed.partition).or_insert(handed.offset);
        }
        let next: Positions = next.into_iter().collect();
        // Who learns that its partitions are somebody else's has nothing to commit any more.
        if self.policy == Policy::First && (lost || !self.commit(&next)?) {
            return self.go_back(first.into_iter().collect());
        }
        self.work();
        for handed in batch {
            let Handed { partition, offset, tag, contents } = *handed;
            self.session
                .record(clock::now(), &Event::Delivered { polled, partition, offset, tag, contents })?;
            let fence = tag.is_some_and(|tag| tag.producer == FENCE_PRODUCER);
            self.session.totals.delivered += u64::from(!fence);
        }
        self.ended(Function::Poll, polled, Outcome::Ok, None)?;
        match self.policy {
            Policy::After if !lost => drop(self.commit(&next)?),
            Policy::Automatic { handed: false } => self.client.store(&next),
            Policy::After | Policy::First | Policy::Automatic { handed: true } => {}
        }
        self.done.extend(next);
        Ok(())
    }

    /// Does what applications do with records, as long as there is a load to keep up with.
    fn work(&self) {
        if self.fences.is_none() {
            thread::sleep(WORK);
        }
    }

    /// Commits, and says whether the coordinator took it.
    fn commit(&mut self, offsets: &Positions) -> Result<bool, ActorError> {
        let invoked = clock::now();
        let note = Note::CommitInvoked { offsets: offsets.clone() };
        self.session.record(invoked, &Event::Note(note))?;
        let answer = self.client.commit(offsets);
        self.committed(invoked, offsets.clone(), answer.err())?;
        Ok(answer.is_ok())
    }

    fn committed(
        &mut self,
        invoked: Nanos,
        committed: Positions,
        error: Option<ErrorCode>,
    ) -> Result<(), ActorError> {
        // The client tries again by itself: what was refused at last may have been taken at first.
        let outcome = if error.is_none() { Outcome::Ok } else { Outcome::Unknown };
        let error = error.map(|code| code.to_string());
        let detail = Detail { committed, error, ..Detail::default() };
        self.ended(Function::Commit, invoked, outcome, Some(detail))
    }

    /// Takes up again where a batch began that was not committed; what is not its any more it cannot.
    fn go_back(&mut self, first: Positions) -> Result<(), ActorError> {
        let invoked = clock::now();
        self.client.seek(&first);
        let rebalanced = first.into_iter().map(|(partition, _)| partition).collect();
        let detail = Detail { rebalanced, ..Detail::default() };
        self.ended(Function::Other, invoked, Outcome::Ok, Some(detail))
    }

    fn rebalance(&mut self, rebalance: &Rebalance) -> Result<(), ActorError> {
        let Rebalance { at, change, partitions } = rebalance;
        let mut detail = Detail { rebalanced: partitions.clone(), ..Detail::default() };
        let assigned = *change == Change::Assigned;
        if assigned && !partitions.is_empty() {
            detail.fetched = self.client.fetch(partitions, ASK).unwrap_or_default();
        }
        let carried_out = self.client.carry_out(rebalance);
        self.done.retain(|partition, _| !partitions.contains(partition));
        if assigned {
            self.owned.extend(partitions);
            detail.assigned.clone_from(partitions);
        } else {
            self.owned.retain(|partition| !partitions.contains(partition));
            detail.revoked.clone_from(partitions);
            detail.lost = *change == Change::Lost;
        }
        detail.error = carried_out.err().map(|code| code.to_string());
        self.ended(Function::Poll, *at, Outcome::Ok, Some(detail))?;
        self.be_ready();
        Ok(())
    }

    fn be_ready(&mut self) {
        if !std::mem::replace(&mut self.ready, true) {
            self.session.ready();
        }
    }

    fn ended(
        &mut self,
        function: Function,
        invoked: Nanos,
        outcome: Outcome,
        detail: Option<Detail>,
    ) -> Result<(), ActorError> {
        let now = clock::now();
        let ended = Ended { function, invoked, completed: Some(now), outcome, line: None, detail };
        let operation = Box::new(EndedOperation { ended, runs: Vec::new() });
        self.session.record(now, &Event::OperationEnded(operation))
    }

    /// Takes in what the client and the runner have to say.
    fn listen(&mut self) -> Result<(), ActorError> {
        let committed = self.client.committed();
        if matches!(self.policy, Policy::Automatic { .. }) {
            for committed in committed {
                // Some time since the last one; nobody says when.
                let invoked = std::mem::replace(&mut self.settled, committed.at);
                let error = (committed.error != ErrorCode::NONE).then_some(committed.error);
                self.committed(invoked, committed.offsets, error)?;
            }
        }
        self.client.remarks(&mut self.remarks);
        self.session.remarks(&mut self.remarks)?;
        let now = clock::now();
        self.session.progress(now);
        if now.since(self.begun) > JOINED_NS {
            self.be_ready();
        }
        while let Ok(command) = self.session.commands.try_recv() {
            match command {
                Command::Finish { fences, deadline_ms } => {
                    self.deadline = Nanos(clock::now().0 + deadline_ms * 1_000_000);
                    self.fences = Some(fences);
                }
                Command::Stop => self.deadline = Nanos(0),
                // The client finds them by itself; what is waited for is more.
                Command::Partitions { total } => self.partitions = self.partitions.max(total),
                Command::Go { .. } | Command::Admin { .. } => {}
            }
        }
        Ok(())
    }

    /// Whether the group has committed past every fence, or nobody waits for that any longer.
    fn is_over(&mut self, idle: bool) -> Result<Option<bool>, ActorError> {
        let late = clock::now() >= self.deadline;
        let Some(fences) = &self.fences else { return Ok(late.then_some(false)) };
        if late || (idle && clock::now().since(self.looked) > LOOK_NS) {
            let (fences, all) = (fences.clone(), fences.len() == self.partitions as usize);
            self.commit_the_last(&fences)?;
            let invoked = clock::now();
            let partitions: Vec<Partition> = fences.keys().copied().collect();
            let fetched = self.client.fetch(&partitions, ASK).unwrap_or_default();
            let past = fetched.iter().filter(|(partition, next)| *next > fences[partition]).count();
            self.looked = clock::now();
            if late || (all && past == fences.len()) {
                let detail = Detail { fetched, ..Detail::default() };
                self.ended(Function::Poll, invoked, Outcome::Ok, Some(detail))?;
                return Ok(Some(all && past == fences.len()));
            }
        }
        Ok(None)
    }

    /// A client that commits on a timer is not waited for: what is processed past a fence is committed at once.
    fn commit_the_last(&mut self, fences: &BTreeMap<Partition, Offset>) -> Result<(), ActorError> {
        let past = |(partition, next): (&Partition, &Offset)| {
            let past = fences.get(partition).is_some_and(|fence| next > fence);
            past.then_some((*partition, *next))
        };
        let last: Positions = self.done.iter().filter_map(past).collect();
        if matches!(self.policy, Policy::Automatic { .. }) && !last.is_empty() {
            self.commit(&last)?;
            self.done.clear();
        }
        Ok(())
    }

    fn close(mut self, caught_up: bool) -> Result<(), ActorError> {
        if self.fences.is_some() {
            self.session.note(Note::ReaderStopped { caught_up })?;
        }
        let owned: Vec<Partition> = self.owned.iter().copied().collect();
        let detail = Detail { rebalanced: owned.clone(), revoked: owned, ..Detail::default() };
        self.ended(Function::Poll, clock::now(), Outcome::Ok, Some(detail))?;
        // Leaves the group.
        drop(self.client);
        self.session.note(Note::SessionClosed)?;
        self.session.done(0);
        Ok(())
    }
}
