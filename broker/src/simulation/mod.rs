//! A cluster in memory: broker cores, a controller core, disks, and channels that can be cut or delayed.
//!
//! No socket, no clock, no file: time passes when [`World::run`] says so, and every message is delivered in an
//! order that a caller can repeat. What a server does around the cores is done here by hand, so that a seed
//! decides everything; a broken rule of the world itself is a panic.

mod clients;
mod errands;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
pub use clients::visible;
use errands::Errands;
use wire::batch::{Header, PATCHED, patched_prefix};

use crate::core::settings::Settings;
use crate::core::*;
use crate::flaws::Flaw;

/// The controller's end of a channel; brokers go by their ids.
pub const CONTROLLER: i32 = -1;
/// The clients' end.
pub const CLIENTS: i32 = -2;

/// The topic that every world has, `t`.
pub const TOPIC: Uuid = Uuid([7; 16]);

/// The time of day when this world's clock says 0.
pub const WALL_MS: i64 = 1_700_000_000_000;

/// From, to, and the number of the connection: messages of one connection arrive in order.
pub type Channel = (i32, i32, u64);

/// Offsets and values.
pub type Records = Vec<(i64, String)>;

enum Message {
    Up(ToController),
    Down(FromController),
    Fetch(u64, FetchRequest),
    Fetched(u64, Vec<FetchedPartition>),
    Produce(ProduceRequest),
    Transaction(RequestId, TxnRequest),
    Ask(Errand, PeerRequest),
    Answered(Errand, PeerAnswer),
}

/// What becomes of the bytes on a cut link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// They arrive after healing, as TCP brings them.
    Held,
    /// They are gone, and both ends are told.
    Reset,
}

#[derive(Default)]
struct Node {
    core: Option<Broker>,
    /// What lies in the page cache.
    disk: BTreeMap<PartitionKey, Vec<Batch>>,
    /// How many batches of it are on the platter.
    synced: BTreeMap<PartitionKey, usize>,
    checkpoint: BTreeMap<PartitionKey, i64>,
    /// Where logs start.
    starts: BTreeMap<PartitionKey, i64>,
    processes: u8,
    connection: Option<u64>,
}

/// The cluster, and what its clients were answered.
pub struct World {
    /// Its clock, ms.
    pub now: u64,
    /// Its controller.
    pub controller: Controller,
    persisted: MetadataSnapshot,
    nodes: BTreeMap<i32, Node>,
    channels: BTreeMap<Channel, VecDeque<Message>>,
    cuts: BTreeMap<(i32, i32), Cut>,
    /// Fetches that brokers serve for brokers: who asked, its process, its correlation number.
    serving: BTreeMap<RequestId, (i32, u8, u64)>,
    /// Fetches whose asker waits: asker, server, correlation number.
    pub outstanding: BTreeSet<(i32, i32, u64)>,
    /// What producers were answered: the base offset, or why not.
    pub replies: BTreeMap<RequestId, Result<i64, Refusal>>,
    /// What consumers were answered: an error, the high watermark, records.
    pub fetched: BTreeMap<RequestId, (Option<Refusal>, i64, Records)>,
    /// What group coordinators answered.
    pub answers: BTreeMap<RequestId, GroupAnswer>,
    /// What the coordinators of transactions answered.
    pub txn_answers: BTreeMap<RequestId, TxnAnswer>,
    /// What consumers were answered, as it was.
    raw: BTreeMap<RequestId, (FetchResult, Vec<Batch>)>,
    errands: Errands,
    reads: VecDeque<(i32, Input)>,
    numbers: u64,
    settings: BTreeMap<String, String>,
    flaw: Option<Flaw>,
}

/// A partition of [`TOPIC`].
pub fn key(partition: i32) -> PartitionKey {
    PartitionKey { topic: TOPIC, partition }
}

/// Settings, from names and values.
pub fn strings(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// What a batch of this world looks like: header fields as text, then the value. A value that begins with `~` is
/// part of a transaction.
pub fn batch(value: &str, records: i32, producer: Option<(i64, i16, i32)>) -> Batch {
    let (producer_id, producer_epoch, base_sequence) = producer.unwrap_or((-1, -1, -1));
    let bytes = Bytes::from(format!("{records}|{producer_id}|{producer_epoch}|{base_sequence}|{value}"));
    let mut info = parse(&bytes);
    info.size = u32::try_from(bytes.len()).expect("small");
    Batch { info, bytes }
}

/// A batch as clients of Kafka send it.
///
/// # Panics
/// If it is none.
pub fn sent(bytes: Bytes) -> Batch {
    let header = Header::check(&bytes).expect("a batch");
    Batch { info: BatchInfo::read(&header, &bytes), bytes }
}

fn parse(bytes: &Bytes) -> BatchInfo {
    // What coordinators write are real batches; those begin with an offset, which is 0 before it is patched.
    if let Some(header) = Header::parse(bytes).ok().filter(|_| bytes[0] == 0) {
        return BatchInfo::read(&header, bytes);
    }
    let text = std::str::from_utf8(bytes).expect("text");
    let mut fields = text.split('|').map(|field| field.parse::<i64>().unwrap_or(0));
    let mut next = || fields.next().expect("a field");
    BatchInfo {
        last_offset_delta: next() as i32 - 1,
        producer_id: next(),
        producer_epoch: next() as i16,
        base_sequence: next() as i32,
        base_offset: 0,
        leader_epoch: -1,
        control: false,
        transactional: text.rsplit('|').next().is_some_and(|value| value.starts_with('~')),
        marker: None,
        max_timestamp: 0,
        size: bytes.len() as u32,
    }
}

fn value(batch: &Batch) -> String {
    // A coordinator's batch is not text; nobody asks for its value.
    let text = String::from_utf8_lossy(&batch.bytes);
    text.rsplit('|').next().unwrap_or_default().to_owned()
}

impl World {
    /// Brokers 1 to `brokers`, up and unfenced, and one topic with every replica everywhere.
    pub fn new(brokers: i32, partitions: i32, topic: &[(&str, &str)], flaw: Option<Flaw>) -> Self {
        Self::with_settings(brokers, partitions, topic, flaw, &[])
    }

    /// [`World::new`] with other broker settings.
    pub fn with_settings(
        brokers: i32,
        partitions: i32,
        topic: &[(&str, &str)],
        flaw: Option<Flaw>,
        more: &[(&str, &str)],
    ) -> Self {
        let mut settings = strings(&[
            ("broker.session.timeout.ms", "1500"),
            ("broker.heartbeat.interval.ms", "300"),
            ("replica.lag.time.max.ms", "1500"),
            ("replica.fetch.wait.max.ms", "100"),
            ("replica.fetch.backoff.ms", "50"),
        ]);
        settings.extend(strings(more));
        let config = ControllerConfig {
            cluster_id: "test".to_owned(),
            settings: Settings::new(&settings).expect("legal"),
        };
        let mut world = Self {
            now: 1_000,
            controller: Controller::new(config, None, 1_000),
            persisted: MetadataSnapshot::default(),
            nodes: BTreeMap::new(),
            channels: BTreeMap::new(),
            cuts: BTreeMap::new(),
            serving: BTreeMap::new(),
            outstanding: BTreeSet::new(),
            replies: BTreeMap::new(),
            fetched: BTreeMap::new(),
            answers: BTreeMap::new(),
            txn_answers: BTreeMap::new(),
            raw: BTreeMap::new(),
            errands: Errands::default(),
            reads: VecDeque::new(),
            numbers: 0,
            settings,
            flaw,
        };
        (1..=brokers).for_each(|node| world.start(node));
        world.run(20);
        let topic = NewTopic {
            name: "t".to_owned(),
            id: TOPIC,
            partitions,
            replication_factor: brokers as i16,
            assignments: Vec::new(),
            configs: strings(topic),
            validate_only: false,
        };
        let message = ToController::Admin { request: 1, op: AdminOp::CreateTopic(topic) };
        world.control(ControllerInput::Message { connection: 0, message });
        world.run(20);
        world
    }

    /// A number that nobody has had yet.
    pub fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    // ----- nodes -----

    /// Whether a broker's process runs.
    pub fn is_up(&self, node: i32) -> bool {
        self.nodes.get(&node).is_some_and(|node| node.core.is_some())
    }

    /// The core of a broker that runs.
    pub fn broker(&self, node: i32) -> &Broker {
        self.nodes[&node].core.as_ref().expect("it is up")
    }

    /// Starts a process on what the disk holds.
    pub fn start(&mut self, id: i32) {
        let settings = Settings::new(&self.settings).expect("legal");
        let node = self.nodes.entry(id).or_default();
        assert!(node.core.is_none(), "it is up already");
        node.processes += 1;
        let mut incarnation = [0; 16];
        incarnation[..2].copy_from_slice(&[id as u8, node.processes]);
        let config = BrokerConfig {
            node: id,
            incarnation: Uuid(incarnation),
            host: "127.0.0.1".to_owned(),
            port: 9000 + id as u16,
            wall_offset_ms: WALL_MS,
            settings,
            previous_epoch: -1,
            flaw: self.flaw,
        };
        let recovered = node.disk.iter().map(|(key, batches)| RecoveredLog {
            key: *key,
            batches: batches.iter().map(|batch| batch.info).collect(),
            high_watermark: node.checkpoint.get(key).copied().unwrap_or(0),
            log_start: node.starts.get(key).copied().unwrap_or(0),
            ..RecoveredLog::empty(*key)
        });
        node.core = Some(Broker::new(config, recovered.collect()));
        self.connect(id);
    }

    /// SIGKILL: what was written stays.
    pub fn kill(&mut self, id: i32) {
        let node = self.nodes.get_mut(&id).expect("a node");
        node.core = None;
        if let Some(connection) = node.connection.take() {
            self.control(ControllerInput::Disconnected { connection });
        }
        self.channels.retain(|(from, to, _), _| *from != id && *to != id);
        self.outstanding.retain(|(asker, ..)| *asker != id);
        self.serving.retain(|_, (asker, ..)| *asker != id);
        self.forget_errands(id);
        self.fail_fetches(|_, to| to == id);
    }

    /// Asks the controller, as a server does for a client.
    pub fn administer(&mut self, op: AdminOp) {
        let message = ToController::Admin { request: 1, op };
        self.control(ControllerInput::Message { connection: 0, message });
    }

    /// SIGTERM: it hands over what it leads, as far as the controller hears it in time, and ends.
    pub fn shut_down(&mut self, id: i32) {
        self.step(id, Input::ShutDown);
        self.run(20);
        self.checkpoint(id);
        self.kill(id);
    }

    /// SIGKILL, and what was not synced is gone.
    pub fn power_cut(&mut self, id: i32) {
        self.kill(id);
        let node = self.nodes.get_mut(&id).expect("a node");
        for (key, batches) in &mut node.disk {
            batches.truncate(node.synced.get(key).copied().unwrap_or(0));
        }
    }

    /// Puts all that a broker wrote on its platter.
    pub fn sync(&mut self, id: i32) {
        let node = self.nodes.get_mut(&id).expect("a node");
        node.synced = node.disk.iter().map(|(key, batches)| (*key, batches.len())).collect();
    }

    /// Writes down the high watermarks, as a server does now and then.
    pub fn checkpoint(&mut self, id: i32) {
        let node = self.nodes.get_mut(&id).expect("a node");
        if let Some(core) = &node.core {
            node.checkpoint = core.high_watermarks().collect();
        }
    }

    /// The controller's process ends and starts again on what it persisted.
    pub fn restart_controller(&mut self) {
        let settings = Settings::new(&self.settings).expect("legal");
        let config = ControllerConfig { cluster_id: String::new(), settings };
        self.controller = Controller::new(config, Some(self.persisted.clone()), self.now);
        self.channels.retain(|(from, to, _), _| *from != CONTROLLER && *to != CONTROLLER);
        let up: Vec<i32> = self.nodes().into_iter().filter(|id| self.is_up(*id)).collect();
        up.into_iter().for_each(|id| self.hang_up(id));
    }

    // ----- links -----

    fn cut_of(&self, a: i32, b: i32) -> Option<Cut> {
        self.cuts.get(&(a.min(b), a.max(b))).copied()
    }

    /// Cuts the link between two ends.
    pub fn cut(&mut self, a: i32, b: i32, manner: Cut) {
        self.cuts.insert((a.min(b), a.max(b)), manner);
        if manner == Cut::Held {
            return;
        }
        let between = |from: i32, to: i32| (from, to) == (a, b) || (from, to) == (b, a);
        self.channels.retain(|(from, to, _), _| !between(*from, *to));
        self.fail_fetches(between);
        for node in [a, b].into_iter().filter(|_| a.min(b) == CONTROLLER) {
            if self.is_up(node) {
                self.hang_up(node);
            }
        }
    }

    /// Cuts a broker off from all others and the controller; clients still reach it.
    pub fn isolate(&mut self, node: i32, manner: Cut) {
        let others: Vec<i32> =
            self.nodes.keys().copied().chain([CONTROLLER]).filter(|o| *o != node).collect();
        others.into_iter().for_each(|other| self.cut(node, other, manner));
    }

    /// Undoes every cut.
    pub fn heal(&mut self) {
        self.cuts.clear();
    }

    /// A broker gives up its connection to the controller. What it has sent may arrive all the same.
    pub fn hang_up(&mut self, id: i32) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        if let Some(connection) = node.connection.take() {
            self.channels.remove(&(CONTROLLER, id, connection));
            self.step(id, Input::ControllerDown);
        }
    }

    fn connect(&mut self, id: i32) {
        if self.is_up(id) && self.nodes[&id].connection.is_none() && self.cut_of(CONTROLLER, id).is_none() {
            let number = self.number();
            self.nodes.get_mut(&id).expect("a node").connection = Some(number);
            self.step(id, Input::ControllerUp);
        }
    }

    /// Fails every fetch under way from one end to another. Its messages may arrive all the same.
    fn fail_fetches(&mut self, between: impl Fn(i32, i32) -> bool) {
        self.fail_errands(&between);
        let lost: Vec<_> = self.outstanding.iter().copied().filter(|(a, b, _)| between(*a, *b)).collect();
        lost.into_iter().for_each(|lost| self.fail_fetch(lost));
    }

    /// Tells a follower that its fetch failed.
    pub fn fail_fetch(&mut self, fetch: (i32, i32, u64)) {
        let (asker, from, correlation) = fetch;
        if self.outstanding.remove(&fetch) && self.is_up(asker) {
            self.step(asker, Input::FetchResponse { from, correlation, partitions: None });
        }
    }

    // ----- time and messages -----

    /// Lets time pass, with everything delivered that can be.
    pub fn run(&mut self, ms: u64) {
        for _ in 0..ms.div_ceil(10) {
            self.now += 10;
            self.tick();
            self.settle();
        }
    }

    /// Runs until `done`, for at most so long.
    pub fn run_until(&mut self, ms: u64, done: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + ms;
        while self.now < end && !done(self) {
            self.run(10);
        }
        done(self)
    }

    /// Lets every process look at the clock.
    pub fn tick(&mut self) {
        self.control(ControllerInput::Tick);
        let ids: Vec<i32> = self.nodes.keys().copied().filter(|id| self.is_up(*id)).collect();
        for id in ids {
            self.connect(id);
            self.step(id, Input::Tick);
        }
    }

    /// Channels whose next message can arrive.
    pub fn open_channels(&self) -> Vec<Channel> {
        let open = |channel: &Channel| self.cut_of(channel.0, channel.1).is_none();
        self.channels.keys().copied().filter(open).collect()
    }

    /// Delivers everything that can be delivered.
    pub fn settle(&mut self) {
        for _ in 0..100_000 {
            let Some(channel) = self.open_channels().first().copied() else { return };
            self.deliver(channel);
        }
        panic!("messages never end");
    }

    /// Delivers the next message of a channel.
    pub fn deliver(&mut self, channel: Channel) {
        let (from, to, number) = channel;
        let Some(queue) = self.channels.get_mut(&channel) else { return };
        let message = queue.pop_front();
        if queue.is_empty() {
            self.channels.remove(&channel);
        }
        match message {
            Some(Message::Up(message)) => {
                self.control(ControllerInput::Message { connection: number, message });
            }
            Some(Message::Down(message)) => self.step(to, Input::FromController(message)),
            Some(Message::Produce(request)) if self.is_up(to) => self.step(to, Input::Produce(request)),
            Some(Message::Fetch(correlation, request)) => {
                if self.is_up(to) {
                    let id = RequestId(self.number());
                    self.serving.insert(id, (from, self.nodes[&from].processes, correlation));
                    self.step(to, Input::Fetch { id, request });
                } else {
                    self.fail_fetch((from, to, correlation));
                }
            }
            Some(Message::Fetched(correlation, partitions)) => {
                if self.outstanding.remove(&(to, from, correlation)) {
                    self.step(to, Input::FetchResponse { from, correlation, partitions: Some(partitions) });
                }
            }
            Some(Message::Transaction(id, request)) if self.is_up(to) => {
                self.step(to, Input::Transaction { id, request });
            }
            Some(Message::Ask(errand, request)) => self.serve_peer(channel, errand, request),
            Some(Message::Answered(errand, answer)) => self.hear_peer(channel, errand, answer),
            Some(Message::Produce(_) | Message::Transaction(..)) | None => {}
        }
    }

    fn send(&mut self, channel: Channel, message: Message) {
        if self.cut_of(channel.0, channel.1) != Some(Cut::Reset) {
            self.channels.entry(channel).or_default().push_back(message);
        } else if let Message::Fetch(correlation, _) = message {
            self.fail_fetch((channel.0, channel.1, correlation));
        } else if let Message::Ask(errand, _) = message {
            self.reads.push_back((channel.0, Input::PeerAnswer { errand, answer: None }));
        }
    }

    /// Hands the controller an input.
    pub fn control(&mut self, input: ControllerInput) {
        let mut out = Vec::new();
        self.controller.step(self.now, input, &mut out);
        for output in out {
            match output {
                ControllerOutput::Send { connection, message } => {
                    let on = |node: &&i32| self.nodes[node].connection == Some(connection);
                    if let Some(node) = self.nodes.keys().find(on).copied() {
                        self.send((CONTROLLER, node, connection), Message::Down(message));
                    }
                }
                ControllerOutput::Persist(snapshot) => self.persisted = snapshot,
                ControllerOutput::Event(_) => {}
            }
        }
    }

    /// Hands a broker that runs an input.
    pub fn step(&mut self, id: i32, input: Input) {
        let mut out = Vec::new();
        let now = self.now;
        let node = self.nodes.get_mut(&id).expect("a node");
        node.core.as_mut().expect("it is up").step(now, input, &mut out);
        out.into_iter().for_each(|output| self.execute(id, output));
        if let Some((id, read)) = self.reads.pop_front()
            && self.is_up(id)
        {
            self.step(id, read);
        }
    }

    fn execute(&mut self, id: i32, output: Output) {
        match output {
            Output::OpenLog { key, .. } => {
                let old = self.nodes.get_mut(&id).expect("a node").disk.insert(key, Vec::new());
                assert!(old.is_none(), "a log is opened once");
            }
            Output::DeleteLog { key } => {
                let node = self.nodes.get_mut(&id).expect("a node");
                node.disk.remove(&key).expect("a log");
                node.synced.remove(&key);
                node.starts.remove(&key);
                node.checkpoint.remove(&key);
            }
            Output::Append { key, base_offset, leader_epoch, bytes } => {
                let node = self.nodes.get_mut(&id).expect("a node");
                let log = node.disk.get_mut(&key).expect("a log");
                let start = node.starts.get(&key).copied().unwrap_or(0);
                assert_eq!(log.last().map_or(start, |last| last.info.end_offset()), base_offset, "no gap");
                log.push(Batch { info: BatchInfo { base_offset, leader_epoch, ..parse(&bytes) }, bytes });
            }
            Output::Truncate { key, to } => {
                let node = self.nodes.get_mut(&id).expect("a node");
                let log = node.disk.get_mut(&key).expect("a log");
                log.retain(|batch| batch.info.end_offset() <= to);
                assert_eq!(log.last().map_or(0, |last| last.info.end_offset()), to, "a batch boundary");
                let synced = node.synced.entry(key).or_default();
                *synced = (*synced).min(log.len());
            }
            Output::RaiseStart { key, to } => {
                self.nodes.get_mut(&id).expect("a node").starts.insert(key, to);
            }
            Output::RestartLog { key, at } => {
                let node = self.nodes.get_mut(&id).expect("a node");
                node.starts.insert(key, at);
                node.synced.remove(&key);
                node.disk.insert(key, Vec::new());
            }
            Output::ProduceReply { id: request, partitions } => {
                let answer: PeerAnswer = partitions.iter().map(|one| one.result.err()).collect();
                if !self.answer_peer(id, request, &answer) {
                    self.replies.insert(request, partitions[0].result);
                }
            }
            Output::TransactionReply { id: request, answer } => {
                let to_peer = match &answer {
                    TxnAnswer::Places(places) => self.answer_peer(id, request, places),
                    _ => false,
                };
                if !to_peer {
                    self.txn_answers.entry(request).or_insert(answer);
                }
            }
            Output::AskPeer { to, errand, request } => self.ask_peer(id, to, errand, request),
            Output::FetchReply { id: request, partitions } => self.answer_fetch(id, request, &partitions),
            Output::ReadLog { key, leader_epoch, from, to } => {
                let disk = &self.nodes[&id].disk[&key];
                let inside = disk.iter().filter(|batch| (from..to).contains(&batch.info.base_offset));
                // As it lies on disk: with its offset.
                let bytes: Vec<u8> = inside
                    .flat_map(|batch| {
                        let Batch { info, bytes } = batch;
                        let prefix = patched_prefix(bytes, info.base_offset, info.leader_epoch);
                        prefix.into_iter().chain(bytes[PATCHED..].iter().copied())
                    })
                    .collect();
                let read = Input::LogRead { key, leader_epoch, to, bytes: bytes.into() };
                self.reads.push_back((id, read));
            }
            Output::GroupReply { id: request, answer } => {
                self.answers.entry(request).or_insert(answer);
            }
            Output::SendFetch { to, correlation, request } => {
                self.outstanding.insert((id, to, correlation));
                let number = self.number();
                self.send((id, to, number), Message::Fetch(correlation, request));
            }
            Output::ToController(message) => {
                if let Some(connection) = self.nodes[&id].connection {
                    self.send((id, CONTROLLER, connection), Message::Up(message));
                }
            }
            Output::Event(event) => {
                assert!(!event.to_string().is_empty());
            }
        }
    }

    fn answer_fetch(&mut self, id: i32, request: RequestId, results: &[FetchResult]) {
        let disk = &self.nodes[&id].disk;
        let read = |result: &FetchResult| -> Vec<Batch> {
            let Some(range) = result.read else { return Vec::new() };
            let inside = |batch: &&Batch| (range.from..range.to).contains(&batch.info.base_offset);
            let batches: Vec<_> = disk[&result.key].iter().filter(inside).cloned().collect();
            let bytes: usize = batches.iter().map(|batch| batch.bytes.len()).sum();
            assert_eq!(bytes as u64, range.bytes, "the range is what is on disk");
            batches
        };
        let Some((asker, process, correlation)) = self.serving.remove(&request) else {
            let records =
                read(&results[0]).iter().map(|batch| (batch.info.base_offset, value(batch))).collect();
            self.fetched.insert(request, (results[0].error, results[0].high_watermark, records));
            let batches = read(&results[0]);
            self.raw.insert(request, (results[0].clone(), batches));
            return;
        };
        let partition = |result: &FetchResult| FetchedPartition {
            key: result.key,
            result: result.error.map_or_else(
                || {
                    let FetchResult { high_watermark, log_start, diverging, .. } = *result;
                    let batches = read(result);
                    Ok(FetchedData { high_watermark, log_start, out_of_range: false, diverging, batches })
                },
                |refusal| match refusal {
                    Refusal::OffsetOutOfRange => Ok(FetchedData {
                        high_watermark: -1,
                        log_start: result.log_start,
                        out_of_range: true,
                        diverging: None,
                        batches: Vec::new(),
                    }),
                    refusal => Err(refusal),
                },
            ),
        };
        let partitions = results.iter().map(partition).collect();
        if self.nodes[&asker].processes == process {
            let number = self.number();
            self.send((id, asker, number), Message::Fetched(correlation, partitions));
        }
    }

    // ----- what an observer sees -----

    /// A partition as the controller knows it.
    pub fn partition(&self, key: PartitionKey) -> &PartitionImage {
        self.controller.snapshot().image.partition(key).expect("the topic is there")
    }

    /// Who is in sync, in partition 0.
    pub fn isr(&self) -> BTreeSet<i32> {
        self.partition(key(0)).isr.iter().copied().collect()
    }

    /// Who leads partition 0.
    pub fn leader(&self) -> i32 {
        self.partition(key(0)).leader
    }

    /// The high watermark of partition 0 that a broker knows.
    pub fn high_watermark(&self, node: i32) -> i64 {
        let found = self.broker(node).high_watermarks().find(|(known, _)| *known == key(0));
        found.expect("a replica").1
    }

    /// Offsets and values of a replica's log.
    pub fn log(&self, node: i32, key: PartitionKey) -> Records {
        let log = self.nodes[&node].disk.get(&key).map(Vec::as_slice).unwrap_or_default();
        log.iter().map(|batch| (batch.info.base_offset, value(batch))).collect()
    }

    /// Values of a replica's log of partition 0.
    pub fn values(&self, node: i32) -> Vec<String> {
        self.log(node, key(0)).into_iter().map(|(_, value)| value).collect()
    }

    /// Every broker, up or not.
    pub fn nodes(&self) -> Vec<i32> {
        self.nodes.keys().copied().collect()
    }

    /// Whether every replica of a partition is up, in sync, and has the leader's log with its headers.
    pub fn agree(&self, key: PartitionKey) -> bool {
        let state = self.partition(key);
        let log = |node: &i32| self.nodes[node].disk.get(&key);
        state.isr.len() == state.replicas.len()
            && state.replicas.iter().all(|node| log(node) == log(&state.leader))
    }
}
