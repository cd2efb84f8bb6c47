//! A broker: its replicas, its registration, its waiting requests, and what it fetches from others.

mod coordinators;
mod markers;
mod metadata;
mod serving;
mod verification;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::compaction::Cleanable;
use super::errands::Errand;
use super::fetcher::{Fetchers, Manner};
use super::image::ClusterImage;
use super::io::{
    BrokerConfig, FetchRequest, FetchResult, FetchedPartition, Input, Output, ProduceRequest, ProduceResult,
    RecoveredLog, ReplicaIdentity,
};
use super::leader::{Seen, Waiter};
use super::log::Log;
use super::message::ToController;
use super::producer_state::{ProducerSnapshot, ProducerView};
use super::purgatory::{Fetches, Produces};
use super::refusal::Refusal;
use super::replica::{Context, EpochEnd, Offsets, Reader, Released, Replica, Role};
use super::settings::Settings;
use super::types::{PartitionKey, RequestId};
use crate::flaws::Flaw;
use coordinators::Coordinators;
use markers::Hung;
use verification::{Verdicts, Verifications};

/// The state machine of one broker process.
pub struct Broker {
    config: BrokerConfig,
    lag_ms: u64,
    heartbeat_ms: u64,
    /// In force: what it was started with, and what was changed since.
    settings: Settings,
    /// The epoch this incarnation is registered under.
    epoch: Option<i64>,
    /// It is about to end: it says no more that it lives.
    ending: bool,
    controller_up: bool,
    heard_by_controller_ms: Option<u64>,
    image: Arc<ClusterImage>,
    replicas: BTreeMap<PartitionKey, Replica>,
    produces: Produces,
    fetches: Fetches,
    fetchers: Fetchers,
    coordinators: Coordinators,
    verifications: Verifications,
    hung: Hung,
    /// When producers that may be forgotten are looked for next.
    expire_producers_ms: Option<u64>,
    /// Partitions in which something happened that a waiting fetch may want to know.
    touched: BTreeSet<PartitionKey>,
    /// Number of the last AlterPartition sent. It only grows: the controller heeds no older one.
    last_request: u64,
    /// Batches given to this broker as a leader; planted flaws count by it.
    batches: u64,
    /// Answers to consumers that a planted flaw may spoil.
    served: u64,
}

impl Broker {
    /// A broker that has just started on these logs. It serves nothing before it is registered.
    #[must_use]
    pub fn new(config: BrokerConfig, recovered: Vec<RecoveredLog>) -> Self {
        let settings = &config.settings;
        let small = |name| u32::try_from(settings.number(name)).unwrap_or(u32::MAX);
        let fetchers = Fetchers::new(Manner {
            wait_ms: settings.number("replica.fetch.wait.max.ms"),
            min_bytes: small("replica.fetch.min.bytes"),
            max_bytes: small("replica.fetch.response.max.bytes"),
            partition_bytes: small("replica.fetch.max.bytes"),
            backoff_ms: settings.number("replica.fetch.backoff.ms"),
            timeout_ms: settings.number("replica.socket.timeout.ms"),
        });
        let replica = |found: RecoveredLog| {
            let (key, high_watermark) = (found.key, found.high_watermark);
            (key, Replica::new(key, Log::recovered(found, config.flaw), high_watermark))
        };
        Self {
            lag_ms: settings.number("replica.lag.time.max.ms"),
            heartbeat_ms: settings.number("broker.heartbeat.interval.ms"),
            settings: config.settings.clone(),
            epoch: None,
            ending: false,
            controller_up: false,
            heard_by_controller_ms: None,
            image: Arc::default(),
            replicas: recovered.into_iter().map(replica).collect(),
            produces: Produces::default(),
            fetches: Fetches::default(),
            fetchers,
            coordinators: Coordinators::default(),
            verifications: Verifications::default(),
            hung: Hung::default(),
            expire_producers_ms: None,
            touched: BTreeSet::new(),
            last_request: 0,
            batches: 0,
            served: 0,
            config,
        }
    }

    /// The metadata as this broker knows it.
    #[must_use]
    pub fn image(&self) -> &Arc<ClusterImage> {
        &self.image
    }

    /// What it was configured with.
    #[must_use]
    pub const fn config(&self) -> &BrokerConfig {
        &self.config
    }

    /// The settings in force.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The epoch this incarnation is registered under.
    #[must_use]
    pub const fn epoch(&self) -> Option<i64> {
        self.epoch
    }

    /// Up to where the records of a led partition may be deleted, if a client wants them to be up to
    /// `before`: -1 is the high watermark (KIP-107).
    ///
    /// # Errors
    /// If it does not lead the partition, or the offset is above the high watermark.
    pub fn deletable(&self, key: PartitionKey, before: i64) -> Result<i64, Refusal> {
        let replica = self.replica(key)?;
        replica.led(-1)?;
        let wanted = if before == -1 { replica.high_watermark } else { before };
        let possible = (0..=replica.high_watermark).contains(&wanted);
        if possible { Ok(wanted) } else { Err(Refusal::OffsetOutOfRange) }
    }

    /// The least log start among a led partition and its live followers: records below it are gone for good.
    ///
    /// # Errors
    /// As [`Broker::offsets`].
    pub fn low_watermark(&self, key: PartitionKey) -> Result<i64, Refusal> {
        let replica = self.replica(key)?;
        let leader = replica.led(-1)?;
        let lives = |node: i32| self.image.brokers.get(&node).is_some_and(|broker| !broker.fenced);
        Ok(leader.low_watermark(replica.log.start(), lives))
    }

    /// What compaction must know of a log here, led or followed.
    #[must_use]
    pub fn cleanable(&self, key: PartitionKey) -> Option<Cleanable> {
        let replica = self.replicas.get(&key)?;
        let below = replica.last_stable();
        let producers = replica.log.producers();
        Some(Cleanable {
            below,
            aborted: producers.txns().aborted_spans(below).collect(),
            last_batches: producers.last_batches(),
            flaw: self.config.flaw,
        })
    }

    /// The high watermark of a log here, led or followed: below it nothing is ever cut.
    #[must_use]
    pub fn high_watermark(&self, key: PartitionKey) -> Option<i64> {
        Some(self.replicas.get(&key)?.high_watermark)
    }

    /// What is known of the producers of a log here, to be written down.
    #[must_use]
    pub fn producer_snapshot(&self, key: PartitionKey) -> Option<ProducerSnapshot> {
        Some(self.replicas.get(&key)?.log.snapshot())
    }

    /// Every high watermark, for the checkpoint.
    pub fn high_watermarks(&self) -> impl Iterator<Item = (PartitionKey, i64)> {
        self.replicas.values().map(|replica| (replica.key, replica.high_watermark))
    }

    /// A led partition's offsets. A `current_leader_epoch` of -1 is not checked.
    ///
    /// # Errors
    /// As Kafka's ListOffsets: unknown partition, not the leader, an older or newer leader epoch.
    pub fn offsets(&self, key: PartitionKey, current_leader_epoch: i32) -> Result<Offsets, Refusal> {
        self.replica(key)?.offsets(self.config.flaw, current_leader_epoch)
    }

    /// The producers that a led partition remembers (DescribeProducers, KIP-664).
    ///
    /// # Errors
    /// As [`Broker::offsets`].
    pub fn producers(&self, key: PartitionKey) -> Result<Vec<ProducerView>, Refusal> {
        let replica = self.replica(key)?;
        replica.led(-1)?;
        Ok(replica.log.producers().views())
    }

    /// Where an epoch ends in a led partition (OffsetsForLeaderEpoch, KIP-101 and KIP-279).
    ///
    /// # Errors
    /// As [`Broker::offsets`].
    pub fn end_offset_for_epoch(
        &self,
        key: PartitionKey,
        current_leader_epoch: i32,
        epoch: i32,
    ) -> Result<EpochEnd, Refusal> {
        let replica = self.replica(key)?;
        replica.led(current_leader_epoch)?;
        if !(0..=replica.leader_epoch).contains(&epoch) {
            // Kafka's word for an epoch that nobody has had yet.
            return Ok(EpochEnd { epoch: -1, end_offset: -1 });
        }
        Ok(replica.end_of_epoch(epoch))
    }

    /// Takes one event and says what is to be done, in order. `now_ms` is monotonic.
    pub fn step(&mut self, now_ms: u64, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Tick => self.tick(now_ms, out),
            Input::ControllerUp => {
                self.controller_up = true;
                self.contact_controller(now_ms, out);
            }
            Input::ControllerDown => self.controller_up = false,
            Input::FromController(message) => self.hear_controller(now_ms, message, out),
            Input::ShutDown => {
                self.ending = true;
                if let Some(broker_epoch) = self.epoch {
                    let node = self.config.node;
                    out.push(Output::ToController(ToController::ShutDown { node, broker_epoch }));
                }
            }
            Input::DeleteRecords { key, before } => {
                if let Some(replica) = self.replicas.get_mut(&key) {
                    replica.raise_start(before, out);
                    self.touched.insert(key);
                }
            }
            Input::Cleaned { key, to, left } => {
                if let Some(replica) = self.replicas.get_mut(&key) {
                    replica.log.cleaned(to, left);
                }
            }
            Input::Produce(request) => {
                if let Some(request) = self.hold_produce(now_ms, request, out) {
                    self.produce(now_ms, request, &Verdicts::new(), out);
                }
            }
            Input::WriteMarkers { id, orders } => self.write_markers(now_ms, id, &orders, out),
            Input::Transaction { id, request } => self.ask_transaction(now_ms, id, request, out),
            Input::PeerAnswer { errand, answer } => match errand {
                Errand::Verify(number) => self.verified(now_ms, number, answer, out),
                Errand::Markers { shard, epoch, number } => {
                    self.hear_of_markers(now_ms, shard, epoch, number, answer, out);
                }
            },
            Input::Fetch { id, request } => self.fetch(now_ms, id, request, out),
            Input::Group { id, request } => {
                if let Some(request) = self.hold_commit(now_ms, id, *request, out) {
                    self.ask_group(now_ms, id, request, out);
                }
            }
            Input::LogRead { key, leader_epoch, to, bytes } => {
                self.read_coordinator_log(now_ms, key, leader_epoch, to, bytes, out);
            }
            Input::FetchAbandoned(id) => {
                self.fetches.take(id);
            }
            Input::FetchResponse { from, correlation, partitions } => {
                self.receive(now_ms, from, correlation, partitions, out);
            }
        }
        self.settle_coordinators(now_ms, out);
        self.wake_fetches(now_ms, out);
        self.send_fetches(now_ms, out);
    }

    fn replica(&self, key: PartitionKey) -> Result<&Replica, Refusal> {
        self.replicas.get(&key).filter(|_| self.image.version > 0).ok_or_else(|| self.absent(key))
    }

    /// Why a partition is not here.
    fn absent(&self, key: PartitionKey) -> Refusal {
        match (self.image.topic(key.topic), self.image.partition(key)) {
            (_, Some(_)) => Refusal::NotLeaderOrFollower,
            (Some(_), None) => Refusal::UnknownTopicOrPartition,
            (None, None) => Refusal::UnknownTopicId,
        }
    }

    fn context<'a>(&self, now_ms: u64, cluster: &'a ClusterImage) -> Context<'a> {
        Context {
            now_ms,
            me: self.config.node,
            lag_ms: self.lag_ms,
            verify: self.verifies(),
            cluster,
            elr: self.settings.number("eligible.leader.replicas.version") > 0,
            flaw: self.config.flaw,
        }
    }

    /// Whether records of transactions are verified (`transaction.partition.verification.enable`).
    fn verifies(&self) -> bool {
        self.settings.get("transaction.partition.verification.enable") == "true"
            && self.config.flaw != Some(Flaw::ForgetFencing)
    }

    /// Somebody has moved the clock: it gives another time of day from now on.
    pub fn set_wall_offset_ms(&mut self, offset_ms: i64) {
        self.config.wall_offset_ms = offset_ms;
    }

    /// The time of day, in ms since 1970, for what is written down and compared with that.
    #[must_use]
    pub fn wall_ms(&self, now_ms: u64) -> i64 {
        i64::try_from(now_ms).unwrap_or(i64::MAX).saturating_add(self.config.wall_offset_ms)
    }

    fn tick(&mut self, now_ms: u64, out: &mut Vec<Output>) {
        self.produces.expire(now_ms, out);
        self.expire_verifications(now_ms, out);
        self.expire_producers(now_ms);
        while let Some(id) = self.fetches.expired(now_ms) {
            if let Some(request) = self.fetches.take(id) {
                let (partitions, _) = self.evaluate(now_ms, &request);
                self.answer_fetch(id, request.reader, partitions, out);
            }
        }
        let due = self.heard_by_controller_ms.is_none_or(|at| now_ms >= at + self.heartbeat_ms);
        if due && self.controller_up && !self.ending {
            self.contact_controller(now_ms, out);
        }
        let keys: Vec<_> = self.replicas.keys().copied().collect();
        for key in keys {
            self.tend(now_ms, key, out);
        }
        self.tick_coordinators(now_ms, out);
    }

    /// Forgets producers of which nothing has come for `producer.id.expiration.ms`, now and then.
    fn expire_producers(&mut self, now_ms: u64) {
        let next_ms = now_ms + self.settings.number("producer.id.expiration.check.interval.ms");
        if now_ms < *self.expire_producers_ms.get_or_insert(next_ms) {
            return;
        }
        self.expire_producers_ms = Some(next_ms);
        let settings = &self.settings;
        let age_ms = i64::try_from(settings.number("producer.id.expiration.ms")).unwrap_or(i64::MAX);
        let before_ms = self.wall_ms(now_ms).saturating_sub(age_ms);
        self.replicas.values_mut().for_each(|replica| replica.log.producers_mut().expire(before_ms));
    }

    fn advance(&mut self, now_ms: u64, key: PartitionKey, out: &mut Vec<Output>) {
        let cluster = Arc::clone(&self.image);
        let ctx = self.context(now_ms, &cluster);
        let Some(replica) = self.replicas.get_mut(&key) else { return };
        let before = replica.high_watermark;
        let released = replica.advance(ctx);
        if replica.high_watermark > before {
            self.touched.insert(key);
        }
        release(&mut self.produces, released, out);
    }

    /// Appends what a client sent. `verdicts` are about partitions whose transaction has been verified.
    fn produce(&mut self, now_ms: u64, request: ProduceRequest, verdicts: &Verdicts, out: &mut Vec<Output>) {
        let ProduceRequest { id, acks, timeout_ms, transaction: _, partitions } = request;
        let cluster = Arc::clone(&self.image);
        let ctx = self.context(now_ms, &cluster);
        let mut results = Vec::with_capacity(partitions.len());
        let mut waiters = Vec::new();
        for (index, partition) in partitions.iter().enumerate() {
            let key = partition.key;
            let verdict = verdicts.get(&key);
            let absent = self.absent_if_missing(key).or_else(|| verdict?.err());
            let mut log_start = -1;
            let produced = match (absent, self.replicas.get_mut(&key)) {
                (None, Some(replica)) if (-1..=1).contains(&acks) => {
                    log_start = replica.log.start();
                    let verified = verdict.is_some();
                    replica.produce(ctx, acks, partition, verified, &mut self.batches, out)
                }
                (None, _) => Err(Refusal::InvalidRequiredAcks),
                (Some(refusal), _) => Err(refusal),
            };
            if let Ok(produced) = &produced {
                self.touched.insert(key);
                waiters.extend(produced.required.map(|required| (key, (required, id, index))));
            }
            if produced.is_err_and(|refusal| refusal == Refusal::MessageTooLarge) {
                // Apache Kafka refuses it before it looks at the log.
                log_start = -1;
            }
            let stamped_ms = produced.map_or(-1, |produced| produced.stamped_ms);
            let result = produced.map(|produced| produced.base);
            results.push(ProduceResult { key, result, log_start, stamped_ms });
        }
        self.answer_once_committed(now_ms, id, timeout_ms, results, waiters, out);
        for partition in &partitions {
            self.advance(now_ms, partition.key, out);
        }
    }

    /// Answers a request when everything that was appended for it is committed, or at its deadline.
    fn answer_once_committed(
        &mut self,
        now_ms: u64,
        id: RequestId,
        timeout_ms: u64,
        results: Vec<ProduceResult>,
        waiters: Vec<(PartitionKey, Waiter)>,
        out: &mut Vec<Output>,
    ) {
        if waiters.is_empty() {
            out.push(Output::ProduceReply { id, partitions: results });
            return;
        }
        let open = waiters.iter().map(|(_, (_, _, index))| *index).collect();
        self.produces.park(id, now_ms + timeout_ms, results, open);
        let keys: BTreeSet<PartitionKey> = waiters.iter().map(|(key, _)| *key).collect();
        for (key, waiter) in waiters {
            if let Some(replica) = self.replicas.get_mut(&key) {
                replica.wait(waiter);
            }
        }
        keys.into_iter().for_each(|key| self.advance(now_ms, key, out));
    }

    fn absent_if_missing(&self, key: PartitionKey) -> Option<Refusal> {
        self.replica(key).err()
    }

    fn fetch(&mut self, now_ms: u64, id: RequestId, request: FetchRequest, out: &mut Vec<Output>) {
        let (results, ready) = self.evaluate(now_ms, &request);
        if let Reader::Replica(identity) = request.reader {
            self.note_fetches(now_ms, identity, &request, &results, out);
        }
        if ready || request.max_wait_ms == 0 {
            self.answer_fetch(id, request.reader, results, out);
        } else {
            self.fetches.park(id, now_ms + request.max_wait_ms, request);
        }
    }

    /// A replica's fetch says how far it has come, if our logs agree up to there.
    fn note_fetches(
        &mut self,
        now_ms: u64,
        identity: ReplicaIdentity,
        request: &FetchRequest,
        results: &[FetchResult],
        out: &mut Vec<Output>,
    ) {
        let cluster = Arc::clone(&self.image);
        for (fetch, result) in request.partitions.iter().zip(results) {
            if result.error.is_some() || result.diverging.is_some() {
                continue;
            }
            let Some(replica) = self.replicas.get_mut(&fetch.key) else { continue };
            let end = replica.log.end();
            let Role::Leader(leader) = &mut replica.role else { continue };
            let seen = Seen {
                broker_epoch: identity.broker_epoch,
                offset: fetch.fetch_offset,
                log_start: fetch.log_start,
            };
            if !leader.note_fetch(identity.node, seen, end, now_ms) {
                continue;
            }
            if let Some(isr) = leader.expanded(identity.node, replica.high_watermark, &cluster) {
                let isr = leader.members(self.config.node, self.epoch.unwrap_or(-1), &isr);
                self.propose(now_ms, fetch.key, isr, out);
            }
            self.advance(now_ms, fetch.key, out);
        }
    }

    /// What a fetch would be answered now, and whether that is worth answering.
    fn evaluate(&self, now_ms: u64, request: &FetchRequest) -> (Vec<FetchResult>, bool) {
        let ctx = self.context(now_ms, &self.image);
        let mut bytes = 0;
        let mut notable = false;
        let mut results = Vec::with_capacity(request.partitions.len());
        for fetch in &request.partitions {
            let budget = u64::from(request.max_bytes).saturating_sub(bytes);
            let result = match self.replica(fetch.key) {
                Ok(replica) => replica.read(ctx, request.reader, fetch, budget, bytes == 0),
                Err(refusal) => FetchResult {
                    key: fetch.key,
                    error: Some(refusal),
                    high_watermark: -1,
                    last_stable: -1,
                    log_start: -1,
                    diverging: None,
                    read: None,
                    aborted: Vec::new(),
                },
            };
            bytes += result.read.map_or(0, |read| read.bytes);
            notable |= result.error.is_some() || result.diverging.is_some();
            results.push(result);
        }
        (results, notable || bytes >= u64::from(request.min_bytes))
    }

    fn wake_fetches(&mut self, now_ms: u64, out: &mut Vec<Output>) {
        while let Some(key) = self.touched.pop_first() {
            for id in self.fetches.watching(key) {
                let Some(request) = self.fetches.get(id) else { continue };
                let (partitions, ready) = self.evaluate(now_ms, request);
                if ready && let Some(request) = self.fetches.take(id) {
                    self.answer_fetch(id, request.reader, partitions, out);
                }
            }
        }
    }

    fn receive(
        &mut self,
        now_ms: u64,
        from: i32,
        correlation: u64,
        partitions: Option<Vec<FetchedPartition>>,
        out: &mut Vec<Output>,
    ) {
        let Some(asked) = self.fetchers.answered(from, correlation, partitions.is_some(), now_ms) else {
            return;
        };
        let later = now_ms + self.fetchers.manner().backoff_ms;
        let cluster = Arc::clone(&self.image);
        let ctx = self.context(now_ms, &cluster);
        for FetchedPartition { key, result } in partitions.into_iter().flatten() {
            let (Some(asked), Some(replica)) = (asked.get(&key), self.replicas.get_mut(&key)) else {
                continue;
            };
            let follows = matches!(&replica.role, Role::Follower(follower) if follower.leader == from);
            let unchanged =
                asked.leader_epoch == replica.leader_epoch && asked.fetch_offset == replica.log.end();
            if !follows || !unchanged {
                continue;
            }
            match result {
                Ok(data) => {
                    if !replica.receive(ctx, data, out) {
                        replica.refused(later);
                    }
                }
                Err(_) => replica.refused(later),
            }
        }
    }

    fn send_fetches(&mut self, now_ms: u64, out: &mut Vec<Output>) {
        let Some(broker_epoch) = self.epoch else { return };
        let identity = ReplicaIdentity { node: self.config.node, broker_epoch };
        let (replicas, flaw) = (&self.replicas, self.config.flaw);
        let max_bytes = self.fetchers.manner().partition_bytes;
        let wanted = |key| {
            let replica: &Replica = replicas.get(&key)?;
            match &replica.role {
                Role::Follower(follower) if follower.not_before_ms <= now_ms => {
                    Some(replica.to_fetch(flaw, max_bytes))
                }
                _ => None,
            }
        };
        self.fetchers.send(now_ms, identity, wanted, out);
    }
}

fn release(produces: &mut Produces, released: Vec<Released>, out: &mut Vec<Output>) {
    for (id, index, refusal) in released {
        produces.resolve(id, index, refusal, out);
    }
}
