//! A consumer group on a log, drawn from a seed: members join, leave, die and stand still, partitions move, and
//! everybody does what is legal, unless a fault of the coordinator or of a member is planted.

use std::collections::{BTreeMap, BTreeSet};

use history::view::Ended;
use history::{Contents, Delivery, Detail, Function, Nanos, Note, Offset, Outcome, Partition, Role, Session};

use super::{Rng, Scene, tag};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Planted {
    /// Nothing.
    Nothing,
    /// Whoever comes to this record is not given it.
    Skipped(u32, i64),
    /// The coordinator forgets a commit of this partition as soon as it may matter.
    Forgotten(u32),
    /// The coordinator gives this partition to two members as soon as there are two.
    Shared(u32),
}

/// How members commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    After,
    First,
}

/// A member's session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Id(u32, u32);

/// A member as it sees itself.
#[derive(Debug, Clone, Default)]
struct Member {
    /// What it was given, and what it reads next.
    next: BTreeMap<u32, i64>,
    /// The coordinator has gone on without it, and it does not know.
    zombie: bool,
}

/// The group under way.
pub(crate) struct Grouped {
    pub(crate) scene: Scene,
    random: Rng,
    policy: Policy,
    planted: Planted,
    /// What was planted has come true.
    pub(crate) came_true: bool,
    /// Partition and offset of everything that somebody processed.
    processed: BTreeSet<(u32, i64)>,
    records: i64,
    partitions: u32,
    committed: BTreeMap<u32, i64>,
    /// What it had been before.
    before: BTreeMap<u32, i64>,
    members: BTreeMap<Id, Member>,
    sessions: BTreeMap<u32, u32>,
}

/// Draws a group's life.
pub(crate) fn grouped(seed: u64, policy: Policy, planted: Planted) -> Grouped {
    let mut random = Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let (partitions, records) = (1 + random.below(3) as u32, 20 + random.below(40) as i64);
    let mut scene = Scene::new(partitions);
    for offset in 0..records {
        for partition in 0..partitions {
            let number = (offset * i64::from(partitions) + i64::from(partition)) as u64;
            scene.acked(tag(0, number), partition, offset);
        }
    }
    let mut group = Grouped {
        scene,
        random,
        policy,
        planted,
        came_true: false,
        processed: BTreeSet::new(),
        records,
        partitions,
        committed: BTreeMap::new(),
        before: BTreeMap::new(),
        members: BTreeMap::new(),
        sessions: BTreeMap::new(),
    };
    group.join();
    group.join();
    for _ in 0..30 + group.random.below(60) {
        group.step();
    }
    group.finish();
    group
}

impl Grouped {
    /// Records that nobody ever processed.
    pub(crate) fn never(&self) -> usize {
        let all = (0..self.partitions)
            .flat_map(|partition| (0..self.records).map(move |offset| (partition, offset)));
        all.filter(|record| !self.processed.contains(record)).count()
    }

    fn pick(&mut self) -> Option<Id> {
        let ids: Vec<Id> = self.members.keys().copied().collect();
        (!ids.is_empty()).then(|| ids[self.random.below(ids.len())])
    }

    fn step(&mut self) {
        let Some(id) = self.pick() else { return self.join() };
        match self.random.below(20) {
            0 if self.sessions.len() < 4 || self.members.len() < 3 => self.join(),
            1 => self.die(id),
            2 if self.members.len() > 1 => self.leave(id),
            3 if self.members.values().filter(|member| !member.zombie).count() > 1 => self.stall(id),
            4 if self.members[&id].zombie => self.wake(id),
            _ => self.turn(id),
        }
    }

    /// Polls, processes and commits, or tries to.
    fn turn(&mut self, id: Id) {
        let owned: Vec<(u32, i64)> =
            self.members[&id].next.iter().map(|(partition, next)| (*partition, *next)).collect();
        let mut batch = Vec::new();
        let mut next = Vec::new();
        for (partition, from) in owned {
            let until = (from + 1 + self.random.below(4) as i64).min(self.records + 1);
            batch.extend((from..until).map(|offset| (partition, offset)));
            next.push((partition, until));
        }
        if batch.is_empty() {
            return;
        }
        let dies = self.members.len() > 1 && self.random.below(25) == 0;
        if self.policy == Policy::First {
            if !self.commit(id, &next) {
                return self.go_back(id, &next);
            }
            if dies {
                return self.die(id);
            }
        }
        self.process(id, &batch);
        if self.policy == Policy::After && !dies {
            self.commit(id, &next);
        }
        if let Some(member) = self.members.get_mut(&id) {
            member.next.extend(next);
        }
        if dies {
            self.die(id);
        }
    }

    fn process(&mut self, id: Id, batch: &[(u32, i64)]) {
        let polled = self.scene.tick();
        for (partition, offset) in batch.iter().copied() {
            if self.planted == Planted::Skipped(partition, offset) {
                self.came_true = true;
                continue;
            }
            let number = (offset * i64::from(self.partitions) + i64::from(partition)) as u64;
            let fence =
                history::Tag { producer: history::FENCE_PRODUCER, session: 0, seq: u64::from(partition) };
            let tag = if offset == self.records { fence } else { tag(0, number) };
            self.processed.insert((partition, offset));
            let (partition, offset, returned) = (Partition(partition), Offset(offset), self.scene.tick());
            let delivery =
                Delivery { partition, offset, tag: Some(tag), contents: Contents::Intact, polled, returned };
            self.session(id).push_delivery(&delivery);
        }
        self.ended(id, Function::Poll, polled, Outcome::Ok, None);
    }

    /// Whether it was confirmed. One of a zombie never is; some are in doubt, taken or not.
    fn commit(&mut self, id: Id, next: &[(u32, i64)]) -> bool {
        let invoked = self.scene.tick();
        let offsets: Vec<_> =
            next.iter().map(|(partition, offset)| (Partition(*partition), Offset(*offset))).collect();
        self.session(id).notes.push((invoked, Note::CommitInvoked { offsets: offsets.clone() }));
        let zombie = self.members[&id].zombie;
        let luck = if zombie { 0 } else { self.random.below(12) };
        if luck > 0 {
            for (partition, offset) in next {
                let before = self.committed.insert(*partition, *offset);
                self.before.insert(*partition, before.unwrap_or(0));
            }
        }
        let outcome = if luck > 1 { Outcome::Ok } else { Outcome::Unknown };
        let detail = Detail { committed: offsets, ..Detail::default() };
        self.ended(id, Function::Commit, invoked, outcome, Some(detail));
        luck > 1
    }

    /// A batch whose commit was not confirmed is not processed, and is read again.
    fn go_back(&mut self, id: Id, next: &[(u32, i64)]) {
        let rebalanced = next.iter().map(|(partition, _)| Partition(*partition)).collect();
        let now = self.scene.tick();
        let detail = Detail { rebalanced, ..Detail::default() };
        self.ended(id, Function::Other, now, Outcome::Ok, Some(detail));
    }

    fn join(&mut self) {
        let index = self.random.below(4) as u32;
        if self.members.keys().any(|id| id.0 == index) {
            return;
        }
        let session = *self.sessions.entry(index).and_modify(|session| *session += 1).or_insert(0);
        let id = Id(index, session);
        self.members.insert(id, Member::default());
        let word = if self.policy == Policy::After { "after-processing" } else { "before-processing" };
        let effective =
            [("commit", word), ("auto.offset.reset", "earliest"), ("enable.auto.commit", "false")];
        self.session(id).effective =
            effective.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.rebalance();
    }

    fn die(&mut self, id: Id) {
        self.session(id).closed = false;
        self.members.remove(&id);
        self.rebalance();
    }

    fn leave(&mut self, id: Id) {
        self.take_all(id, false);
        self.members.remove(&id);
        self.rebalance();
    }

    /// Stands still until its session is over and others have what it had.
    fn stall(&mut self, id: Id) {
        if let Some(member) = self.members.get_mut(&id) {
            member.zombie = true;
        }
        self.rebalance();
    }

    /// Learns that its group has gone on, after it has gone on itself for a moment, and joins again.
    fn wake(&mut self, id: Id) {
        if self.policy == Policy::After {
            self.turn(id);
        }
        if self.members.contains_key(&id) {
            self.take_all(id, true);
            self.members.insert(id, Member::default());
            self.rebalance();
        }
    }

    fn take_all(&mut self, id: Id, lost: bool) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let revoked: Vec<_> = std::mem::take(&mut member.next).into_keys().map(Partition).collect();
        let now = self.scene.tick();
        let detail = Detail { rebalanced: revoked.clone(), revoked, lost, ..Detail::default() };
        self.ended(id, Function::Poll, now, Outcome::Ok, Some(detail));
    }

    /// Every member gives up what it has, and is given what is its now: one owner a partition.
    fn rebalance(&mut self) {
        let alive: Vec<Id> =
            self.members.iter().filter(|(_, member)| !member.zombie).map(|(id, _)| *id).collect();
        if alive.is_empty() {
            return;
        }
        let shared = match self.planted {
            Planted::Shared(partition) if alive.len() > 1 && !self.came_true => {
                let next = self.committed.get(&partition).copied().unwrap_or(0);
                (next + 4 < self.records).then_some(partition)
            }
            _ => None,
        };
        for id in &alive {
            self.take_all(*id, false);
        }
        let turn = self.random.below(8) as u32;
        for partition in 0..self.partitions {
            let owner = (partition + turn) as usize % alive.len();
            self.give(alive[owner], partition);
            if shared == Some(partition) {
                self.came_true = true;
                let other = alive[(owner + 1) % alive.len()];
                self.give(other, partition);
                // Both go on, and both are believed.
                for id in [alive[owner], other, alive[owner], other] {
                    let at = self.members[&id].next[&partition];
                    self.process(id, &[(partition, at)]);
                    self.members.get_mut(&id).expect("it lives").next.insert(partition, at + 1);
                    self.sure_commit(id, partition, at + 1);
                }
            }
        }
    }

    fn sure_commit(&mut self, id: Id, partition: u32, offset: i64) {
        let invoked = self.scene.tick();
        self.committed.insert(partition, offset);
        let detail = Detail { committed: vec![(Partition(partition), Offset(offset))], ..Detail::default() };
        self.ended(id, Function::Commit, invoked, Outcome::Ok, Some(detail));
    }

    fn give(&mut self, id: Id, partition: u32) {
        let now = self.scene.tick();
        let (at, before) = (self.committed.get(&partition).copied(), self.before.get(&partition).copied());
        let mut told = at.unwrap_or(-1);
        if self.planted == Planted::Forgotten(partition)
            && !self.came_true
            && let (Some(at), Some(before)) = (at, before)
            && before < at
            && self.random.below(3) == 0
        {
            self.came_true = true;
            told = before;
            self.committed.insert(partition, before);
        }
        let detail = Detail {
            rebalanced: vec![Partition(partition)],
            assigned: vec![Partition(partition)],
            fetched: vec![(Partition(partition), Offset(told))],
            ..Detail::default()
        };
        self.ended(id, Function::Poll, now, Outcome::Ok, Some(detail));
        if let Some(member) = self.members.get_mut(&id) {
            member.next.insert(partition, told.max(0));
        }
    }

    /// Whoever is left comes to the end, and the log is drained.
    fn finish(&mut self) {
        // Who stands still is not continued.
        let zombies: Vec<Id> =
            self.members.iter().filter(|(_, member)| member.zombie).map(|(id, _)| *id).collect();
        for id in zombies {
            self.session(id).closed = false;
            self.members.remove(&id);
        }
        if self.members.is_empty() {
            self.join();
        }
        for _ in 0..500 {
            if (0..self.partitions)
                .all(|partition| self.committed.get(&partition) == Some(&(self.records + 1)))
            {
                break;
            }
            let ids: Vec<Id> = self.members.keys().copied().collect();
            for id in ids {
                if self.members.contains_key(&id) && !self.members[&id].zombie {
                    self.turn(id);
                }
            }
        }
        self.ask();
        for partition in 0..self.partitions {
            let number = |offset: i64| (offset * i64::from(self.partitions) + i64::from(partition)) as u64;
            let records: Vec<_> = (0..self.records)
                .map(|offset| (offset, Some(tag(0, number(offset))), Contents::Intact))
                .collect();
            self.scene.log(partition, &records, true);
        }
    }

    /// Whoever is left asks what its group has committed, as members do before they are done.
    fn ask(&mut self) {
        let Some(id) = self.members.keys().next().copied() else { return };
        let fetched = self
            .committed
            .iter()
            .map(|(partition, offset)| (Partition(*partition), Offset(*offset)))
            .collect();
        let now = self.scene.tick();
        let detail = Detail { fetched, ..Detail::default() };
        self.ended(id, Function::Poll, now, Outcome::Ok, Some(detail));
    }

    fn session(&mut self, id: Id) -> &mut Session {
        self.scene.session(Role::Member, id.0, id.1)
    }

    fn ended(
        &mut self,
        id: Id,
        function: Function,
        invoked: Nanos,
        outcome: Outcome,
        detail: Option<Detail>,
    ) {
        let completed = Some(self.scene.tick());
        let ended = Ended { function, invoked, completed, outcome, line: None, detail };
        self.session(id).push_operation(ended);
    }
}
