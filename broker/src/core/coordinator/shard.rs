//! One machine a partition: loaded from the log, fed with requests, its writes waited for.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;

use super::super::image::ClusterImage;
use super::super::io::Output;
use super::super::refusal::Refusal;
use super::super::replica::{Context, Replica, Role};
use super::super::settings::Settings;
use super::super::types::{PartitionKey, RequestId};
use super::entries::{self, Entry, Replayed};

/// Most bytes read from a log at a time while it is loaded.
const READ_BYTES: u64 = 1 << 20;

/// What a machine may look at.
#[derive(Clone, Copy)]
pub(in crate::core) struct Scope<'a> {
    /// Monotonic, for time-outs.
    pub(in crate::core) now_ms: u64,
    /// The time of day that goes with it, for what is written down.
    pub(in crate::core) wall_ms: i64,
    /// The broker.
    pub(in crate::core) settings: &'a Settings,
    /// The metadata as it stands.
    pub(in crate::core) image: &'a ClusterImage,
    /// The partition whose log this machine is kept in.
    pub(in crate::core) partition: PartitionKey,
    /// Its leader epoch, which is also the coordinator's.
    pub(in crate::core) epoch: i32,
    /// A planted flaw.
    pub(in crate::core) flaw: Option<crate::flaws::Flaw>,
}

/// Entries to append together, and what to hand back when that is settled.
#[derive(Debug)]
pub(in crate::core) struct Write<T> {
    /// What to append. Nothing at all counts as committed at once, after the writes before it.
    pub(in crate::core) entries: Vec<Entry>,
    /// The producer (id, epoch) of the transaction these belong to.
    pub(in crate::core) producer: Option<(i64, i16)>,
    /// Comes back in [`Machine::settled`].
    pub(in crate::core) token: T,
    /// After so long [`Machine::overdue`] is called, once; the write may be settled later all the same.
    pub(in crate::core) timeout_ms: u64,
}

/// What a machine wants done: answers and messages at once, then writes.
pub(in crate::core) struct Effects<'a, T> {
    /// Answers, messages and events; none of them may rest on a write below.
    pub(in crate::core) out: &'a mut Vec<Output>,
    /// In this order.
    pub(in crate::core) writes: Vec<Write<T>>,
}

impl<T> Effects<'_, T> {
    /// Asks for a write outside of any transaction.
    pub(in crate::core) fn write(&mut self, entries: Vec<Entry>, token: T, timeout_ms: u64) {
        self.writes.push(Write { entries, producer: None, token, timeout_ms });
    }
}

/// A coordinator's state.
pub(in crate::core) trait Machine: Default {
    /// What it is asked.
    type Request;
    /// What it remembers of a write that is under way.
    type Token;

    /// The topic its log is part of.
    const TOPIC: super::InternalTopic;

    /// Answers a request that no machine gets to see: there is none (`NotCoordinator`), or it is still being
    /// loaded (`CoordinatorLoadInProgress`).
    fn refuse(id: RequestId, request: Self::Request, refusal: Refusal, out: &mut Vec<Output>);

    /// Takes what the log says, in order. Also called for markers that are appended while it runs.
    /// Each record comes with the offset after its batch.
    fn replay(&mut self, scope: Scope<'_>, replayed: Replayed);

    /// The whole log has been replayed; requests come next.
    fn loaded(&mut self, scope: Scope<'_>, effects: &mut Effects<'_, Self::Token>);

    /// Takes a request, which must be answered sooner or later.
    fn handle(
        &mut self,
        scope: Scope<'_>,
        id: RequestId,
        request: Self::Request,
        effects: &mut Effects<'_, Self::Token>,
    );

    /// Time passed, or the metadata changed.
    fn tick(&mut self, scope: Scope<'_>, effects: &mut Effects<'_, Self::Token>);

    /// A write is committed (with the offset after it), or was not appended, or will not be known to be
    /// committed here.
    fn settled(
        &mut self,
        scope: Scope<'_>,
        token: Self::Token,
        result: Result<i64, Refusal>,
        effects: &mut Effects<'_, Self::Token>,
    );

    /// A write has been under way for longer than it should: whoever waits is told so.
    fn overdue(&mut self, token: &Self::Token, out: &mut Vec<Output>);

    /// This is over: refuse everyone that still waits for anything but a write.
    fn unload(&mut self, out: &mut Vec<Output>);
}

/// The broker, as far as a shard needs it.
pub(in crate::core) struct Host<'a> {
    pub(in crate::core) ctx: Context<'a>,
    pub(in crate::core) wall_ms: i64,
    pub(in crate::core) settings: &'a Settings,
    pub(in crate::core) replicas: &'a mut BTreeMap<PartitionKey, Replica>,
    /// Partitions that were appended to: whoever lends the host advances and serves them.
    pub(in crate::core) appended: &'a mut BTreeSet<PartitionKey>,
}

impl<'a> Host<'a> {
    fn scope(&self, partition: PartitionKey, epoch: i32) -> Scope<'a> {
        Scope {
            now_ms: self.ctx.now_ms,
            wall_ms: self.wall_ms,
            settings: self.settings,
            image: self.ctx.cluster,
            partition,
            epoch,
            flaw: self.ctx.flaw,
        }
    }

    /// What follows in a log after `from`, as much as is read at once.
    fn next_read(&self, key: PartitionKey, leader_epoch: i32, from: i64, end: i64) -> Option<Output> {
        let span = self.replicas.get(&key)?.log.span(from, end, READ_BYTES, true)?;
        Some(Output::ReadLog { key, leader_epoch, from: span.from, to: span.to })
    }
}

/// Something appended that is not committed yet.
struct Pending<T> {
    /// Settled when the high watermark is here.
    end: i64,
    what: What<T>,
}

enum What<T> {
    Write { deadline_ms: Option<u64>, token: T },
    Marker { producer_id: i64, committed: bool },
}

enum Phase {
    /// Reading up to the end that the log had when the epoch began, and then waiting until all of that is
    /// committed: what is told to a client must not be lost with the next leader.
    Loading {
        end: i64,
    },
    Active,
}

struct Shard<M: Machine> {
    epoch: i32,
    phase: Phase,
    /// Replayed up to here.
    next: i64,
    machine: M,
    pending: VecDeque<Pending<M::Token>>,
}

/// All the machines of one kind on one broker.
pub(in crate::core) struct Shards<M: Machine> {
    shards: BTreeMap<PartitionKey, Shard<M>>,
}

impl<M: Machine> Default for Shards<M> {
    fn default() -> Self {
        Self { shards: BTreeMap::new() }
    }
}

impl<M: Machine> Shards<M> {
    /// Takes note of who leads what now: begins what this broker leads, ends what it does not lead any more.
    pub(in crate::core) fn follow_leadership(&mut self, host: &mut Host<'_>, out: &mut Vec<Output>) {
        let topic = host.ctx.cluster.topics.get(M::TOPIC.name());
        let mut led = BTreeMap::new();
        for (partition, _) in topic.into_iter().flat_map(|topic| (0..).zip(&topic.partitions)) {
            let Some(topic) = topic else { continue };
            let key = PartitionKey { topic: topic.id, partition };
            if let Some(replica) = host.replicas.get(&key)
                && matches!(replica.role, Role::Leader(_))
            {
                led.insert(key, (replica.leader_epoch, replica.log.start(), replica.log.end()));
            }
        }
        let over: Vec<_> = self.shards.iter().map(|(key, shard)| (*key, shard.epoch)).collect();
        for (key, epoch) in over {
            if led.get(&key).is_none_or(|(leads, ..)| *leads != epoch) {
                self.end(host, key, out);
            }
        }
        for (key, (epoch, start, end)) in led {
            if self.shards.contains_key(&key) {
                continue;
            }
            let machine = M::default();
            let phase = Phase::Loading { end };
            self.shards.insert(key, Shard { epoch, phase, next: start, machine, pending: VecDeque::new() });
            out.extend(host.next_read(key, epoch, start, end));
        }
    }

    fn end(&mut self, host: &Host<'_>, key: PartitionKey, out: &mut Vec<Output>) {
        let Some(mut shard) = self.shards.remove(&key) else { return };
        let scope = host.scope(key, shard.epoch);
        for pending in std::mem::take(&mut shard.pending) {
            if let What::Write { token, .. } = pending.what {
                let mut effects = Effects { out, writes: Vec::new() };
                shard.machine.settled(scope, token, Err(Refusal::NotLeaderOrFollower), &mut effects);
            }
        }
        shard.machine.unload(out);
    }

    /// Bytes that [`Output::ReadLog`] asked for have come.
    pub(in crate::core) fn read(
        &mut self,
        host: &mut Host<'_>,
        key: PartitionKey,
        leader_epoch: i32,
        to: i64,
        bytes: Bytes,
        out: &mut Vec<Output>,
    ) {
        let Some(shard) = self.shards.get_mut(&key).filter(|shard| shard.epoch == leader_epoch) else {
            return;
        };
        let Phase::Loading { end } = shard.phase else { return };
        let scope = host.scope(key, leader_epoch);
        entries::replay(bytes).into_iter().for_each(|replayed| shard.machine.replay(scope, replayed));
        shard.next = to;
        out.extend(host.next_read(key, leader_epoch, to, end));
    }

    /// Hands a request to the machine of a partition.
    pub(in crate::core) fn handle(
        &mut self,
        host: &mut Host<'_>,
        key: Option<PartitionKey>,
        id: RequestId,
        request: M::Request,
        out: &mut Vec<Output>,
    ) {
        let Some((key, shard)) = key.and_then(|key| Some((key, self.shards.get_mut(&key)?))) else {
            M::refuse(id, request, Refusal::NotCoordinator, out);
            return;
        };
        if !matches!(shard.phase, Phase::Active) {
            M::refuse(id, request, Refusal::CoordinatorLoadInProgress, out);
            return;
        }
        let scope = host.scope(key, shard.epoch);
        shard.run(host, scope, out, |machine, effects| machine.handle(scope, id, request, effects));
    }

    /// A marker has been appended to a log here, which now ends at `end`: once that is committed, the
    /// transaction of a producer is over. (A marker from before the epoch is met in the log.)
    pub(in crate::core) fn marker(&mut self, key: PartitionKey, end: i64, producer_id: i64, committed: bool) {
        if let Some(shard) = self.shards.get_mut(&key) {
            shard.pending.push_back(Pending { end, what: What::Marker { producer_id, committed } });
        }
    }

    /// Lets every machine know the time.
    pub(in crate::core) fn tick(&mut self, host: &mut Host<'_>, out: &mut Vec<Output>) {
        for (key, shard) in &mut self.shards {
            let now_ms = host.ctx.now_ms;
            for pending in &mut shard.pending {
                if let What::Write { deadline_ms, token } = &mut pending.what
                    && deadline_ms.is_some_and(|deadline_ms| deadline_ms <= now_ms)
                {
                    *deadline_ms = None;
                    shard.machine.overdue(token, out);
                }
            }
            if matches!(shard.phase, Phase::Active) {
                let scope = host.scope(*key, shard.epoch);
                shard.run(host, scope, out, |machine, effects| machine.tick(scope, effects));
            }
        }
    }

    /// Settles every write that is committed by now, and lets go of what is loaded. Due after every step.
    pub(in crate::core) fn settle(&mut self, host: &mut Host<'_>, out: &mut Vec<Output>) {
        for (key, shard) in &mut self.shards {
            let Some(replica) = host.replicas.get(key) else { continue };
            let high_watermark = replica.high_watermark;
            let scope = host.scope(*key, shard.epoch);
            if let Phase::Loading { end } = shard.phase {
                if shard.next < end || high_watermark < end {
                    continue;
                }
                shard.phase = Phase::Active;
                shard.run(host, scope, out, |machine, effects| machine.loaded(scope, effects));
            }
            while shard.pending.front().is_some_and(|pending| pending.end <= high_watermark) {
                let Some(pending) = shard.pending.pop_front() else { break };
                shard.run(host, scope, out, |machine, effects| match pending.what {
                    What::Write { token, .. } => machine.settled(scope, token, Ok(pending.end), effects),
                    What::Marker { producer_id, committed } => {
                        machine.replay(scope, Replayed::Marker { producer_id, committed });
                    }
                });
            }
        }
    }

    /// Every machine that is loaded, and whether some are not.
    pub(in crate::core) fn loaded(&self) -> (impl Iterator<Item = &M>, bool) {
        let active = |shard: &&Shard<M>| matches!(shard.phase, Phase::Active);
        let loading = self.shards.values().any(|shard| !active(&shard));
        (self.shards.values().filter(active).map(|shard| &shard.machine), loading)
    }
}

impl<M: Machine> Shard<M> {
    /// Runs the machine and then appends what it asks for. A write that cannot be appended is settled at once,
    /// which may ask for more; the number of rounds is bounded by what a machine does with a refusal.
    fn run(
        &mut self,
        host: &mut Host<'_>,
        scope: Scope<'_>,
        out: &mut Vec<Output>,
        act: impl FnOnce(&mut M, &mut Effects<'_, M::Token>),
    ) {
        let mut effects = Effects { out, writes: Vec::new() };
        act(&mut self.machine, &mut effects);
        let mut writes = VecDeque::from(effects.writes);
        while let Some(write) = writes.pop_front() {
            match self.append(host, scope, &write, out) {
                Ok(end) => {
                    let deadline_ms = Some(scope.now_ms.saturating_add(write.timeout_ms));
                    let what = What::Write { deadline_ms, token: write.token };
                    self.pending.push_back(Pending { end, what });
                }
                Err(refusal) => {
                    let mut effects = Effects { out, writes: Vec::new() };
                    self.machine.settled(scope, write.token, Err(refusal), &mut effects);
                    writes.extend(effects.writes);
                }
            }
        }
    }

    fn append(
        &self,
        host: &mut Host<'_>,
        scope: Scope<'_>,
        write: &Write<M::Token>,
        out: &mut Vec<Output>,
    ) -> Result<i64, Refusal> {
        let replica = host.replicas.get_mut(&scope.partition).ok_or(Refusal::NotLeaderOrFollower)?;
        if write.entries.is_empty() {
            return Ok(replica.log.end());
        }
        let batch = entries::batch(&write.entries, write.producer, scope.wall_ms);
        let end = replica.append_own(&batch.ok_or(Refusal::MessageTooLarge)?, out)?;
        host.appended.insert(scope.partition);
        Ok(end)
    }
}
