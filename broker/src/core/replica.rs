//! One partition on one broker: leader or follower, never both, and which of them is decided by the
//! controller's leader epochs alone.

use std::collections::BTreeSet;

use wire::batch::Header;
use wire::marker::Marker;

use super::batch::{Batch, BatchInfo};
use super::image::{ClusterImage, NO_LEADER, PartitionImage};
use super::io::{
    BrokerEvent, FetchPartition, FetchResult, FetchedData, Output, ProducePartition, ReadRange,
    ReplicaIdentity,
};
use super::leader::{Leader, Waiter};
use super::log::Log;
use super::producer_state::Sequenced;
use super::refusal::Refusal;
use super::types::{PartitionKey, RequestId};
use crate::flaws::{Flaw, surgery};

/// How far apart, in records, high watermarks are noted under [`Flaw::LoseOnTruncation`] and [`Flaw::StaleEnd`]: like
/// the checkpoint file that brokers started from before KIP-101.
const CHECKPOINT_EVERY: i64 = 16;

/// Where an epoch ends in a log (OffsetsForLeaderEpoch, `DivergingEpoch`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochEnd {
    /// The largest epoch not above the one asked for.
    pub epoch: i32,
    /// The offset after its last record.
    pub end_offset: i64,
}

/// A leader's offsets, for ListOffsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offsets {
    /// First offset of the log.
    pub log_start: i64,
    /// The high watermark, which is the latest offset for clients; an error while a new leader does not
    /// know yet how far its log is committed (KIP-207).
    pub latest: Result<i64, Refusal>,
    /// The last stable offset, which is the latest offset under read_committed; not above the high watermark.
    pub last_stable: i64,
    /// Offset after the last record.
    pub log_end: i64,
    /// The leader's epoch.
    pub leader_epoch: i32,
}

/// What every transition may look at.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) now_ms: u64,
    pub(super) me: i32,
    pub(super) lag_ms: u64,
    /// Records of a transaction are refused unless its coordinator knows it (KIP-890).
    pub(super) verify: bool,
    pub(super) cluster: &'a ClusterImage,
    /// Eligible leader replicas are on (KIP-966).
    pub(super) elr: bool,
    pub(super) flaw: Option<Flaw>,
}

impl Context<'_> {
    fn flawed(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }
}

/// Who reads a log, which decides how far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// A follower: to the end.
    Replica(ReplicaIdentity),
    /// A consumer, to the high watermark.
    Uncommitted,
    /// A consumer under read_committed, to the last stable offset, and told what has been aborted.
    Committed,
}

/// Whom a follower follows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Follower {
    /// [`NO_LEADER`] if nobody leads.
    pub(super) leader: i32,
    /// Not to be fetched before: the last answer was an error.
    pub(super) not_before_ms: u64,
}

#[derive(Debug)]
pub(super) enum Role {
    Leader(Leader),
    Follower(Follower),
}

/// A waiting produce that is settled, with the error if it failed.
pub(super) type Released = (RequestId, usize, Option<Refusal>);

/// A batch that was taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Produced {
    pub(super) base: i64,
    /// Committed once the high watermark is here; `None` if there is nothing to wait for.
    pub(super) required: Option<i64>,
    /// See [`ProduceResult::stamped_ms`](super::io::ProduceResult::stamped_ms).
    pub(super) stamped_ms: i64,
}

/// One partition on one broker.
#[derive(Debug)]
pub(super) struct Replica {
    pub(super) key: PartitionKey,
    pub(super) log: Log,
    pub(super) high_watermark: i64,
    pub(super) leader_epoch: i32,
    pub(super) partition_epoch: i32,
    pub(super) role: Role,
    pub(super) min_isr: u64,
    pub(super) max_batch_bytes: u64,
    /// A batch that has been acknowledged and is appended behind the next one: the flaw `append-late`.
    late: Option<Batch>,
}

impl Replica {
    /// A replica as it was found; it leads nothing before the controller says so.
    pub(super) fn new(key: PartitionKey, log: Log, high_watermark: i64) -> Self {
        let high_watermark = high_watermark.clamp(log.start(), log.end());
        Self {
            key,
            log,
            high_watermark,
            leader_epoch: -1,
            partition_epoch: -1,
            role: Role::Follower(Follower { leader: NO_LEADER, not_before_ms: 0 }),
            min_isr: 1,
            max_batch_bytes: u64::MAX,
            late: None,
        }
    }

    /// Takes the controller's word. Returns the produces that can wait no longer.
    pub(super) fn assign(
        &mut self,
        ctx: Context<'_>,
        image: &PartitionImage,
        out: &mut Vec<Output>,
    ) -> Vec<Released> {
        if image.leader_epoch < self.leader_epoch || image.partition_epoch <= self.partition_epoch {
            return Vec::new();
        }
        self.partition_epoch = image.partition_epoch;
        if image.leader_epoch == self.leader_epoch {
            return self.adopt_isr(ctx, &image.isr, out);
        }
        self.leader_epoch = image.leader_epoch;
        // Who leads on in a new epoch has lost nothing: its waiting produces wait on.
        let leads_on = image.leader == ctx.me && !ctx.flawed(Flaw::LoseOnTruncation);
        let waiting = match &mut self.role {
            Role::Leader(leader) if leads_on => std::mem::take(&mut leader.waiting),
            _ => BTreeSet::new(),
        };
        let mut released = self.abandon_waiters();
        if ctx.flawed(Flaw::LoseOnTruncation) {
            self.truncate(self.high_watermark, out);
        }
        let (key, epoch, end) = (self.key, self.leader_epoch, self.log.end());
        if image.leader == ctx.me {
            if ctx.flawed(Flaw::LoseProducerState) {
                self.log.producers_mut().forget();
            }
            let mut leader = Leader::new(ctx.me, &image.replicas, &image.isr, end, ctx.now_ms);
            leader.waiting = waiting;
            self.role = Role::Leader(leader);
            let high_watermark = self.high_watermark;
            out.push(Output::Event(BrokerEvent::Leads { key, epoch, end, high_watermark }));
            released.extend(self.advance(ctx));
        } else {
            let leader = image.leader;
            self.role = Role::Follower(Follower { leader, not_before_ms: 0 });
            out.push(Output::Event(BrokerEvent::Follows { key, epoch, leader, end }));
        }
        released
    }

    /// Takes a confirmed ISR of the current leader epoch; whatever was pending is settled by it.
    pub(super) fn adopt_isr(
        &mut self,
        ctx: Context<'_>,
        isr: &[i32],
        out: &mut Vec<Output>,
    ) -> Vec<Released> {
        let Role::Leader(leader) = &mut self.role else { return Vec::new() };
        leader.pending = None;
        if leader.isr != isr {
            leader.isr = isr.to_vec();
            out.push(Output::Event(BrokerEvent::Isr { key: self.key, isr: isr.to_vec() }));
        }
        self.advance(ctx)
    }

    /// Nobody waits here any longer: the leader epoch is over, and who leads next decides what is kept.
    pub(super) fn abandon_waiters(&mut self) -> Vec<Released> {
        let Role::Leader(leader) = &mut self.role else { return Vec::new() };
        let waiting = std::mem::take(&mut leader.waiting);
        waiting.into_iter().map(|(_, id, index)| (id, index, Some(Refusal::NotLeaderOrFollower))).collect()
    }

    /// Moves the leader's high watermark up as far as it goes, and returns the produces it satisfies:
    /// well, if the ISR is still large enough.
    pub(super) fn advance(&mut self, ctx: Context<'_>) -> Vec<Released> {
        let end = self.log.end();
        let Role::Leader(leader) = &mut self.role else { return Vec::new() };
        // Who may lead without being in the ISR has everything below the high watermark only if that stands
        // still while the ISR is too small (KIP-966).
        if !ctx.elr || leader.isr.len() as u64 >= self.min_isr {
            let committed = leader.committed(ctx.me, end, ctx.now_ms, ctx.lag_ms, ctx.cluster);
            self.high_watermark = self.high_watermark.max(committed.unwrap_or(0));
        }
        self.log.producers_mut().settle(self.high_watermark);
        let mut released = Vec::new();
        while let Some(&(required, id, index)) = leader.waiting.first()
            && required <= self.high_watermark
        {
            leader.waiting.pop_first();
            let enough = leader.maximal_isr().len() as u64 >= self.min_isr;
            released.push((id, index, (!enough).then_some(Refusal::NotEnoughReplicasAfterAppend)));
        }
        released
    }

    /// Registers a produce that waits.
    pub(super) fn wait(&mut self, waiter: Waiter) {
        if let Role::Leader(leader) = &mut self.role {
            leader.waiting.insert(waiter);
        }
    }

    /// Whether a client's batch must wait until the coordinator has said that its transaction includes this
    /// partition: it would open it here. What a leader does not take anyway need not be asked about.
    pub(super) fn must_be_verified(&self, ctx: Context<'_>, batch: &BatchInfo) -> bool {
        ctx.verify
            && batch.transactional
            && batch.idempotent()
            && matches!(self.role, Role::Leader(_))
            && !matches!(self.log.producers().check(batch, ctx.flaw), Ok(Sequenced::Again { .. }))
            && !self.log.producers().has_open(batch.producer_id, batch.producer_epoch)
    }

    /// Appends what a client sent. `verified` says that the coordinator has confirmed its transaction; `count`
    /// counts the batches this broker was given as a leader.
    pub(super) fn produce(
        &mut self,
        ctx: Context<'_>,
        acks: i16,
        sent: &ProducePartition,
        verified: bool,
        count: &mut u64,
        out: &mut Vec<Output>,
    ) -> Result<Produced, Refusal> {
        let Role::Leader(leader) = &self.role else { return Err(Refusal::NotLeaderOrFollower) };
        if acks == -1 && (leader.isr.len() as u64) < self.min_isr {
            return Err(Refusal::NotEnoughReplicas);
        }
        let batch = &sent.batch;
        if u64::from(batch.info.size) > self.max_batch_bytes {
            return Err(Refusal::MessageTooLarge);
        }
        if let Some(refusal) = sent.refusal {
            return Err(refusal);
        }
        let numbered = batch.info.idempotent() || batch.info.producer_id < 0 && !batch.info.transactional;
        if batch.info.control || batch.info.last_offset_delta < 0 || !numbered {
            return Err(Refusal::InvalidRecord);
        }
        let mut info = batch.info;
        info.base_offset = self.log.end();
        info.leader_epoch = self.leader_epoch;
        if info.idempotent() {
            match self.log.producers().check(&info, ctx.flaw) {
                // Forgetting what was written is the flaw.
                Ok(Sequenced::Again { .. }) if ctx.flawed(Flaw::DuplicateOnRetry) => {}
                Ok(Sequenced::Again { base, end, timestamp }) => {
                    let required = (acks == -1).then_some(end);
                    return Ok(Produced { base, required, stamped_ms: timestamp });
                }
                // A replica that never got the dropped batch must not give the flaw away by its gap.
                Err(Refusal::OutOfOrderSequenceNumber) if ctx.flawed(Flaw::AckBeforeAppend) => {}
                other => {
                    other?;
                }
            }
        }
        let open = self.log.producers().has_open(info.producer_id, info.producer_epoch);
        if info.transactional && ctx.verify && !open && !verified {
            return Err(Refusal::InvalidTxnState);
        }
        *count += 1;
        let hit = ctx.flaw.filter(|flaw| flaw.hits(*count));
        match hit {
            Some(Flaw::AckBeforeAppend) => {
                self.log.producers_mut().pretend(&info);
                return Ok(Produced { base: info.base_offset, required: None, stamped_ms: sent.stamped_ms });
            }
            Some(Flaw::DropUnconfirmed) if acks == 0 => {
                return Ok(Produced { base: info.base_offset, required: None, stamped_ms: sent.stamped_ms });
            }
            Some(Flaw::AppendLate) if !info.idempotent() && self.late.is_none() => {
                self.late = Some(batch.clone());
                return Ok(Produced { base: -1, required: None, stamped_ms: sent.stamped_ms });
            }
            _ => {}
        }
        let changed = match hit {
            Some(Flaw::ReorderInBatch) => surgery::swap_first_two(&batch.bytes),
            Some(Flaw::CorruptPayload) => surgery::flip_a_bit(&batch.bytes),
            _ => None,
        };
        let bytes = changed.unwrap_or_else(|| batch.bytes.clone());
        info.size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.append(Batch { info, bytes: bytes.clone() }, out);
        let again = (hit == Some(Flaw::DuplicateOnRetry)).then_some(Batch { info, bytes });
        for mut more in self.late.take().into_iter().chain(again) {
            more.info.base_offset = self.log.end();
            more.info.leader_epoch = self.leader_epoch;
            self.append(more, out);
        }
        if hit == Some(Flaw::AppendAndRefuse) {
            return Err(Refusal::InvalidRecord);
        }
        let required = (acks == -1).then(|| info.end_offset());
        Ok(Produced { base: info.base_offset, required, stamped_ms: sent.stamped_ms })
    }

    /// Appends a batch of the leader's own, as with acks=all, and returns the offset after it: once the high
    /// watermark is there it is committed. Planted flaws count what clients produce, not this.
    pub(super) fn append_own(&mut self, batch: &Batch, out: &mut Vec<Output>) -> Result<i64, Refusal> {
        let Role::Leader(leader) = &self.role else { return Err(Refusal::NotLeaderOrFollower) };
        if (leader.isr.len() as u64) < self.min_isr {
            return Err(Refusal::NotEnoughReplicas);
        }
        if u64::from(batch.info.size) > self.max_batch_bytes {
            return Err(Refusal::MessageTooLarge);
        }
        match batch.info.marker {
            Some(marker) => {
                let BatchInfo { producer_id, producer_epoch, .. } = batch.info;
                self.log.producers().check_marker(producer_id, producer_epoch, marker)?;
            }
            None => self.log.producers().check_epoch(batch.info.producer_id, batch.info.producer_epoch)?,
        }
        let mut batch = batch.clone();
        batch.info.base_offset = self.log.end();
        batch.info.leader_epoch = self.leader_epoch;
        let end = batch.info.end_offset();
        self.append(batch, out);
        Ok(end)
    }

    /// Appends the marker that ends a producer's transaction, as with acks=all, and returns the offset after it.
    pub(super) fn append_marker(
        &mut self,
        producer: (i64, i16),
        marker: Marker,
        wall_ms: i64,
        out: &mut Vec<Output>,
    ) -> Result<i64, Refusal> {
        let bytes = marker.batch(producer.0, producer.1, wall_ms);
        let header = Header::parse(&bytes).map_err(|_| Refusal::InvalidRecord)?;
        self.append_own(&Batch { info: BatchInfo::read(&header, &bytes), bytes }, out)
    }

    fn append(&mut self, batch: Batch, out: &mut Vec<Output>) {
        let Batch { info, bytes } = batch;
        self.log.append(info);
        let (base_offset, leader_epoch) = (info.base_offset, info.leader_epoch);
        out.push(Output::Append { key: self.key, base_offset, leader_epoch, bytes });
    }

    fn truncate(&mut self, to: i64, out: &mut Vec<Output>) {
        let from = self.log.end();
        if self.log.truncate(to) {
            let (key, to) = (self.key, self.log.end());
            self.high_watermark = self.high_watermark.min(to);
            out.push(Output::Truncate { key, to });
            out.push(Output::Event(BrokerEvent::Truncated { key, from, to }));
        }
    }

    /// Deletes what lies below an offset.
    pub(super) fn raise_start(&mut self, to: i64, out: &mut Vec<Output>) {
        let to = to.min(self.log.end());
        if self.log.raise_start(to) {
            self.high_watermark = self.high_watermark.max(to);
            out.push(Output::RaiseStart { key: self.key, to });
        }
    }

    fn restart(&mut self, at: i64, out: &mut Vec<Output>) {
        let from = self.log.end();
        self.log.restart(at);
        self.high_watermark = at;
        out.push(Output::RestartLog { key: self.key, at });
        out.push(Output::Event(BrokerEvent::Truncated { key: self.key, from, to: at }));
    }

    /// Refuses a sender with another leader epoch (-1 is not checked), and everyone if this is not the
    /// leader.
    pub(super) fn led(&self, current_leader_epoch: i32) -> Result<&Leader, Refusal> {
        if current_leader_epoch >= 0 && current_leader_epoch < self.leader_epoch {
            return Err(Refusal::FencedLeaderEpoch);
        }
        if current_leader_epoch > self.leader_epoch {
            return Err(Refusal::UnknownLeaderEpoch);
        }
        match &self.role {
            Role::Leader(leader) => Ok(leader),
            Role::Follower(_) => Err(Refusal::NotLeaderOrFollower),
        }
    }

    /// What to answer a fetch, as things stand: at most `budget` bytes, but one batch if `at_least_one`.
    pub(super) fn read(
        &self,
        ctx: Context<'_>,
        reader: Reader,
        fetch: &FetchPartition,
        budget: u64,
        at_least_one: bool,
    ) -> FetchResult {
        self.try_read(ctx, reader, fetch, budget, at_least_one).unwrap_or_else(|refusal| FetchResult {
            key: self.key,
            error: Some(refusal),
            high_watermark: -1,
            last_stable: -1,
            log_start: -1,
            diverging: None,
            read: None,
            aborted: Vec::new(),
        })
    }

    /// Below it no record belongs to a transaction that may still go either way.
    pub(super) fn last_stable(&self) -> i64 {
        self.stable_below(self.high_watermark)
    }

    /// The last stable offset if this were the high watermark. Records below the start of the log are gone, open
    /// or not.
    fn stable_below(&self, high_watermark: i64) -> i64 {
        self.log.producers().txns().last_stable(high_watermark).max(self.log.start())
    }

    fn try_read(
        &self,
        ctx: Context<'_>,
        reader: Reader,
        fetch: &FetchPartition,
        budget: u64,
        at_least_one: bool,
    ) -> Result<FetchResult, Refusal> {
        let leader = self.led(fetch.current_leader_epoch)?;
        if let Reader::Replica(replica) = reader
            && !leader.has_follower(replica.node)
        {
            return Err(Refusal::NotLeaderOrFollower);
        }
        let mut result = FetchResult {
            key: self.key,
            error: None,
            high_watermark: self.high_watermark,
            last_stable: self.last_stable(),
            log_start: self.log.start(),
            diverging: None,
            read: None,
            aborted: Vec::new(),
        };
        if fetch.last_fetched_epoch >= 0 {
            let ours = self.end_of_epoch(fetch.last_fetched_epoch);
            if ours.epoch < fetch.last_fetched_epoch || ours.end_offset < fetch.fetch_offset {
                result.diverging = Some(ours);
                return Ok(result);
            }
        }
        if !(self.log.start()..=self.log.end()).contains(&fetch.fetch_offset) {
            // A follower that has missed so much begins anew where this log starts.
            result.error = Some(Refusal::OffsetOutOfRange);
            let replica = matches!(reader, Reader::Replica(_));
            return if replica { Ok(result) } else { Err(Refusal::OffsetOutOfRange) };
        }
        let visible =
            if ctx.flawed(Flaw::ServeBeyondHighWatermark) { self.log.end() } else { self.high_watermark };
        let limit = match reader {
            Reader::Replica(_) => self.log.end(),
            Reader::Uncommitted => visible,
            Reader::Committed if ctx.flawed(Flaw::ServeOpenTransactions) => visible,
            Reader::Committed => self.stable_below(visible),
        };
        let budget = budget.min(u64::from(fetch.max_bytes));
        result.read = self.log.span(fetch.fetch_offset, limit, budget, at_least_one).map(|span| ReadRange {
            from: span.from,
            to: span.to,
            bytes: span.bytes,
        });
        if let (Reader::Committed, Some(read)) = (reader, result.read) {
            result.aborted = self.log.producers().txns().aborted(fetch.fetch_offset, read.to);
        }
        Ok(result)
    }

    /// OffsetsForLeaderEpoch on the leader; its own epoch ends at the end of its log.
    pub(super) fn end_of_epoch(&self, epoch: i32) -> EpochEnd {
        if epoch == self.leader_epoch {
            return EpochEnd { epoch, end_offset: self.log.end() };
        }
        self.log.end_of_epoch(epoch)
    }

    pub(super) fn offsets(&self, flaw: Option<Flaw>, current_leader_epoch: i32) -> Result<Offsets, Refusal> {
        let leader = self.led(current_leader_epoch)?;
        let known = self.high_watermark >= leader.epoch_start;
        let end = self.high_watermark;
        let noted = (end - end % CHECKPOINT_EVERY).saturating_sub(CHECKPOINT_EVERY);
        let end = if flaw == Some(Flaw::StaleEnd) { noted } else { end };
        Ok(Offsets {
            log_start: self.log.start(),
            latest: known.then_some(end.max(self.log.start())).ok_or(Refusal::OffsetNotAvailable),
            last_stable: self.last_stable(),
            log_end: self.log.end(),
            leader_epoch: self.leader_epoch,
        })
    }

    /// What this follower asks its leader for.
    pub(super) fn to_fetch(&self, flaw: Option<Flaw>, max_bytes: u32) -> FetchPartition {
        let compares = flaw != Some(Flaw::LoseOnTruncation);
        FetchPartition {
            key: self.key,
            fetch_offset: self.log.end(),
            current_leader_epoch: self.leader_epoch,
            last_fetched_epoch: if compares { self.log.last_epoch() } else { -1 },
            max_bytes,
            log_start: self.log.start(),
        }
    }

    /// A follower takes what its leader sent: first agreement (truncation by epoch, never by high
    /// watermark), then records, then the high watermark. `false`: it made no sense, try again later.
    pub(super) fn receive(&mut self, ctx: Context<'_>, data: FetchedData, out: &mut Vec<Output>) -> bool {
        if let Some(theirs) = data.diverging {
            let end = self.log.end();
            let ours = self.log.end_of_epoch(theirs.epoch);
            // Without their epoch in our log the true meeting point may be earlier still: cut to the end of
            // our largest epoch below theirs and ask again (KIP-279).
            let to = if ours.epoch == theirs.epoch {
                ours.end_offset.min(theirs.end_offset)
            } else {
                ours.end_offset
            };
            self.truncate(to, out);
            return self.log.end() < end;
        }
        if data.out_of_range && ctx.flawed(Flaw::LoseOnTruncation) {
            // Before KIP-101 a follower that was ahead of its leader believed it: here it copies all anew.
            self.truncate(0, out);
            return true;
        }
        if data.out_of_range {
            // Its log starts behind the end of ours: nothing of ours is wanted any more.
            let missed = data.log_start > self.log.end();
            if missed {
                self.restart(data.log_start, out);
            }
            return missed;
        }
        for batch in data.batches {
            let base = batch.info.base_offset;
            let empty = self.log.start() == self.log.end();
            if empty && base < self.log.end() && batch.info.end_offset() > self.log.end() {
                // Our log begins in the middle of the batch, since its log does.
                self.restart(base, out);
            }
            if base < self.log.end() && ctx.flawed(Flaw::LoseOnTruncation) {
                // Without epochs the logs may not even share their batch boundaries.
                self.truncate(base, out);
            }
            // Compaction leaves gaps at the leader.
            let fits = base >= self.log.end()
                && batch.info.leader_epoch >= self.log.last_epoch()
                && batch.info.leader_epoch <= self.leader_epoch;
            if !fits && !ctx.flawed(Flaw::LoseOnTruncation) {
                return false;
            }
            if base < self.log.end() {
                return true;
            }
            self.append(batch, out);
        }
        // Only upwards: both values are lower bounds of what is committed, and a new leader may know less.
        let told = data.high_watermark.min(self.log.end());
        let noted = if ctx.flawed(Flaw::LoseOnTruncation) { told - told % CHECKPOINT_EVERY } else { told };
        self.high_watermark = self.high_watermark.max(noted);
        self.log.producers_mut().settle(self.high_watermark);
        self.raise_start(data.log_start, out);
        true
    }

    /// A follower was refused by its leader: it asks again later.
    pub(super) fn refused(&mut self, not_before_ms: u64) {
        if let Role::Follower(follower) = &mut self.role {
            follower.not_before_ms = not_before_ms;
        }
    }
}
